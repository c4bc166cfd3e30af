//! A run as its reader sees it: derived from the journal each time, so that it cannot disagree with it.

use runcord_flow::{ActOutcome, End, State};
use runcord_ledger::KeptRun;
use runcord_model::run::{RunStep, Undo, Verification};
use runcord_model::{Change, RunState, RunView};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::material::{Origin, RunMaterial, Step};
use crate::target::Actions;

/// What the worker found when the run ended, beyond what the journal says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Closing {
    /// Before against after, as observed.
    pub diff: Vec<Change>,
    /// Whether what the runbook verifies holds.
    pub verification: Verification,
}

/// What of a run's [`RunMaterial`] its view is made of. What was seen before may be large, and is passed over.
#[derive(Debug, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Outline<A: Actions> {
    origin: Origin,
    steps: Vec<Step<A>>,
    headline: String,
    approvers: Vec<String>,
    #[serde(alias = "undo_declared")]
    way_back: bool,
}

impl<A: Actions> Outline<A> {
    pub(crate) fn of(material: &RunMaterial<A>) -> Self {
        Self {
            origin: material.origin.clone(),
            steps: material.steps.clone(),
            headline: material.headline.clone(),
            approvers: material.approvers.clone(),
            way_back: material.way_back,
        }
    }
}

/// The view of one run.
pub fn of<A: Actions>(run: &KeptRun) -> RunView {
    match run.extras.read::<Outline<A>>() {
        Ok(outline) => shown(run, &outline, run.view.as_ref().and_then(|view| view.read().ok())),
        Err(_) => bare(run),
    }
}

/// The view of a run that ends so: what [`of`] makes of it once that is kept.
pub(crate) fn closed<A: Actions>(run: &KeptRun, outline: &Outline<A>, closing: Closing) -> RunView {
    shown(run, outline, Some(closing))
}

fn shown<A: Actions>(run: &KeptRun, outline: &Outline<A>, closing: Option<Closing>) -> RunView {
    let state = recorded(run);
    let record = run.outcome.as_ref().unwrap_or(&run.intent);
    let steps = steps(outline, &run.flow);
    let summary = summary(outline, &run.flow, &steps, closing.as_ref());
    let (diff, verification) = match closing {
        Some(closing) => (closing.diff, closing.verification),
        None => (Vec::new(), pending(state)),
    };
    RunView {
        run_id: run.id.clone(),
        plan_id: run.plan.clone(),
        state,
        undo: undo(outline, run),
        next: next(run, state),
        summary,
        steps,
        diff,
        verification,
        record: (record.index, record.digest.clone()),
    }
}

/// What the ledger itself knows of a run whose material this version cannot read.
fn bare(run: &KeptRun) -> RunView {
    let state = recorded(run);
    let record = run.outcome.as_ref().unwrap_or(&run.intent);
    let headline =
        run.intent.statement.pointer("/predicate/headline").and_then(Value::as_str).unwrap_or("a run");
    RunView {
        run_id: run.id.clone(),
        plan_id: run.plan.clone(),
        state,
        steps: Vec::new(),
        diff: Vec::new(),
        verification: pending(state),
        record: (record.index, record.digest.clone()),
        undo: Undo::Unavailable,
        summary: format!(
            "{headline}: {}; another version of this program began it, and its steps cannot be read.",
            state.as_str()
        ),
        next: next(run, state),
    }
}

/// Where the run is. It is over only once its outcome is recorded: until then nothing more can be said of it.
fn recorded(run: &KeptRun) -> RunState {
    match (run.state, &run.outcome) {
        (RunState::Verified | RunState::Unverified, None) => RunState::Applied,
        (RunState::Stopped | RunState::Failed | RunState::Unknown, None) => RunState::Applying,
        (state, _) => state,
    }
}

fn pending(state: RunState) -> Verification {
    let outcome = if state.ended() { "not_reached" } else { "pending" };
    Verification { outcome: outcome.to_owned(), checks: Vec::new() }
}

fn steps<A: Actions>(outline: &Outline<A>, state: &State) -> Vec<RunStep> {
    let mut acts = state.acts().iter();
    let ended = state.end().is_some();
    let mut steps = Vec::new();
    for step in &outline.steps {
        let outcomes: Vec<_> = acts.by_ref().take(step.acts.len()).map(|act| &act.outcome).collect();
        let done = outcomes.iter().filter(|o| ***o == ActOutcome::Done).count();
        let open = step.acts.iter().zip(&outcomes).find(|(_, o)| ***o != ActOutcome::Done);
        let (word, text) = match open {
            None => ("done", step.summary.clone()),
            Some((act, outcome)) => wording::<A>(act, outcome, done, ended),
        };
        steps.push(RunStep {
            id: step.call.id.clone(),
            action: step.call.action.clone(),
            state: word.to_owned(),
            done,
            of: step.acts.len(),
            text,
        });
    }
    steps
}

