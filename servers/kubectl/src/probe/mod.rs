//! Looking at what the actions are concerned with, and nothing more.
//!
//! All nodes are listed, since runbooks count them; pods only of the nodes to be drained and of the workloads named;
//! budgets, quotas, endpoints and Ingresses only of the namespaces concerned; other nodes' pods only until every evicted pod has
//! found room.

mod around;
pub(crate) mod owners;
mod quotas;
mod room;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Node as ApiNode, Pod as ApiPod};
use kube::api::ListParams;
use runcord_model::Refusal;
use runcord_runtime::mask::Mask;

use crate::actions::{Action, Kind, WorkloadRef};
use crate::convert::{self, Malformed};
use crate::names::{NodeName, Uid};
use crate::reader::{ReadError, Reader};
use crate::refuse::unreachable;
use crate::seen::{Focus, Node, OwnerRef, Seen};
use crate::{queues, secrets, upkeep, volumes};

pub(crate) use around::ready_pods;
pub(crate) use owners::{Fetched, fetch, fetch_owner};
pub(crate) use quotas::Quotas;

/// Why a probe gave nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    /// A read failed.
    #[error("a read failed")]
    Read(#[from] ReadError),
    /// An object is not what the API says.
    #[error("an object cannot be understood")]
    Malformed(#[from] Malformed),
}

impl From<ProbeError> for Refusal {
    fn from(error: ProbeError) -> Self {
        match error {
            ProbeError::Read(error) => error.into(),
            ProbeError::Malformed(error) => unreachable(error.to_string()),
        }
    }
}

/// Looks. `remembered` are workloads whose pods this process has already evicted: they stay in view though none of
/// their pods is on the node any more.
pub(crate) async fn probe(
    reader: &Reader,
    mask: &Mask,
    actions: &[Action],
    remembered: &BTreeSet<OwnerRef>,
) -> Result<Seen, ProbeError> {
    let mut seen = Seen { focus: focus(actions), ..Seen::default() };
    let focus = &seen.focus;
    // What does not hang on each other is asked for at the same time; the wire holds how much that may be.
    let (nodes_named, mut pods, named_pods, mut fetched) = futures::try_join!(
        async { if focus.nodes.is_empty() { Ok(BTreeMap::new()) } else { nodes(reader).await } },
        async { Ok(pods_on(reader, &focus.drained).await?) },
        upkeep::probe::named_pods(reader, focus),
        named(reader, &focus.workloads),
    )?;
    seen.nodes = nodes_named;
    if !named_pods.is_empty() && seen.nodes.is_empty() {
        seen.nodes = nodes(reader).await?;
    }
    pods.extend(named_pods);
    seen.secrets = secrets::probe::look(reader, &seen.focus.secrets).await?;
    owners::consumers(reader, &seen.secrets, &mut fetched).await?;
    let keepers = owners::keepers(reader, &pods, &mut fetched).await?;
    if !seen.focus.drained.is_empty() || !seen.focus.upkeep.pods.is_empty() {
        owners::remember(reader, remembered, &mut fetched).await?;
    }
    let looks = |action: &Action| {
        matches!(
            action,
            Action::WorkloadStatus(_)
                | Action::PodLogs(_)
                | Action::NodeStatus(_)
                | Action::RolloutHistory(_)
                | Action::RecentEvents(_)
                | Action::FindConsumers(_)
        )
    };
    let mutates = !actions.iter().all(looks);
    let quotas = match mutates {
        true => Quotas::read(reader, &around::namespaces(&pods, &fetched)).await?,
        false => Quotas::default(),
    };
    seen.upkeep = upkeep::probe::look(reader, mask, &seen.focus.upkeep, &quotas).await?;
    seen.volumes = volumes::probe::look(reader, &seen.focus.volumes).await?;
    seen.queues = queues::probe::look(reader, &seen.focus.queues).await?;
    if mutates {
        let found = around::Found { fetched, quotas };
        around::look(reader, &mut seen, &pods, keepers, found, scaled(actions)).await?;
        room::find(reader, &mut seen).await?;
    } else {
        seen.workloads = fetched.into_iter().map(|f| f.workload).collect();
    }
    Ok(seen)
}

async fn nodes(reader: &Reader) -> Result<BTreeMap<NodeName, Node>, ProbeError> {
    let listed = reader.list::<ApiNode>(None, ListParams::default()).await?;
    Ok(listed.iter().map(convert::node).collect::<Result<_, _>>()?)
}

fn focus(actions: &[Action]) -> Focus {
    let mut focus = Focus::default();
    for action in actions {
        if let Some(node) = action.node().filter(|node| !focus.nodes.contains(node)) {
            focus.nodes.push(node.clone());
        }
        if let Action::Drain(drain) = action {
            focus.drained.insert(drain.node.clone());
        }
        upkeep::probe::focus(action, &mut focus);
        if let Action::Secret(secret) = action {
            secrets::probe::focus(secret, &mut focus.secrets);
        }
        volumes::probe::focus(action, &mut focus);
        queues::probe::focus(action, &mut focus.queues);
        if let Some(workload) = action.workload().filter(|w| !focus.workloads.contains(w)) {
            focus.workloads.push(workload);
        }
    }
    focus
}

/// The workloads whose autoscalers matter.
fn scaled(actions: &[Action]) -> Vec<WorkloadRef> {
    actions.iter().filter(|a| matches!(a, Action::Scale(_))).filter_map(Action::workload).collect()
}

async fn pods_on(reader: &Reader, nodes: &BTreeSet<NodeName>) -> Result<Vec<ApiPod>, ReadError> {
    let mut pods = Vec::new();
    for node in nodes {
        let on_node =
            ListParams { field_selector: Some(format!("spec.nodeName={node}")), ..ListParams::default() };
        pods.extend(reader.list::<ApiPod>(None, on_node).await?);
    }
    Ok(pods)
}

/// The workloads named; those that are not there are left out, and the draft says so.
async fn named(reader: &Reader, workloads: &[WorkloadRef]) -> Result<Vec<Fetched>, ProbeError> {
    let mut found = Vec::new();
    for workload in workloads {
        found.extend(fetch(reader, workload).await?);
    }
    Ok(found)
}

/// The kind by name, for the kinds that have a rollout.
pub(crate) fn kind_of(owner: &OwnerRef) -> Option<Kind> {
    match owner.kind.as_str() {
        "Deployment" => Some(Kind::Deployment),
        "StatefulSet" => Some(Kind::StatefulSet),
        "DaemonSet" => Some(Kind::DaemonSet),
        _ => None,
    }
}

/// The uid of an object of the API.
fn uid_of(meta: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) -> Option<Uid> {
    meta.uid.clone().and_then(|uid| Uid::try_from(uid).ok())
}
