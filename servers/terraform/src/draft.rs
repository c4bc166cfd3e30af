//! What carrying out an action means, decided before anything is done: one saved plan that is applied as it is, or one lock
//! that is broken; or why neither.

mod doubts;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use runcord_model::Refusal;
use runcord_model::bounds::Span;
use runcord_runtime::target::Draft;

use crate::TerraformActions;
use crate::act::{Act, ApplySaved, BreakLock};
use crate::actions::{Action, Replace, SetPool, Unlock};
use crate::modules::Module;
use crate::seen::{Deed, Found, Look, Planned, ResourceChange, Seen};
use runcord_runtime::refusals::{internal, not_declared, precondition};

/// Drafts one action on what was seen, or on what the steps before it will leave behind.
///
/// # Errors
/// `invalid_params` when the declaration of the root module does not allow it, `precondition_failed` when the plan or the
/// state does not.
pub(crate) fn draft(action: &Action, seen: &Seen) -> Result<Draft<TerraformActions>, Refusal> {
    match action {
        Action::ApplyConfiguration(on) | Action::AcceptDrift(on) => apply(action, on.timeout, seen),
        Action::ReplaceInstance(replace) => apply(action, replace.timeout, seen),
        Action::SetPool(set) => apply(action, set.timeout, seen),
        Action::ApplyCommit(at) => apply(action, at.timeout, seen),
        Action::ApplyEarlier(earlier) => apply(action, earlier.timeout, seen),
        Action::UnlockState(unlock) => break_lock(action, unlock, seen),
        Action::DetectDrift(_) | Action::ListResources(_) | Action::ShowOutputs(_) => {
            Err(internal("an action that only looks was asked for its acts"))
        }
    }
}

/// Whether the declaration of the root module allows what an action names. Nothing has to be looked at for this.
///
/// # Errors
/// `invalid_params`, with what is allowed.
pub(crate) fn permitted(action: &Action, declared: &Module) -> Result<(), Refusal> {
    match action {
        Action::ReplaceInstance(replace) => may_name(replace, declared),
        Action::SetPool(set) => within_bounds(set, declared),
        Action::ApplyConfiguration(_)
        | Action::ApplyCommit(_)
        | Action::ApplyEarlier(_)
        | Action::AcceptDrift(_)
        | Action::UnlockState(_)
        | Action::DetectDrift(_)
        | Action::ListResources(_)
        | Action::ShowOutputs(_) => Ok(()),
    }
}

fn may_name(replace: &Replace, declared: &Module) -> Result<(), Refusal> {
    let resource = replace.address.resource();
    if declared.may_name.contains(&resource) {
        return Ok(());
    }
    Err(not_declared(
        format!("instances of {resource} may not be named in root module {}", replace.module),
        "Name an instance of a resource that `may_name` in modules.yaml lists, or ask those who keep that file.",
    ))
}

fn within_bounds(set: &SetPool, declared: &Module) -> Result<(), Refusal> {
    let SetPool { module, variable, size, .. } = set;
    let Some(bounds) = declared.variables.get(variable).and_then(|declared| declared.pool) else {
        return Err(not_declared(
            format!("variable {variable} of root module {module} may not be set"),
            "Name a variable that modules.yaml declares with `pool`, or ask those who keep that file.",
        ));
    };
    let (low, high) = (bounds.minimum, bounds.maximum);
    if (low..=high).contains(size) {
        return Ok(());
    }
    Err(not_declared(
        format!("{variable} of root module {module} may be from {low} to {high}, and not {size}"),
        format!("Choose a size from {low} to {high}, or ask those who keep modules.yaml."),
    ))
}

fn apply(action: &Action, timeout: Span, seen: &Seen) -> Result<Draft<TerraformActions>, Refusal> {
    let look = look(action, seen)?;
    permitted(action, &look.declared)?;
    let Found::Planned(planned) = &look.found else {
        return Err(internal("a lock was looked for where a plan was needed"));
    };
    doubts::none_left(planned, &look.declared, &look.module)?;
    changes_something(planned, look)?;
    if let Action::ReplaceInstance(replace) = action {
        is_replaced(replace, planned)?;
    }
    let summary = format!("{} {}: {}", verb(action), look.module, in_words(planned));
    let act = Act::Apply(ApplySaved {
        module: look.module.clone(),
        declared: look.declared.clone(),
        workspace: look.workspace.clone(),
        rests_on: planned.rests_on.clone(),
        saved: planned.saved.clone(),
        changes: planned.changes.len(),
        summary: summary.clone(),
        timeout,
    });
    Ok(Draft { acts: vec![act], predicted: applied(action, look, seen), summary })
}

fn look<'s>(action: &Action, seen: &'s Seen) -> Result<&'s Look, Refusal> {
    seen.looks.iter().find(|look| look.action == *action).ok_or_else(|| {
        precondition(
            format!("root module {} cannot be planned twice in one runbook", action.module()),
            "Split the runbook: what a second plan would change is known only once the first one is applied.",
        )
    })
}

