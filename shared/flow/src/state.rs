//! Where a run is: plain data that can be written down and read back.

use runcord_model::RunState;
use serde::{Deserialize, Serialize};

use crate::{ActKind, End, StopCause};

/// What became of one act so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ActOutcome {
    /// Nothing was tried yet.
    Pending,
    /// It was permitted, and no answer is known.
    Sent,
    /// The target said *not now*, and nothing happened.
    Deferred {
        /// Who stands in the way.
        reason: String,
    },
    /// It was sent and the answer was lost.
    Lost {
        /// What is known.
        reason: String,
    },
    /// Looking found that it was not done.
    NotDone,
    /// It is done, by the target's word or by looking.
    Done,
    /// The target said no, or the wait can never end well.
    Refused {
        /// Why.
        reason: String,
    },
    /// Looking found somebody else's doing.
    SomebodyElses,
    /// Looking cannot tell.
    CannotTell,
}

impl ActOutcome {
    /// What is known of an answer that was lost.
    pub fn lost(&self) -> Option<&str> {
        if let Self::Lost { reason } = self { Some(reason) } else { None }
    }

    /// Whether it may have been sent and nobody knows what became of it.
    pub fn in_doubt(&self) -> bool {
        match self {
            Self::Sent | Self::Lost { .. } => true,
            Self::Pending
            | Self::Deferred { .. }
            | Self::NotDone
            | Self::Done
            | Self::Refused { .. }
            | Self::SomebodyElses
            | Self::CannotTell => false,
        }
    }
}

/// One act and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActProgress {
    /// What it does to the target.
    pub kind: ActKind,
    /// What became of it so far.
    #[serde(flatten)]
    pub outcome: ActOutcome,
    /// How often it was permitted.
    pub attempts: u32,
}

/// Where a run is. Made by [`crate::next`] only, from [`State::new`] and the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub(crate) machine: u32,
    pub(crate) epoch: u64,
    pub(crate) acts: Vec<ActProgress>,
    pub(crate) stop: Option<StopCause>,
    pub(crate) phase: Phase,
}

/// What the machine waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Its first event.
    New,
    /// A worker.
    Ready,
    /// The guard's answer.
    Guarding,
    /// A permit for the act.
    Asking { act: usize },
    /// The target's answer.
    InFlight { act: usize },
    /// The world to follow.
    Awaiting { act: usize },
    /// What looking finds.
    Reconciling { act: usize },
    /// Begun by another version: what looking finds of the acts from here on, for a person to read.
    Foreign { from: usize },
    /// The verification's answer.
    Verifying,
    /// Nothing: it is over.
    Ended { end: End },
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// Before the first event.
    pub fn new() -> Self {
        Self { machine: 0, epoch: 0, acts: Vec::new(), stop: None, phase: Phase::New }
    }

    /// Where the run is, as its readers see it.
    pub fn run_state(&self) -> RunState {
        match &self.phase {
            Phase::New
            | Phase::Ready
            | Phase::Guarding
            | Phase::Asking { .. }
            | Phase::InFlight { .. }
            | Phase::Awaiting { .. } => RunState::Applying,
            Phase::Verifying => RunState::Applied,
            Phase::Reconciling { .. } | Phase::Foreign { .. } => RunState::Reconciling,
            Phase::Ended { end } => match end {
                End::Verified => RunState::Verified,
                End::Unverified { .. } => RunState::Unverified,
                End::Stopped { .. } => RunState::Stopped,
                End::Failed { .. } => RunState::Failed,
                End::Unknown { .. } => RunState::Unknown,
            },
        }
    }

    /// The acts and how far each has come, in order.
    pub fn acts(&self) -> &[ActProgress] {
        &self.acts
    }

    /// The version of the machine that began the run; 0 before its first event.
    pub fn machine(&self) -> u32 {
        self.machine
    }

    /// The epoch of the newest worker; 0 before the first.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The stop that was asked for while an act was in flight, and is not yet honoured.
    pub fn stop(&self) -> Option<StopCause> {
        self.stop
    }

    /// How the run ended, if it did.
    pub fn end(&self) -> Option<&End> {
        match &self.phase {
            Phase::Ended { end } => Some(end),
            Phase::New
            | Phase::Ready
            | Phase::Guarding
            | Phase::Asking { .. }
            | Phase::InFlight { .. }
            | Phase::Awaiting { .. }
            | Phase::Reconciling { .. }
            | Phase::Foreign { .. }
            | Phase::Verifying => None,
        }
    }

    /// The act that the machine asks a permit for, and which attempt it would be: what [`crate::Event::Permitted`] must say.
    pub fn asks(&self) -> Option<(usize, u32)> {
        match &self.phase {
            Phase::Asking { act } => {
                let attempts = self.acts.get(*act)?.attempts;
                Some((*act, attempts.checked_add(1)?))
            }
            Phase::New
            | Phase::Ready
            | Phase::Guarding
            | Phase::InFlight { .. }
            | Phase::Awaiting { .. }
            | Phase::Reconciling { .. }
            | Phase::Foreign { .. }
            | Phase::Verifying
            | Phase::Ended { .. } => None,
        }
    }

    /// The first act that is not done.
    pub fn first_open(&self) -> Option<usize> {
        self.acts.iter().position(|act| act.outcome != ActOutcome::Done)
    }
}
