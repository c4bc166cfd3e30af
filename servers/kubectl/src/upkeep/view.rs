//! What CEL in a runbook sees.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::names::{Namespace, NodeName, ObjectName};
use crate::seen::Seen;

/// The revisions of the workload that the runbook names.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct HistoryView {
    /// The revision that it has now; 0 while its controller has not recorded it.
    pub revision: i64,
    /// The one before; 0 when there is none.
    pub previous: i64,
    /// How many are kept.
    pub kept: i64,
}

/// A CronJob.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct CronJobView {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Jobs of it that run now.
    pub active: i64,
}

/// A finished Job.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct JobView {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// Objects that it owns.
    pub owned: i64,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// A node's signs of life.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct VitalsView {
    /// The node.
    pub node: NodeName,
    /// Whether it is declared out of service.
    pub out_of_service: bool,
    /// Pods on it that count as ready.
    pub ready_pods: i64,
}

/// Puts the variables that were looked at.
pub(crate) fn observe(seen: &Seen, variables: &mut Map<String, Value>) {
    let (focus, found) = (&seen.focus.upkeep, &seen.upkeep);
    if let Some(history) = focus.histories.first().and_then(|named| found.history(named)) {
        let view = HistoryView {
            revision: history.current().map_or(0, |kept| kept.number),
            previous: history.previous().map_or(0, |kept| kept.number),
            kept: i64::try_from(history.revisions.len()).unwrap_or(i64::MAX),
        };
        variables.insert("history".to_owned(), json!(view));
    }
    if let Some(cron_job) = focus.cron_jobs.first().and_then(|(ns, name)| found.cron_job(ns, name)) {
        let view = CronJobView {
            namespace: cron_job.id.namespace.clone(),
            name: cron_job.id.name.clone(),
            suspended: cron_job.suspended,
            active: cron_job.active,
        };
        variables.insert("cron_job".to_owned(), json!(view));
    }
    if !focus.jobs.is_empty() {
        let finished = found.jobs.iter().filter(|job| job.finished.is_some()).map(|job| JobView {
            namespace: job.id.namespace.clone(),
            name: job.id.name.clone(),
            owned: job.owned.values().sum(),
            deleting: job.deleting,
        });
        variables.insert("finished_jobs".to_owned(), json!(finished.collect::<Vec<_>>()));
    }
    if let Some(vitals) = focus.vitals.first().and_then(|node| found.vitals(node)) {
        let view = VitalsView {
            node: vitals.node.clone(),
            out_of_service: vitals.out_of_service().is_some(),
            ready_pods: vitals.ready_pods,
        };
        variables.insert("vitals".to_owned(), json!(view));
    }
}

/// One of each, for the catalog.
pub(crate) fn samples() -> [(&'static str, Value); 4] {
    [
        ("history", json!({"revision": 3, "previous": 2, "kept": 3})),
        ("cron_job", json!({"namespace": "shop", "name": "nightly", "suspended": false, "active": 0})),
        ("finished_jobs", json!([{"namespace": "shop", "name": "nightly-1", "owned": 1, "deleting": false}])),
        ("vitals", json!({"node": "n1", "out_of_service": false, "ready_pods": 0})),
    ]
}
