//! Drift between runbooks and the system they are for: the seam that each server fills, and what the ledger knows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use runcord_ledger::{Ledger, LedgerError, RunFilter};
use runcord_model::action::Use;
use runcord_model::{Refusal, RunState, RunbookName, StepCall};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::material::Origin;

/// Looks whether what runbooks rest on is still there. Changes nothing.
pub trait Inspector {
    /// What the target is.
    ///
    /// # Errors
    /// `target_unreachable` and the like, in the words of the server.
    fn identity(&self) -> impl Future<Output = Result<String, Refusal>> + Send;

    /// Looks at all that one runbook's actions need, and at what its file names.
    ///
    /// # Errors
    /// The target does not answer. What it answers, refusals to look included, are findings.
    fn inspect(&mut self, uses: &[Use]) -> impl Future<Output = Result<Vec<Finding>, Refusal>> + Send;

    /// Looks at what these steps are concerned with, as a plan of them would: what CEL sees.
    ///
    /// # Errors
    /// A step that the server cannot read, or a target that does not let us look.
    fn observe(&self, calls: &[StepCall]) -> impl Future<Output = Result<Value, Refusal>> + Send;
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing it is.
    pub aspect: Aspect,
    /// The thing, in words of ours and validated names.
    pub subject: String,
    /// How it is.
    pub state: State,
    /// One sentence for a person; empty when it holds.
    pub says: String,
}

/// What a runbook rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// Kinds and versions, or programs and modules.
    Served,
    /// What the credentials may do.
    Permitted,
    /// What the file names literally.
    Referenced,
    /// Whether its checks give an answer on the target.
    Evaluable,
    /// The date until which its review counts.
    Reviewed,
}

/// How a thing is. What nobody can tell is not well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As the runbook needs it.
    Holds,
    /// It could not be looked at.
    CannotTell,
    /// Otherwise.
    Drifted,
}

impl Finding {
    /// It is as the runbook needs it.
    pub fn holds(aspect: Aspect, subject: impl Into<String>) -> Self {
        Self { aspect, subject: subject.into(), state: State::Holds, says: String::new() }
    }

    /// It is otherwise.
    pub fn drifted(aspect: Aspect, subject: impl Into<String>, says: impl Into<String>) -> Self {
        Self { aspect, subject: subject.into(), state: State::Drifted, says: says.into() }
    }

    /// It could not be looked at.
    pub fn cannot_tell(aspect: Aspect, subject: impl Into<String>, says: impl Into<String>) -> Self {
        Self { aspect, subject: subject.into(), state: State::CannotTell, says: says.into() }
    }
}

/// So many of the newest runs are looked through.
const RUNS: u32 = 1000;

/// The part of a run's material that does not depend on its server.
#[derive(Deserialize)]
struct Named {
    name: RunbookName,
    origin: Origin,
}

/// When each runbook was last carried out and verified on the target of that identity, undos left out.
///
/// # Errors
/// The ledger cannot be read.
pub fn last_successes(
    ledger: &Ledger,
    target: &str,
) -> Result<BTreeMap<RunbookName, Timestamp>, LedgerError> {
    let filter = RunFilter { target: Some(target.to_owned()), limit: RUNS, ..RunFilter::default() };
    let mut last = BTreeMap::new();
    for run in ledger.runs(&filter)? {
        if let (RunState::Verified, Some(outcome)) = (run.state, run.outcome)
            && let Ok(Named { name, origin: Origin::Steps }) = run.extras.read()
        {
            // The newest run comes first.
            last.entry(name).or_insert(outcome.at.utc);
        }
    }
    Ok(last)
}
