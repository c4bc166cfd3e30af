//! What goes into the machine and what comes out of it: plain data.

use serde::{Deserialize, Serialize};

/// What one act does to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActKind {
    /// It changes the target: only under a permit.
    Mutate,
    /// It waits for the world to follow, and changes nothing.
    Await,
}

/// What looking found out about an act that was sent and whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settled {
    /// It was done.
    Done,
    /// It was not done: it may be permitted again.
    NotDone,
    /// What is there now was done by somebody else.
    SomebodyElses,
    /// Looking cannot tell.
    CannotTell,
}

/// Why a run was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// The cord was pulled.
    Cord,
    /// Nobody could tell whether it was: that counts as pulled.
    CordUnreadable,
    /// `run_cancel` asked for it.
    Cancelled,
    /// The runbook's timeout passed.
    DeadlinePassed,
}

impl StopCause {
    /// The cause in words for a person.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cord => "the cord was pulled",
            Self::CordUnreadable => "it could not be told whether the cord was pulled",
            Self::Cancelled => "the run was cancelled",
            Self::DeadlinePassed => "the runbook's timeout passed",
        }
    }
}

/// What happened. Acts are counted from 0. Reasons are ours and hold no text from the infrastructure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The warrant was spent and the intent recorded: the first event of every run.
    Begun {
        /// The version of the machine, [`crate::MACHINE`].
        machine: u32,
        /// The acts, in order.
        acts: Vec<ActKind>,
    },
    /// The first worker holds the run's lock.
    Claimed {
        /// Its epoch, from 1.
        epoch: u64,
    },
    /// A later worker holds the run's lock; whatever was in flight is looked at.
    TakenUp {
        /// Its epoch, larger than any before.
        epoch: u64,
    },
    /// The ledger permitted the act. From here on it counts as sent.
    Permitted {
        /// Which act.
        act: usize,
        /// Which attempt at it, from 1.
        attempt: u32,
    },
    /// The target confirmed the act, or the wait is over.
    Done {
        /// Which act.
        act: usize,
    },
    /// The target said *not now*, and nothing happened.
    Deferred {
        /// Which act.
        act: usize,
        /// Who stands in the way.
        reason: String,
    },
    /// The target said no and nothing happened, or the wait can never end well.
    Refused {
        /// Which act.
        act: usize,
        /// Why.
        reason: String,
    },
    /// The act was sent and no answer came.
    Lost {
        /// Which act.
        act: usize,
        /// What is known.
        reason: String,
    },
    /// What looking at an act in doubt found.
    Settled {
        /// Which act.
        act: usize,
        /// What was found.
        outcome: Settled,
    },
    /// Every guard of the runbook holds.
    GuardHeld,
    /// A guard of the runbook does not hold, or could not be looked at.
    GuardBroken {
        /// Which, in the runbook's words.
        reason: String,
    },
    /// The cord, a cancel or the timeout.
    StopAsked {
        /// Which of them.
        cause: StopCause,
    },
    /// What the runbook verifies holds.
    Verified,
    /// What the runbook verifies does not hold within its window.
    NotVerified {
        /// Which check, in the runbook's words.
        reason: String,
    },
}

/// What the driver does next. It makes no choices of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Look whether the runbook's guards hold.
    Guard,
    /// Ask the ledger for a permit, then carry the act out.
    Mutate {
        /// Which act.
        act: usize,
    },
    /// Wait for the world to follow.
    Await {
        /// Which act.
        act: usize,
    },
    /// Sleep, then do as for [`Command::Mutate`].
    Pause {
        /// Which act.
        act: usize,
    },
    /// Look whether the act was done.
    Look {
        /// Which act.
        act: usize,
    },
    /// Look whether what the runbook verifies holds.
    Verify,
    /// Record the outcome.
    Finish {
        /// How the run ended.
        end: End,
    },
}

/// How a run ended. Every one is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum End {
    /// Done, and what the runbook verifies holds.
    Verified,
    /// Done, but what the runbook verifies does not hold, or was not looked at to the end.
    Unverified {
        /// Why.
        reason: String,
    },
    /// Stopped between two acts.
    Stopped {
        /// By what.
        cause: StopCause,
        /// The first act that is not done.
        act: usize,
    },
    /// An act was refused, or a guard did not hold.
    Failed {
        /// The first act that is not done.
        act: usize,
        /// Why.
        reason: String,
    },
    /// What happened cannot be told by looking: a person decides.
    Unknown {
        /// The act in doubt.
        act: usize,
        /// Why.
        reason: String,
    },
}
