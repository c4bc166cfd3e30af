//! Before and after: as planned, from the check run; as observed, from how far the batches of a look were carried out.

mod text;

#[cfg(test)]
mod tests;

use runcord_model::text::visible;
use runcord_model::{Change, ChangeKind};
use serde_json::{Value, json};

use crate::measure::{Carried, count};
use crate::names::{self, HostName};
use crate::ran::{OnHost, RanTask, Status};
use crate::seen::{Batch, Ended, HostStanding, How, Look, Seen, Verified};

/// Of so many changes the difference is shown, those of the first batch first; of the others what is done.
const DETAILED: usize = 100;
/// So many changes are listed; of each host that has more, how many.
const LISTED: usize = 1_000;

/// Bytes that are shown of what a host is given of its own.
const PINNED: usize = 1024;

/// What the acts would change, host by host.
pub(crate) fn planned(carried: &[Carried<'_>]) -> Vec<Change> {
    let mut changes = Vec::new();
    for carried in carried {
        let Some(look) = carried.look else { continue };
        for host in carried.acts.iter().flat_map(|act| &act.hosts) {
            of_host(look, host, &mut changes);
        }
    }
    changes
}

fn of_host(look: &Look, host: &HostName, changes: &mut Vec<Change>) {
    let on_it = look.checked.tasks.iter().filter_map(|task| Some((task, task.hosts.get(host)?)));
    let changing: Vec<_> = on_it.filter(|(_, on)| on.status == Status::Changed).collect();
    if changing.is_empty() {
        changes.push(told(host, ChangeKind::Run, "nothing would change".to_owned()));
        return;
    }
    changes.extend(pinned(look, host));
    let room = LISTED.saturating_sub(changes.len());
    for (task, on) in changing.iter().take(room) {
        changes.push(of_task(look, host, task, on, changes.len() < DETAILED));
    }
    match changing.len().saturating_sub(room) {
        0 => {}
        more => changes.push(told(host, ChangeKind::Run, format!("{more} more tasks change it"))),
    }
}

/// What the host is given of what it reported itself, such as the versions of its packages: nothing else says them.
fn pinned(look: &Look, host: &HostName) -> impl Iterator<Item = Change> {
    let given = look.pinned.get(host).into_iter().flatten();
    given.map(|(name, values)| {
        let values = visible(&values.join(", "), PINNED);
        let text = format!("{name}: {values}");
        Change { after: json!({ name.as_str(): values }), ..told(host, ChangeKind::Update, text) }
    })
}

fn of_task(look: &Look, host: &HostName, task: &RanTask, on: &OnHost, detailed: bool) -> Change {
    let name = names::task(&task.name);
    let declared = &look.declared;
    let kind = if count::is_reboot(declared, &task.name, &task.module)
        || count::is_restart(declared, &task.name, &task.module)
    {
        ChangeKind::Run
    } else {
        ChangeKind::Update
    };
    if !detailed {
        return told(host, kind, name);
    }
    let (before, after) = text::sides(&on.shown);
    let text = match text::in_line(&on.shown) {
        Some(line) => format!("{name}: {line}"),
        None => format!("{name}: what exactly is not shown"),
    };
    Change { object: object(host), change: kind, before, after, text }
}

fn object(host: &HostName) -> String {
    format!("host {host}")
}

fn told(host: &HostName, change: ChangeKind, text: String) -> Change {
    Change { object: object(host), change, before: Value::Null, after: Value::Null, text }
}

/// What became of every host of the looks before.
pub(crate) fn observed(before: &Seen, after: &Seen) -> Vec<Change> {
    before.looks.iter().flat_map(|look| became(look, after)).collect()
}

fn became(look: &Look, after: &Seen) -> Vec<Change> {
    let Some(now) = after.looks.iter().find(|now| now.id == look.id) else { return Vec::new() };
    look.hosts.iter().map(|host| of_standing(host, now)).collect()
}

fn of_standing(host: &HostName, now: &Look) -> Change {
    let batch = now.standing.batches.values().find(|batch| batch.hosts.contains_key(host));
    let Some((batch, standing)) = batch.and_then(|batch| Some((batch, batch.hosts.get(host)?))) else {
        let text = "its batch was not begun, or nothing is known of it".to_owned();
        return told(host, ChangeKind::Run, text);
    };
    let verified = now.standing.verified.get(host);
    let after = json!({
        "changed": standing.changed, "how": standing.how, "verified": verified,
    });
    let text = format!("{}; {}", stands(standing, batch), holds(verified, now));
    Change { object: object(host), change: ChangeKind::Run, before: Value::Null, after, text }
}

fn stands(standing: &HostStanding, batch: &Batch) -> String {
    let changed = match standing.changed {
        0 => "no task changed it".to_owned(),
        1 => "1 task changed it".to_owned(),
        more => format!("{more} tasks changed it"),
    };
    let at = |task: &Option<names::TaskName>| {
        task.as_ref().map(|task| format!(" at \"{task}\"")).unwrap_or_default()
    };
    match (&standing.how, batch.ended) {
        (How::Untouched, _) => "nothing was begun on it".to_owned(),
        (How::Done, Ended::Whole) => format!("done: {changed}"),
        (How::Done, Ended::Not) => format!("its tasks ended, and Ansible did not come to its end: {changed}"),
        (How::Failed { task }, _) => format!("failed{}: {changed}", at(task)),
        (How::Unknown { task }, _) => {
            format!("unknown{}: a task was begun there and may still go on; {changed}", at(task))
        }
    }
}

fn holds(verified: Option<&Verified>, now: &Look) -> &'static str {
    match (verified, &now.verify) {
        (Some(Verified::Holds), _) => "verified",
        (Some(Verified::Fails), _) => "not as it should be",
        (Some(Verified::Unknown), _) => "could not be verified",
        (None, Some(_)) => "not verified",
        (None, None) => "nothing verifies it",
    }
}
