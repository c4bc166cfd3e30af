//! The blast radius of a plan's acts: what is lost, compared with now, measured on what was seen.

mod budgets;
mod coverage;
mod losses;
mod remarks;
mod services;

use std::collections::BTreeSet;

use runcord_model::{BlastRadius, Measure, Scopes};
use runcord_runtime::target::Measured;

use crate::act::{Act, Cause, Object, Touch};
use crate::diff;
use crate::dry_run::DryRun;
use crate::fit::fit;
use crate::names::NodeName;
use crate::queues::measure as queues;
use crate::seen::{Keeper, Phase, Pod, Seen};
use crate::upkeep::measure as upkeep;

use losses::Losses;
use services::Downstream;

/// Measures all acts of a plan, one slice for each step.
pub(crate) fn measure(seen: &Seen, steps: &[Vec<Act>], dry_run: &DryRun) -> Measured {
    let acts: Vec<&Act> = steps.iter().flatten().collect();
    let fit = fit(seen);
    let losses = Losses::of(seen, &acts, &fit);
    let downstream = Downstream::of(seen, &losses);
    Measured {
        diff: diff::planned(seen, &acts),
        blast_radius: blast_radius(seen, &acts, &losses, &downstream),
        coverage: coverage::coverage(seen, &acts, &fit, dry_run),
        scopes: scopes(&acts),
        remarks: remarks::remarks(seen, &acts, &losses, &downstream, &fit, dry_run),
    }
}

fn blast_radius(seen: &Seen, acts: &[&Act], losses: &Losses<'_>, downstream: &Downstream<'_>) -> BlastRadius {
    let emptied: BTreeSet<&NodeName> = acts
        .iter()
        .filter_map(|act| emptied(act))
        .chain(acts.iter().filter_map(|act| upkeep::released(act)))
        .collect();
    let cordoned = acts.iter().filter_map(|act| cordoned(act)).filter(|node| !emptied.contains(node)).count();
    let zones: BTreeSet<_> =
        emptied.iter().filter_map(|node| seen.nodes.get(*node)).map(|n| &n.zone).collect();
    let budgets = budgets::strain(seen, losses);
    BlastRadius {
        pods_lost: known(losses.pods()),
        replicas_percent: losses.percent(),
        sole_replicas: losses.sole_replicas(),
        below_minimum: known(budgets.below_minimum),
        pdb_headroom: Measure::Known(budgets.headroom),
        nodes: known(count(emptied.len())),
        nodes_cordoned: known(count(cordoned)),
        zones: known(count(zones.len())),
        services_without_endpoints: known(count(downstream.services.len())),
        downstream: known(count(downstream.services.len() + downstream.ingresses.len())),
        irreversible: known(
            count(losses.irreversible())
                + losses.claims()
                + upkeep::irreversible(seen, acts)
                + crate::volumes::measure::irreversible(acts)
                + crate::secrets::measure::irreversible(acts)
                + queues::irreversible(acts),
        ),
        ..BlastRadius::nothing()
    }
    .settled()
}

fn known(n: i64) -> Measure {
    Measure::Known(n)
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn emptied(act: &Act) -> Option<&NodeName> {
    match act {
        Act::Evict(evict) => match evict.cause {
            Cause::Drain => Some(&evict.node),
            Cause::Named => None,
        },
        Act::Patch(_)
        | Act::AwaitEvicted(_)
        | Act::AwaitRollout(_)
        | Act::Upkeep(_)
        | Act::Secret(_)
        | Act::Volume(_)
        | Act::Queue(_) => None,
    }
}

fn cordoned(act: &Act) -> Option<&NodeName> {
    match act {
        Act::Patch(patch) => match (&patch.object, &patch.touch) {
            (Object::Node(node), Touch::Unschedulable { after: true, .. }) => Some(node),
            (Object::Node(_) | Object::Workload(_), _) => None,
        },
        Act::Evict(_)
        | Act::AwaitEvicted(_)
        | Act::AwaitRollout(_)
        | Act::Upkeep(_)
        | Act::Secret(_)
        | Act::Volume(_)
        | Act::Queue(_) => None,
    }
}

/// What cannot be brought back when the pod goes: itself, when nobody makes it anew, and the data of its emptyDirs.
fn irreversible(pod: &Pod) -> usize {
    if pod.phase == Phase::Finished {
        return 0;
    }
    usize::from(pod.keeper == Keeper::Nobody) + usize::from(pod.empty_dir)
}

fn scopes(acts: &[&Act]) -> Scopes {
    let mut scopes = Scopes::default();
    for act in acts {
        match act {
            Act::Patch(patch) => match &patch.object {
                Object::Node(node) => drop(scopes.nodes.insert(node.to_string())),
                Object::Workload(w) => drop(scopes.namespaces.insert(w.namespace.to_string())),
            },
            Act::Evict(evict) => {
                scopes.nodes.insert(evict.node.to_string());
                scopes.namespaces.insert(evict.namespace.to_string());
            }
            Act::AwaitEvicted(wait) => drop(scopes.nodes.insert(wait.node.to_string())),
            Act::Upkeep(act) => {
                scopes.nodes.extend(act.node().map(ToString::to_string));
                scopes.namespaces.extend(act.namespace().map(ToString::to_string));
            }
            Act::Secret(act) => drop(scopes.namespaces.insert(act.namespace().to_string())),
            Act::Volume(act) => drop(scopes.namespaces.insert(act.namespace().to_string())),
            Act::Queue(act) => drop(scopes.namespaces.insert(act.namespace().to_string())),
            Act::AwaitRollout(wait) => drop(scopes.namespaces.insert(wait.workload.namespace.to_string())),
        }
    }
    scopes
}

#[cfg(test)]
mod tests;
