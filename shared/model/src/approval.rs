//! A person's signature over a plan's digest: the statement that is signed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Digest, PersonName, PlanId};

/// The `ssh-keygen -Y` namespace of approvals. A signature made for anything else is none.
pub const APPROVAL_NAMESPACE: &str = "runcord-approval";

/// What the approver says of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Go ahead, exactly so.
    Approve,
    /// No; the plan ends.
    Reject,
}

/// The statement that an approver signs, in canonical JSON (RFC 8785).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Which plan.
    pub plan_id: PlanId,
    /// The plan's digest: an approval counts for this and nothing else.
    pub plan_digest: Digest,
    /// What is said of it.
    pub verdict: Verdict,
    /// Who says it.
    pub approver: PersonName,
    /// The digest of the page that was shown before signing.
    pub shown: Digest,
    /// When it was signed.
    pub at: Timestamp,
    /// When it stops counting.
    pub expires: Timestamp,
}
