//! `restart`, `revert_restart` and `scale`: one patch of one workload, and the wait for its rollout.

use jiff::Timestamp;
use runcord_model::Refusal;
use runcord_runtime::target::{Draft, Fixed};

use super::node::nothing;
use crate::KubectlActions;
use crate::act::{Act, Annotated, AwaitRollout, Object, Patch, Touch};
use crate::actions::{Restart, RevertRestart, Scale, WorkloadRef};
use crate::numbers::Span;
use crate::quota;
use crate::refuse::{internal, precondition};
use crate::seen::{Charges, Counts, Rollout, Seen, Strategy, Workload};

pub(super) fn restart(
    restart: &Restart,
    seen: &Seen,
    fixed: &Fixed,
) -> Result<Draft<KubectlActions>, Refusal> {
    let named =
        WorkloadRef { kind: restart.kind, namespace: restart.namespace.clone(), name: restart.name.clone() };
    let found = Found::find(&named, seen)?;
    found.can_restart()?;
    quota::allows_replica_set(seen, found.workload, named.kind)?;
    let summary = format!("restart {named}: {}", pace(found.rollout, found.counts));
    Ok(found.retimed(Some(restart_time(fixed)), restart.timeout, fixed, summary))
}

pub(super) fn revert_restart(
    revert: &RevertRestart,
    seen: &Seen,
    fixed: &Fixed,
) -> Result<Draft<KubectlActions>, Refusal> {
    let named =
        WorkloadRef { kind: revert.kind, namespace: revert.namespace.clone(), name: revert.name.clone() };
    let found = Found::find(&named, seen)?;
    let after = revert.restarted_at.annotation();
    if found.rollout.restarted_at.as_deref() == after {
        return Ok(nothing(seen, format!("{named} has that restart time already: nothing to do")));
    }
    found.can_restart()?;
    let summary = format!(
        "put the restart time of {named} back, which replaces its pods: {}",
        pace(found.rollout, found.counts)
    );
    Ok(found.retimed(after.map(str::to_owned), revert.timeout, fixed, summary))
}

pub(super) fn scale(scale: &Scale, seen: &Seen, fixed: &Fixed) -> Result<Draft<KubectlActions>, Refusal> {
    let named =
        WorkloadRef { kind: scale.kind.into(), namespace: scale.namespace.clone(), name: scale.name.clone() };
    let found = Found::find(&named, seen)?;
    if let Some(autoscaler) = seen.autoscalers.iter().find(|a| a.target == named) {
        return Err(precondition(
            format!(
                "{named} is scaled by HorizontalPodAutoscaler {}, which would undo a change of its replicas",
                autoscaler.name
            ),
            "Change the autoscaler's bounds instead.",
        ));
    }
    let (before, after) = (found.counts.replicas, i64::from(scale.replicas.get()));
    if before == after {
        return Ok(nothing(seen, format!("{named} has {after} replicas already: nothing to do")));
    }
    found.is_settled()?;
    quota::allows_scale(seen, found.workload, found.counts, after)?;
    let touch = Touch::Replicas { before, after };
    Ok(found.patched(
        touch,
        scale.timeout,
        fixed,
        format!("scale {named} from {before} to {after} replicas"),
        |w| {
            w.counts = Some(Counts {
                replicas: after,
                total: after,
                ready: after,
                updated: after,
                available: after,
            });
        },
    ))
}

/// How the pods are replaced, in words.
pub(crate) fn pace(rollout: &Rollout, counts: Counts) -> String {
    let pods = counts.total;
    match rollout.strategy {
        Strategy::Rolling { unavailable: 0, surge } => {
            format!("its {pods} pods are replaced with up to {surge} more beside them, none taken away first")
        }
        Strategy::Rolling { unavailable, .. } => {
            format!("its {pods} pods are replaced, at most {unavailable} at a time")
        }
        Strategy::Recreate => format!("all {pods} pods are stopped before new ones start"),
        Strategy::OnDelete | Strategy::Partitioned { .. } => format!("its {pods} pods"),
    }
}

/// The workload an action names, with all that drafting needs.
pub(crate) struct Found<'a> {
    named: &'a WorkloadRef,
    seen: &'a Seen,
    pub(crate) workload: &'a Workload,
    pub(crate) rollout: &'a Rollout,
    pub(crate) counts: Counts,
}

impl<'a> Found<'a> {
    pub(crate) fn find(named: &'a WorkloadRef, seen: &'a Seen) -> Result<Self, Refusal> {
        let workload = seen.workload(named).ok_or_else(|| {
            precondition(
                format!("there is no {named}"),
                "Look up its kind, namespace and name and plan again.",
            )
        })?;
        match (&workload.rollout, workload.counts) {
            (Some(rollout), Some(counts)) => Ok(Self { named, seen, workload, rollout, counts }),
            _ => Err(internal("a workload was seen without its rollout")),
        }
    }

    /// Whether a restart would begin, and none is under way.
    pub(crate) fn can_restart(&self) -> Result<(), Refusal> {
        self.can_begin("a restart")?;
        self.is_settled()?;
        self.has_room(&self.workload.charges)
    }

