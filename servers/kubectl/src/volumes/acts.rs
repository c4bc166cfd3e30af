//! The acts: one request and one wait, with everything they carry decided beforehand.

use runcord_model::PlanId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::size::{Size, Storage};
use crate::act::set_annotation;
use crate::convert::PLAN_MARK;
use crate::names::Namespace;
use crate::numbers::Span;
use crate::seen::OwnerRef;

/// One mutation or one wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "volume", rename_all = "snake_case")]
pub enum VolumeAct {
    /// Asks for a larger volume.
    Grow(Grow),
    /// Waits until the volume has grown.
    AwaitGrown(AwaitGrown),
}

/// Asks for a larger volume, if the claim is still the one that was seen and asks for what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grow {
    /// The claim.
    pub claim: OwnerRef,
    /// What it asks for.
    pub before: Storage,
    /// What it will ask for.
    pub after: Size,
    /// The plan, left in an annotation.
    pub plan: PlanId,
    /// Whether it has annotations already.
    pub annotated: bool,
}

/// Waits until the claim has what it asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwaitGrown {
    /// The claim.
    pub claim: OwnerRef,
    /// What it should have.
    pub size: Size,
    /// How long it may take.
    pub timeout: Span,
}

/// Where a claim asks for storage.
const REQUEST: &str = "/spec/resources/requests/storage";

impl Grow {
    /// The JSON Patch: tests of the uid, that nobody is deleting the claim, and of the very text of the old size first.
    /// A resize cannot have begun unseen since: it would have begun with another size.
    pub fn operations(&self) -> Value {
        let mut operations = vec![
            json!({"op": "test", "path": "/metadata/uid", "value": self.claim.uid}),
            json!({"op": "test", "path": "/metadata/deletionTimestamp", "value": null}),
            json!({"op": "test", "path": REQUEST, "value": self.before.text()}),
            json!({"op": "replace", "path": REQUEST, "value": self.after}),
        ];
        operations.extend(set_annotation(
            "/metadata/annotations",
            PLAN_MARK,
            self.plan.as_str(),
            self.annotated,
        ));
        Value::Array(operations)
    }
}

impl VolumeAct {
    /// One line for a person.
    pub fn describe(&self) -> String {
        match self {
            Self::Grow(it) => format!("grow {} from {} to {}", it.claim, it.before, it.after),
            Self::AwaitGrown(it) => format!("wait until {} has {}", it.claim, it.size),
        }
    }

    /// How long it may be deferred or waited for, in seconds.
    pub fn patience_seconds(&self) -> u64 {
        match self {
            // Deferred only by an overloaded API server.
            Self::Grow(_) => 60,
            Self::AwaitGrown(it) => it.timeout.seconds(),
        }
    }

    /// What must be *equal* at apply.
    pub fn canonical(&self) -> Option<Value> {
        match self {
            Self::Grow(it) => Some(json!({
                "claim": it.claim.to_string(), "uid": it.claim.uid, "before": it.before, "after": it.after,
            })),
            Self::AwaitGrown(_) => None,
        }
    }

    /// The namespace it touches.
    pub fn namespace(&self) -> &Namespace {
        match self {
            Self::Grow(it) => &it.claim.namespace,
            Self::AwaitGrown(it) => &it.claim.namespace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permissions::{Bound, STORAGE, bounds};
    use crate::volumes::samples::grow;

    #[test]
    fn a_claim_grows_only_while_it_is_the_one_that_was_seen_and_as_it_was() {
        let operations = grow().operations();
        let ops = operations.as_array().unwrap();
        assert_eq!(
            ops[0],
            json!({"op": "test", "path": "/metadata/uid", "value": "PersistentVolumeClaim-data"})
        );
        assert_eq!(ops[1], json!({"op": "test", "path": "/metadata/deletionTimestamp", "value": null}));
        assert_eq!(ops[2], json!({"op": "test", "path": REQUEST, "value": "10Gi"}), "the text that is there");
        assert_eq!(ops[3], json!({"op": "replace", "path": REQUEST, "value": "20Gi"}));
        assert_eq!(ops.iter().filter(|op| op["op"] != "test").count(), 2, "the size and our mark");
    }

    #[test]
    fn the_first_annotation_is_added_only_while_there_is_none() {
        let operations = Grow { annotated: false, ..grow() }.operations();
        assert_eq!(operations[4], json!({"op": "test", "path": "/metadata/annotations", "value": null}));
        assert_eq!(operations[5]["value"][PLAN_MARK], grow().plan.as_str());
    }

    #[test]
    fn the_bound_names_the_very_field_that_the_patch_touches() {
        let used = runcord_model::action::Use { action: "grow_claim".into(), fields: Default::default() };
        let [Bound::Change { resource, field, .. }] = bounds(&used).unwrap()[..] else { panic!() };
        assert_eq!((resource, field), ("persistentvolumeclaims", STORAGE));
        assert_eq!(REQUEST, format!("/{}", field.join("/")));
    }
}
