//! What CEL in a runbook sees.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::seen::Class;
use crate::names::{Namespace, ObjectName};
use crate::seen::Seen;

/// A PersistentVolumeClaim.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct ClaimView {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// Pending, Bound or Lost.
    pub phase: String,
    /// What it asks for, in bytes.
    pub requested: i64,
    /// What it has, in bytes; 0 while it has no volume.
    pub capacity: i64,
    /// Whether its storage class lets it grow.
    pub expandable: bool,
    /// Whether a resize is not over, failed ones included.
    pub resizing: bool,
}

/// Puts the variables that were looked at.
pub(crate) fn observe(seen: &Seen, variables: &mut Map<String, Value>) {
    let (focus, found) = (&seen.focus.volumes, &seen.volumes);
    if let Some(claim) = focus.claims.first().and_then(|(namespace, name)| found.claim(namespace, name)) {
        let view = ClaimView {
            namespace: claim.id.namespace.clone(),
            name: claim.id.name.clone(),
            phase: claim.phase.as_str().to_owned(),
            requested: claim.requested.bytes(),
            capacity: claim.bytes(),
            expandable: found.class_of(claim).is_some_and(Class::can_grow),
            resizing: claim.is_resizing(),
        };
        variables.insert("claim".to_owned(), json!(view));
    }
}

/// One, for the catalog.
pub(crate) fn samples() -> [(&'static str, Value); 1] {
    let ten_gi = 10_i64 << 30;
    [(
        "claim",
        json!({
            "namespace": "shop", "name": "data", "phase": "Bound", "requested": ten_gi, "capacity": ten_gi,
            "expandable": true, "resizing": false
        }),
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Observation, observe};
    use crate::volumes::samples::{seen, storage, with};
    use crate::volumes::seen::Resize;

    #[test]
    fn a_claim_is_seen_with_the_fields_of_its_schema() {
        let observed = observe(&seen());
        let claim = observed["claim"].as_object().unwrap();
        let schema = schemars::schema_for!(Observation).to_value();
        let declared = schema["properties"]["claim"]["properties"].as_object().unwrap();
        assert!(claim.keys().eq(declared.keys()), "{claim:?}");
        assert_eq!((&claim["requested"], &claim["expandable"]), (&json!(10_i64 << 30), &json!(true)));
    }

    #[test]
    fn what_is_asked_for_and_not_there_yet_counts_as_resizing() {
        let resizing = |seen: &Seen| observe(seen)["claim"]["resizing"].clone();
        assert_eq!(resizing(&seen()), false);
        assert_eq!(resizing(&with(|claim| claim.requested = storage("20Gi"))), true);
        assert_eq!(resizing(&with(|claim| claim.resize = Resize::Infeasible)), true);
    }

    #[test]
    fn a_class_that_was_not_found_lets_nothing_grow() {
        let mut seen = seen();
        seen.volumes.classes.clear();
        assert_eq!(observe(&seen)["claim"]["expandable"], false);
    }
}
