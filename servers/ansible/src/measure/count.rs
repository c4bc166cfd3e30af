//! What of a check run counts as what: restarts, reboots, bytes that go, and what cannot be brought back.
//!
//! Counted from what would change. Where a task is skipped in check mode and may change something all the same, the check
//! run does not tell which handlers it would notify: then all tasks that count are taken to run.

use runcord_model::Measure;
use serde_json::Value;

use crate::actions::Action;
use crate::names::{HostName, TaskName};
use crate::playbooks::{Counted, Playbook, Source};
use crate::ran::{RanTask, Status};
use crate::seen::Look;

/// Modules whose change is the restart of a service, or may be one: check mode does not say which.
const RESTART: [&str; 4] = [
    "ansible.builtin.service",
    "ansible.builtin.systemd",
    "ansible.builtin.systemd_service",
    "ansible.builtin.sysvinit",
];
/// Modules that reboot.
const REBOOT: [&str; 1] = ["ansible.builtin.reboot"];
/// The playbook of the library that deletes files, and always reports how much.
const DELETES: &str = "clean_disk";

/// Services restarted, summed over the hosts.
pub(super) fn restarts(look: &Look) -> usize {
    look.hosts.iter().map(|host| on_host(look, host, &is_restart)).sum()
}

/// Hosts rebooted.
pub(super) fn reboots(look: &Look) -> usize {
    look.hosts.iter().filter(|host| on_host(look, host, &is_reboot) > 0).count()
}

/// Tasks that cannot be taken back, summed over the hosts; and, where there is no way back at all, the hosts on which
/// something else changes than what is restarted. What is taken back leaves things as they were.
pub(super) fn irreversible(look: &Look) -> usize {
    let named = |declared: &Playbook, name: &str, _: &str| is_named(&declared.irreversible, name);
    let named = look.hosts.iter().map(|host| on_host(look, host, &named)).sum::<usize>();
    named + look.hosts.iter().filter(|host| is_lost(look, host)).count()
}

/// Whether something on a host changes that no playbook takes back, beside the tasks that are counted by name.
fn is_lost(look: &Look, host: &HostName) -> bool {
    match look.action {
        Action::RunPlaybook(_) if look.declared.way_back().is_none() => {
            let kept = |task: &&RanTask| {
                let declared = &look.declared;
                !is_restart(declared, &task.name, &task.module)
                    && !is_reboot(declared, &task.name, &task.module)
                    && !is_named(&declared.irreversible, &task.name)
            };
            changed(look, host).any(|task| kept(&task)) || look.vetted.changes_unseen()
        }
        Action::RunPlaybook(_) | Action::TakeBack(_) | Action::ReadPlaybook(_) => false,
    }
}

/// Bytes that go, as the playbook reports: where one host reports them, or the playbook always does, every host on which
/// something changes has to.
pub(super) fn bytes_deleted(look: &Look) -> Measure {
    let reported = |host: &HostName| look.checked.reports.get(host).and_then(|report| report.get("bytes"));
    let always = matches!(&look.source, Source::Shipped(name) if name.as_str() == DELETES);
    if !always && look.hosts.iter().all(|host| reported(host).is_none()) {
        return Measure::Known(0);
    }
    let of_host = |host: &HostName| match reported(host) {
        Some(bytes) => whole(bytes),
        None if changed(look, host).next().is_none() => Some(0),
        None => None,
    };
    let sum = look.hosts.iter().try_fold(0_i64, |sum, host| sum.checked_add(of_host(host)?));
    sum.into()
}

/// A number, or as ansible 2.17 has it a text of digits.
fn whole(bytes: &Value) -> Option<i64> {
    match bytes {
        Value::Number(number) => number.as_i64().filter(|number| *number >= 0),
        Value::String(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
            text.parse().ok()
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether a task counts, by its name and module.
type Counts<'c> = &'c dyn Fn(&Playbook, &str, &str) -> bool;

/// How many of a host's tasks count.
fn on_host(look: &Look, host: &HostName, counts: Counts<'_>) -> usize {
    let seen = changed(look, host).filter(|task| counts(&look.declared, &task.name, &task.module)).count();
    if !look.vetted.changes_unseen() {
        return seen;
    }
    let there = look.vetted.tasks.iter();
    seen.max(there.filter(|task| counts(&look.declared, &task.name, task.module.as_str())).count())
}

fn changed<'s>(look: &'s Look, host: &HostName) -> impl Iterator<Item = &'s RanTask> {
    let is_changed = move |task: &&RanTask| {
        task.hosts.get(host).is_some_and(|on| match on.status {
            Status::Changed | Status::Begun | Status::Unreachable => true,
            Status::Ok | Status::Skipped | Status::Failed | Status::Ignored => false,
        })
    };
    look.checked.tasks.iter().filter(is_changed).collect::<Vec<_>>().into_iter()
}

pub(crate) fn is_restart(declared: &Playbook, name: &str, module: &str) -> bool {
    is_counted(&declared.restarts, name, module) || RESTART.contains(&module)
}

pub(crate) fn is_reboot(declared: &Playbook, name: &str, module: &str) -> bool {
    is_counted(&declared.reboots, name, module) || REBOOT.contains(&module)
}

fn is_counted(counted: &Counted, name: &str, module: &str) -> bool {
    is_named(&counted.tasks, name) || counted.modules.iter().any(|one| one.as_str() == module)
}

/// Ansible says `ROLE : NAME` of a task in a role.
fn is_named(names: &std::collections::BTreeSet<TaskName>, name: &str) -> bool {
    names.iter().any(|one| {
        let role = name.strip_suffix(one.as_str());
        role.is_some_and(|role| role.is_empty() || role.ends_with(" : "))
    })
}
