//! What a plan would change, and how much of that the dry-run truly checked.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What happens to one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the contract's words")]
pub enum ChangeKind {
    Create,
    Update,
    Delete,
    Replace,
    Run,
}

/// One object before and after. Values are cleaned and hold no secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// `Deployment shop/web`, `Node n7`.
    pub object: String,
    /// What happens to it.
    pub change: ChangeKind,
    /// The fields that change, as they are; null when there is nothing before.
    pub before: Value,
    /// The fields that change, as they would be (or, after a run, are); null when there is nothing after.
    pub after: Value,
    /// The same in one line for a person.
    pub text: String,
}

/// How much of a plan the dry-run truly checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// What was checked, and how: `cordon: server-side dry-run`.
    pub checked: Vec<String>,
    /// What only an applied step can reveal.
    pub undetermined: Vec<String>,
}

/// The part of a plan that must still be true when it is applied.
///
/// `equal` holds identities (uids), the fields that would be touched, the patches with every value fixed at
/// plan, owners, and the set of disruption budgets. What may have improved is in the blast radius.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// One entry for each step, in order; its digest is the plan's `effect_digest`.
    pub equal: Value,
}

impl Effect {
    /// Where two effects differ, as (JSON pointer, planned, now), in order.
    pub fn differences(&self, now: &Self) -> Vec<(String, Value, Value)> {
        let mut found = Vec::new();
        differ("", &self.equal, &now.equal, &mut found);
        found
    }
}

fn differ(at: &str, planned: &Value, now: &Value, found: &mut Vec<(String, Value, Value)>) {
    match (planned, now) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let (x, y) = (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
                differ(&format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), x, y, found);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for i in 0..a.len().max(b.len()) {
                let (x, y) = (a.get(i).unwrap_or(&Value::Null), b.get(i).unwrap_or(&Value::Null));
                differ(&format!("{at}/{i}"), x, y, found);
            }
        }
        (a, b) if a == b => {}
        (a, b) => found.push((at.to_owned(), a.clone(), b.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_name_the_place() {
        let planned = Effect { equal: json!([{"uid": "a", "owners": ["x", "y"]}]) };
        let now = Effect { equal: json!([{"uid": "b", "owners": ["x"]}]) };
        assert_eq!(
            planned.differences(&now),
            [("/0/owners/1".into(), json!("y"), Value::Null), ("/0/uid".into(), json!("a"), json!("b"))]
        );
        assert!(planned.differences(&planned.clone()).is_empty());
    }
}
