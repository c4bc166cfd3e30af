//! One application of one plan, as its reader sees it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Change, Digest, PlanId, RunId};

/// Where a run is. The last five are ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Its acts are being carried out.
    Applying,
    /// All acts are done; verification is looking.
    Applied,
    /// Its worker died or an answer never came: it is being reconciled by looking.
    Reconciling,
    /// Done, and what the runbook verifies holds.
    Verified,
    /// Done, but what the runbook verifies does not hold.
    Unverified,
    /// Stopped by the cord, a cancel or the timeout, between two acts.
    Stopped,
    /// An act was refused by the target or a guard did not hold.
    Failed,
    /// What happened cannot be told by looking: a person decides.
    Unknown,
}

impl RunState {
    /// Whether it is over.
    pub fn ended(self) -> bool {
        match self {
            Self::Applying | Self::Applied | Self::Reconciling => false,
            Self::Verified | Self::Unverified | Self::Stopped | Self::Failed | Self::Unknown => true,
        }
    }

    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applying => "applying",
            Self::Applied => "applied",
            Self::Reconciling => "reconciling",
            Self::Verified => "verified",
            Self::Unverified => "unverified",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// How far one step of a run has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStep {
    /// The step's id in the runbook.
    pub id: String,
    /// The action's name.
    pub action: String,
    /// `pending`, `running`, `done`, `failed`, `not_done` or `unknown`.
    pub state: String,
    /// Acts done, and acts in all.
    pub done: usize,
    /// Acts in all.
    pub of: usize,
    /// What happened, in one line without text from the infrastructure.
    pub text: String,
}

/// Whether what the runbook verifies holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// `pending`, `held`, `failed` or `not_reached`.
    pub outcome: String,
    /// Each check with whether it held.
    pub checks: Vec<VerifiedCheck>,
}

impl Verification {
    /// Nobody has looked, and nobody will.
    pub fn not_reached() -> Self {
        Self { outcome: "not_reached".to_owned(), checks: Vec::new() }
    }
}

/// One check of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedCheck {
    /// The CEL expression.
    pub check: String,
    /// Whether it held.
    pub held: bool,
    /// `holds`, or the runbook's message for when it does not.
    pub message: String,
}

/// A run as `apply_plan` and `run_status` return it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunView {
    /// The run's handle.
    pub run_id: RunId,
    /// The plan it applies.
    pub plan_id: PlanId,
    /// Where it is.
    pub state: RunState,
    /// How far each step has come.
    pub steps: Vec<RunStep>,
    /// Before against after, as observed; empty until it ends.
    pub diff: Vec<Change>,
    /// Whether what the runbook verifies holds.
    pub verification: Verification,
    /// Its newest record: (index, digest).
    pub record: (u64, Digest),
    /// Whether `undo_plan` can offer a way back.
    pub undo: Undo,
    /// What a person reads at 3 am.
    pub summary: String,
    /// What to do now, exactly.
    pub next: String,
}

/// Whether a way back can be planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// `undo_plan` can plan it.
    Available,
    /// The runbook declares none, or nothing was done.
    Unavailable,
}

impl RunView {
    /// The run as the contract words it.
    pub fn to_contract(&self) -> Value {
        json!({
            "run_id": self.run_id,
            "plan_id": self.plan_id,
            "state": self.state,
            "steps": self.steps,
            "diff": self.diff,
            "verification": self.verification,
            "record": {"index": self.record.0, "digest": self.record.1},
            "undo_available": self.undo == Undo::Available,
            "summary": self.summary,
            "next": self.next,
        })
    }
}
