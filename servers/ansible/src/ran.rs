//! What a run of a playbook did, as our own callback plugin tells it, a JSON object a line. Texts in it are the hosts': they are
//! compared by fingerprints, shown as a difference where a task may show one, and otherwise leave only under `untrusted`.

use std::collections::BTreeMap;
use std::fmt;

use runcord_model::text::Cleaner;
use runcord_runtime::mask::Mask;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::names::HostName;
use crate::normalise::Normalise;

/// More results than any run within our bounds has.
const MOST_LINES: usize = 2_000_000;

/// Bytes of one text of a difference that are kept.
const TEXT: usize = 32 * 1024;

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ran {
    /// Its tasks in the order in which they began, handlers among them.
    pub tasks: Vec<RanTask>,
    /// Whether Ansible summed it up, which it does at its end.
    pub ended: bool,
    /// What the playbook reports of each host, where it does. The hosts' text.
    pub reports: BTreeMap<HostName, Value>,
}

/// One task as it ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RanTask {
    /// Its name, as it is written.
    pub name: String,
    /// Where it stands: file, below the folder that it ran in, and line.
    pub place: String,
    /// Its module.
    pub module: String,
    /// Whether it was to change nothing.
    pub check: bool,
    /// What became of it on each host that has begun it.
    pub hosts: BTreeMap<HostName, OnHost>,
}

/// What became of a task on a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OnHost {
    /// In a word.
    pub status: Status,
    /// Of the difference that it makes, as far as that means anything.
    pub fingerprint: String,
    /// The difference; nothing where a task may not show it.
    pub shown: Vec<Difference>,
    /// What the module says of a failure. The host's text.
    pub message: Option<String>,
}

/// What became of a task on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It was begun, and no end of it was told.
    Begun,
    /// There was nothing to change.
    Ok,
    /// It changes something.
    Changed,
    /// It was not run.
    Skipped,
    /// It failed.
    Failed,
    /// It failed, and the playbook goes on.
    Ignored,
    /// The host did not answer: what became of it there is not known.
    Unreachable,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A difference as a module tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Difference {
    /// What it is of; nothing where that is new. What it comes from is left out: that may be a temporary file of Ansible's,
    /// with another name each time.
    pub before_header: String,
    /// What there was.
    pub before: String,
    /// What there would be.
    pub after: String,
    /// Both, where the module has written it out itself.
    pub prepared: String,
}

/// One line.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    Play {},
    NoHosts {},
    Task {
        task: String,
        name: String,
        module: String,
        place: Option<String>,
        check: bool,
    },
    Begin {
        host: String,
        task: String,
    },
    Result {
        host: String,
        task: String,
        status: Status,
        hidden: bool,
        #[serde(default)]
        diff: Vec<Difference>,
        message: Option<String>,
        says: Option<Value>,
    },
    End {},
}

impl Ran {
    /// Reads what the plugin has written so far. The last line need not be whole yet; lines that are none of ours say
    /// nothing.
    pub fn read(text: &[u8], folder: &str, normalise: &Normalise, mask: &Mask) -> Self {
        let mut reading = Reading {
            ran: Self::default(),
            numbers: BTreeMap::new(),
            earlier: BTreeMap::new(),
            folder,
            normalise,
            mask,
        };
        let whole = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        for line in whole.take(MOST_LINES).filter_map(|line| serde_json::from_slice::<Line>(line).ok()) {
            reading.take(line);
        }
        reading.ran
    }

    /// The same with every text that a host wrote cleaned of what looks like a secret, and of the secrets that are known.
    #[must_use]
    pub fn cleaned(mut self, cleaner: &Cleaner) -> Self {
        let clean = |text: &str| cleaner.clean(text, TEXT).as_str().to_owned();
        for on in self.tasks.iter_mut().flat_map(|task| task.hosts.values_mut()) {
            for one in &mut on.shown {
                *one = Difference {
                    before_header: clean(&one.before_header),
                    before: clean(&one.before),
                    after: clean(&one.after),
                    prepared: clean(&one.prepared),
                };
            }
            on.message = on.message.as_deref().map(clean);
        }
        self
    }

    /// The hosts on which something is changed, or was begun and not told the end of.
    pub fn touched(&self) -> impl Iterator<Item = &HostName> {
        let is_touched = |on: &OnHost| match on.status {
            Status::Changed | Status::Begun | Status::Unreachable => true,
            Status::Ok | Status::Skipped | Status::Failed | Status::Ignored => false,
        };
        self.tasks.iter().flat_map(move |task| {
            task.hosts.iter().filter(move |(_, on)| is_touched(on)).map(|(host, _)| host)
        })
    }

