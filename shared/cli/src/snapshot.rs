//! The parts of an authority as texts, and copies of those that were put in force: so that the next person sees
//! what would change line by line. A copy is only believed when its digest is the one in force.

use std::path::{Path, PathBuf};

use runcord_model::Digest;
use runcord_runtime::library::{Digests, Text, Texts, is_of_targets};

use crate::failure::Failure;
use crate::files;

/// The files of one part: by name, with their texts.
pub(crate) type Part = Vec<Text>;

/// The five parts of an authority, by the names that `differing` uses.
pub(crate) fn parts(texts: &Texts) -> Vec<(&'static str, Part)> {
    let of = |files: &Part, wanted: &dyn Fn(&str) -> bool| {
        files.iter().filter(|(name, _)| wanted(name)).cloned().collect::<Part>()
    };
    vec![
        ("rules", of(&texts.policy, &|name| name.ends_with(".cedar") || name == "schema.cedarschema")),
        ("people", of(&texts.policy, &|name| name == "people.yaml")),
        ("approvers", of(&texts.policy, &|name| name == "approvers")),
        ("targets", of(&texts.policy, &is_of_targets)),
        ("runbooks", texts.runbooks.clone()),
    ]
}

/// The digest of one part.
pub(crate) fn part_of<'a>(digests: &'a Digests, name: &str) -> Option<&'a Digest> {
    match name {
        "rules" => Some(&digests.rules),
        "people" => Some(&digests.people),
        "approvers" => Some(&digests.approvers),
        "targets" => Some(&digests.targets),
        "runbooks" => Some(&digests.runbooks),
        _ => None,
    }
}

/// Keeps copies of what was put in force. They inform only; a missing one costs the next diff, nothing else.
pub(crate) fn keep(state: &Path, digests: &Digests, parts: &[(&'static str, Part)]) -> Result<(), Failure> {
    let folder = state.join("authority");
    files::private_folder(&folder)?;
    for (name, part) in parts {
        let Some(digest) = part_of(digests, name) else { continue };
        let file = copy(state, digest);
        if !file.exists() {
            let text = serde_json::to_string(part).unwrap_or_default();
            files::write_new(&file, &text, files::Readers::Owner)?;
        }
    }
    Ok(())
}

/// The copy of a part in force, when there is one and it is truly that.
pub(crate) fn kept(state: &Path, digest: &Digest) -> Option<Part> {
    let text = std::fs::read_to_string(copy(state, digest)).ok()?;
    let part: Part = serde_json::from_str(&text).ok()?;
    (digest_of(&part) == *digest).then_some(part)
}

fn copy(state: &Path, digest: &Digest) -> PathBuf {
    let hex = digest.as_str().trim_start_matches("sha256:");
    state.join("authority").join(format!("{hex}.json"))
}

pub(crate) fn digest_of(part: &Part) -> Digest {
    let files: Vec<_> = part.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    runcord_seal::digest_tree(&files)
}

/// What changed from one set of files to another, as lines `- file: …` and `+ file: …`, at most `limit` of them.
pub(crate) fn changed_lines(before: &Part, after: &Part, limit: usize) -> Vec<String> {
    let lines = gone("-", before, after).chain(gone("+", after, before)).collect::<Vec<_>>();
    let more = lines.len().saturating_sub(limit);
    let mut shown: Vec<String> = lines.into_iter().take(limit).collect();
    if more > 0 {
        shown.push(format!("… and {more} more lines"));
    }
    shown
}

/// The lines of `from` that `to` has fewer of, in their order.
fn gone<'a>(sign: &'static str, from: &'a Part, to: &'a Part) -> impl Iterator<Item = String> + 'a {
    from.iter().flat_map(move |(name, text)| {
        let other = to.iter().find(|(other, _)| other == name).map_or("", |(_, text)| text);
        let mut left: Vec<&str> = other.lines().collect();
        text.lines()
            .filter(move |line| match left.iter().position(|other| other == line) {
                Some(at) => {
                    left.swap_remove(at);
                    false
                }
                None => !line.trim().is_empty(),
            })
            .map(move |line| format!("{sign} {name}: {}", runcord_model::text::visible(line.trim(), 200)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str) -> Part {
        vec![("people.yaml".to_owned(), text.to_owned().into())]
    }

    #[test]
    fn only_what_changed_is_shown() {
        let lines = changed_lines(&part("a\nb\nb\nc"), &part("a\nb\nd"), 20);
        assert_eq!(lines, ["- people.yaml: b", "- people.yaml: c", "+ people.yaml: d"]);
        assert_eq!(changed_lines(&part("a\nb"), &Part::new(), 1), ["- people.yaml: a", "… and 1 more lines"]);
    }

    #[test]
    fn a_copy_that_was_changed_is_not_believed() {
        let state = tempfile::tempdir().unwrap();
        let digest = digest_of(&part("a"));
        let digests = Digests {
            rules: digest.clone(),
            people: digest.clone(),
            approvers: digest.clone(),
            targets: digest.clone(),
            runbooks: digest.clone(),
        };
        keep(state.path(), &digests, &[("people", part("a"))]).unwrap();
        assert_eq!(kept(state.path(), &digest), Some(part("a")));
        std::fs::write(copy(state.path(), &digest), serde_json::to_string(&part("b")).unwrap()).unwrap();
        assert_eq!(kept(state.path(), &digest), None);
    }
}
