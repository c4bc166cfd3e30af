//! Ready pods lost at once.
//!
//! A drain waits after each batch until its workloads have recovered, so what is lost *at once* is one batch, plus the
//! pods of earlier batches that do not come back: those that fit nowhere or that no quota lets in, and those that nobody
//! makes anew. A rollout loses what its strategy allows, less what is down already.

use std::collections::{BTreeMap, BTreeSet};

use runcord_model::Measure;

use crate::act::{Act, Evict, Object, Patch, Touch};
use crate::fit::Fit;
use crate::names::Uid;
use crate::seen::{Counts, Keeper, Pod, Rollout, Seen, Strategy, Workload};

use super::irreversible;
use crate::upkeep::UpkeepAct;

/// Everything that is lost, moment by moment. A moment of rollouts is all that are begun before any of them is waited for.
pub(super) struct Losses<'a> {
    seen: &'a Seen,
    /// Pods that are evicted.
    pub(super) evicted: Vec<&'a Pod>,
    /// Workloads that are restarted or scaled.
    pub(super) rolled: Vec<Rolled<'a>>,
    /// For each batch of evictions, the ready pods that are gone then.
    pub(super) batches: Vec<BTreeSet<Uid>>,
}

/// A workload that is restarted or scaled.
pub(super) struct Rolled<'a> {
    pub(super) workload: &'a Workload,
    pub(super) rollout: &'a Rollout,
    /// Ready pods lost at once.
    pub(super) lost: i64,
    /// Rollouts of one moment lose theirs together.
    pub(super) moment: usize,
    /// By how many replicas it shrinks.
    pub(super) shrinks: i64,
}

impl<'a> Losses<'a> {
    pub(super) fn of(seen: &'a Seen, acts: &[&Act], fit: &Fit) -> Self {
        let mut losses = Self { seen, evicted: Vec::new(), rolled: Vec::new(), batches: Vec::new() };
        let (mut gone_for_good, mut batch) = (BTreeSet::new(), Vec::new());
        let mut moment = 0;
        for act in acts {
            match act {
                Act::Evict(evict) => batch.extend(find(seen, evict)),
                Act::AwaitEvicted(_) => losses.close(&mut batch, &mut gone_for_good, fit),
                Act::Patch(patch) => losses.rolled.extend(rolled(seen, patch, moment)),
                Act::Upkeep(act) => losses.rolled.extend(rolled_back(seen, act, moment)),
                Act::AwaitRollout(_) => moment += 1,
                Act::Secret(_) | Act::Volume(_) | Act::Queue(_) => {}
            }
        }
        losses.close(&mut batch, &mut gone_for_good, fit);
        losses
    }

    fn close(&mut self, batch: &mut Vec<&'a Pod>, gone_for_good: &mut BTreeSet<Uid>, fit: &Fit) {
        if batch.is_empty() {
            return;
        }
        let ready = batch.iter().filter(|pod| pod.ready).map(|pod| pod.uid.clone());
        self.batches.push(ready.chain(gone_for_good.iter().cloned()).collect());
        let stays_away = |pod: &&&Pod| fit.is_lost(&pod.uid) || pod.keeper == Keeper::Nobody;
        gone_for_good.extend(batch.iter().filter(|p| p.ready).filter(stays_away).map(|p| p.uid.clone()));
        self.evicted.append(batch);
    }

    /// Ready pods lost in the worst moment.
    pub(super) fn pods(&self) -> i64 {
        let batches = self.batches.iter().map(|lost| i64::try_from(lost.len()).unwrap_or(i64::MAX));
        let rollouts = self.moments().into_iter().map(|rolled| rolled.iter().map(|r| r.lost).sum());
        batches.chain(rollouts).max().unwrap_or(0)
    }

