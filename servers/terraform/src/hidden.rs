//! What no plan shows, and the configuration's files do: a provisioner within a `removed` block runs when its resource is
//! destroyed or forgotten, and is nowhere in the plan's JSON (seen with terraform 1.11 and tofu 1.12).

use std::fs;
use std::io;
use std::path::Path;

/// Whether a file below this folder may hold such a block: both words, whatever stands between them. A comment that holds
/// them is taken for one too, which costs its author a word.
pub(crate) fn provisions_what_is_removed(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        let found = if kind.is_dir() {
            provisions_what_is_removed(&path)?
        } else {
            is_configuration(&path) && may_provision(&fs::read_to_string(&path)?)
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_configuration(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    [".tf", ".tofu", ".tf.json", ".tofu.json"].iter().any(|ending| name.ends_with(ending))
}

fn may_provision(text: &str) -> bool {
    let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'));
    words.clone().any(|word| word == "removed") && words.any(|word| word == "provisioner")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_words_are_looked_for_in_every_file_of_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let removed = "removed {\n  from = aws_instance.a\n  provisioner \"local-exec\" {\n    when = destroy\n  }\n}\n";
        fs::create_dir(folder.path().join("m")).unwrap();
        fs::write(folder.path().join("README.md"), removed).unwrap();
        fs::write(
            folder.path().join("m/a.tf"),
            "resource \"aws_instance\" \"was_removed\" { provisioner \"x\" {} }",
        )
        .unwrap();
        fs::write(folder.path().join("m/b.tf"), "removed { from = aws_instance.b }").unwrap();
        assert!(!provisions_what_is_removed(folder.path()).unwrap());
        for name in ["m/c.tf", "c.tofu", "d.tf.json"] {
            fs::write(folder.path().join(name), removed).unwrap();
            assert!(provisions_what_is_removed(folder.path()).unwrap(), "{name}");
            fs::remove_file(folder.path().join(name)).unwrap();
        }
    }
}
