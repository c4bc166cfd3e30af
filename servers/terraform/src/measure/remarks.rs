//! Sentences for the person at 3 am, the most important first.

use std::collections::BTreeMap;

use super::{Carried, is_lost, outside};
use crate::actions::Action;
use crate::names;
use crate::planfile::reviewed;
use crate::seen::{Deed, Doubt, Look, Planned, ResourceChange};

/// So many kinds of things stand in one sentence.
const NAMED: usize = 5;

pub(super) fn remarks(plans: &[Carried<'_>]) -> Vec<String> {
    let mut said = Vec::new();
    for carried in plans {
        match carried {
            Carried::Plan(look, planned) => of_plan(look, planned, &mut said),
            Carried::Nothing => said.push("The plan that would be applied was not seen.".to_owned()),
            Carried::Unlock => said.push(
                "If whoever took the lock is still at work, two writers would leave a state that fits neither.".to_owned(),
            ),
        }
    }
    said
}

fn of_plan(look: &Look, planned: &Planned, said: &mut Vec<String>) {
    let holds_data = |change: &&ResourceChange| look.declared.data_bearing.contains(&change.kind);
    let lost: Vec<_> = planned.changes.iter().filter(|change| is_lost(change)).collect();
    said.extend(by_type(lost.iter().copied().filter(holds_data), ", which holds data"));
    said.extend(by_type(lost.iter().copied().filter(|change| !holds_data(change)), ""));
    said.extend(beside(look, planned));
    let forgotten = planned.changes.iter().filter(|change| change.deed == Deed::Forget);
    said.extend(by_type(
        forgotten,
        if accepts_drift(look) { ", gone from the world" } else { ", left in the world" },
    ));
    said.extend(by_provider(planned));
    said.extend(moves(planned));
    said.extend(runs_code(look, planned));
    if !accepts_drift(look) && !planned.drifted.is_empty() {
        said.push(format!(
            "{} changed in the world since the state was written.",
            counted(planned.drifted.len(), "instance has", "instances have")
        ));
    }
    if planned.applied_before.is_none() && !accepts_drift(look) {
        said.push("There is no earlier configuration to go back to.".to_owned());
    }
}

fn accepts_drift(look: &Look) -> bool {
    matches!(look.action, Action::AcceptDrift(_))
}

/// `2 aws_instance replaced, 1 aws_subnet destroyed.`
fn by_type<'s>(changes: impl Iterator<Item = &'s ResourceChange>, which: &str) -> Option<String> {
    let mut counts: BTreeMap<(Deed, &str), usize> = BTreeMap::new();
    for change in changes {
        *counts.entry((change.deed, change.kind.as_str())).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let each = |((deed, kind), count): &((Deed, &str), usize)| format!("{count} {kind} {}", done(*deed));
    sentence(counts.iter().map(each).collect(), which)
}

fn done(deed: Deed) -> &'static str {
    match deed {
        Deed::Keep => "kept",
        Deed::Create => "made",
        Deed::Update => "changed in place",
        Deed::Delete => "destroyed",
        Deed::Replace => "replaced",
        Deed::Forget => "forgotten",
    }
}

fn sentence(parts: Vec<String>, which: &str) -> Option<String> {
    let more = parts.len().saturating_sub(NAMED);
    let first: Vec<_> = parts.into_iter().take(NAMED).collect();
    match (first.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(format!("{}{which}.", first.join(", "))),
        (false, more) => Some(format!("{}, and {more} other kinds{which}.", first.join(", "))),
    }
}

fn beside(look: &Look, planned: &Planned) -> Option<String> {
    let beside: Vec<_> = outside(look, planned).map(|change| names::shown(&change.address)).collect();
    let more = beside.len().saturating_sub(NAMED);
    let first: Vec<_> = beside.into_iter().take(NAMED).collect();
    match (first.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(format!("Beside the instance named, these change: {}.", first.join(", "))),
        (false, more) => {
            Some(format!("Beside the instance named, these change: {}, and {more} more.", first.join(", ")))
        }
    }
}

/// Where more than one provider is concerned: how much each of them changes.
fn by_provider(planned: &Planned) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for change in planned.changes.iter().filter(|change| change.deed != Deed::Keep) {
        *counts.entry(&change.provider).or_default() += 1;
    }
    if counts.len() < 2 {
        return None;
    }
    let parts = counts.into_iter().map(|(provider, count)| format!("{count} by {provider}"));
    sentence(parts.collect(), "").map(|parts| format!("Changes: {parts}"))
}

fn moves(planned: &Planned) -> Option<String> {
    let moved = planned.changes.iter().filter(|change| change.moved_from.is_some()).count();
    let imported = planned.changes.iter().filter(|change| change.imported).count();
    let parts = [(moved, "moved within the state"), (imported, "imported from the world")];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    sentence(parts.map(|(count, what)| format!("{count} {what}")).collect(), "")
}

fn runs_code(look: &Look, planned: &Planned) -> Option<String> {
    let reviewed = planned.doubts.iter().filter(|doubt| reviewed(doubt, &look.declared));
    let parts = reviewed.filter_map(|doubt| match doubt {
        Doubt::Provisioner { resource } | Doubt::DataSource { resource } => Some(resource.clone()),
        Doubt::ActionInvocation
        | Doubt::Deferred
        | Doubt::RemoteModule { .. }
        | Doubt::UndeclaredVariable { .. }
        | Doubt::Check { .. }
        | Doubt::CheckPutOff { .. }
        | Doubt::UnknownPart { .. }
        | Doubt::NotWhole => None,
    });
    sentence(parts.collect(), "").map(|parts| format!("Code of their own, reviewed, is run by: {parts}"))
}

fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}
