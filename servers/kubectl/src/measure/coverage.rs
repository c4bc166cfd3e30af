//! What was truly checked, and what only an applied step can reveal.

use std::collections::BTreeSet;

use runcord_model::Coverage;

use crate::act::{Act, Touch};
use crate::dry_run::{Answer, DryRun};
use crate::fit::Fit;
use crate::seen::Seen;
use crate::upkeep::measure as upkeep;

pub(super) fn coverage(seen: &Seen, acts: &[&Act], fit: &Fit, dry_run: &DryRun) -> Coverage {
    let mut coverage = Coverage::default();
    let (mut evictions, mut deferred) = (0, 0);
    for answer in &dry_run.answers {
        match answer {
            Answer::Passed { what } => coverage.checked.push(format!("{what}: server-side dry-run")),
            Answer::EvictionPassed => evictions += 1,
            Answer::EvictionDeferred { .. } => deferred += 1,
            Answer::Gone { .. } => {}
            Answer::NotAsked { what, why } => coverage.undetermined.push(format!("{what}: {why}")),
        }
    }
    if evictions + deferred > 0 {
        coverage
            .checked
            .push(format!("evictions ({}): server-side dry-run, each by itself", evictions + deferred));
        coverage.checked.push("disruption budgets: every eviction summed".to_owned());
        coverage
            .checked
            .push(format!("room for evicted pods: first fit, other nodes looked at: {}", seen.used.len()));
    }
    if acts.iter().any(|act| replaces_pods(act)) {
        coverage.undetermined.extend(
            [
                "new pods: whether their images can be pulled and whether they become ready",
                "new pods: whether admission, but for quotas, lets their controllers make them",
            ]
            .map(str::to_owned),
        );
        quotas(seen, &mut coverage);
    }
    let only_scheduler = fit.undetermined.iter().filter(|_| evictions + deferred > 0);
    coverage.undetermined.extend(
        only_scheduler
            .map(|(what, pods)| format!("where the scheduler puts evicted pods: {what} ({pods} pods)")),
    );
    if acts.iter().any(|act| rolls_out(act)) {
        coverage.undetermined.push("where the scheduler puts new pods".to_owned());
    }
    upkeep::coverage(acts, &mut coverage);
    crate::secrets::measure::coverage(acts, &mut coverage);
    crate::volumes::measure::coverage(acts, &mut coverage);
    crate::queues::measure::coverage(acts, &mut coverage);
    coverage
}

/// New pods against the quotas that cover them, and those of which that cannot be told.
fn quotas(seen: &Seen, coverage: &mut Coverage) {
    let revisions = seen.upkeep.histories.iter().flat_map(|history| &history.revisions);
    let charges = seen.workloads.iter().map(|workload| &workload.charges);
    let charges =
        charges.chain(seen.pods.iter().map(|pod| &pod.charges)).chain(revisions.map(|one| &one.charges));
    let unclear: BTreeSet<_> = charges.flat_map(|charges| &charges.unclear).collect();
    coverage
        .checked
        .push(format!("room for new pods: ResourceQuotas of their namespaces: {}", seen.quotas.len()));
    coverage.undetermined.extend(
        unclear
            .iter()
            .map(|name| format!("new pods: whether ResourceQuota {name} covers them, and has room")),
    );
}

fn rolls_out(act: &Act) -> bool {
    match act {
        Act::Patch(patch) => match &patch.touch {
            Touch::RestartedAt { .. } => true,
            Touch::Replicas { before, after } => after > before,
            Touch::Unschedulable { .. } => false,
        },
        Act::Upkeep(act) => upkeep::rolls_out(act),
        Act::Evict(_)
        | Act::AwaitEvicted(_)
        | Act::AwaitRollout(_)
        | Act::Secret(_)
        | Act::Volume(_)
        | Act::Queue(_) => false,
    }
}

fn replaces_pods(act: &Act) -> bool {
    match act {
        Act::Evict(evict) => evict.owner.is_some(),
        Act::Patch(_)
        | Act::AwaitEvicted(_)
        | Act::AwaitRollout(_)
        | Act::Upkeep(_)
        | Act::Secret(_)
        | Act::Volume(_)
        | Act::Queue(_) => rolls_out(act),
    }
}
