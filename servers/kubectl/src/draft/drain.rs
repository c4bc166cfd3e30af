//! `drain`: evict the pods of a cordoned node in batches, and wait after each for its workloads to recover.
//!
//! Pods of DaemonSets, mirror pods and pods already going are left alone. Replicas of one workload go into different
//! batches as far as possible. A batch is over when its pods are gone, by uid, and their workloads have as many ready
//! pods as before, less those that fit nowhere or that no quota lets be made anew.

use std::collections::{BTreeMap, BTreeSet};

use runcord_model::Refusal;
use runcord_runtime::target::Draft;

use super::node;
use crate::KubectlActions;
use crate::act::{Act, AwaitEvicted, BudgetRef, Cause, Evict, PodRef, Recovery};
use crate::actions::Drain;
use crate::fit::{Fit, fit};
use crate::names::{NodeName, Uid};
use crate::numbers::Span;
use crate::refuse::{internal, precondition};
use crate::seen::{OwnerRef, Phase, Pod, Seen};

pub(super) fn drain(drain: &Drain, seen: &Seen) -> Result<Draft<KubectlActions>, Refusal> {
    let name = &drain.node;
    let node = node::find(name, seen)?;
    if !node.unschedulable {
        return Err(precondition(
            format!("node {name} is schedulable: what is evicted could come back to it"),
            "Cordon it first: put a cordon step before the drain.",
        ));
    }
    let pods = in_order(seen.evictable(name).collect());
    for pod in &pods {
        one_budget_at_most(pod, seen)?;
    }
    let eviction = Eviction { node: name, node_uid: &node.uid, cause: Cause::Drain, timeout: drain.timeout };
    let fit = fit(seen);
    let mut given_up = BTreeMap::new();
    let mut acts = Vec::new();
    for batch in pods.chunks(drain.batch.get() as usize) {
        for pod in batch {
            acts.push(Act::Evict(eviction.of(pod, seen)?));
            count_lost(pod, &fit, &mut given_up);
        }
        acts.push(Act::AwaitEvicted(eviction.wait(batch, &given_up, seen)));
    }
    let summary = match pods.len() {
        0 => format!("node {name} has no pods to evict"),
        n => format!("evict {n} {} from node {name}, {} at a time", plural(n), drain.batch.get()),
    };
    let mut predicted = seen.clone();
    predicted.pods.retain(|pod| pod.node != *name || !pod.evictable());
    Ok(Draft { acts, predicted, summary })
}

fn plural(n: usize) -> &'static str {
    if n == 1 { "pod" } else { "pods" }
}

/// Round robin over workloads, so that two replicas of one share a batch only when there is no other way.
fn in_order(mut pods: Vec<&Pod>) -> Vec<&Pod> {
    pods.sort_by(|a, b| (a.owner(), &a.namespace, &a.name).cmp(&(b.owner(), &b.namespace, &b.name)));
    let mut turns: BTreeMap<Option<&OwnerRef>, usize> = BTreeMap::new();
    let mut with_turn: Vec<(usize, &Pod)> = pods
        .into_iter()
        .map(|pod| {
            let turn = turns.entry(pod.owner()).or_default();
            *turn += 1;
            (*turn, pod)
        })
        .collect();
    with_turn.sort_by_key(|(turn, _)| *turn);
    with_turn.into_iter().map(|(_, pod)| pod).collect()
}

/// The API server answers 500 to the eviction of a running pod that two budgets cover. One that is not started yet it
/// would evict, whatever its budgets; but it may well run when its turn comes.
pub(crate) fn one_budget_at_most(pod: &Pod, seen: &Seen) -> Result<(), Refusal> {
    let asked = match pod.phase {
        Phase::Running | Phase::Pending => pod.budgets.len() > 1,
        Phase::Finished | Phase::Terminating => false,
    };
    if !asked {
        return Ok(());
    }
    let mut names: Vec<_> =
        pod.budgets.iter().filter_map(|uid| seen.budget(uid)).map(|b| b.name.to_string()).collect();
    names.sort();
    Err(precondition(
        format!(
            "pod {} is covered by more than one disruption budget ({}): no eviction of it can succeed",
            pod.label(),
            names.join(", ")
        ),
        "Have one of these budgets changed so that each pod is covered by one, then plan again.",
    ))
}

/// What all evictions of one step have in common.
pub(crate) struct Eviction<'a> {
    pub(crate) node: &'a NodeName,
    pub(crate) node_uid: &'a Uid,
    pub(crate) cause: Cause,
    pub(crate) timeout: Span,
}

impl Eviction<'_> {
    /// The eviction of one pod.
    pub(crate) fn of(&self, pod: &Pod, seen: &Seen) -> Result<Evict, Refusal> {
        let budgets = pod.budgets.iter().map(|uid| {
            let budget =
                seen.budget(uid).ok_or_else(|| internal("a pod is covered by a budget that was not seen"))?;
            Ok(BudgetRef { namespace: budget.namespace.clone(), name: budget.name.clone(), uid: uid.clone() })
        });
        Ok(Evict {
            node: self.node.clone(),
            node_uid: self.node_uid.clone(),
            namespace: pod.namespace.clone(),
            pod: pod.name.clone(),
            uid: pod.uid.clone(),
            owner: pod.owner().cloned(),
            budgets: budgets.collect::<Result<_, Refusal>>()?,
            timeout: self.timeout,
            cause: self.cause,
        })
    }

    /// The wait for a batch to be gone and replaced.
    pub(crate) fn wait(
        &self,
        batch: &[&Pod],
        given_up: &BTreeMap<OwnerRef, i64>,
        seen: &Seen,
    ) -> AwaitEvicted {
        let owners: BTreeSet<_> = batch.iter().filter_map(|pod| pod.owner()).collect();
        let recovery = |owner: &OwnerRef| {
            // A Job counts an evicted pod as failed, and may well be over by then.
            let counts = seen.workload_by_uid(&owner.uid)?.counts.filter(|_| owner.kind.as_str() != "Job")?;
            let ready = (counts.ready - given_up.get(owner).copied().unwrap_or(0)).max(0);
            Some(Recovery { workload: owner.clone(), ready })
        };
        AwaitEvicted {
            node: self.node.clone(),
            pods: batch
                .iter()
                .map(|p| PodRef { namespace: p.namespace.clone(), name: p.name.clone(), uid: p.uid.clone() })
                .collect(),
            workloads: owners.into_iter().filter_map(recovery).collect(),
            timeout: self.timeout,
        }
    }
}

pub(crate) fn count_lost(pod: &Pod, fit: &Fit, given_up: &mut BTreeMap<OwnerRef, i64>) {
    if let Some(owner) = pod.owner().filter(|_| pod.ready && fit.is_lost(&pod.uid)) {
        *given_up.entry(owner.clone()).or_default() += 1;
    }
}
