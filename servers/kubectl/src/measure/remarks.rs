//! Sentences for the person at 3 am, the most important first.

use crate::act::Act;
use crate::dry_run::{Answer, DryRun};
use crate::fit::Fit;
use crate::seen::{Keeper, Phase, Pod, Seen, Strategy};

use super::budgets::counts_against;
use super::losses::Losses;
use super::services::Downstream;

/// So many names stand in one sentence.
const NAMED: usize = 5;

pub(super) fn remarks(
    seen: &Seen,
    acts: &[&Act],
    losses: &Losses<'_>,
    downstream: &Downstream<'_>,
    fit: &Fit,
    dry_run: &DryRun,
) -> Vec<String> {
    let mut said = dark_services(downstream);
    said.extend(overrun(seen, losses));
    said.extend(pods(
        losses,
        "belongs to no controller: once evicted it is gone",
        "belong to no controller: once evicted they are gone",
        |p| p.keeper == Keeper::Nobody && p.phase != Phase::Finished,
    ));
    said.extend(pods(
        losses,
        "loses the data of its emptyDir volumes",
        "lose the data of their emptyDir volumes",
        |p| p.empty_dir && p.phase != Phase::Finished,
    ));
    said.extend(pods(losses, "fits on no other node", "fit on no other node", |p| {
        fit.stranded.contains(&p.uid)
    }));
    said.extend(pods(
        losses,
        "is not made anew: a ResourceQuota of its namespace is used up",
        "are not made anew: a ResourceQuota of their namespace is used up",
        |p| fit.shut_out.contains(&p.uid),
    ));
    said.extend(pods(
        losses,
        "belongs to a Job, which starts its work again or fails",
        "belong to Jobs, which start their work again or fail",
        |p| p.owner().is_some_and(|o| o.kind.as_str() == "Job") && p.phase != Phase::Finished,
    ));
    said.extend(pods(
        losses,
        "belongs to a controller whose replicas cannot be counted",
        "belong to controllers whose replicas cannot be counted",
        |p| p.owner().is_some_and(|o| seen.workload_by_uid(&o.uid).is_none_or(|w| w.counts.is_none())),
    ));
    said.extend(rollouts(losses));
    said.extend(crate::upkeep::measure::remarks(seen, acts));
    said.extend(crate::secrets::measure::remarks(seen, acts));
    said.extend(crate::volumes::measure::remarks(seen, acts));
    said.extend(crate::queues::measure::remarks(acts));
    said.extend(deferred(dry_run));
    said.extend(staying(seen, losses));
    said
}

fn dark_services(downstream: &Downstream<'_>) -> Vec<String> {
    let each = |service: &&crate::seen::Service| {
        let from: Vec<_> = downstream
            .ingresses
            .iter()
            .filter(|i| i.namespace == service.namespace && i.services.contains(&service.name))
            .map(|i| i.name.to_string())
            .collect();
        let behind = if from.is_empty() {
            String::new()
        } else {
            format!(", and Ingress {} sends to it", from.join(", "))
        };
        format!("Service {}/{} would have no ready endpoint{behind}.", service.namespace, service.name)
    };
    downstream.services.iter().take(NAMED).map(each).collect()
}

fn overrun(seen: &Seen, losses: &Losses<'_>) -> Vec<String> {
    let needs = |budget: &crate::seen::Budget| {
        losses.evicted.iter().filter(|p| p.budgets.contains(&budget.uid) && counts_against(p, budget)).count()
    };
    seen.budgets
        .iter()
        .map(|budget| (budget, needs(budget)))
        .filter(|(budget, needed)| i64::try_from(*needed).is_ok_and(|n| n > budget.allowed))
        .map(|(budget, needed)| {
            format!(
                "PodDisruptionBudget {}/{} allows {} now, the evictions need {needed}.",
                budget.namespace, budget.name, budget.allowed
            )
        })
        .collect()
}

fn pods(losses: &Losses<'_>, one: &str, more: &str, which: impl Fn(&Pod) -> bool) -> Option<String> {
    let found: Vec<_> = losses.evicted.iter().filter(|pod| which(pod)).map(|pod| pod.label()).collect();
    match found.as_slice() {
        [] => None,
        [pod] => Some(format!("Pod {pod} {one}.")),
        pods => Some(format!("{} pods {more}: {}.", pods.len(), some_of(pods))),
    }
}

fn some_of(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        rest => format!("{shown} and {rest} more"),
    }
}

fn rollouts(losses: &Losses<'_>) -> Vec<String> {
    let mut said = Vec::new();
    for rolled in &losses.rolled {
        let id = &rolled.workload.id;
        if rolled.lost > 0 && !rolled.workload.budgets.is_empty() {
            said.push(format!(
                "Rollouts do not ask disruption budgets: {id} is counted against its own all the same."
            ));
        }
        if rolled.shrinks > 0 && rolled.rollout.claims_deleted > 0 {
            said.push(format!("{id} deletes the volume claims of the pods that are scaled away."));
        }
        if rolled.rollout.empty_dir
            && (rolled.shrinks > 0 || rolled.lost > 0 || replaces_all(rolled.rollout.strategy))
        {
            said.push(format!("Replaced pods of {id} lose the data of their emptyDir volumes."));
        }
    }
    said
}

fn replaces_all(strategy: Strategy) -> bool {
    match strategy {
        Strategy::Rolling { .. } | Strategy::Recreate => true,
        Strategy::OnDelete | Strategy::Partitioned { .. } => false,
    }
}

fn deferred(dry_run: &DryRun) -> Option<String> {
    let pods: Vec<String> = dry_run
        .answers
        .iter()
        .filter_map(|answer| match answer {
            Answer::EvictionDeferred { pod } => Some(pod.clone()),
            Answer::Passed { .. }
            | Answer::EvictionPassed
            | Answer::Gone { .. }
            | Answer::NotAsked { .. } => None,
        })
        .collect();
    (!pods.is_empty()).then(|| format!("A disruption budget forbids evicting now: {}.", some_of(&pods)))
}

fn staying(seen: &Seen, losses: &Losses<'_>) -> Option<String> {
    if losses.evicted.is_empty() {
        return None;
    }
    let of = |which: fn(&Keeper) -> bool| {
        seen.pods.iter().filter(|p| seen.focus.drained.contains(&p.node) && which(&p.keeper)).count()
    };
    let (daemons, mirrors) =
        (of(|k| matches!(k, Keeper::DaemonSet(_))), of(|k| matches!(k, Keeper::Kubelet)));
    (daemons + mirrors > 0)
        .then(|| format!("What stays on the node: {daemons} of DaemonSets, {mirrors} static."))
}
