//! `release_node` and `reclaim_node`: the out-of-service taint, set only on a node that is proved gone.
//!
//! The taint makes the cluster delete the node's pods by force and detach their volumes. On a node that still runs, two
//! copies of one pod would write to one volume. So every sign of life forbids it.

use runcord_model::Refusal;
use runcord_runtime::target::{Draft, Fixed};

use crate::KubectlActions;
use crate::act::{Act, PodRef};
use crate::draft::node::nothing;
use crate::names::NodeName;
use crate::refuse::precondition;
use crate::seen::{Keeper, Pod, Seen, Toleration};
use crate::upkeep::acts::{AwaitLetGo, Service, ServiceChange, UpkeepAct};
use crate::upkeep::fields::{ReclaimNode, ReleaseNode};
use crate::upkeep::seen::{Condition, OUT_OF_SERVICE, Vitals};

/// A lease must be behind by so many of its periods, and by so many seconds whatever its period.
pub(crate) const PERIODS: i64 = 5;
const LEAST_SECONDS: i64 = 200;

pub(super) fn release(
    it: &ReleaseNode,
    seen: &Seen,
    fixed: &Fixed,
) -> Result<Draft<KubectlActions>, Refusal> {
    let vitals = find(&it.node, seen)?;
    if vitals.out_of_service().is_some() {
        return Ok(nothing(seen, format!("node {} is out of service already: nothing to do", it.node)));
    }
    let (at, ready) = proved_gone(vitals)?;
    let act = service(vitals, ServiceChange::Release { at, ready }, fixed);
    let pods: Vec<PodRef> =
        seen.pods.iter().filter(|p| p.node == it.node && must_go(p)).map(pod_ref).collect();
    let summary = format!(
        "declare node {} out of service: the cluster deletes its {} pods by force and detaches their volumes",
        it.node,
        pods.len()
    );
    let predicted = with_mark(seen, &it.node, fixed);
    let wait = AwaitLetGo { node: it.node.clone(), pods, timeout: it.timeout };
    let acts = vec![Act::Upkeep(UpkeepAct::Service(act)), Act::Upkeep(UpkeepAct::AwaitLetGo(wait))];
    Ok(Draft { acts, predicted, summary })
}

pub(super) fn reclaim(
    it: &ReclaimNode,
    seen: &Seen,
    fixed: &Fixed,
) -> Result<Draft<KubectlActions>, Refusal> {
    let vitals = find(&it.node, seen)?;
    let Some(at) = vitals.out_of_service() else {
        return Ok(nothing(seen, format!("node {} is in service already: nothing to do", it.node)));
    };
    let act = service(vitals, ServiceChange::Reclaim { at }, fixed);
    let summary = format!("take node {} back into service: its taint is removed", it.node);
    let predicted = with_mark(seen, &it.node, fixed);
    Ok(Draft { acts: vec![Act::Upkeep(UpkeepAct::Service(act))], predicted, summary })
}

/// Every sign of life that there is, or the place and the status of the node's `Ready` condition when there is none.
pub(crate) fn proved_gone(vitals: &Vitals) -> Result<(usize, Condition), Refusal> {
    let node = &vitals.node;
    let alive = |why: String| {
        precondition(
            format!("node {node} is not proved gone: {why}"),
            "Make sure that the machine is off (at its provider, or by its power switch), wait, then plan again. A node that still answers is drained with drain_node.",
        )
    };
    let (at, ready) = match vitals.ready {
        Some((at, status @ (Condition::False | Condition::Unknown))) => (at, status),
        Some((_, Condition::True)) => return Err(alive("it reports that it is ready".to_owned())),
        None => return Err(alive("it has no Ready condition".to_owned())),
    };
    if vitals.ready_pods > 0 {
        return Err(alive(format!("{} of its pods still count as ready", vitals.ready_pods)));
    }
    let needed = (vitals.lease_period.saturating_mul(PERIODS)).max(LEAST_SECONDS);
    match vitals.lease_behind {
        None => {
            return Err(alive(
                "its lease cannot be compared with those of at least two other nodes".to_owned(),
            ));
        }
        Some(behind) if behind < needed => {
            return Err(alive(format!(
                "its lease is {behind} s behind those of the other nodes, and {needed} s are asked for"
            )));
        }
        Some(_) => {}
    }
    Ok((at, ready))
}

fn find<'a>(node: &NodeName, seen: &'a Seen) -> Result<&'a Vitals, Refusal> {
    seen.upkeep.vitals(node).ok_or_else(|| {
        precondition(format!("there is no node {node}"), "Look up the node's name and plan again.")
    })
}

fn service(vitals: &Vitals, change: ServiceChange, fixed: &Fixed) -> Service {
    Service {
        node: vitals.node.clone(),
        uid: vitals.uid.clone(),
        change,
        taints: vitals.taints.iter().map(|(key, _, effect)| (key.clone(), effect.clone())).collect(),
        plan: fixed.plan.clone(),
        annotated: vitals.annotated,
    }
}

fn with_mark(seen: &Seen, node: &NodeName, fixed: &Fixed) -> Seen {
    let mut predicted = seen.clone();
    if let Some(vitals) = predicted.upkeep.vitals.iter_mut().find(|v| v.node == *node) {
        vitals.mark = Some(fixed.plan.to_string());
        vitals.annotated = true;
    }
    predicted
}

/// Whether a pod is deleted from a node out of service: not one that puts up with the taint for ever, and not the
/// mirror of a static pod.
pub(crate) fn must_go(pod: &Pod) -> bool {
    let tolerates = |t: &Toleration| {
        t.effect.as_deref().is_none_or(|e| e.is_empty() || e == "NoExecute")
            && match t.key.as_deref() {
                None | Some("") => t.operator == "Exists",
                Some(key) => key == OUT_OF_SERVICE,
            }
    };
    pod.keeper != Keeper::Kubelet && !pod.needs.tolerations.iter().any(tolerates)
}

fn pod_ref(pod: &Pod) -> PodRef {
    PodRef { namespace: pod.namespace.clone(), name: pod.name.clone(), uid: pod.uid.clone() }
}
