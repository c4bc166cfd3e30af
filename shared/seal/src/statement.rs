//! In-toto statements: what a record is an account of.

use runcord_model::{Digest, RecordKind};
use serde_json::{Map, Value, json};

/// The predicate type of every record.
pub const PREDICATE_TYPE: &str = "https://runcord.dev/attestation/runbook-action/v1";

/// What a statement speaks of.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its name, such as a plan's id.
    pub name: &'a str,
    /// Its digest.
    pub digest: &'a Digest,
}

/// An in-toto Statement v1 about `subject`. `predicate` gets the field `kind`.
pub fn statement(kind: RecordKind, subject: Subject<'_>, mut predicate: Map<String, Value>) -> Value {
    predicate.insert("kind".to_owned(), json!(kind));
    let hex = subject.digest.as_str().trim_start_matches("sha256:");
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": subject.name, "digest": {"sha256": hex}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_in_totos() {
        let digest = Digest::from_bytes([0xab; 32]);
        let said = statement(RecordKind::Intent, Subject { name: "pln_x", digest: &digest }, Map::new());
        assert_eq!(said["subject"][0]["digest"]["sha256"], "ab".repeat(32));
        assert_eq!(said["predicate"]["kind"], "intent");
    }
}