    /// The hosts on which it failed, or which did not answer.
    pub fn failed(&self) -> impl Iterator<Item = (&HostName, &RanTask, &OnHost)> {
        let has_failed = |on: &OnHost| match on.status {
            Status::Failed | Status::Unreachable => true,
            Status::Begun | Status::Ok | Status::Changed | Status::Skipped | Status::Ignored => false,
        };
        self.tasks.iter().flat_map(move |task| {
            task.hosts.iter().filter(move |(_, on)| has_failed(on)).map(move |(host, on)| (host, task, on))
        })
    }
}

/// What was read so far.
struct Reading<'r> {
    ran: Ran,
    /// Which task has which of Ansible's numbers.
    numbers: BTreeMap<String, usize>,
    /// What became of a task on a host before it was begun there again.
    earlier: BTreeMap<(usize, HostName), OnHost>,
    folder: &'r str,
    normalise: &'r Normalise,
    mask: &'r Mask,
}

impl Reading<'_> {
    fn take(&mut self, line: Line) {
        match line {
            Line::Play {} | Line::NoHosts {} => {}
            Line::End {} => self.ran.ended = true,
            Line::Task { task, name, module, place, check } => {
                let place = place.unwrap_or_default();
                let place =
                    place.strip_prefix(self.folder).unwrap_or(&place).trim_start_matches('/').to_owned();
                // A handler that is notified again begins again: it goes on under its first number.
                self.numbers.entry(task).or_insert_with(|| {
                    self.ran.tasks.push(RanTask { name, place, module, check, hosts: BTreeMap::new() });
                    self.ran.tasks.len() - 1
                });
            }
            Line::Begin { host, task } => self.begin(host, &task),
            Line::Result { host, task, status, hidden, diff, message, says } => {
                let diff: Vec<Difference> =
                    diff.into_iter().map(|one| self.normalise.difference(one)).collect();
                let fingerprint = self.mask.digest(&json!([status, diff]));
                let shown = if hidden { Vec::new() } else { diff };
                let report = says.filter(|_| !hidden);
                self.end(host, &task, OnHost { status, fingerprint, shown, message }, report);
            }
        }
    }

    fn begin(&mut self, host: String, task: &str) {
        let Some((number, host)) = self.at(host, task) else { return };
        let Some(task) = self.ran.tasks.get_mut(number) else { return };
        let begun =
            OnHost { status: Status::Begun, fingerprint: String::new(), shown: Vec::new(), message: None };
        match task.hosts.insert(host.clone(), begun) {
            Some(earlier) if earlier.status != Status::Begun => {
                self.earlier.insert((number, host), earlier);
            }
            Some(_) | None => {}
        }
    }

    fn end(&mut self, host: String, task: &str, ended: OnHost, report: Option<Value>) {
        let Some((number, host)) = self.at(host, task) else { return };
        let ended = match self.earlier.remove(&(number, host.clone())) {
            Some(earlier) => self.both(earlier, ended),
            None => ended,
        };
        let Some(task) = self.ran.tasks.get_mut(number) else { return };
        task.hosts.insert(host.clone(), ended);
        if let Some(report) = report {
            self.ran.reports.insert(host, report);
        }
    }

    fn at(&self, host: String, task: &str) -> Option<(usize, HostName)> {
        Some((*self.numbers.get(task)?, host.parse().ok()?))
    }

    /// What became of a task that ran twice on a host: the graver of both, for what was changed stays changed.
    fn both(&self, earlier: OnHost, now: OnHost) -> OnHost {
        let mut shown = earlier.shown;
        shown.extend(now.shown);
        OnHost {
            status: if gravity(earlier.status) > gravity(now.status) { earlier.status } else { now.status },
            fingerprint: self.mask.digest(&json!([earlier.fingerprint, now.fingerprint])),
            shown,
            message: now.message.or(earlier.message),
        }
    }
}

/// Higher is graver.
fn gravity(status: Status) -> u8 {
    match status {
        Status::Skipped => 0,
        Status::Ok => 1,
        Status::Changed => 2,
        Status::Ignored => 3,
        Status::Failed => 4,
        Status::Begun => 5,
        Status::Unreachable => 6,
    }
}

#[cfg(test)]
mod tests;
