//! Whether the check run says enough to go on: it came to its end on exactly the hosts that were chosen, nothing failed,
//! nothing ran for real, and something would change.

use std::collections::BTreeSet;

use runcord_model::{Refusal, Untrusted};
use serde_json::json;

use crate::names::{self, HostName};
use crate::ran::{OnHost, RanTask, Status};
use crate::refuse::precondition;
use crate::seen::Look;

/// So many failures stand in one refusal.
const NAMED: usize = 3;
/// What is shown of a module's own words, in bytes.
const MESSAGE: usize = 500;

/// Refuses what the check run does not bear.
pub(super) fn holds(look: &Look) -> Result<(), Refusal> {
    none_failed(look)?;
    to_its_end(look)?;
    nothing_for_real(look)?;
    on_these_hosts(look)?;
    something_changes(look)
}

fn none_failed(look: &Look) -> Result<(), Refusal> {
    let failed: Vec<_> = look.checked.failed().collect();
    if failed.is_empty() {
        return Ok(());
    }
    let first: Vec<_> =
        failed.iter().take(NAMED).map(|(host, task, on)| at(host, task, verb(on.status))).collect();
    let more = match failed.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let details: Vec<_> = failed.iter().take(NAMED).map(|(host, task, on)| detail(host, task, on)).collect();
    Err(precondition(
        format!("in check mode {}{more}", first.join("; ")),
        "Nothing was changed. Look at these hosts with a read-only runbook, mend what fails there, then plan again.",
    )
    .with_details(json!({"failed": details})))
}

fn verb(status: Status) -> &'static str {
    match status {
        Status::Unreachable => "could not be reached",
        Status::Failed => "failed",
        Status::Begun => "did not come to an end",
        Status::Ok | Status::Changed | Status::Skipped | Status::Ignored => "went on",
    }
}

/// `web1 failed at "Restart the service" (restart_service.yml:61)`.
fn at(host: &HostName, task: &RanTask, what: &str) -> String {
    format!("{host} {what} at \"{}\" ({})", names::task(&task.name), names::place(&task.place))
}

fn detail(host: &HostName, task: &RanTask, on: &OnHost) -> serde_json::Value {
    let message = on.message.as_ref().map(|message| Untrusted::clean(message, MESSAGE));
    json!({"host": host, "task": names::task(&task.name), "status": on.status, "untrusted": message})
}

fn to_its_end(look: &Look) -> Result<(), Refusal> {
    let begun = look.checked.tasks.iter().find_map(|task| {
        let begun = task.hosts.iter().find(|(_, on)| on.status == Status::Begun);
        begun.map(|(host, on)| at(host, task, verb(on.status)))
    });
    let message = match (begun, look.checked.ended) {
        (Some(begun), _) => format!("in check mode {begun}"),
        (None, false) => {
            format!("the check run of {} did not come to its end", look.action.playbook())
        }
        (None, true) => return Ok(()),
    };
    Err(precondition(
        message,
        "Nothing was changed. Look at the hosts with a read-only runbook, then plan again.",
    ))
}

/// Vetting refuses what leaves check mode. Should anything do so all the same, it was done already, and nobody goes on.
fn nothing_for_real(look: &Look) -> Result<(), Refusal> {
    let Some(task) = look.checked.tasks.iter().find(|task| !task.check) else { return Ok(()) };
    let (name, place) = (names::task(&task.name), names::place(&task.place));
    Err(precondition(
        format!("\"{name}\" ({place}) did not run in check mode, so it may have changed hosts already"),
        "Look at what that task did. It has to leave `check_mode` alone before this playbook can be planned.",
    ))
}

fn on_these_hosts(look: &Look) -> Result<(), Refusal> {
    let ran: BTreeSet<&HostName> = look.checked.tasks.iter().flat_map(|task| task.hosts.keys()).collect();
    let chosen: BTreeSet<&HostName> = look.hosts.iter().collect();
    if ran == chosen {
        return Ok(());
    }
    let (missing, more) = (chosen.difference(&ran), ran.difference(&chosen));
    let message = if chosen.is_subset(&ran) {
        format!("the check run went beyond the hosts that were chosen: {}", names::listed(more.copied()))
    } else {
        format!("the check run did not reach all of the hosts: {}", names::listed(missing.copied()))
    };
    Err(precondition(
        message,
        "Nothing was changed. The playbook has to run on `hosts: all`, and at least one task of it on each host.",
    ))
}

/// What check mode skips may change something all the same: then nobody can say that nothing would.
fn something_changes(look: &Look) -> Result<(), Refusal> {
    let is_changed = |on: &OnHost| on.status == Status::Changed;
    let changes = look.checked.tasks.iter().flat_map(|task| task.hosts.values()).any(is_changed);
    if changes || look.vetted.changes_unseen() {
        return Ok(());
    }
    Err(precondition(
        format!("nothing would change on any host of {}", look.action.group()),
        "There is nothing to do: the hosts are as the playbook says already.",
    ))
}
