//! The way back from a run: the runbook's declared undo, as a plan of its own through the same gates.

use std::sync::Arc;

use runcord_ledger::KeptRun;
use runcord_model::{Code, Principal, Refusal, RunbookName, StepCall};
use runcord_runbooks::{Filled, Runbook};

use crate::entry::Entry;
use crate::material::{Origin, RunMaterial};
use crate::pipeline::Requested;
use crate::refuse;
use crate::target::Actions;

/// The request that undoes `run`, filled from what was observed before it.
///
/// # Errors
/// `undo_unavailable` when the run is under way, did nothing, or its runbook declares no way back.
pub fn request<A: Actions>(
    principal: &Principal,
    run: &KeptRun,
    entry: &Arc<Entry>,
) -> Result<Requested, Refusal> {
    let unavailable = |why: &str| {
        Refusal::new(
            Code::UndoUnavailable,
            format!("this run cannot be undone: {why}"),
            "look at the target with a read-only runbook and choose the runbook that mends what you see",
        )
    };
    if run.outcome.is_none() {
        return Err(unavailable("it is still under way; stop it first with run_cancel, or wait"));
    }
    let material = material::<A>(run)?;
    if material.origin != Origin::Steps {
        return Err(unavailable("it is an undo itself"));
    }
    let mut args = material.args;
    args.insert("reason".to_owned(), format!("undo of {}", run.id).into());
    let filled =
        entry.runbook.fill(&args).map_err(|_| unavailable("the runbook's parameters changed since"))?;
    let calls = steps::<A>(&entry.runbook, &filled, &material.before).map_err(unavailable)?;
    let headline = format!("undo: {}", material.headline);
    Ok(Requested::again(principal, entry, filled, headline, calls, Origin::Undo { run: run.id.clone() }))
}

/// The steps of the way back to what was seen before a run, or why there is none.
pub(crate) fn steps<A: Actions>(
    runbook: &Runbook,
    filled: &Filled,
    before: &A::Seen,
) -> Result<Vec<StepCall>, &'static str> {
    let unfit = "the state before does not fit the runbook's undo";
    let steps = runbook.undo_steps(filled, &A::observe(before)).ok_or("its runbook declares no way back")?;
    let steps = steps.map_err(|_| unfit)?;
    if steps.iter().all(|call| A::action(call).is_ok()) { Ok(steps) } else { Err(unfit) }
}

/// The runbook that `run` carried out.
///
/// # Errors
/// `internal` when what was kept beside the run cannot be read.
pub fn runbook_of<A: Actions>(run: &KeptRun) -> Result<RunbookName, Refusal> {
    Ok(material::<A>(run)?.name)
}

fn material<A: Actions>(run: &KeptRun) -> Result<RunMaterial<A>, Refusal> {
    run.extras.read().map_err(|_| refuse::internal("what was kept beside a run cannot be read"))
}