fn changes_something(planned: &Planned, look: &Look) -> Result<(), Refusal> {
    if planned.changes.is_empty() && planned.outputs.is_empty() {
        let module = &look.module;
        let message = match &look.action {
            Action::AcceptDrift(_) => format!("nothing has drifted in root module {module}"),
            Action::ApplyConfiguration(_)
            | Action::ReplaceInstance(_)
            | Action::SetPool(_)
            | Action::ApplyCommit(_)
            | Action::ApplyEarlier(_)
            | Action::UnlockState(_)
            | Action::DetectDrift(_)
            | Action::ListResources(_)
            | Action::ShowOutputs(_) => format!("root module {module} is as its configuration says already"),
        };
        return Err(precondition(message, "There is nothing to do. Look at it with detect_drift."));
    }
    Ok(())
}

/// The tool only warns of an instance to replace that is not there, and plans the rest.
fn is_replaced(replace: &Replace, planned: &Planned) -> Result<(), Refusal> {
    let named = |change: &&ResourceChange| change.address == replace.address.as_str();
    let deeds: Vec<_> = planned.changes.iter().filter(named).map(|change| change.deed).collect();
    if deeds.contains(&Deed::Replace) {
        return Ok(());
    }
    Err(precondition(
        format!("the plan would not replace {}", replace.address),
        "Look the address up with list_resources: one that the state does not hold, or that the configuration no longer \
         asks for, cannot be replaced.",
    ))
}

fn verb(action: &Action) -> &'static str {
    match action {
        Action::AcceptDrift(_) => "accept the drift of",
        Action::ApplyEarlier(_) => "apply an earlier configuration of",
        Action::ApplyCommit(_) => "apply an earlier commit of",
        Action::ReplaceInstance(_)
        | Action::SetPool(_)
        | Action::ApplyConfiguration(_)
        | Action::UnlockState(_)
        | Action::DetectDrift(_)
        | Action::ListResources(_)
        | Action::ShowOutputs(_) => "apply",
    }
}

/// `2 to create, 1 to destroy`.
fn in_words(planned: &Planned) -> String {
    let count = |deed: Deed| planned.changes.iter().filter(|change| change.deed == deed).count();
    let parts: Vec<_> = [
        (Deed::Delete, "to destroy"),
        (Deed::Replace, "to replace"),
        (Deed::Forget, "to forget"),
        (Deed::Create, "to create"),
        (Deed::Update, "to change in place"),
        (Deed::Keep, "to move or import"),
    ]
    .into_iter()
    .map(|(deed, words)| (count(deed), words))
    .filter(|(count, _)| *count > 0)
    .map(|(count, words)| format!("{count} {words}"))
    .collect();
    match (parts.is_empty(), planned.outputs.len()) {
        (true, 1) => "1 output to change".to_owned(),
        (true, outputs) => format!("{outputs} outputs to change"),
        (false, _) => parts.join(", "),
    }
}

/// Nothing is left of what was planned. What else was planned of the same state is worth nothing any more.
fn applied(action: &Action, done: &Look, seen: &Seen) -> Seen {
    let same = |look: &Look| look.module == done.module && look.workspace == done.workspace;
    let still = seen.looks.iter().filter(|look| !same(look) || look.action == *action);
    let left = |look: &Look| if same(look) { with_nothing_left(look) } else { look.clone() };
    Seen { looks: still.map(left).collect() }
}

/// Made anew, and not emptied: there may be thousands of changes to copy.
fn with_nothing_left(look: &Look) -> Look {
    let found = match &look.found {
        Found::Planned(planned) => Found::Planned(Box::new(Planned {
            rests_on: planned.rests_on.clone(),
            saved: planned.saved.clone(),
            changes: Vec::new(),
            outputs: BTreeSet::new(),
            drifted: Vec::new(),
            instances: planned.instances,
            doubts: planned.doubts.clone(),
            begun: planned.begun,
            applied_before: planned.applied_before.clone(),
        })),
        Found::Lock { .. } => look.found.clone(),
    };
    Look {
        action: look.action.clone(),
        module: look.module.clone(),
        declared: look.declared.clone(),
        workspace: look.workspace.clone(),
        found,
    }
}

fn break_lock(action: &Action, unlock: &Unlock, seen: &Seen) -> Result<Draft<TerraformActions>, Refusal> {
    let look = look(action, seen)?;
    let Found::Lock { lock, configuration, lineage } = &look.found else {
        return Err(internal("a plan was made where a lock was to be looked for"));
    };
    let Some(lock) = lock else {
        return Err(precondition(
            format!("the state of root module {} is not locked", look.module),
            "There is nothing to do.",
        ));
    };
    if lock.id != unlock.lock_id {
        return Err(precondition(
            format!(
                "the state of root module {} is held by lock {}, and not by the one named",
                look.module, lock.id
            ),
            "Find out who took that lock. Only if nobody is at work any more, plan again with its id.",
        ));
    }
    let summary = format!("break lock {} of the state of {}", lock.id, look.module);
    let act = Act::Unlock(BreakLock {
        module: look.module.clone(),
        declared: look.declared.clone(),
        workspace: look.workspace.clone(),
        configuration: configuration.clone(),
        lock: lock.id.clone(),
        lineage: lineage.clone(),
    });
    let mut predicted = seen.clone();
    for look in predicted.looks.iter_mut().filter(|look| look.action == *action) {
        if let Found::Lock { lock, .. } = &mut look.found {
            *lock = None;
        }
    }
    Ok(Draft { acts: vec![act], predicted, summary })
}
