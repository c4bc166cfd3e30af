//! Runbooks that are loaded only where the configuration names them: the files in a folder named `optional`.

use runcord_model::RunbookName;

use crate::library::Text;

/// The folder, wherever it is in the folder of runbooks.
pub(crate) const FOLDER: &str = "optional";

type Texts = Vec<Text>;

/// All files but the optional ones that nobody named.
///
/// # Errors
/// The first name that no optional file has: a runbook that was asked for and is not there is not passed over.
pub(crate) fn chosen(mut texts: Texts, wanted: &[RunbookName]) -> Result<Texts, RunbookName> {
    let is = |file: &str, name: &RunbookName| name_of(file) == Some(name.as_str());
    let there = |name: &&RunbookName| texts.iter().any(|(file, _)| is_optional(file) && is(file, name));
    if let Some(missing) = wanted.iter().find(|name| !there(name)) {
        return Err(missing.clone());
    }
    texts.retain(|(file, _)| !is_optional(file) || wanted.iter().any(|name| is(file, name)));
    Ok(texts)
}

fn is_optional(file: &str) -> bool {
    file.rsplit('/').skip(1).any(|folder| folder == FOLDER)
}

/// The name that a file goes by: without folder and ending.
fn name_of(file: &str) -> Option<&str> {
    let name = file.rsplit('/').next()?;
    name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn named(names: &[&str]) -> Vec<RunbookName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn files(names: &[&str]) -> Texts {
        names.iter().map(|name| ((*name).to_owned(), Cow::Borrowed(""))).collect()
    }

    fn loaded(names: &[&str]) -> Vec<String> {
        let all = files(&["a.yaml", "optional/b.yaml", "kubectl/optional/c.yml", "kubectl/optional.yaml"]);
        chosen(all, &named(names)).unwrap().into_iter().map(|(file, _)| file).collect()
    }

    #[test]
    fn what_is_optional_is_loaded_only_where_it_is_named() {
        assert_eq!(loaded(&[]), ["a.yaml", "kubectl/optional.yaml"]);
        assert_eq!(loaded(&["b"]), ["a.yaml", "optional/b.yaml", "kubectl/optional.yaml"]);
        assert_eq!(loaded(&["c", "b"]).len(), 4);
    }

    #[test]
    fn a_name_that_no_optional_file_has_is_an_error() {
        for missing in ["nothing", "a", "optional"] {
            let error = chosen(files(&["a.yaml", "optional/b.yaml"]), &named(&["b", missing])).unwrap_err();
            assert_eq!(error.as_str(), missing);
        }
    }
}
