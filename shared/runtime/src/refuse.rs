//! Refusals that more than one stage gives, worded once.

use runcord_ledger::{ClockBehind, Ledger, LedgerError};
use runcord_model::{Code, Decision, Moment, PlanId, Refusal, RunId};
use serde_json::json;

use crate::mask::MaskError;

pub(crate) fn ledger(error: &LedgerError) -> Refusal {
    tracing::error!(error = %chain(error), "the ledger cannot be used");
    Refusal::new(
        Code::LedgerUnavailable,
        "the ledger cannot be used, so nothing may be planned or applied",
        "run `runcord doctor` on this machine; it says what is wrong with the state folder and how to mend it",
    )
}

pub(crate) fn mask(error: &MaskError) -> Refusal {
    tracing::error!(error = %chain(error), "what may be secret cannot be masked");
    Refusal::new(
        Code::LedgerUnavailable,
        format!("{error}, so nothing may be planned or applied"),
        "run `runcord doctor` on this machine; it says what is wrong with the state folder and how to mend it",
    )
}

/// Refuses a wall clock that runs behind the ledger: no time limit could be trusted.
pub(crate) fn clock(ledger: &Ledger, now: &Moment) -> Result<(), Refusal> {
    ledger.check_clock(now).map_err(|e| self::ledger(&e))?.map_err(|behind| clock_behind(&behind))
}

pub(crate) fn clock_behind(behind: &ClockBehind) -> Refusal {
    Refusal::new(
        Code::LedgerUnavailable,
        format!("this machine's clock is behind the ledger's newest entry ({})", behind.newest),
        "set the clock right, then call again; `runcord doctor` compares the two",
    )
}

/// An error with its sources, each said once.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

pub(crate) fn plan_not_found(id: &PlanId) -> Refusal {
    Refusal::new(
        Code::PlanNotFound,
        format!("there is no plan {id} of yours"),
        "make a plan with the runbook's plan tool and use the plan_id it returns",
    )
}

pub(crate) fn run_not_found(id: &RunId) -> Refusal {
    Refusal::new(
        Code::RunNotFound,
        format!("there is no run {id} of yours"),
        "use the run_id that apply_plan returned",
    )
}

pub(crate) fn internal(what: &str) -> Refusal {
    tracing::error!(what, "internal error");
    Refusal::new(
        Code::Internal,
        format!("an internal error: {what}"),
        "nothing was changed by this call; report it with the server's log",
    )
}

/// What policy denied, with the rules that decided.
pub(crate) fn denied(decision: &Decision) -> Refusal {
    let first = decision.reasons.first().map_or_else(
        || "no rule permits it".to_owned(),
        |reason| format!("{} ({}:{}, rule {})", reason.text, reason.file, reason.line, reason.policy),
    );
    Refusal::new(
        Code::PolicyDenied,
        format!("policy denies this: {first}"),
        "do not retry it unchanged; choose a smaller change or another runbook, or ask the people who keep the policy",
    )
    .with_details(json!({"decision": decision}))
}
