//! The blast radius of a plan's acts, counted on the plans that they carry.

mod remarks;

#[cfg(test)]
mod tests;

use runcord_model::{BlastRadius, Coverage, Measure, Scopes};
use runcord_runtime::target::Measured;

use crate::act::Act;
use crate::actions::Action;
use crate::canonical::plan_of;
use crate::diff;
use crate::planfile::reviewed;
use crate::seen::{Deed, Doubt, Look, Planned, ResourceChange, Seen, Shown};

/// Measures all acts of a plan, one slice for each step.
pub(crate) fn measure(seen: &Seen, steps: &[Vec<Act>]) -> Measured {
    let acts: Vec<&Act> = steps.iter().flatten().collect();
    let plans: Vec<_> = acts.iter().map(|act| carried(act, seen)).collect();
    Measured {
        diff: diff::planned(seen, &acts),
        blast_radius: plans.iter().map(radius).fold(BlastRadius::nothing(), worse_of_both).settled(),
        coverage: coverage(&plans),
        scopes: scopes(&acts),
        remarks: remarks::remarks(&plans),
    }
}

/// What an act carries out.
enum Carried<'s> {
    Plan(&'s Look, &'s Planned),
    /// The plan is not among what was seen.
    Nothing,
    Unlock,
}

fn carried<'s>(act: &Act, seen: &'s Seen) -> Carried<'s> {
    match act {
        Act::Apply(apply) => {
            plan_of(apply, seen).map_or(Carried::Nothing, |(look, planned)| Carried::Plan(look, planned))
        }
        Act::Unlock(_) => Carried::Unlock,
    }
}

fn radius(carried: &Carried<'_>) -> BlastRadius {
    match carried {
        Carried::Plan(look, planned) => of_plan(look, planned),
        Carried::Nothing => unknown(),
        // A lock that is broken is not taken again, whoever was at work.
        Carried::Unlock => BlastRadius { irreversible: Measure::Known(1), ..BlastRadius::nothing() },
    }
}

fn of_plan(look: &Look, planned: &Planned) -> BlastRadius {
    let count =
        |wanted: &dyn Fn(&&ResourceChange) -> bool| number(planned.changes.iter().filter(wanted).count());
    let deed = |deed: Deed| Measure::Known(count(&|change| change.deed == deed));
    let data = count(&|change| is_lost(change) && look.declared.data_bearing.contains(&change.kind));
    BlastRadius {
        creates: deed(Deed::Create),
        updates: deed(Deed::Update),
        replaces: deed(Deed::Replace),
        destroys: deed(Deed::Delete),
        forgets: deed(Deed::Forget),
        data_destroys: Measure::Known(data),
        instances_percent: share(count(&|change| is_lost(change)), planned.instances),
        outside_named: Measure::Known(number(outside(look, planned).count())),
        irreversible: Measure::Known(data),
        ..BlastRadius::nothing()
    }
}

fn is_lost(change: &ResourceChange) -> bool {
    match change.deed {
        Deed::Delete | Deed::Replace => true,
        Deed::Create | Deed::Update | Deed::Forget | Deed::Keep => false,
    }
}

/// What changes beside the instance that the action names; nothing where it names none.
fn outside<'s>(look: &'s Look, planned: &'s Planned) -> impl Iterator<Item = &'s ResourceChange> {
    let named = named(look);
    planned.changes.iter().filter(move |change| named.is_some_and(|named| change.address != named))
}

fn named(look: &Look) -> Option<&str> {
    match &look.action {
        Action::ReplaceInstance(replace) => Some(replace.address.as_str()),
        Action::ApplyConfiguration(_)
        | Action::SetPool(_)
        | Action::ApplyCommit(_)
        | Action::ApplyEarlier(_)
        | Action::AcceptDrift(_)
        | Action::UnlockState(_)
        | Action::DetectDrift(_)
        | Action::ListResources(_)
        | Action::ShowOutputs(_) => None,
    }
}

/// In percent, rounded up. Something lost of nothing is a count that is wrong.
fn share(lost: i64, of: i64) -> Measure {
    match (lost, of) {
        (0, _) => Measure::Known(0),
        (_, ..=0) => Measure::Unknown,
        (lost, of) => Measure::Known((lost.saturating_mul(100).saturating_add(of - 1) / of).min(100)),
    }
}

