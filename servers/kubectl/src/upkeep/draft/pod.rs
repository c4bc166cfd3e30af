//! `evict_pod`: one pod that a controller makes anew, by the same eviction as a drain's.

use std::collections::BTreeMap;

use runcord_model::Refusal;
use runcord_runtime::target::Draft;

use crate::KubectlActions;
use crate::act::{Act, Cause};
use crate::draft::drain::{Eviction, count_lost, one_budget_at_most};
use crate::fit::fit;
use crate::refuse::{internal, precondition};
use crate::seen::{Keeper, Phase, Pod, Seen};
use crate::upkeep::fields::EvictPod;

pub(super) fn evict(it: &EvictPod, seen: &Seen) -> Result<Draft<KubectlActions>, Refusal> {
    let label = format!("{}/{}", it.namespace, it.pod);
    let pod = seen.pods.iter().find(|p| p.namespace == it.namespace && p.name == it.pod).ok_or_else(|| {
        precondition(
            format!("there is no pod {label} on any node"),
            "Look up its namespace and name and plan again; a pod that waits for a node cannot be evicted.",
        )
    })?;
    is_made_anew(pod)?;
    one_budget_at_most(pod, seen)?;
    let node = seen.nodes.get(&pod.node).ok_or_else(|| internal("a pod was seen without its node"))?;
    let eviction =
        Eviction { node: &pod.node, node_uid: &node.uid, cause: Cause::Named, timeout: it.timeout };
    let mut given_up = BTreeMap::new();
    count_lost(pod, &fit(seen), &mut given_up);
    let acts =
        vec![Act::Evict(eviction.of(pod, seen)?), Act::AwaitEvicted(eviction.wait(&[pod], &given_up, seen))];
    let mut predicted = seen.clone();
    predicted.pods.retain(|p| p.uid != pod.uid);
    let owner = pod.owner().map(ToString::to_string).unwrap_or_default();
    let summary = format!("evict pod {label} from node {}; {owner} makes another one", pod.node);
    Ok(Draft { acts, predicted, summary })
}

fn is_made_anew(pod: &Pod) -> Result<(), Refusal> {
    let label = pod.label();
    if pod.phase == Phase::Terminating {
        return Err(precondition(
            format!("pod {label} is being deleted already"),
            "Wait until it is gone; if it does not go, look at its node.",
        ));
    }
    match &pod.keeper {
        Keeper::Owner(_) => Ok(()),
        Keeper::DaemonSet(owner) => Err(precondition(
            format!("pod {label} belongs to {owner}, which puts it back on the same node"),
            "Restart the DaemonSet with restart_workload instead.",
        )),
        Keeper::Kubelet => Err(precondition(
            format!("pod {label} is the mirror of a static pod, which only its node can stop"),
            "Change it on the node itself.",
        )),
        Keeper::Nobody => Err(precondition(
            format!("pod {label} belongs to no controller: once evicted it is gone"),
            "Have whoever made it remove it.",
        )),
    }
}
