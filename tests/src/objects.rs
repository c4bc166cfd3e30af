//! The objects that most tests want. Change what comes out where a test needs more.

use serde_json::{Value, json};

/// A Deployment whose pods carry `app: NAME`.
pub fn deployment(name: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": selector(name), "template": template(name)},
    })
}

/// A StatefulSet, with the same pods.
pub fn stateful_set(name: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "serviceName": name,
            "selector": selector(name),
            "template": template(name),
        },
    })
}

/// A DaemonSet on the nodes of one bed, with the same pods.
pub fn daemon_set(name: &str, bed: &str) -> Value {
    let mut template = template(name);
    if let Some(Value::Object(spec)) = template.get_mut("spec") {
        spec.insert("nodeSelector".into(), json!({crate::cluster::BED_LABEL: bed}));
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name},
        "spec": {"selector": selector(name), "template": template},
    })
}

/// A PodDisruptionBudget over the pods with `app: NAME`.
pub fn disruption_budget(name: &str, min_available: u32) -> Value {
    json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": {"minAvailable": min_available, "selector": selector(name)},
    })
}

/// A Service over the pods with `app: NAME`.
pub fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
    })
}

fn selector(name: &str) -> Value {
    json!({"matchLabels": {"app": name}})
}

fn template(name: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "main", "image": "played", "resources": {"requests": {"cpu": "100m"}}}],
        },
    })
}
