//! The gate between batches. `any_errors_fatal` stops at a host that failed, but not at one that could not be reached: the
//! next batch begins all the same (seen with ansible-core 2.17 and 2.19). So a play that changes hosts asks first whether all
//! hosts of the batches before are done, and notes last that its own are.
//!
//! Both are held to the letter, since the gate looks at other hosts, which nothing else may.

use super::walk::truth;
use super::yaml::{Entry, Node, find};

/// The condition of the gate.
pub(crate) const CONDITION: &str = "batches_before | map('extract', hostvars) | selectattr('runcord_done', 'defined') | length == batches_before | length";

/// The hosts of the batches before.
pub(crate) const BEFORE: &str =
    "{{ ansible_play_hosts_all[: ansible_play_hosts_all.index(ansible_play_batch[0])] }}";

/// What the tasks of a play are, in the order in which they run.
pub(super) struct Order<'n> {
    /// What runs first: none where that is a role's.
    pub(super) first: Option<&'n Node>,
    /// The last two, the last one at the end.
    last: Vec<&'n Node>,
    handlers: bool,
}

impl<'n> Order<'n> {
    pub(super) fn of(play: &'n [Entry]) -> Self {
        let section = |name| find(play, name).and_then(Node::list).unwrap_or_default();
        let has_roles = find(play, "roles").is_some_and(|roles| !roles.is_null());
        let first = match section("pre_tasks").first() {
            Some(first) => Some(first),
            None if has_roles => None,
            None => section("tasks").first().or(section("post_tasks").first()),
        };
        let all = ["pre_tasks", "tasks", "post_tasks"].into_iter().flat_map(section);
        let all: Vec<&Node> = all.collect();
        let last = all.iter().rev().take(2).rev().copied().collect();
        Self { first, last, handlers: !section("handlers").is_empty() || has_roles }
    }

    /// Where the note stands, if it does.
    pub(super) fn note(&self) -> Option<&'n Node> {
        self.last.last().copied().filter(|last| last.map().is_some_and(is_note))
    }

    /// Whether the play holds later batches: begins with the gate, and ends with the note, handlers done.
    pub(super) fn holds(&self) -> bool {
        let begins = self.first.and_then(Node::map).is_some_and(is_gate);
        let flushed = match self.last.as_slice() {
            [before, _] => before.get("ansible.builtin.meta").and_then(Node::text) == Some("flush_handlers"),
            _ => false,
        };
        begins && self.note().is_some() && (flushed || !self.handlers)
    }
}

/// Whether a task is the gate, to the letter.
pub(super) fn is_gate(task: &[Entry]) -> bool {
    let keys =
        |entries: &[Entry], known: &[&str]| entries.iter().all(|entry| known.contains(&entry.key.as_str()));
    let Some(assertion) = find(task, "ansible.builtin.assert").and_then(Node::map) else { return false };
    let Some(variables) = find(task, "vars").and_then(Node::map) else { return false };
    let says = |entries, key, text| find(entries, key).and_then(Node::text) == Some(text);
    let plain = find(assertion, "fail_msg")
        .is_none_or(|node| node.text().is_some_and(|text| !super::jinja::is_in(text)));
    keys(task, &["name", "ansible.builtin.assert", "vars"])
        && keys(assertion, &["that", "fail_msg", "quiet"])
        && keys(variables, &["batches_before"])
        && says(assertion, "that", CONDITION)
        && says(variables, "batches_before", BEFORE)
        && plain
}

/// Whether a task notes that its host is done, whatever happened.
fn is_note(task: &[Entry]) -> bool {
    let fact = find(task, "ansible.builtin.set_fact").and_then(Node::map);
    let notes =
        matches!(fact, Some([entry]) if entry.key == "runcord_done" && truth(&entry.node) == Some(true));
    notes && task.iter().all(|entry| matches!(entry.key.as_str(), "name" | "ansible.builtin.set_fact"))
}
