//! Ending a run whose target cannot be reached, or that this version cannot read: nothing more is done, what was in
//! flight goes to a person as *unknown*, and the outcome is recorded all the same.

use std::collections::VecDeque;

use runcord_flow::{Command, Event, Settled, StopCause};
use runcord_ledger::{Beside, Ledger, RunLock};
use runcord_model::RecordKind;
use runcord_model::run::Verification;
use serde_json::json;

use super::WorkError;
use crate::view::Closing;
use crate::{clock, statement};

/// Answers every command with what can be said without looking.
pub(super) fn end(
    ledger: &Ledger,
    lock: &RunLock,
    mut commands: VecDeque<Command>,
    reason: &str,
) -> Result<(), WorkError> {
    tracing::error!(run = %lock.run(), reason, "the run ends without another look");
    while let Some(command) = commands.pop_front() {
        let now = clock::now()?;
        let event = match command {
            Command::Guard => match ledger.stop_asked(lock.run(), &now)? {
                Some(cause) => Event::StopAsked { cause },
                None => Event::GuardBroken { reason: reason.to_owned() },
            },
            Command::Look { act } => Event::Settled { act, outcome: Settled::CannotTell },
            Command::Verify => Event::NotVerified { reason: reason.to_owned() },
            // Never the first command after a claim; whoever asks for more than a look is stopped.
            Command::Mutate { .. } | Command::Pause { .. } | Command::Await { .. } => {
                Event::StopAsked { cause: StopCause::DeadlinePassed }
            }
            Command::Finish { .. } => {
                finish(ledger, lock, reason)?;
                continue;
            }
        };
        commands.extend(ledger.feed(lock, &event, &now)?.1);
    }
    Ok(())
}

fn finish(ledger: &Ledger, lock: &RunLock, reason: &str) -> Result<(), WorkError> {
    let kept = ledger.run(lock.run())?.ok_or_else(|| WorkError::NoSuchRun(lock.run().clone()))?;
    let plan = ledger.plan(&kept.plan)?.ok_or_else(|| WorkError::Unreadable(kept.id.clone()))?.plan;
    let closing = Closing { diff: Vec::new(), verification: Verification::not_reached() };
    let facts = json!({
        "run_id": kept.id, "plan_id": kept.plan, "headline": plan.headline, "end": kept.flow.end(), "state": kept.state,
        "why_without_a_look": reason, "epoch": kept.epoch, "intent": kept.intent.digest,
    });
    let beside = Beside::of(&closing)?;
    let outcome = statement::of(RecordKind::Outcome, kept.plan.as_str(), &plan.digest, facts);
    ledger.finish(lock, outcome, &beside, &clock::now()?)?;
    Ok(())
}
