//! A runbook that was checked against its server: holding one is the proof of it.

use runcord_model::action::{BadStep, Use};
use runcord_model::plan::RunbookRef;
use runcord_model::{Catalog, Digest, EffectKind, RunbookName, Scopes, StepCall};
use serde_json::{Map, Value};

use crate::cel::Check;
use crate::params::{BadParam, Filled, Params};
use crate::template::{Field, Template, Values};

/// A checked runbook. Made by [`crate::Parsed::check`] only.
#[derive(Debug, Clone)]
pub struct Runbook {
    pub(crate) about: About,
    pub(crate) text: String,
    pub(crate) digest: Digest,
    pub(crate) effect: EffectKind,
    pub(crate) params: Params,
    pub(crate) headline: Template,
    pub(crate) steps: Vec<Step>,
    pub(crate) undo: Vec<Step>,
    pub(crate) preconditions: Vec<Check>,
    pub(crate) guard: Vec<Check>,
    pub(crate) verify: Vec<Check>,
    pub(crate) limits: Limits,
}

/// What a runbook says of itself.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub(crate) name: RunbookName,
    pub(crate) version: String,
    pub(crate) title: String,
    pub(crate) owner: String,
    pub(crate) description: String,
    pub(crate) server: String,
    pub(crate) reviewed: Option<Reviewed>,
    pub(crate) links: Vec<String>,
}

/// Who has read the runbook, and until when that counts as recent. Informs; what counts is the authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewed {
    /// People.
    pub by: Vec<String>,
    /// The last day.
    pub until: jiff::civil::Date,
}

/// How long, how many at a time, and how much that cannot be brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long a plan lives unapproved, in milliseconds; none means as long as plans live.
    pub plan_ttl_ms: Option<u64>,
    /// How long a run may take, in milliseconds.
    pub timeout_ms: u64,
    /// How many irreversible items one approval may cover.
    pub irreversible: u32,
    pub(crate) concurrency: Option<(Template, u32)>,
}

/// How many runs of one key may be under way at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concurrency {
    /// Runs with the same key count together.
    pub key: String,
    /// How many, at least 1.
    pub max: u32,
}

/// One step: an action and its fields, to be filled.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) id: String,
    pub(crate) action: String,
    pub(crate) with: Vec<(String, Field)>,
}

impl Step {
    fn used(&self, params: &Params) -> Use {
        let known = |(name, field): &(String, Field)| Some((name.clone(), field.values(params)?));
        Use { action: self.action.clone(), fields: self.with.iter().filter_map(known).collect() }
    }

    pub(crate) fn fill(&self, values: &Values<'_>) -> Result<StepCall, BadParam> {
        let mut with = Map::new();
        for (name, field) in &self.with {
            let filled = field.fill(values);
            let filled = filled.map_err(|_| BadParam::new(name, "has a placeholder without a value"))?;
            with.extend(filled.map(|value| (name.clone(), value)));
        }
        Ok(StepCall { id: self.id.clone(), action: self.action.clone(), with })
    }
}

impl Runbook {
    /// Its name.
    pub fn name(&self) -> &RunbookName {
        &self.about.name
    }

    /// The name of its tool: `plan_name`, or `name` when it only looks.
    pub fn tool_name(&self) -> String {
        match self.effect {
            EffectKind::ReadOnly => self.about.name.to_string(),
            EffectKind::Mutating | EffectKind::Undetermined => format!("plan_{}", self.about.name),
        }
    }

    /// Its version, three numbers.
    pub fn version(&self) -> &str {
        &self.about.version
    }

    /// A few words for a person.
    pub fn title(&self) -> &str {
        &self.about.title
    }

    /// The team that answers for it.
    pub fn owner(&self) -> &str {
        &self.about.owner
    }

    /// What the agent reads when it chooses.
    pub fn description(&self) -> &str {
        &self.about.description
    }

    /// The server that carries it out.
    pub fn server(&self) -> &str {
        &self.about.server
    }