    /// Whether quotas let the pods of a new template be made, each of which counts as `new`.
    pub(crate) fn has_room(&self, new: &Charges) -> Result<(), Refusal> {
        quota::allows_rollout(self.seen, self.workload, self.rollout, self.counts, new)
    }

    /// As for a restart; but a rollout whose controller has given up is what rollbacks are for.
    pub(crate) fn can_roll_back(&self) -> Result<(), Refusal> {
        self.can_begin("a rollback")?;
        if self.rollout.stalled && self.rollout.observed { Ok(()) } else { self.is_settled() }
    }

    /// Whether a change of the template would replace the pods; `what` is that change, in a word.
    fn can_begin(&self, what: &str) -> Result<(), Refusal> {
        let named = self.named;
        if self.rollout.paused {
            return Err(precondition(
                format!("{named} is paused: {what} would not begin until it is resumed"),
                "Have it resumed, then plan again.",
            ));
        }
        match self.rollout.strategy {
            Strategy::OnDelete => Err(precondition(
                format!(
                    "{named} replaces a pod only when somebody deletes it (OnDelete): {what} would do nothing"
                ),
                "Have its update strategy changed to RollingUpdate, then plan again.",
            )),
            Strategy::Partitioned { from } => Err(precondition(
                format!(
                    "{named} holds back the pods below ordinal {from}: {what} would reach only some of them"
                ),
                "Have the partition of its update strategy set to 0, then plan again.",
            )),
            Strategy::Rolling { .. } | Strategy::Recreate => Ok(()),
        }
    }

    /// No rollout is under way. Pods that are down do not count: restarting those is what restarts are for.
    fn is_settled(&self) -> Result<(), Refusal> {
        let Counts { replicas, total, updated, .. } = self.counts;
        let follows = match self.rollout.strategy {
            Strategy::Rolling { .. } | Strategy::Recreate => !self.rollout.paused,
            Strategy::OnDelete | Strategy::Partitioned { .. } => false,
        };
        if !self.rollout.observed || (follows && (updated < replicas || total > updated)) {
            return Err(precondition(
                format!(
                    "a rollout of {} is under way: {updated} of {replicas} pods are up to date",
                    self.named
                ),
                "Wait until it has finished (or have it undone), then plan again.",
            ));
        }
        Ok(())
    }

    /// The acts of a restart within a larger draft, whose `predicted` learns what they leave behind.
    pub(crate) fn restart(self, timeout: Span, fixed: &Fixed, predicted: &mut Seen) -> RolloutActs {
        let touch = Touch::RestartedAt {
            before: self.rollout.restarted_at.clone(),
            after: Some(restart_time(fixed)),
        };
        self.change(touch, timeout, fixed, predicted, |w| set_restart_time(w, Some(restart_time(fixed))))
    }

    fn retimed(
        self,
        after: Option<String>,
        timeout: Span,
        fixed: &Fixed,
        summary: String,
    ) -> Draft<KubectlActions> {
        let touch = Touch::RestartedAt { before: self.rollout.restarted_at.clone(), after: after.clone() };
        self.patched(touch, timeout, fixed, summary, |w| set_restart_time(w, after))
    }

    fn patched(
        self,
        touch: Touch,
        timeout: Span,
        fixed: &Fixed,
        summary: String,
        predict: impl FnOnce(&mut Workload),
    ) -> Draft<KubectlActions> {
        let mut predicted = self.seen.clone();
        let RolloutActs { patch, wait } = self.change(touch, timeout, fixed, &mut predicted, predict);
        Draft { acts: vec![patch, wait], predicted, summary }
    }

    fn change(
        self,
        touch: Touch,
        timeout: Span,
        fixed: &Fixed,
        predicted: &mut Seen,
        predict: impl FnOnce(&mut Workload),
    ) -> RolloutActs {
        let annotated =
            Annotated { object: self.rollout.annotated, template: self.rollout.template_annotated };
        let (uid, workload) = (self.workload.id.uid.clone(), self.named.clone());
        let patch = Patch {
            object: Object::Workload(workload.clone()),
            uid: uid.clone(),
            touch,
            plan: fixed.plan.clone(),
            annotated,
        };
        if let Some(w) = predicted.workloads.iter_mut().find(|w| w.id.uid == uid) {
            predict(w);
            if let Some(rollout) = &mut w.rollout {
                rollout.mark = Some(fixed.plan.to_string());
                rollout.annotated = true;
            }
        }
        let wait = AwaitRollout { workload, uid, timeout };
        RolloutActs { patch: Act::Patch(patch), wait: Act::AwaitRollout(wait) }
    }
}

/// One change of one workload, and the wait for its rollout.
pub(crate) struct RolloutActs {
    pub(crate) patch: Act,
    pub(crate) wait: Act,
}

/// The restart time that a plan fixes: in seconds, as kubectl writes it.
fn restart_time(fixed: &Fixed) -> String {
    Timestamp::from_second(fixed.at.as_second()).unwrap_or(fixed.at).to_string()
}

fn set_restart_time(workload: &mut Workload, at: Option<String>) {
    if let Some(rollout) = &mut workload.rollout {
        rollout.restarted_at = at;
        rollout.template_annotated = true;
    }
}
