//! What carrying out an action means, decided before anything is done: one act for each batch of hosts, or why none.

mod checked;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use runcord_model::Refusal;
use runcord_runtime::target::Draft;
use serde_json::json;

use crate::AnsibleActions;
use crate::act::RunBatch;
use crate::actions::Action;
use crate::names::{self, HostName, ProjectPath};
use crate::playbooks::Playbook;
use crate::ran::Status;
use crate::refuse::{internal, precondition};
use crate::seen::{Batch, Ended, HostStanding, How, Look, Seen, Standing, Verified};
use crate::vet::{Finding, Vetted};

/// So many findings stand in one refusal.
const NAMED: usize = 5;

/// Drafts one action on what was seen, or on what the steps before it will leave behind.
///
/// # Errors
/// `precondition_failed` when the vetting or the check run says no, or there is nothing to do.
pub(crate) fn draft(action: &Action, seen: &Seen) -> Result<Draft<AnsibleActions>, Refusal> {
    match action {
        Action::RunPlaybook(_) | Action::TakeBack(_) => batches(action, seen),
        Action::ReadPlaybook(_) => Err(internal("an action that only looks was asked for its acts")),
    }
}

fn batches(action: &Action, seen: &Seen) -> Result<Draft<AnsibleActions>, Refusal> {
    let look = look(action, seen)?;
    vetted(&look.vetted, &look.declared, action)?;
    checked::holds(look)?;
    let sizes = look.batches();
    let of = number(sizes.len());
    let acts = (1..).zip(&sizes).map(|(number, hosts)| act(look, number, of, hosts)).collect();
    let summary = format!("{}, {}", on_hosts(look, &look.hosts), in_batches(&sizes));
    Ok(Draft { acts, predicted: applied(look, seen), summary })
}

fn look<'s>(action: &Action, seen: &'s Seen) -> Result<&'s Look, Refusal> {
    let look = seen.looks.iter().find(|look| look.action == *action);
    let look = look.filter(|look| look.standing == Standing::default()).ok_or_else(|| {
        precondition(
            format!("playbook {} cannot be planned after another one on the same hosts", action.playbook()),
            "Split the runbook: what a second playbook would change is known only once the first one is applied.",
        )
    })?;
    if look.hosts.is_empty() {
        return Err(precondition(
            format!("there is no host to run {} on", action.playbook()),
            "There is nothing to do.",
        ));
    }
    Ok(look)
}

/// Refuses a playbook in which something was found that nobody may let through, or that nobody reviewed.
fn vetted(vetted: &Vetted, declared: &Playbook, action: &Action) -> Result<(), Refusal> {
    let refused = vetted.refused(declared);
    if refused.is_empty() {
        return Ok(());
    }
    let first: Vec<_> = refused.iter().take(NAMED).map(|finding| named(finding)).collect();
    let more = match refused.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let found: Vec<_> = refused.iter().map(|finding| finding.to_string()).collect();
    Err(precondition(
        format!("playbook {} is refused for what stands in it: {}{more}", action.playbook(), first.join(", ")),
        "Mend the playbook as the details say; what may be reviewed and let through is listed under `allows` in playbooks.yaml.",
    )
    .with_details(json!({"findings": found})))
}

/// `roles/app/tasks/main.yml:12 (command)`.
fn named(finding: &Finding) -> String {
    let file =
        if finding.file.parse::<ProjectPath>().is_ok() { finding.file.as_str() } else { "‹not a path›" };
    format!("{file}:{} ({})", finding.line, finding.kind)
}

fn act(look: &Look, number: u32, of: u32, hosts: &[HostName]) -> RunBatch {
    let pinned = look.pinned.iter().filter(|(host, _)| hosts.contains(host));
    RunBatch {
        action: look.action.clone(),
        look: look.id.clone(),
        number,
        of,
        hosts: hosts.to_vec(),
        declared: look.declared.clone(),
        source: look.source.clone(),
        verify: look.verify.clone(),
        rests_on: look.rests_on.clone(),
        given: look.given.clone(),
        pinned: pinned.map(|(host, given)| (host.clone(), given.clone())).collect(),
        at: look.at,
        results: results(look, hosts),
        summary: on_hosts(look, hosts),
        timeout: look.action.timeout(),
    }
}

/// As many as the check run gave for these hosts.
fn results(look: &Look, hosts: &[HostName]) -> u32 {
    let tasks = look.checked.tasks.iter();
    number(tasks.map(|task| hosts.iter().filter(|host| task.hosts.contains_key(*host)).count()).sum())
}

/// `restart_web on 1 of 4 hosts of web: web1`.
fn on_hosts(look: &Look, hosts: &[HostName]) -> String {
    let group = look.action.group();
    let of = look.shares.get(group).map_or(look.hosts.len(), |share| share.of);
    let verb = match look.action {
        Action::TakeBack(_) => "take back ",
        Action::RunPlaybook(_) | Action::ReadPlaybook(_) => "",
    };
    let (playbook, count) = (look.action.playbook(), hosts.len());
    format!("{verb}{playbook} on {count} of {of} hosts of {group}: {}", names::listed(hosts))
}

/// `in 3 batches of 1, 2 and 2`.
fn in_batches(sizes: &[&[HostName]]) -> String {
    match sizes {
        [_] => "in 1 batch".to_owned(),
        [first, .., last] => {
            format!("in {} batches, {} first and {} last", sizes.len(), first.len(), last.len())
        }
        [] => "in no batch".to_owned(),
    }
}

/// All batches have come to their end. What else was looked at on the same hosts is worth nothing any more.
fn applied(done: &Look, seen: &Seen) -> Seen {
    let apart = |look: &Look| look.hosts.iter().all(|host| !done.hosts.contains(host));
    let mut predicted = seen.clone();
    predicted.looks.retain(|look| look.id == done.id || apart(look));
    for look in predicted.looks.iter_mut().filter(|look| look.id == done.id) {
        look.standing = ended(done);
    }
    predicted
}

fn ended(look: &Look) -> Standing {
    let changed = |host: &HostName| {
        let on_it = look.checked.tasks.iter().filter_map(|task| task.hosts.get(host));
        number(on_it.filter(|on| on.status == Status::Changed).count())
    };
    let batch = |hosts: &&[HostName]| {
        let hosts = hosts.iter().map(|host| {
            let standing = HostStanding { changed: changed(host), how: How::Done };
            (host.clone(), standing)
        });
        Batch { ended: Ended::Whole, hosts: hosts.collect() }
    };
    let verified = match look.verify {
        Some(_) => look.hosts.iter().map(|host| (host.clone(), Verified::Holds)).collect(),
        None => BTreeMap::new(),
    };
    Standing { batches: (1..).zip(look.batches().iter().map(batch)).collect(), verified }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