    /// Who has read it, and until when that counts as recent.
    pub fn reviewed(&self) -> Option<&Reviewed> {
        self.about.reviewed.as_ref()
    }

    /// https links to what explains it.
    pub fn links(&self) -> &[String] {
        &self.about.links
    }

    /// The file, as it was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Name, version and digest: what plans and records carry.
    pub fn reference(&self) -> RunbookRef {
        RunbookRef {
            name: self.about.name.clone(),
            version: self.about.version.clone(),
            digest: self.digest.clone(),
        }
    }

    /// What carrying it out does: mutating if any step is.
    pub fn effect(&self) -> EffectKind {
        self.effect
    }

    /// Its limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// JSON Schema 2020-12 of its tool's input. Says less than [`Runbook::fill`] (the range of a duration), never more.
    pub fn input_schema(&self) -> Value {
        self.params.schema(self.effect)
    }

    /// Validates a caller's arguments: types, rules, defaults, no key too many.
    ///
    /// # Errors
    /// The first argument that breaks a rule, with the rule and nothing of the value.
    pub fn fill(&self, args: &Map<String, Value>) -> Result<Filled, BadParam> {
        self.params.fill(args, self.effect)
    }

    /// One line that names the effect; the target's name is added by whoever knows it.
    pub fn headline(&self, filled: &Filled) -> String {
        // Every parameter in it is of a closed grammar and always there: checked when the runbook was loaded.
        self.headline.text(&values(filled)).unwrap_or_else(|| self.about.title.clone())
    }

    /// The steps, filled.
    ///
    /// # Errors
    /// A field whose placeholder has no value, which a [`Filled`] of this runbook never leaves.
    pub fn steps(&self, filled: &Filled) -> Result<Vec<StepCall>, BadParam> {
        self.steps.iter().map(|step| step.fill(&values(filled))).collect()
    }

    /// Its steps in order, as (id, action).
    pub fn step_actions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.steps.iter().map(|step| (step.id.as_str(), step.action.as_str()))
    }

    /// The actions of its steps and of its way back, with what the file alone tells of their fields.
    pub fn uses(&self) -> Vec<Use> {
        self.steps.iter().chain(&self.undo).map(|step| step.used(&self.params)).collect()
    }

    /// The way back, filled from the parameters and the observation before the run; none when none is declared.
    /// What the observation brings is typed by the server when it reads the step, as any other value is.
    pub fn undo_steps(&self, filled: &Filled, before: &Value) -> Option<Result<Vec<StepCall>, BadParam>> {
        let values = Values { params: filled.params(), before: Some(before) };
        (!self.undo.is_empty()).then(|| self.undo.iter().map(|step| step.fill(&values)).collect())
    }

    /// Looked at before anything is done; all must hold.
    pub fn preconditions(&self) -> &[Check] {
        &self.preconditions
    }

    /// Looked at again between steps and batches; one that does not hold stops the run.
    pub fn guard(&self) -> &[Check] {
        &self.guard
    }

    /// What must hold afterwards, each within its window.
    pub fn verify(&self) -> &[Check] {
        &self.verify
    }

    /// How many runs of which key may be under way; none means no limit of its own.
    pub fn concurrency(&self, filled: &Filled) -> Option<Concurrency> {
        let (key, max) = self.limits.concurrency.as_ref()?;
        // Checked when the runbook was loaded, as the headline is. Should it fail all the same, all share one key.
        let key = key.text(&values(filled)).unwrap_or_else(|| self.about.name.to_string());
        Some(Concurrency { key, max: *max })
    }

    /// What the filled steps name, for policy to judge before any I/O.
    ///
    /// # Errors
    /// The first step that the server cannot read.
    pub fn scopes(&self, steps: &[StepCall], catalog: &Catalog) -> Result<Scopes, BadStep> {
        steps.iter().try_fold(Scopes::default(), |scopes, step| Ok(scopes.union((catalog.check)(step)?)))
    }
}

fn values(filled: &Filled) -> Values<'_> {
    Values { params: filled.params(), before: None }
}
