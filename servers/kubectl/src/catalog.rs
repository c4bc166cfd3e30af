//! All that this server can do and see, as data: what a runbook is checked against when it is loaded.

use runcord_model::action::{BadStep, Schema, Scopes, StepCall};
use runcord_model::{ActionSpec, Catalog};
use serde_json::{Value, json};

use crate::actions::{
    Action, Drain, FindConsumers, OnNode, PodLogs, RecentEvents, Restart, RevertRestart, Scale, WorkloadRef,
};
use crate::observe::Observation;
use crate::queues;
use crate::queues::fields::PurgeQueue;
use crate::read::{Consumers, Events, History, Logs, NodeStatus, Status};
use crate::secrets::fields::{RestoreSecret, RestoreTaughtSecret, RotateSecret, RotateTaughtSecret};
use crate::upkeep::fields::{CleanJobs, EvictPod, ReclaimNode, ReleaseNode, RollBack, SuspendCronJob};
use crate::upkeep::view;
use crate::volumes::fields::GrowClaim;

const NODE: &[&str] = &["node", "nodes"];
const DRAIN: &[&str] = &["node", "nodes", "pods_on_node", "workloads", "budgets"];
const WORKLOAD: &[&str] = &["workload", "budgets"];
const STATUS: &[&str] = &["workload"];
const ROLL_BACK: &[&str] = &["workload", "budgets", "history"];
const EVICT_POD: &[&str] = &["pods", "workloads", "budgets"];
const SECRET: &[&str] = &["secret", "consumers", "budgets"];
const RELEASE: &[&str] = &["node", "nodes", "pods_on_node", "workloads", "budgets", "vitals"];

/// The catalog.
pub fn catalog() -> Catalog {
    Catalog {
        server: "kubectl",
        actions: vec![
            ActionSpec::mutating::<OnNode>("cordon", "Makes a node unschedulable.", NODE),
            ActionSpec::mutating::<OnNode>("uncordon", "Makes a node schedulable again.", NODE),
            ActionSpec::mutating::<Drain>(
                "drain",
                "Evicts the pods of a cordoned node, a batch at a time.",
                DRAIN,
            ),
            ActionSpec::mutating::<Restart>(
                "restart",
                "Replaces the pods of a workload, as its update strategy says.",
                WORKLOAD,
            ),
            ActionSpec::mutating::<RevertRestart>(
                "revert_restart",
                "Puts a workload's restart time back, which replaces its pods once more.",
                WORKLOAD,
            ),
            ActionSpec::mutating::<Scale>("scale", "Changes how many replicas a workload has.", WORKLOAD),
            ActionSpec::reading::<WorkloadRef, Status>(
                "workload_status",
                "Looks at a workload, its pods and its recent warnings.",
                STATUS,
            ),
            ActionSpec::reading::<PodLogs, Logs>(
                "pod_logs",
                "Reads a pod's log: bounded, filtered literally, in pages.",
                &[],
            ),
            ActionSpec::reading::<OnNode, NodeStatus>(
                "node_status",
                "Looks at a node, its pods and its recent warnings.",
                &[],
            ),
            ActionSpec::reading::<WorkloadRef, History>(
                "rollout_history",
                "Lists the revisions of a workload that can still be gone back to.",
                STATUS,
            ),
            ActionSpec::reading::<RecentEvents, Events>(
                "recent_events",
                "Reads the recent events of a namespace or of one object: warnings first, in pages.",
                &[],
            ),
            ActionSpec::mutating::<RollBack>(
                "roll_back",
                "Puts the pod template of an earlier revision back.",
                ROLL_BACK,
            ),
            ActionSpec::mutating::<EvictPod>(
                "evict_pod",
                "Evicts one pod that a controller makes anew.",
                EVICT_POD,
            ),
            ActionSpec::mutating::<SuspendCronJob>(
                "suspend_cronjob",
                "Suspends a CronJob, or lets it go on.",
                &["cron_job"],
            ),
            ActionSpec::mutating::<CleanJobs>(
                "clean_jobs",
                "Deletes Jobs that finished long enough ago, and what they own.",
                &["finished_jobs"],
            ),
            ActionSpec::mutating::<ReleaseNode>(
                "release_node",
                "Declares a dead node out of service, so that its pods and volumes are let go.",
                RELEASE,
            ),
            ActionSpec::mutating::<ReclaimNode>(
                "reclaim_node",
                "Takes a node back into service.",
                &["node", "nodes", "vitals"],
            ),
            ActionSpec::mutating::<RotateSecret>(
                "rotate_secret",
                "Puts new random values into a Secret, keeps those before, and restarts who uses it.",
                SECRET,
            ),
            ActionSpec::mutating::<RestoreSecret>(
                "restore_secret",
                "Puts kept values of a Secret back, and restarts who uses it.",
                SECRET,
            ),
            ActionSpec::mutating::<RotateTaughtSecret>(
                "rotate_taught_secret",
                "Makes a new value, has a backend learn and take it, then puts it in and restarts who uses it.",
                SECRET,
            ),
            ActionSpec::mutating::<RestoreTaughtSecret>(
                "restore_taught_secret",
                "Has a backend learn a kept value again, then puts it back and restarts who uses it.",
                SECRET,
            ),
            ActionSpec::reading::<FindConsumers, Consumers>(
                "find_consumers",
                "Looks for everybody who uses a Secret, a ConfigMap or a volume claim.",
                &[],
            ),
            ActionSpec::mutating::<GrowClaim>(
                "grow_claim",
                "Asks for a larger volume, and waits until it has grown.",
                &["claim"],
            ),
            ActionSpec::mutating::<PurgeQueue>(
                "purge_queue",
                "Empties a queue by a command in a container; another one says beforehand how much is in it.",
                &["queue"],
            ),
        ],
        observation: Schema::of::<Observation>(),
        sample: sample(),
        check,
    }
}

