//! The part of a step that must be *equal* at apply.
//!
//! The playbook and all that it rests on, the hosts in their batches, what they are given, what was found in the files,
//! and what each task would do on each host. Not which look it was, nor when: a second look that sees the same is as good.

use std::collections::BTreeMap;

use runcord_model::text::visible;
use serde_json::{Map, Value, json};

use crate::act::RunBatch;
use crate::names::HostName;
use crate::ran::{OnHost, RanTask, Status};
use crate::seen::{Look, Seen};
use crate::vet::{Checked, Vetted};

/// So many hexadecimal digits of a fingerprint are compared: it is one under a secret mask, so nobody can look for another
/// difference that has the same.
const DIGITS: usize = 32;
/// What is shown of a task's place and name, in bytes.
const PLACE: usize = 240;

/// The canonical effect of the acts of one step.
pub(crate) fn canonical(acts: &[RunBatch], seen: &Seen) -> Value {
    let Some(first) = acts.first() else { return Value::Array(Vec::new()) };
    // Without the look that the acts came from there is nothing to compare: never equal to one that has it.
    let Some(look) = look_of(first, seen) else { return json!({"look": Value::Null}) };
    let pinned: BTreeMap<&HostName, _> = acts.iter().flat_map(|act| &act.pinned).collect();
    json!({
        "declared": first.declared, "source": first.source, "verify": first.verify, "rests_on": first.rests_on,
        "given": first.given,
        "batches": acts.iter().map(|act| &act.hosts).collect::<Vec<_>>(),
        "pinned": pinned,
        "vetted": vetted(&look.vetted),
        "checked": by_host(look),
    })
}

/// The look that an act came from.
pub(crate) fn look_of<'s>(act: &RunBatch, seen: &'s Seen) -> Option<&'s Look> {
    seen.looks.iter().find(|look| look.id == act.look)
}

/// What was found, and which tasks check mode does not check wholly, under the place where each stands.
fn vetted(vetted: &Vetted) -> Value {
    let mut findings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for finding in &vetted.findings {
        let at = visible(&format!("{}:{}", finding.file, finding.line), PLACE);
        findings.entry(at).or_default().push(finding.kind.to_string());
    }
    let mut tasks: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for task in vetted.tasks.iter().filter(|task| task.checked != Checked::Wholly) {
        let at = visible(&format!("{}:{} {}", task.file, task.line, task.name), PLACE);
        tasks.entry(at).or_default().push(json!(task.checked));
    }
    json!({"tasks": vetted.tasks.len(), "not_wholly_checked": tasks, "findings": findings})
}

/// What the check run found, by host and then by task, so that a difference names both.
fn by_host(look: &Look) -> Value {
    let mut hosts: BTreeMap<&HostName, Vec<(&RanTask, &OnHost)>> = BTreeMap::new();
    for task in &look.checked.tasks {
        for (host, on) in &task.hosts {
            hosts.entry(host).or_default().push((task, on));
        }
    }
    let hosts = hosts.into_iter().map(|(host, tasks)| (host.to_string(), on_host(&tasks)));
    Value::Object(hosts.collect::<Map<_, _>>())
}

/// What changes is told one by one; what does not, in one digest.
fn on_host(tasks: &[(&RanTask, &OnHost)]) -> Value {
    let mut changing: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut rest = Vec::new();
    for (task, on) in tasks {
        match on.status {
            Status::Ok | Status::Skipped => {
                rest.push(json!([task.place, task.name, on.status, on.fingerprint]));
            }
            Status::Changed | Status::Begun | Status::Failed | Status::Ignored | Status::Unreachable => {
                let at = visible(&format!("{} {}", task.place, task.name), PLACE);
                changing.entry(at).or_default().push(in_short(on));
            }
        }
    }
    json!({"changing": changing, "rest": runcord_content::disk::digest_of(Value::Array(rest).to_string().as_bytes())})
}

/// `changed 0f1e…`.
fn in_short(on: &OnHost) -> String {
    let digits = on.fingerprint.rsplit(':').next().unwrap_or_default();
    let digits: String = digits.chars().take(DIGITS).collect();
    format!("{} {digits}", on.status)
}

#[cfg(test)]
mod tests;
