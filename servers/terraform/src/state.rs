//! A state as the tool writes it: only which state it is, and which writing of it.

use serde::Deserialize;

use crate::names::Lineage;
use crate::seen::StateMark;

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
}
