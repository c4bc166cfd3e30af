//! Which signatures on a plan count, as things are now.

use jiff::Timestamp;
use runcord_ledger::{KeepApprovalError, KeptPlan, Ledger, PlanStatus};
use runcord_model::approval::Verdict;
use runcord_model::proof::{KeyKind, VerifiedApproval};
use runcord_model::{Code, Deadline, Decision, Moment, PersonName, Plan, Refusal};

use crate::library::Loaded;
use crate::pipeline::APPROVED_TTL_MS;
use crate::refuse;

/// Checks a signed statement for `plan` and keeps it: the one way in for `approve`, `reject` and `import`.
///
/// # Errors
/// `approval_invalid` with what does not hold; `plan_expired`, `plan_spent` for a plan that is over.
pub fn accept(
    ledger: &Ledger,
    loaded: &Loaded,
    kept: &KeptPlan,
    statement: &str,
    signature: &str,
    now: &Moment,
) -> Result<VerifiedApproval, Refusal> {
    let verified = check(loaded, &kept.plan, statement, signature, now.utc)?;
    still_open(kept, &deadline(ledger, kept)?, now)?;
    ledger.keep_approval(&verified, statement, signature, now).map_err(|e| match e {
        KeepApprovalError::Ledger(e) => refuse::ledger(&e),
        other @ (KeepApprovalError::AlreadySigned(_)
        | KeepApprovalError::OtherPlan
        | KeepApprovalError::NotOpen(_)
        | KeepApprovalError::OtherStatement) => invalid(&other.to_string()),
    })?;
    Ok(verified)
}

/// Checks one signature: a valid one, by an approver as they are now, for this plan and digest, not by the requester.
fn check(
    loaded: &Loaded,
    plan: &Plan,
    statement: &str,
    signature: &str,
    now: Timestamp,
) -> Result<VerifiedApproval, Refusal> {
    let verified = loaded
        .approvers
        .verify(statement.as_bytes(), signature, now)
        .map_err(|e| invalid(&refuse::chain(&e)))?;
    let approval = verified.approval();
    if approval.plan_id != plan.body.plan_id || approval.plan_digest != plan.digest {
        return Err(invalid("it is for another plan, or for another digest of this one"));
    }
    let approver = approval.approver.as_str();
    if approver == plan.body.principal.requester.as_str() {
        return Err(invalid("the requester never approves its own plan"));
    }
    let own = approver == plan.body.principal.sponsor.as_str();
    if own && approval.verdict == Verdict::Approve && verified.key() != KeyKind::SecurityKeyTouched {
        return Err(invalid(
            "the sponsor may approve its agent's plan only with a security key; somebody else has to approve",
        ));
    }
    Ok(verified)
}

/// The signatures that count for `kept` at apply, verified anew.
///
/// # Errors
/// `approval_invalid` when one that is stored no longer holds: a changed approvers file, an expired key.
pub fn counting(
    ledger: &Ledger,
    loaded: &Loaded,
    kept: &KeptPlan,
    now: &Moment,
) -> Result<Vec<VerifiedApproval>, Refusal> {
    let stored = ledger.approvals(&kept.plan.body.plan_id).map_err(|e| refuse::ledger(&e))?;
    let sponsor = kept.plan.body.principal.sponsor.clone();
    let alone = one_is_enough(&kept.plan.decision);
    let mut counting = Vec::new();
    for one in stored {
        let verified = check(loaded, &kept.plan, &one.statement, &one.signature, now.utc)?;
        // Where more than one is needed, each has to be somebody else's.
        if verified.approval().approver != sponsor || alone {
            counting.push(verified);
        }
    }
    Ok(counting)
}

/// The people behind `approvals`.
pub fn people(approvals: &[VerifiedApproval]) -> Vec<PersonName> {
    approvals.iter().map(|a| a.approval().approver.clone()).collect()
}

fn one_is_enough(decision: &Decision) -> bool {
    decision.approvals_needed.iter().any(|needed| needed.iter().map(|n| n.count).sum::<u32>() == 1)
}

/// Until when a plan lives: its own deadline, or ten minutes after its last signature once somebody signed.
///
/// # Errors
/// `ledger_unavailable`.
pub fn deadline(ledger: &Ledger, kept: &KeptPlan) -> Result<Deadline, Refusal> {
    let stored = ledger.approvals(&kept.plan.body.plan_id).map_err(|e| refuse::ledger(&e))?;
    let signed = stored.iter().filter(|a| a.verdict == Verdict::Approve);
    let needed = smallest_count(&kept.plan.decision);
    let (count, last) = signed.fold((0, None), |(n, _), a| (n + 1, Some(a.at.clone())));
    Ok(match last {
        // Only when enough have signed does the short time begin: a second approver is not to be outrun by the first.
        Some(at) if count >= needed => {
            Deadline::after(at, APPROVED_TTL_MS.min(kept.plan.body.deadline.lasts_ms))
        }
        Some(_) | None => kept.plan.body.deadline.clone(),
    })
}

/// The last moment at which a plan with that deadline can still be applied: when it is signed right before it expires.
pub(crate) fn latest(deadline: &Deadline) -> Timestamp {
    Deadline { lasts_ms: deadline.lasts_ms.saturating_add(APPROVED_TTL_MS), ..deadline.clone() }.utc()
}

/// Whether so many signatures may be enough, as far as the plan's own decision tells. Apply judges again.
pub(crate) fn enough(kept: &KeptPlan, signed: usize) -> bool {
    u32::try_from(signed).is_ok_and(|signed| signed >= smallest_count(&kept.plan.decision))
}

fn smallest_count(decision: &Decision) -> u32 {
    decision.approvals_needed.iter().map(|needed| needed.iter().map(|n| n.count).sum()).min().unwrap_or(0)
}

/// Refuses a plan that is over.
///
/// # Errors
/// `plan_spent`, `approval_invalid` (rejected), `plan_drifted` (void) or `plan_expired`.
pub fn still_open(kept: &KeptPlan, deadline: &Deadline, now: &Moment) -> Result<(), Refusal> {
    let again = "make a new plan with the runbook's plan tool";
    match &kept.status {
        PlanStatus::Open => {}
        PlanStatus::Spent(run) => {
            return Err(Refusal::new(
                Code::PlanSpent,
                format!("this plan was applied already, as {run}; a plan is applied once"),
                format!("call run_status with id {run}; for another change, {again}"),
            ));
        }
        PlanStatus::Rejected { by } => {
            return Err(Refusal::new(
                Code::ApprovalInvalid,
                format!("{by} rejected this plan"),
                format!("ask {by} why before you plan again"),
            ));
        }
        PlanStatus::Void { reason } => {
            return Err(Refusal::new(Code::PlanDrifted, format!("this plan is void: {reason}"), again));
        }
    }
    if deadline.passed(now) {
        return Err(Refusal::new(
            Code::PlanExpired,
            format!("this plan expired at {}", deadline.utc()),
            again,
        ));
    }
    Ok(())
}

fn invalid(why: &str) -> Refusal {
    Refusal::new(
        Code::ApprovalInvalid,
        format!("the approval does not count: {why}"),
        "an approver signs with `runcord approve PLAN`",
    )
}
