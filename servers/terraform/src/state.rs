//! A state as the tool writes it: only which state it is, and which writing of it.

use std::io::ErrorKind;
use std::path::Path;

use runcord_content::disk;
use serde::Deserialize;

use crate::names::Lineage;
use crate::seen::StateMark;

/// The largest state that is read from its file.
const LARGEST: u64 = 256 << 20;

#[derive(Deserialize)]
struct State {
    #[serde(default)]
    lineage: String,
    #[serde(default)]
    serial: u64,
}

/// The mark of a state; that of one that was never written where there is nothing; none where it is not understood.
pub(crate) fn mark(text: &[u8]) -> Option<StateMark> {
    if text.iter().all(u8::is_ascii_whitespace) {
        return Some(StateMark { lineage: Lineage::try_from(String::new()).ok()?, serial: 0 });
    }
    let State { lineage, serial } = serde_json::from_slice(text).ok()?;
    Some(StateMark { lineage: Lineage::try_from(lineage).ok()?, serial })
}

/// The mark of the state in a file, which may not be there yet; none where only the tool can tell, as of a state that it has
/// encrypted.
pub(crate) fn mark_in(file: &Path) -> Option<StateMark> {
    match disk::open_path(file).and_then(|file| disk::read(file, LARGEST)) {
        Ok(text) => mark(&text?).filter(|mark| !mark.lineage.as_str().is_empty()),
        Err(error) if error.kind() == ErrorKind::NotFound => mark(b""),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_was_never_written_has_no_lineage() {
        assert_eq!(mark(b"\n").unwrap().serial, 0);
        let text = br#"{"version": 4, "serial": 7, "lineage": "9bcf747d-1569", "outputs": {"x": 1}}"#;
        let found = mark(text).unwrap();
        assert_eq!((found.lineage.as_str(), found.serial), ("9bcf747d-1569", 7));
        assert_eq!(mark(b"{\"lineage\": \"a b\"}"), None);
        assert_eq!(mark(b"no json"), None);
    }

    #[test]
    fn of_a_file_that_says_no_lineage_only_the_tool_can_tell() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("terraform.tfstate");
        assert_eq!(mark_in(&file).unwrap().serial, 0, "it was never written");
        std::fs::write(&file, r#"{"serial": 7, "lineage": "9bcf747d-1569"}"#).unwrap();
        assert_eq!(mark_in(&file).unwrap().serial, 7);
        for text in ["", r#"{"meta": {}, "encrypted_data": "x", "serial": 7}"#, "no json"] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(mark_in(&file), None, "{text}");
        }
        assert_eq!(mark_in(dir.path()), None, "a folder");
    }
}
