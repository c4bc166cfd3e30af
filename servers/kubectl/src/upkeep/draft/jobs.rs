//! `clean_jobs`: Jobs that finished long enough ago, deleted one by one by uid, each after all that it owns.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use runcord_model::Refusal;
use runcord_runtime::target::{Draft, Fixed};

use crate::KubectlActions;
use crate::act::Act;
use crate::names::Uid;
use crate::refuse::{internal, precondition};
use crate::seen::Seen;
use crate::upkeep::acts::{AwaitDeleted, DeleteJob, UpkeepAct};
use crate::upkeep::fields::CleanJobs;
use crate::upkeep::seen::{Job, Maker};

/// So many names stand in one sentence.
const NAMED: usize = 5;

pub(super) fn clean(it: &CleanJobs, seen: &Seen, fixed: &Fixed) -> Result<Draft<KubectlActions>, Refusal> {
    let before = border(it, fixed)?;
    let of = maker(it, seen)?;
    let mut old: Vec<&Job> = seen
        .upkeep
        .jobs
        .iter()
        .filter(|job| job.id.namespace == it.namespace && of.as_ref().is_none_or(|uid| made_by(job, uid)))
        .filter(|job| !job.deleting && job.finished.is_some_and(|at| at <= before))
        .collect();
    old.sort_by(|a, b| (a.finished, &a.id.name).cmp(&(b.finished, &b.id.name)));
    let (may_go, _): (Vec<_>, Vec<_>) = old.iter().copied().partition(|job| may_be_deleted(job));
    if may_go.is_empty() {
        return Err(nothing_to_clean(it, &old));
    }
    let at_most = it.at_most.get() as usize;
    let rest = may_go.len().saturating_sub(at_most);
    let gone: Vec<&Job> = may_go.into_iter().take(at_most).collect();
    let mut acts: Vec<Act> = gone.iter().map(|job| Act::Upkeep(delete(job))).collect();
    let wait = AwaitDeleted { jobs: gone.iter().map(|job| job.id.clone()).collect(), timeout: it.timeout };
    acts.push(Act::Upkeep(UpkeepAct::AwaitDeleted(wait)));
    let uids: BTreeSet<&Uid> = gone.iter().map(|job| &job.id.uid).collect();
    let mut predicted = seen.clone();
    predicted.upkeep.jobs.retain(|job| !uids.contains(&job.id.uid));
    let owned: i64 = gone.iter().map(|job| owned(job)).sum();
    let more = if rest > 0 { format!("; {rest} more stay for another plan") } else { String::new() };
    let summary = format!(
        "delete {} finished {} of namespace {} and {owned} objects that they own, in the foreground{more}",
        gone.len(),
        if gone.len() == 1 { "Job" } else { "Jobs" },
        it.namespace,
    );
    Ok(Draft { acts, predicted, summary })
}

/// The sentence about old Jobs that are not deleted, and why.
pub(crate) fn left_alone(jobs: &[&Job]) -> Vec<String> {
    let mut said = Vec::new();
    for job in jobs.iter().filter(|job| !job.held_by.is_empty()).take(NAMED) {
        said.push(format!(
            "{} is left alone: finalizer {} would hold its deletion.",
            job.id,
            job.held_by.join(", ")
        ));
    }
    let foreign: Vec<_> =
        jobs.iter().filter(|job| job.maker == Maker::Other).map(|job| job.id.to_string()).collect();
    if let Some(first) = foreign.first() {
        said.push(match foreign.len() {
            1 => format!("{first} is left alone: another controller made it."),
            n => format!("{first} and {} more are left alone: other controllers made them.", n - 1),
        });
    }
    said
}

/// Jobs that finished before this are old enough.
fn border(it: &CleanJobs, fixed: &Fixed) -> Result<Timestamp, Refusal> {
    let age = i64::try_from(it.older_than.seconds()).map_err(|_| internal("an age is out of bounds"))?;
    fixed.at.checked_sub(SignedDuration::from_secs(age)).map_err(|_| internal("an age is out of bounds"))
}

/// The uid of the CronJob that is named. A name that finds nothing never means all.
fn maker(it: &CleanJobs, seen: &Seen) -> Result<Option<Uid>, Refusal> {
    let Some(name) = &it.cron_job else { return Ok(None) };
    match seen.upkeep.cron_job(&it.namespace, name) {
        Some(found) => Ok(Some(found.id.uid.clone())),
        None => Err(precondition(
            format!("there is no CronJob {}/{name}", it.namespace),
            "Look up its name and plan again; leave it out to clean up the whole namespace.",
        )),
    }
}

fn made_by(job: &Job, uid: &Uid) -> bool {
    match &job.maker {
        Maker::CronJob { uid: maker, .. } => maker == uid,
        Maker::Nobody | Maker::Other => false,
    }
}

/// Not what another controller counts on, and not what a finalizer would hold half-deleted.
fn may_be_deleted(job: &Job) -> bool {
    job.held_by.is_empty() && job.maker != Maker::Other
}

fn nothing_to_clean(it: &CleanJobs, old: &[&Job]) -> Refusal {
    let alone = left_alone(old);
    if alone.is_empty() {
        return precondition(
            format!(
                "no Job of namespace {} that was asked for finished more than {} ago",
                it.namespace, it.older_than
            ),
            "There is nothing to clean up; look at the Jobs, or ask for a shorter time.",
        );
    }
    precondition(
        format!("no Job of namespace {} can be cleaned up. {}", it.namespace, alone.join(" ")),
        "Have whoever keeps the finalizer or the controller let go of them, then plan again.",
    )
}

fn delete(job: &Job) -> UpkeepAct {
    UpkeepAct::Delete(DeleteJob { job: job.id.clone(), owned: owned(job) })
}

fn owned(job: &Job) -> i64 {
    job.owned.values().sum()
}
