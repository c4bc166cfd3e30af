//! Looking at revisions, CronJobs, Jobs and a node's signs of life.

mod jobs;
mod revisions;
mod vitals;

use k8s_openapi::api::core::v1::Pod as ApiPod;
use runcord_runtime::mask::Mask;

use super::fields::UpkeepAction;
use super::seen::{UpkeepFocus, UpkeepSeen};
use crate::actions::Action;
use crate::probe::{ProbeError, Quotas};
use crate::reader::Reader;
use crate::seen::Focus;

pub(crate) use jobs::{holders, is};
pub(crate) use revisions::{live, source};
pub(crate) use vitals::vitals;

/// Adds what an action names.
pub(crate) fn focus(action: &Action, focus: &mut Focus) {
    let Action::Upkeep(action) = action else { return };
    let UpkeepFocus { pods, histories, cron_jobs, jobs, vitals } = &mut focus.upkeep;
    match action {
        UpkeepAction::RollBack(_) => histories.extend(action.workload()),
        UpkeepAction::EvictPod(it) => pods.push((it.namespace.clone(), it.pod.clone())),
        UpkeepAction::SuspendCronJob(it) => cron_jobs.push((it.namespace.clone(), it.name.clone())),
        UpkeepAction::CleanJobs(it) => {
            jobs.push(it.namespace.clone());
            cron_jobs.extend(it.cron_job.clone().map(|name| (it.namespace.clone(), name)));
        }
        UpkeepAction::ReleaseNode(it) => {
            vitals.push(it.node.clone());
            // Its pods, their workloads and budgets are looked at as for a drain.
            focus.drained.insert(it.node.clone());
        }
        UpkeepAction::ReclaimNode(it) => vitals.push(it.node.clone()),
    }
}

/// The pods that are named one by one and are on a node.
pub(crate) async fn named_pods(reader: &Reader, focus: &Focus) -> Result<Vec<ApiPod>, ProbeError> {
    let mut found = Vec::new();
    for (namespace, name) in &focus.upkeep.pods {
        let pod: Option<ApiPod> = reader.get(Some(namespace), name.as_str()).await?;
        found.extend(pod.filter(|pod| pod.spec.as_ref().is_some_and(|s| s.node_name.is_some())));
    }
    Ok(found)
}

/// Everything else that these actions are concerned with.
pub(crate) async fn look(
    reader: &Reader,
    mask: &Mask,
    focus: &UpkeepFocus,
    quotas: &Quotas,
) -> Result<UpkeepSeen, ProbeError> {
    let mut seen = UpkeepSeen::default();
    for workload in &focus.histories {
        seen.histories.extend(revisions::history(reader, mask, workload, quotas).await?);
    }
    for (namespace, name) in &focus.cron_jobs {
        seen.cron_jobs.extend(jobs::cron_job(reader, namespace, name).await?);
    }
    for namespace in &focus.jobs {
        seen.jobs.extend(jobs::jobs(reader, namespace).await?);
    }
    for node in &focus.vitals {
        seen.vitals.extend(vitals::vitals(reader, node).await?);
    }
    Ok(seen)
}