fn check(call: &StepCall) -> Result<Scopes, BadStep> {
    Action::read(call).map(|action| action.scopes())
}

/// A small shop on a small cluster: every variable is there, and no list is empty.
fn sample() -> Value {
    let node = |n: u8| json!({"name": format!("n{n}"), "ready": true, "schedulable": true, "zone": format!("z{}", n % 3)});
    let mut sample = json!({
        "workload": {
            "kind": "Deployment", "namespace": "shop", "name": "web", "replicas": 4, "ready": 4, "updated": 4,
            "available": 4, "paused": false, "generation_observed": true,
            "restarted_at": "2026-11-01T12:00:00Z", "progressing": false
        },
        "workloads": [{
            "kind": "Deployment", "namespace": "shop", "name": "web", "replicas": 4, "ready": 4, "minimum": 3
        }],
        "node": node(1),
        "nodes": (1..=5).map(node).collect::<Vec<_>>(),
        "pods_on_node": [{
            "namespace": "shop", "name": "web-5d9c7b-x2x4z", "ready": true, "kind": "Deployment", "managed": true,
            "daemon": false, "mirror": false
        }],
        "budgets": [{"namespace": "shop", "name": "web", "allowed": 1, "healthy": 4, "desired": 3}]
    });
    if let Value::Object(variables) = &mut sample {
        let pod = json!({
            "namespace": "shop", "name": "web-5d9c7b-x2x4z", "ready": true, "kind": "Deployment", "managed": true,
            "daemon": false, "mirror": false
        });
        variables.insert("pods".to_owned(), json!([pod]));
        variables.extend(view::samples().map(|(name, value)| (name.to_owned(), value)));
        variables.extend(crate::secrets::view::samples().map(|(name, value)| (name.to_owned(), value)));
        variables.extend(crate::volumes::view::samples().map(|(name, value)| (name.to_owned(), value)));
        variables.extend(queues::view::samples().map(|(name, value)| (name.to_owned(), value)));
    }
    sample
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(value: &Value) -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn the_sample_has_every_field_that_the_schema_documents() {
        let catalog = catalog();
        let declared = &catalog.observation.to_value()["properties"];
        assert_eq!(keys(&catalog.sample), keys(declared));
        for (name, schema) in declared.as_object().unwrap() {
            assert!(schema["description"].is_string(), "{name} is documented");
            let sample = &catalog.sample[name];
            let (sample, schema) = match sample.get(0) {
                Some(first) => (first, &schema["items"]),
                None => (sample, schema),
            };
            assert_eq!(keys(sample), keys(&schema["properties"]), "{name}");
        }
    }

    #[test]
    fn every_action_is_closed_and_observes_what_is_declared() {
        let catalog = catalog();
        for action in &catalog.actions {
            assert_eq!(action.with.to_value()["additionalProperties"], json!(false), "{}", action.name);
            let declared = keys(&catalog.observation.to_value()["properties"]);
            assert!(
                action.observes.iter().all(|name| declared.contains(&(*name).to_owned())),
                "{}",
                action.name
            );
            assert!(
                !action.with.to_value().to_string().contains("$ref"),
                "{} needs no other document",
                action.name
            );
            assert_eq!(
                action.output.to_value() == json!(false),
                action.effect == runcord_model::EffectKind::Mutating,
                "{}",
                action.name
            );
        }
    }
    #[test]
    fn the_shipped_runbooks_hold_against_this_catalog() {
        let catalog = catalog();
        let all = runcord_runbooks::shipped().iter().chain(runcord_runbooks::optional());
        for (file, text) in all.filter(|(file, _)| file.starts_with("kubectl/")) {
            let parsed =
                runcord_runbooks::Runbook::parse(file, text).unwrap_or_else(|report| panic!("{report:?}"));
            let checked = parsed.check(&catalog, runcord_model::Digest::from_bytes([0; 32]));
            let runbook = checked.unwrap_or_else(|reports| {
                panic!("{}", reports.iter().map(runcord_runbooks::Report::page).collect::<String>())
            });
            assert!(file.ends_with(&format!("/{}.yaml", runbook.name())), "{file}");
            assert!(runbook.description().len() < 2000 && !runbook.links().is_empty(), "{file}");
            let schema = runbook.input_schema();
            jsonschema::draft202012::new(&schema).unwrap();
            assert_eq!(schema["additionalProperties"], json!(false), "{file}");
        }
    }
}
