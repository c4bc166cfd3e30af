//! Pod templates as digests: enough to compare, and nothing of what they hold.

use std::collections::BTreeMap;

use runcord_runtime::mask::Mask;
use serde_json::{Map, Value};

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

/// The digest of a pod template: equal for equal templates, however they are written down. Masked, since a template may
/// hold literal values of environment variables, which could be guessed.
pub(crate) fn digest(mask: &Mask, template: &Value) -> String {
    mask.digest(&without_nulls(template))
}

/// The image of each container.
pub(crate) fn images(template: &Value) -> BTreeMap<String, String> {
    let containers = template.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    let text = |container: &Value, key: &str| container.get(key).and_then(Value::as_str).map(str::to_owned);
    containers.filter_map(|c| Some((text(c, "name")?, text(c, "image")?))).collect()
}

/// Some writers write an empty time as null.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, below)| !below.is_null());
            Value::Object(kept.map(|(key, below)| (key.clone(), without_nulls(below))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::mask;
    use serde_json::json;

    #[test]
    fn a_kept_template_is_the_one_that_the_workload_had() {
        let mask = mask();
        let had = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "a", "image": "x:1"}]}});
        let mut kept = had.clone();
        kept["metadata"]["labels"][POD_TEMPLATE_HASH] = json!("5d9c7b");
        kept["metadata"]["creationTimestamp"] = Value::Null;
        let of_set = of_replica_set(&json!({"spec": {"template": kept}})).unwrap();
        assert_eq!(digest(&mask, &of_set), digest(&mask, &had));
        let mut patch = had.clone();
        patch["$patch"] = json!("replace");
        let of_revision = of_controller_revision(&json!({"data": {"spec": {"template": patch}}})).unwrap();
        assert_eq!(digest(&mask, &of_revision), digest(&mask, &had));
        assert_eq!(images(&had)["a"], "x:1");
        let mut other = had.clone();
        other["spec"]["containers"][0]["image"] = json!("x:2");
        assert_ne!(digest(&mask, &other), digest(&mask, &had));
    }

    #[test]
    fn a_revision_that_does_not_replace_the_whole_template_is_not_understood() {
        assert_eq!(of_controller_revision(&json!({"data": {"spec": {"template": {"spec": {}}}}})), None);
    }
}
