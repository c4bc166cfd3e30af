//! A fake catalog, and tests of whole files against it.

mod faults;
mod fill;
mod ships;

use runcord_model::action::{BadStep, Schema};
use runcord_model::{ActionSpec, Catalog, Digest, EffectKind, Scopes, StepCall};
use serde_json::{Map, Value, json};

use crate::{Report, Runbook};

const KINDS: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

fn action(
    name: &'static str,
    effect: EffectKind,
    with: Value,
    observes: &'static [&'static str],
) -> ActionSpec {
    let output = if effect == EffectKind::ReadOnly { json!({"type": "object"}) } else { json!(false) };
    let fixed = |value: Value| Schema::made_by(move || value.clone());
    ActionSpec { name, doc: "", effect, with: fixed(with), output: fixed(output), observes }
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// A catalog with some of the actions and observation variables of the kubectl server, and none of its code. That every
/// file that ships holds against the real one is tested there.
fn fake_catalog() -> Catalog {
    let (name, count) = (json!({"type": "string", "minLength": 1}), json!({"type": "integer"}));
    let workload = json!({"kind": {"enum": KINDS}, "namespace": name, "name": name});
    let with = |more: Value| {
        let mut all = workload.as_object().unwrap().clone();
        all.extend(more.as_object().unwrap().clone());
        object(Value::Object(all), &["kind", "namespace", "name"])
    };
    let replicas = json!({"type": "integer", "minimum": 0, "maximum": 1000});
    let scale =
        with(json!({"kind": {"enum": ["Deployment", "StatefulSet"]}, "replicas": replicas, "timeout": name}));
    let drain =
        json!({"node": name, "batch": {"type": "integer", "minimum": 1, "maximum": 10}, "timeout": name});
    let logs = json!({"namespace": name, "pod": name, "container": name, "since": name, "tail": count,
                      "contains": name, "page": name});
    let (node, draining) =
        (json!({"node": name}), &["node", "nodes", "pods_on_node", "workloads", "budgets"]);
    let actions = vec![
        action("cordon", EffectKind::Mutating, object(node.clone(), &["node"]), &["node", "nodes"]),
        action("uncordon", EffectKind::Mutating, object(node, &["node"]), &["node", "nodes"]),
        action("drain", EffectKind::Mutating, object(drain, &["node"]), draining),
        action("restart", EffectKind::Mutating, with(json!({"timeout": name})), &["workload"]),
        action(
            "revert_restart",
            EffectKind::Mutating,
            with(json!({"restarted_at": {"type": "string"}, "timeout": name})),
            &["workload"],
        ),
        action("scale", EffectKind::Mutating, scale, &["workload"]),
        action("workload_status", EffectKind::ReadOnly, with(json!({})), &["workload"]),
        action("pod_logs", EffectKind::ReadOnly, object(logs, &["namespace", "pod"]), &[]),
        action(
            "grow_claim",
            EffectKind::Mutating,
            object(
                json!({"namespace": name, "name": name, "size": name, "at_most_percent": count, "timeout": name}),
                &["namespace", "name", "size", "at_most_percent"],
            ),
            &["claim"],
        ),
        action("purge_queue", EffectKind::Mutating, purge_queue(&name), &["queue"]),
    ];
    Catalog {
        server: "kubectl",
        actions,
        observation: Schema::made_by(observation),
        sample: sample(),
        check: fake_check,
    }
}

/// With words that are written out, and values that fill a whole one.
fn purge_queue(name: &Value) -> Value {
    let value = object(json!({"value": {"type": "string", "x-filled": "whole"}}), &["value"]);
    let argv = json!({"type": "array", "minItems": 1,
        "items": {"anyOf": [{"type": "string", "x-filled": "never"}, value]}});
    object(
        json!({"namespace": name, "pod": name, "container": {"type": "string", "x-filled": "never"},
               "preview": argv, "purge": argv, "limit": name, "size_at_most": {"type": "integer"}}),
        &["namespace", "pod", "container", "preview", "purge"],
    )
}

/// The server's own rule that a schema does not say: no namespace of the system's.
fn fake_check(call: &StepCall) -> Result<Scopes, BadStep> {
    match call.with.get("namespace").and_then(Value::as_str) {
        Some("kube-system") => Err(BadStep { field: "namespace".into(), rule: "is the system's own".into() }),
        Some(namespace) => Ok(Scopes { namespaces: [namespace.to_owned()].into(), ..Scopes::default() }),
        None => Ok(Scopes::default()),
    }
}

/// The schema that a value would have, every field of it required.
fn schema_of(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let properties: Map<_, _> = fields.iter().map(|(k, v)| (k.clone(), schema_of(v))).collect();
            let required: Vec<_> = fields.keys().collect();
            json!({"type": "object", "properties": properties, "required": required})
        }
        Value::Array(items) => json!({"type": "array", "items": schema_of(&items[0])}),
        Value::String(_) => json!({"type": "string"}),
        Value::Number(_) => json!({"type": "integer"}),
        Value::Bool(_) => json!({"type": "boolean"}),
        Value::Null => json!({}),
    }
}

