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

/// All of a plan that is applied and judged.
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

/// A plan. Frozen once it is made: its digest, which an approver signs, covers everything but `next`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// All of it that is applied and judged.
    pub body: PlanBody,
    /// The digest of [`Plan::signed`], canonical (RFC 8785).
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

/// All that a plan's digest covers: what is applied, and what a person is told of it before signing. Were the second
/// left out, somebody could show another headline, diff or decision over the same digest.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields of the plan")]
pub struct Signed<'a> {
    pub body: &'a PlanBody,
    pub effect_digest: &'a Digest,
    pub headline: &'a str,
    pub steps: &'a [PlanStep],
    pub diff: &'a [Change],
    pub coverage: &'a Coverage,
    pub decision: &'a Decision,
    pub summary: &'a str,
}

impl Plan {
    /// All that the digest covers.
    pub fn signed(&self) -> Signed<'_> {
        Signed {
            body: &self.body,
            effect_digest: &self.effect_digest,
            headline: &self.headline,
            steps: &self.steps,
            diff: &self.diff,
            coverage: &self.coverage,
            decision: &self.decision,
            summary: &self.summary,
        }
    }

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
