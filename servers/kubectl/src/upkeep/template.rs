//! Pod templates as digests: enough to compare, and nothing of what they hold.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// What a ReplicaSet's controller adds to the template that it was made from.
const POD_TEMPLATE_HASH: &str = "pod-template-hash";

/// The pod template that a ReplicaSet keeps, as its Deployment had it.
pub(crate) fn of_replica_set(object: &Value) -> Option<Value> {
    let mut template = object.pointer("/spec/template")?.clone();
    if let Some(Value::Object(labels)) = template.pointer_mut("/metadata/labels") {
        labels.remove(POD_TEMPLATE_HASH);
    }
    Some(template)
}

/// The pod template that a ControllerRevision keeps: it is written as a strategic merge patch that replaces it whole
/// (k8s.io/kubernetes, pkg/controller/statefulset and daemon: `getPatch`).
pub(crate) fn of_controller_revision(object: &Value) -> Option<Value> {
    let mut template = object.pointer("/data/spec/template")?.clone();
    let directive = template.as_object_mut()?.remove("$patch");
    (directive.as_ref().and_then(Value::as_str) == Some("replace")).then_some(template)
}

/// The digest of a pod template: equal for equal templates, however they are written down.
pub(crate) fn digest(template: &Value) -> String {
    let mut hash = Sha256::new();
    hash.update(sorted(template).to_string().as_bytes());
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The image of each container.
pub(crate) fn images(template: &Value) -> BTreeMap<String, String> {
    let containers = template.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    let text = |container: &Value, key: &str| container.get(key).and_then(Value::as_str).map(str::to_owned);
    containers.filter_map(|c| Some((text(c, "name")?, text(c, "image")?))).collect()
}

/// Keys in order, nulls left out: some writers write an empty time as null.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept: BTreeMap<_, _> =
                map.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), sorted(v))).collect();
            Value::Object(kept.into_iter().collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_kept_template_is_the_one_that_the_workload_had() {
        let had = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "a", "image": "x:1"}]}});
        let mut kept = had.clone();
        kept["metadata"]["labels"][POD_TEMPLATE_HASH] = json!("5d9c7b");
        kept["metadata"]["creationTimestamp"] = Value::Null;
        let of_set = of_replica_set(&json!({"spec": {"template": kept}})).unwrap();
        assert_eq!(digest(&of_set), digest(&had));
        let mut patch = had.clone();
        patch["$patch"] = json!("replace");
        let of_revision = of_controller_revision(&json!({"data": {"spec": {"template": patch}}})).unwrap();
        assert_eq!(digest(&of_revision), digest(&had));
        assert_eq!(images(&had)["a"], "x:1");
        let mut other = had.clone();
        other["spec"]["containers"][0]["image"] = json!("x:2");
        assert_ne!(digest(&other), digest(&had));
    }

    #[test]
    fn a_revision_that_does_not_replace_the_whole_template_is_not_understood() {
        assert_eq!(of_controller_revision(&json!({"data": {"spec": {"template": {"spec": {}}}}})), None);
    }
}