fn unknown() -> BlastRadius {
    BlastRadius {
        creates: Measure::Unknown,
        updates: Measure::Unknown,
        replaces: Measure::Unknown,
        destroys: Measure::Unknown,
        forgets: Measure::Unknown,
        data_destroys: Measure::Unknown,
        instances_percent: Measure::Unknown,
        outside_named: Measure::Unknown,
        irreversible: Measure::Unknown,
        ..BlastRadius::nothing()
    }
}

/// Counts add up; of shares the larger one counts, for they are of different root modules.
fn worse_of_both(one: BlastRadius, other: BlastRadius) -> BlastRadius {
    let sum = |a: Measure, b: Measure| match (a, b) {
        (Measure::Known(a), Measure::Known(b)) => Measure::Known(a.saturating_add(b)),
        (Measure::Unknown, _) | (_, Measure::Unknown) => Measure::Unknown,
    };
    let larger = |a: Measure, b: Measure| if a.at_worst() >= b.at_worst() { a } else { b };
    BlastRadius {
        creates: sum(one.creates, other.creates),
        updates: sum(one.updates, other.updates),
        replaces: sum(one.replaces, other.replaces),
        destroys: sum(one.destroys, other.destroys),
        forgets: sum(one.forgets, other.forgets),
        data_destroys: sum(one.data_destroys, other.data_destroys),
        instances_percent: larger(one.instances_percent, other.instances_percent),
        outside_named: sum(one.outside_named, other.outside_named),
        irreversible: sum(one.irreversible, other.irreversible),
        ..one
    }
}

fn coverage(plans: &[Carried<'_>]) -> Coverage {
    let mut coverage = Coverage::default();
    for carried in plans {
        match carried {
            Carried::Plan(look, planned) => of_look(look, planned, &mut coverage),
            Carried::Nothing => {
                coverage.undetermined.push("what would be applied: the plan was not seen".to_owned())
            }
            Carried::Unlock => {
                coverage.checked.push("the lock: read, and of the id that was named".to_owned());
                coverage.undetermined.push("whether whoever took the lock is still at work".to_owned());
            }
        }
    }
    coverage
}

fn of_look(look: &Look, planned: &Planned, coverage: &mut Coverage) {
    let (rests_on, count) = (&planned.rests_on, planned.changes.len());
    coverage.checked.push(format!(
        "{}: {count} changes planned by {} on serial {} of the state, refreshed from the world",
        look.module, rests_on.version, rests_on.state.serial
    ));
    for doubt in planned.doubts.iter().filter(|doubt| reviewed(doubt, &look.declared)) {
        match doubt {
            Doubt::Provisioner { resource } => {
                coverage.undetermined.push(format!("{resource}: what its provisioners do"));
            }
            Doubt::DataSource { resource } => {
                coverage
                    .undetermined
                    .push(format!("{resource}: what it starts or asks, and what it is told"));
            }
            Doubt::CheckPutOff { address } => {
                coverage
                    .undetermined
                    .push(format!("{address}: its check, which can only be told once applied"));
            }
            Doubt::ActionInvocation
            | Doubt::Deferred
            | Doubt::RemoteModule { .. }
            | Doubt::UndeclaredVariable { .. }
            | Doubt::Check { .. }
            | Doubt::UnknownPart { .. }
            | Doubt::NotWhole => {}
        }
    }
    let unknown = planned.changes.iter().flat_map(|change| &change.values);
    match unknown.filter(|value| value.after == Shown::Unknown).count() {
        0 => {}
        count => coverage.undetermined.push(format!("{count} values: known only once applied")),
    }
    if planned.changes.iter().any(|change| change.deed != Deed::Keep) {
        coverage
            .undetermined
            .push("whether the providers' services accept each change, and how long they take".to_owned());
    }
}

fn scopes(acts: &[&Act]) -> Scopes {
    let module = |act: &&Act| match act {
        Act::Apply(apply) => apply.module.to_string(),
        Act::Unlock(unlock) => unlock.module.to_string(),
    };
    Scopes { modules: acts.iter().map(module).collect(), ..Scopes::default() }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