fn wording<A: Actions>(
    act: &A::Act,
    outcome: &ActOutcome,
    done: usize,
    ended: bool,
) -> (&'static str, String) {
    let what = A::describe(act);
    match outcome {
        ActOutcome::Pending | ActOutcome::NotDone if ended => ("not_done", format!("not done: {what}")),
        ActOutcome::Pending if done == 0 => ("pending", format!("next: {what}")),
        ActOutcome::Pending | ActOutcome::NotDone => ("running", format!("now: {what}")),
        ActOutcome::Sent => ("running", format!("sent: {what}")),
        ActOutcome::Deferred { reason } if ended => ("not_done", format!("not done: {what}: {reason}")),
        ActOutcome::Deferred { reason } => ("running", format!("waiting to {what}: {reason}")),
        ActOutcome::Lost { reason } => ("unknown", format!("no answer to: {what}: {reason}")),
        ActOutcome::Refused { reason } => ("failed", format!("refused: {what}: {reason}")),
        ActOutcome::SomebodyElses => {
            ("unknown", format!("somebody else changed what this act touches: {what}"))
        }
        ActOutcome::CannotTell => ("unknown", format!("looking cannot tell whether this was done: {what}")),
        ActOutcome::Done => ("done", what),
    }
}

fn undo<A: Actions>(outline: &Outline<A>, run: &KeptRun) -> Undo {
    let way_back = outline.way_back && outline.origin == Origin::Steps;
    let something_done = run.flow.acts().iter().any(|act| act.outcome == ActOutcome::Done);
    if way_back && something_done && run.outcome.is_some() { Undo::Available } else { Undo::Unavailable }
}

fn summary<A: Actions>(
    outline: &Outline<A>,
    state: &State,
    steps: &[RunStep],
    closing: Option<&Closing>,
) -> String {
    let headline = &outline.headline;
    let approved = match outline.approvers.as_slice() {
        [] => "allowed by policy without an approval".to_owned(),
        people => format!("approved by {}", people.join(" and ")),
    };
    let (done, of) = steps.iter().fold((0, 0), |(d, o), step| (d + step.done, o + step.of));
    let ending = match state.end() {
        None => format!("under way: {done} of {of} acts done{}", current(steps)),
        Some(End::Verified) => format!("done and verified{}", changes(closing)),
        Some(End::Unverified { reason }) => format!("done, but NOT verified: {reason}"),
        Some(End::Stopped { cause, .. }) => {
            format!("STOPPED because {}, after {done} of {of} acts{}", cause.as_str(), current(steps))
        }
        Some(End::Failed { reason, .. }) => format!("FAILED after {done} of {of} acts: {reason}"),
        Some(End::Unknown { reason, .. }) => {
            format!("UNKNOWN: {reason}; {done} of {of} acts are known to be done")
        }
    };
    format!("{headline} ({approved}): {ending}.")
}

/// The first few changes as observed, and how many more there are.
fn changes(closing: Option<&Closing>) -> String {
    const SHOWN: usize = 3;
    let diff = closing.map(|c| c.diff.as_slice()).unwrap_or_default();
    if diff.is_empty() {
        return "; nothing differs from before".to_owned();
    }
    let shown: Vec<_> = diff.iter().take(SHOWN).map(|c| format!("{}: {}", c.object, c.text)).collect();
    let more = match diff.len().saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!("; and {n} more"),
    };
    format!(". Changed: {}{more}", shown.join("; "))
}

fn current(steps: &[RunStep]) -> String {
    steps
        .iter()
        .find(|step| step.state != "done")
        .map_or_else(String::new, |step| format!("; {}: {}", step.id, step.text))
}

fn next(run: &KeptRun, state: RunState) -> String {
    let id = &run.id;
    match state {
        RunState::Applying | RunState::Applied => format!("call run_status with id {id} and wait_seconds 30"),
        RunState::Reconciling => {
            format!(
                "do not apply anything; the run is being reconciled by looking: call run_status with id {id} and wait_seconds 30"
            )
        }
        RunState::Verified => "tell the person what changed; nothing else is needed".to_owned(),
        RunState::Unverified => {
            format!(
                "tell a person now: what the runbook verifies does not hold; undo_plan with run_id {id} plans the way back where there is one"
            )
        }
        RunState::Stopped | RunState::Failed => {
            format!(
                "tell a person what was done and what was not (see steps); undo_plan with run_id {id} plans the way back where there is one; do not retry without them"
            )
        }
        RunState::Unknown => {
            format!(
                "do not retry: a person looks at the target and decides; `runcord run show {id}` shows what is known"
            )
        }
    }
}