fn observation() -> Value {
    schema_of(&sample())
}

fn sample() -> Value {
    let node = |name: &str| json!({"name": name, "ready": true, "schedulable": true, "zone": "a"});
    json!({
        "workload": {"kind": "Deployment", "namespace": "shop", "name": "web", "replicas": 3, "ready": 3,
                     "updated": 3, "available": 3, "paused": false, "generation_observed": true,
                     "restarted_at": "2026-11-01T00:00:00Z", "progressing": false},
        "workloads": [{"kind": "Deployment", "namespace": "shop", "name": "web", "replicas": 3, "ready": 3, "minimum": 2}],
        "node": node("n1"),
        "nodes": [node("n1"), node("n2"), node("n3")],
        "pods_on_node": [{"namespace": "shop", "name": "web-1", "ready": true, "kind": "ReplicaSet",
                          "managed": true, "daemon": false, "mirror": false}],
        "budgets": [{"namespace": "shop", "name": "web", "allowed": 1, "healthy": 3, "desired": 2}],
        "claim": {"namespace": "shop", "name": "data", "phase": "Bound", "requested": 10_000_000_000_i64,
                  "capacity": 10_000_000_000_i64, "expandable": true, "resizing": false},
        "queue": {"namespace": "shop", "pod": "redis-0", "container": "redis", "size": 12},
    })
}

fn digest() -> Digest {
    Digest::from_bytes([7; 32])
}

fn load(text: &str) -> Result<Runbook, Vec<Report>> {
    Runbook::parse("test.yaml", text).map_err(|report| vec![report])?.check(&fake_catalog(), digest())
}

fn args(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// A runbook that loads, to be broken by replacing one piece.
const GOOD: &str = r#"apiVersion: runcord.dev/v1
kind: Runbook
metadata: {name: drain_node, version: 1.0.0, title: Drain a node, owner: platform}
spec:
  server: kubectl
  description: Empties one node.
  params:
    node: {type: string, format: k8s-subdomain}
    batch: {type: integer, minimum: 1, maximum: 10, default: 1}
    timeout: {type: duration, default: 15m, maximum: 1h}
    note: {type: string, required: false}
  preconditions:
    - {check: "nodes.filter(n, n.ready && n.schedulable).size() > 2", message: fewer than three nodes}
  headline: "drain node ${params.node}"
  steps:
    - {id: cordon, action: cordon, with: {node: "${params.node}"}}
    - {id: drain, action: drain, with: {node: "${params.node}", batch: "${params.batch}", timeout: "${params.timeout}"}}
  guard:
    - {check: "workloads.all(w, w.ready >= w.minimum)", message: a workload fell below its minimum}
  verify:
    - {check: "pods_on_node.size() == 0", message: pods are still on the node, within: 2m}
  undo: [{action: uncordon, with: {node: "${before.node.name}"}}]
  limits: {plan_ttl: 15m, timeout: 1h, concurrency: {key: "node/${params.node}", max: 1}}
"#;

/// Servers share runbooks between threads.
const _: fn() = || {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<Runbook>();
    shared::<crate::Filled>();
};
