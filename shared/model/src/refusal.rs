//! Refusals: a closed set of outcomes that clients and scripts can rely on.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Why something was refused. The set is closed and part of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each name is its own documentation, and the contract's word")]
pub enum Code {
    InvalidParams,
    UnknownRunbook,
    PreconditionFailed,
    PolicyDenied,
    ApprovalRequired,
    ApprovalInvalid,
    PlanNotFound,
    RunNotFound,
    UndoUnavailable,
    Busy,
    PlanExpired,
    PlanDrifted,
    PlanSpent,
    NotInAuthority,
    CordPulled,
    RateLimited,
    BudgetExceeded,
    TargetUnreachable,
    LedgerUnavailable,
    SignerUnavailable,
    StepFailed,
    VerificationFailed,
    OutcomeUnknown,
    Cancelled,
    Internal,
}

/// A refusal as its reader gets it. `message` and `next` hold no text that came out of the infrastructure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Which of the closed set.
    pub code: Code,
    /// What was refused and why, in one or two sentences.
    pub message: String,
    /// The facts behind it, for programs and for a second look.
    pub details: Value,
    /// What to do now, exactly.
    pub next: String,
}

impl Refusal {
    /// A refusal without details.
    pub fn new(code: Code, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Value::Object(serde_json::Map::new()),
            next: next.into(),
        }
    }

    /// The same refusal with the facts behind it.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}