    /// The rollouts that are under way together.
    pub(super) fn moments(&self) -> Vec<Vec<&Rolled<'a>>> {
        let mut moments: BTreeMap<usize, Vec<&Rolled<'a>>> = BTreeMap::new();
        for rolled in &self.rolled {
            moments.entry(rolled.moment).or_default().push(rolled);
        }
        moments.into_values().collect()
    }

    /// For each workload that loses ready pods, how many in its worst moment.
    fn by_workload(&self) -> BTreeMap<&Uid, i64> {
        let mut worst: BTreeMap<&Uid, i64> = BTreeMap::new();
        for lost in &self.batches {
            let mut now: BTreeMap<&Uid, i64> = BTreeMap::new();
            for owner in self.evicted.iter().filter(|p| lost.contains(&p.uid)).filter_map(|p| p.owner()) {
                *now.entry(&owner.uid).or_default() += 1;
            }
            for (uid, lost) in now {
                let most = worst.entry(uid).or_default();
                *most = lost.max(*most);
            }
        }
        for rolled in self.rolled.iter().filter(|r| r.lost > 0) {
            let most = worst.entry(&rolled.workload.id.uid).or_default();
            *most = rolled.lost.max(*most);
        }
        worst
    }

    fn counts(&self, uid: &Uid) -> Option<Counts> {
        self.seen.workload_by_uid(uid).and_then(|w| w.counts)
    }

    /// The largest share of one workload's ready pods, rounded up; unknown when a workload cannot be counted.
    pub(super) fn percent(&self) -> Measure {
        let share = |(uid, lost): (&Uid, i64)| {
            let ready = self.counts(uid)?.ready.max(lost).max(1);
            Some((lost * 100 + ready - 1) / ready)
        };
        let shares: Option<Vec<i64>> = self.by_workload().into_iter().map(share).collect();
        shares.map(|all| all.into_iter().max().unwrap_or(0)).into()
    }

    /// Workloads that lose their only replica; unknown when a workload cannot be counted.
    pub(super) fn sole_replicas(&self) -> Measure {
        let sole = |uid: &Uid| self.counts(uid).map(|counts| i64::from(counts.replicas == 1));
        let all: Option<Vec<i64>> = self.by_workload().into_keys().map(sole).collect();
        all.map(|all| all.into_iter().sum()).into()
    }

    /// Pods that nobody makes anew, and pods whose emptyDirs go with them.
    pub(super) fn irreversible(&self) -> usize {
        self.evicted.iter().map(|pod| irreversible(pod)).sum()
    }

    /// Volume claims that go with the pods that are scaled away.
    pub(super) fn claims(&self) -> i64 {
        self.rolled.iter().map(|r| r.shrinks.saturating_mul(r.rollout.claims_deleted)).sum()
    }
}

fn find<'a>(seen: &'a Seen, evict: &Evict) -> Option<&'a Pod> {
    seen.pods.iter().find(|pod| pod.uid == evict.uid)
}

fn rolled<'a>(seen: &'a Seen, patch: &Patch, moment: usize) -> Option<Rolled<'a>> {
    let workload = match &patch.object {
        Object::Node(_) => return None,
        Object::Workload(named) => seen.workload(named)?,
    };
    let (rollout, counts) = (workload.rollout.as_ref()?, workload.counts?);
    let (lost, shrinks) = match &patch.touch {
        Touch::Unschedulable { .. } => (0, 0),
        Touch::RestartedAt { .. } => (lost_by_restart(rollout, counts), 0),
        Touch::Replicas { before, after } => {
            (lost_by_scale(rollout, counts, *after), (before - after).max(0))
        }
    };
    Some(Rolled { workload, rollout, lost, moment, shrinks })
}

/// A rollback replaces pods as a restart does.
fn rolled_back<'a>(seen: &'a Seen, act: &UpkeepAct, moment: usize) -> Option<Rolled<'a>> {
    let UpkeepAct::RollBack(it) = act else { return None };
    let workload = seen.workload(&it.workload)?;
    let (rollout, counts) = (workload.rollout.as_ref()?, workload.counts?);
    Some(Rolled { workload, rollout, lost: lost_by_restart(rollout, counts), moment, shrinks: 0 })
}

/// A Deployment and a DaemonSet count what is down already as unavailable and take away no more than is left of their
/// allowance. A StatefulSet takes its pods in order, whatever their state.
fn lost_by_restart(rollout: &Rollout, counts: Counts) -> i64 {
    use crate::actions::Kind;
    match (rollout.kind, rollout.strategy) {
        (_, Strategy::Recreate | Strategy::OnDelete | Strategy::Partitioned { .. }) => counts.ready,
        (Kind::DaemonSet, Strategy::Rolling { surge, .. }) if surge > 0 => 0,
        (Kind::StatefulSet, Strategy::Rolling { unavailable, .. }) => unavailable.min(counts.ready),
        (Kind::Deployment | Kind::DaemonSet, Strategy::Rolling { unavailable, .. }) => {
            let stay = (counts.replicas - unavailable).max(0);
            (counts.ready - stay).clamp(0, unavailable)
        }
    }
}

/// A Deployment gives up pods that are not ready first; a StatefulSet gives up its last ones, whatever their state.
fn lost_by_scale(rollout: &Rollout, counts: Counts, after: i64) -> i64 {
    use crate::actions::Kind;
    match rollout.kind {
        Kind::Deployment | Kind::DaemonSet => (counts.ready - after).max(0),
        Kind::StatefulSet => (counts.replicas - after).clamp(0, counts.ready.max(0)),
    }
}
