//! The blast radius of a plan's acts, counted on the looks that they came from.

pub(crate) mod count;
mod remarks;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use runcord_model::{BlastRadius, Coverage, Measure, Scopes};
use runcord_runtime::target::Measured;

use crate::act::RunBatch;
use crate::canonical::look_of;
use crate::diff;
use crate::inventory::Share;
use crate::names::{GroupName, HostName};
use crate::seen::{Look, Seen};

/// Measures all acts of a plan, one slice for each step.
pub(crate) fn measure(seen: &Seen, steps: &[Vec<RunBatch>]) -> Measured {
    let acts: Vec<&RunBatch> = steps.iter().flatten().collect();
    let carried: Vec<Carried<'_>> = steps.iter().filter_map(|acts| carried(acts, seen)).collect();
    Measured {
        diff: diff::planned(&carried),
        blast_radius: radius(&carried).settled(),
        coverage: coverage(&carried),
        scopes: scopes(&acts),
        remarks: remarks::remarks(&carried),
    }
}

/// What the acts of one step carry out.
pub(crate) struct Carried<'s> {
    /// The look that they came from; none where it is not among what was seen.
    pub(crate) look: Option<&'s Look>,
    /// The batches.
    pub(crate) acts: &'s [RunBatch],
}

fn carried<'s>(acts: &'s [RunBatch], seen: &'s Seen) -> Option<Carried<'s>> {
    acts.first().map(|first| Carried { look: look_of(first, seen), acts })
}

fn radius(carried: &[Carried<'_>]) -> BlastRadius {
    let looks: Option<Vec<&Look>> = carried.iter().map(|carried| carried.look).collect();
    let Some(looks) = looks else { return unknown() };
    let sum = |count: fn(&Look) -> usize| Measure::Known(number(looks.iter().map(|look| count(look)).sum()));
    let hosts: BTreeSet<&HostName> = looks.iter().flat_map(|look| &look.hosts).collect();
    BlastRadius {
        hosts: Measure::Known(number(hosts.len())),
        hosts_percent: largest(touched(&looks).into_values()),
        hosts_at_once_percent: largest(carried.iter().flat_map(at_once)),
        restarts: sum(count::restarts),
        reboots: sum(count::reboots),
        bytes_deleted: looks.iter().map(|look| count::bytes_deleted(look)).fold(Measure::Known(0), added),
        irreversible: sum(count::irreversible),
        ..BlastRadius::nothing()
    }
}

/// How much of each group is touched by all steps together. Steps on the same hosts touch them once; of steps on other
/// hosts it is not known whether these are the same, so they add up.
fn touched(looks: &[&Look]) -> BTreeMap<GroupName, Share> {
    let mut groups: BTreeMap<GroupName, Share> = BTreeMap::new();
    let mut counted: Vec<BTreeSet<&HostName>> = Vec::new();
    for look in looks {
        let hosts: BTreeSet<&HostName> = look.hosts.iter().collect();
        if counted.contains(&hosts) {
            continue;
        }
        for (group, share) in shares(look) {
            let sum = groups.entry(group).or_insert(Share { touched: 0, of: share.of });
            *sum = Share { touched: sum.touched.saturating_add(share.touched), of: sum.of.min(share.of) };
        }
        counted.push(hosts);
    }
    groups
}

/// The shares of a look. Its own group is among them, were it only to say that nothing is known of it.
fn shares(look: &Look) -> BTreeMap<GroupName, Share> {
    let mut shares = look.shares.clone();
    shares.entry(look.action.group().clone()).or_insert(Share { touched: look.hosts.len(), of: 0 });
    shares
}

/// How much of each group is touched at once, by the largest batch: all of its hosts may be of one group.
fn at_once(carried: &Carried<'_>) -> Vec<Share> {
    let largest = carried.acts.iter().map(|act| act.hosts.len()).max().unwrap_or(0);
    let of_batch = |share: Share| Share { touched: share.touched.min(largest), of: share.of };
    carried.look.map(shares).unwrap_or_default().into_values().map(of_batch).collect()
}

fn largest(shares: impl Iterator<Item = Share>) -> Measure {
    let worse = |a: Measure, b: Measure| if a.at_worst() >= b.at_worst() { a } else { b };
    shares.map(percent).fold(Measure::Known(0), worse)
}

/// In percent, rounded up. Something touched of nothing is a count that is wrong.
fn percent(share: Share) -> Measure {
    match (number(share.touched), number(share.of)) {
        (0, _) => Measure::Known(0),
        (_, 0) => Measure::Unknown,
        (touched, of) => Measure::Known((touched.saturating_mul(100).saturating_add(of - 1) / of).min(100)),
    }
}

fn added(a: Measure, b: Measure) -> Measure {
    match (a, b) {
        (Measure::Known(a), Measure::Known(b)) => Measure::Known(a.saturating_add(b)),
        (Measure::Unknown, _) | (_, Measure::Unknown) => Measure::Unknown,
    }
}

fn unknown() -> BlastRadius {
    BlastRadius {
        hosts: Measure::Unknown,
        hosts_percent: Measure::Unknown,
        hosts_at_once_percent: Measure::Unknown,
        restarts: Measure::Unknown,
        reboots: Measure::Unknown,
        bytes_deleted: Measure::Unknown,
        irreversible: Measure::Unknown,
        ..BlastRadius::nothing()
    }
}

fn coverage(carried: &[Carried<'_>]) -> Coverage {
    let mut coverage = Coverage::default();
    for carried in carried {
        match carried.look {
            Some(look) => of_look(look, &mut coverage),
            None => coverage.undetermined.push("what would be run: it was not looked at".to_owned()),
        }
    }
    coverage
}

fn of_look(look: &Look, coverage: &mut Coverage) {
    let (vetted, of) = (look.vetted.coverage(), look.vetted.tasks.len());
    coverage.checked.push(format!(
        "{}: {} of {of} tasks truly checked ({} %), by {} on each of {} hosts",
        look.action.playbook(),
        look.vetted.wholly_checked(),
        look.vetted.percent_checked(),
        look.rests_on.version,
        look.hosts.len(),
    ));
    coverage.checked.extend(vetted.checked);
    coverage.undetermined.extend(vetted.undetermined);
    coverage.undetermined.push(
        "what becomes of a task when the connection is lost or this side ends: once begun on a host, it goes on there"
            .to_owned(),
    );
    if count::restarts(look) > 0 || count::reboots(look) > 0 {
        coverage
            .undetermined
            .push("whether what is restarted comes back: check mode stops and starts nothing".to_owned());
    }
}

fn scopes(acts: &[&RunBatch]) -> Scopes {
    acts.iter().map(|act| act.action.scopes()).fold(Scopes::default(), Scopes::union)
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
