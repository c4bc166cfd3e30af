//! What `run_status` shows: a run, or a plan that has not become one.

use runcord_ledger::{KeptPlan, Ledger, PlanStatus, Told};
use runcord_model::{Moment, Outcome, Refusal, RunView};
use serde_json::{Value, json};

use crate::approvals;

/// Whether waiting may still show something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It moves, or waits for people.
    Moving,
    /// Nothing will change by itself.
    Over,
}

/// One look at a run or plan.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    /// As the contract words it.
    pub(crate) contract: Value,
    pub(crate) standing: Standing,
    /// Acts done, and acts in all, for progress.
    pub(crate) done: f64,
    pub(crate) of: f64,
    pub(crate) summary: String,
}

impl Shown {
    /// `told` is how far the act under way is, where its worker tells.
    pub(crate) fn of_run(view: &RunView, told: Option<Told>) -> Self {
        let (done, of) = view.steps.iter().fold((0, 0), |(done, of), step| (done + step.done, of + step.of));
        let count = |n: usize| u32::try_from(n).map_or(f64::MAX, f64::from);
        let standing = if view.state.ended() { Standing::Over } else { Standing::Moving };
        let (mut contract, mut summary, mut part) = (view.to_contract(), view.summary.clone(), 0.0);
        if let (Standing::Moving, Some(Told { done, of })) = (standing, told) {
            summary = format!("{summary} Of the act under way {done} of {of} parts are done.");
            if let Some(told) = contract.get_mut("summary") {
                *told = summary.clone().into();
            }
            part = f64::from(done) / f64::from(of.max(1));
        }
        Self { contract, standing, done: count(done) + part.min(1.0), of: count(of), summary }
    }
}

/// The state of a plan in the shape of a run's: `run_id` is null until it is applied.
///
/// # Errors
/// `ledger_unavailable`.
pub(crate) fn of_plan(ledger: &Ledger, kept: &KeptPlan, now: &Moment) -> Result<Shown, Refusal> {
    let plan = &kept.plan;
    let until = approvals::deadline(ledger, kept)?;
    let signed: Vec<_> = ledger
        .approvals(&plan.body.plan_id)
        .map_err(|e| crate::refuse::ledger(&e))?
        .into_iter()
        .map(|approval| approval.approver.to_string())
        .collect();
    let (state, standing) = match &kept.status {
        PlanStatus::Spent(_) => ("applied", Standing::Over),
        PlanStatus::Rejected { .. } => ("rejected", Standing::Over),
        PlanStatus::Void { .. } => ("void", Standing::Over),
        PlanStatus::Open if until.passed(now) => ("expired", Standing::Over),
        PlanStatus::Open => match plan.decision.outcome {
            Outcome::Allow => ("ready", Standing::Over),
            Outcome::Deny => ("denied", Standing::Over),
            Outcome::NeedsApproval if approvals::enough(kept, signed.len()) => ("approved", Standing::Over),
            Outcome::NeedsApproval => ("waiting_for_approval", Standing::Moving),
        },
    };
    let people = if signed.is_empty() { "nobody yet".to_owned() } else { signed.join(", ") };
    let summary = format!("{}: {state}; signed by {people}; open until {}.", plan.headline, until.utc());
    let contract = json!({
        "run_id": null,
        "plan_id": plan.body.plan_id,
        "state": state,
        "steps": [],
        "diff": plan.diff,
        "verification": {"outcome": "pending", "checks": []},
        "record": null,
        "undo_available": false,
        "summary": summary,
        "next": plan.next,
    });
    Ok(Shown { contract, standing, done: 0.0, of: 1.0, summary })
}
