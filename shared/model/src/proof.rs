//! The two proofs that cross crates: neither can be copied, read from text, or made by anyone but its maker.
//!
//! Rust has no "visible to that crate only", so a test reads the sources and holds who calls the two
//! constructors: `Allowed::pronounced` only in `policy/`, `VerifiedApproval::attested` only in `shared/seal/`.

use crate::{Approval, Decision, Digest, Outcome};

/// Proof that policy, asked with the approvals at hand, said *allow* to one plan.
#[derive(Debug)]
pub struct Allowed {
    plan: Digest,
    policy: Digest,
}

impl Allowed {
    /// Only for the policy engine: a proof, if `decision` really is an allow.
    pub fn pronounced(plan: &Digest, policy: &Digest, decision: &Decision) -> Option<Self> {
        (decision.outcome == Outcome::Allow).then(|| Self { plan: plan.clone(), policy: policy.clone() })
    }

    /// The plan it was said of.
    pub fn plan(&self) -> &Digest {
        &self.plan
    }

    /// The policy set that said it.
    pub fn policy(&self) -> &Digest {
        &self.policy
    }
}

/// How the key that signed is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// A key in a file or an agent.
    Ordinary,
    /// A security key (`sk-`) whose presence flag was set: somebody touched it.
    SecurityKeyTouched,
}

/// Proof that a signature over an approval statement was checked against the approvers.
#[derive(Debug)]
pub struct VerifiedApproval {
    approval: Approval,
    key: KeyKind,
}

impl VerifiedApproval {
    /// Only for the verifier of signatures.
    pub fn attested(approval: Approval, key: KeyKind) -> Self {
        Self { approval, key }
    }

    /// What was signed.
    pub fn approval(&self) -> &Approval {
        &self.approval
    }

    /// How the key is kept.
    pub fn key(&self) -> KeyKind {
        self.key
    }
}
