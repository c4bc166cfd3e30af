//! Records' statements: facts of ours around a subject.

use runcord_model::{Digest, RecordKind};
use runcord_seal::Subject;
use serde_json::{Map, Value};

/// The in-toto statement of `facts` about the subject of that name and digest.
pub fn of(kind: RecordKind, name: &str, digest: &Digest, facts: Value) -> Value {
    let predicate = match facts {
        Value::Object(map) => map,
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Map::from_iter([("facts".to_owned(), other)])
        }
    };
    runcord_seal::statement(kind, Subject { name, digest }, predicate)
}
