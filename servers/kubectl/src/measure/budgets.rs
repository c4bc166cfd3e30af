//! What is left of disruption budgets: every eviction counted against every budget that covers it.
//!
//! The API server judges evictions one by one, and its dry-run does not keep count: several pods that share one allowed
//! disruption all pass it. So the sum is made here. Rollouts and scaling do not ask budgets at all; they are counted
//! against them all the same.

use std::collections::BTreeMap;

use runcord_model::BlastRadius;

use crate::names::Uid;
use crate::seen::{Budget, BudgetRule, Phase, Pod, Seen};

use super::losses::Losses;

/// What is left.
pub(super) struct Strain {
    /// Disruptions that the tightest budget still allows.
    pub(super) headroom: i64,
    /// How far the worst budget falls below its minimum, where it was at or above it.
    pub(super) below_minimum: i64,
}

/// How much a plan takes from each budget, and by how much it changes what the budget counts on.
#[derive(Default, Clone, Copy)]
struct Taken {
    disruptions: i64,
    shrinks: i64,
}

pub(super) fn strain(seen: &Seen, losses: &Losses<'_>) -> Strain {
    let mut strain = Strain { headroom: BlastRadius::NO_BUDGET, below_minimum: 0 };
    for (uid, taken) in taken(seen, losses) {
        let Some(budget) = seen.budget(uid) else { continue };
        let desired = desired_after(budget, taken.shrinks);
        // What shrinking lowers the minimum by is there to be taken.
        let allowed = budget.allowed + (budget.desired - desired);
        strain.headroom = strain.headroom.min(allowed - taken.disruptions);
        if budget.healthy >= budget.desired {
            strain.below_minimum = strain.below_minimum.max(desired - (budget.healthy - taken.disruptions));
        }
    }
    strain
}

/// The budgets that a plan takes from.
fn taken<'a>(seen: &'a Seen, losses: &Losses<'a>) -> BTreeMap<&'a Uid, Taken> {
    let mut taken: BTreeMap<&Uid, Taken> = BTreeMap::new();
    for pod in &losses.evicted {
        for uid in pod.budgets.iter().filter(|uid| seen.budget(uid).is_some_and(|b| counts_against(pod, b))) {
            taken.entry(uid).or_default().disruptions += 1;
        }
    }
    for rolled in losses.rolled.iter().filter(|r| r.lost > 0) {
        for uid in &rolled.workload.budgets {
            let entry = taken.entry(uid).or_default();
            entry.disruptions += rolled.lost;
            entry.shrinks += rolled.shrinks;
        }
    }
    taken
}

/// Whether the API server takes a disruption for the eviction of `pod`, as `canIgnorePDB` and the unhealthy pod
/// eviction policy say (k8s.io/kubernetes, pkg/registry/core/pod/storage/eviction.go).
pub(super) fn counts_against(pod: &Pod, budget: &Budget) -> bool {
    let enough = budget.healthy >= budget.desired && budget.desired > 0;
    match pod.phase {
        Phase::Pending | Phase::Finished | Phase::Terminating => false,
        Phase::Running => pod.ready || !(budget.unhealthy_always || enough),
    }
}

/// What the budget asks for once it counts on `shrinks` pods fewer.
fn desired_after(budget: &Budget, shrinks: i64) -> i64 {
    if shrinks == 0 {
        return budget.desired;
    }
    let expected = (budget.expected - shrinks).max(0);
    match budget.rule {
        BudgetRule::MinAvailable(share) => share.up(expected),
        BudgetRule::MaxUnavailable(share) => (expected - share.up(expected)).max(0),
    }
}
