//! What the runtime keeps beside a plan and a run, opaque to the ledger.

use runcord_model::{Digest, EffectKind, RunId, RunbookName, StepCall};
use serde::{Deserialize, Serialize};

use crate::target::{Actions, Fixed};

/// Where a plan's steps come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum Origin {
    /// The steps that the runbook declares.
    Steps,
    /// The way back that the runbook declares, for one run.
    Undo {
        /// The run to undo.
        run: RunId,
    },
}

/// One step with the acts it was drafted to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Step<A: Actions> {
    /// The step as filled in.
    pub call: StepCall,
    /// What it does to the target.
    pub effect: EffectKind,
    /// One line for a person.
    pub summary: String,
    /// Its acts, in order.
    pub acts: Vec<A::Act>,
}

/// Kept beside a plan: what apply needs to plan again in the same way, and to compare.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct PlanMaterial<A: Actions> {
    /// Where the steps come from.
    pub origin: Origin,
    /// The values fixed at plan.
    pub fixed: Fixed,
    /// The steps with their acts.
    pub steps: Vec<Step<A>>,
    /// The page that an approver is shown.
    pub page: String,
}

/// Kept beside a run: all that its worker needs, so that no later edit of a file can reach it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct RunMaterial<A: Actions> {
    /// Where the steps come from.
    pub origin: Origin,
    /// The runbook's name.
    pub name: RunbookName,
    /// The runbook's file name and text.
    pub runbook: (String, String),
    /// The plan's digest: the subject of the run's records.
    pub plan_digest: Digest,
    /// The steps with their acts, drafted on the second probe.
    pub steps: Vec<Step<A>>,
    /// What the second probe saw, as far as a run needs it: the state before.
    pub before: A::Seen,
    /// The arguments that the runbook was filled with, for checks that name parameters and for the way back.
    pub args: serde_json::Map<String, serde_json::Value>,
    /// The identity that the target must still have.
    pub identity: String,
    /// The plan's headline.
    pub headline: String,
    /// Who approved, for the summary.
    pub approvers: Vec<String>,
    /// Whether the runbook declares a way back, and what was seen before fits it.
    #[serde(alias = "undo_declared")]
    pub way_back: bool,
}

impl<A: Actions> RunMaterial<A> {
    /// All acts with the index of their step, in order: the numbering that the state machine uses.
    pub fn acts(&self) -> impl Iterator<Item = (usize, &A::Act)> {
        self.steps.iter().enumerate().flat_map(|(i, step)| step.acts.iter().map(move |act| (i, act)))
    }

    /// The act of that number.
    pub fn act(&self, index: usize) -> Option<&A::Act> {
        self.acts().nth(index).map(|(_, act)| act)
    }
}
