//! The frozen outcome of a dry-run.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    BlastRadius, Change, Coverage, Deadline, Decision, Digest, Effect, EffectKind, PlanId, Principal,
    RunbookName, Target,
};

/// Which runbook, of which version, of which bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunbookRef {
    /// Its name.
    pub name: RunbookName,
    /// Its version, as its metadata says.
    pub version: String,
    /// The digest of its file.
    pub digest: Digest,
}

/// One step of a plan, as people and agents read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanStep {
    /// The step's id in the runbook.
    pub id: String,
    /// The action's name.
    pub action: String,
    /// What it does to the target.
    pub effect: EffectKind,
    /// One line for a person.
    pub summary: String,
}

/// All that a plan's digest covers: this is what an approver signs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanBody {
    /// The installation whose ledger holds the plan.
    pub installation: String,
    /// The plan's handle.
    pub plan_id: PlanId,
    /// Who asked, and on whose behalf.
    pub principal: Principal,
    /// What it acts on.
    pub target: Target,
    /// The runbook, by digest.
    pub runbook: RunbookRef,
    /// Its parameters.
    pub params: Map<String, Value>,
    /// What the agent claims to do it for. A claim, shown as one.
    pub reason: String,
    /// The incident it names.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub incident: Option<String>,
    /// Made when, and open how long without an approval.
    pub deadline: Deadline,
    /// The policy set it was judged under.
    pub policy: Digest,
    /// What must still be true.
    pub effect: Effect,
    /// What may only have improved.
    pub blast_radius: BlastRadius,
}

/// A plan. Frozen once it is made: only its decision is asked for again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What the digest covers.
    pub body: PlanBody,
    /// The digest of `body`, canonical (RFC 8785).
    pub digest: Digest,
    /// The digest of `body.effect.equal`.
    pub effect_digest: Digest,
    /// One line that names the effect and the target; what `apply_plan` expects back.
    pub headline: String,
    /// The steps.
    pub steps: Vec<PlanStep>,
    /// Before and after.
    pub diff: Vec<Change>,
    /// What the dry-run truly checked.
    pub coverage: Coverage,
    /// What policy said when the plan was made.
    pub decision: Decision,
    /// What a person reads at 3 am.
    pub summary: String,
    /// What to do now, exactly.
    pub next: String,
}

impl Plan {
    /// The plan as the contract words it: the `structuredContent` of `plan_name` and `undo_plan`.
    pub fn to_contract(&self) -> Value {
        let body = &self.body;
        json!({
            "plan_id": body.plan_id,
            "digest": self.digest,
            "effect_digest": self.effect_digest,
            "headline": self.headline,
            "expires_at": body.deadline.utc().to_string(),
            "runbook": body.runbook,
            "target": body.target,
            "steps": self.steps,
            "diff": self.diff,
            "blast_radius": body.blast_radius,
            "coverage": self.coverage,
            "decision": self.decision,
            "summary": self.summary,
            "next": self.next,
        })
    }
}
