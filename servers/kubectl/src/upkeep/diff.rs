//! Before and after.

use runcord_model::text::visible;
use runcord_model::{Change, ChangeKind};
use serde_json::{Value, json};

use super::acts::{ServiceChange, UpkeepAct};
use super::seen::{History, UpkeepSeen};

/// The longest value shown, in bytes.
const VALUE: usize = 120;

/// What one act would change.
pub(crate) fn planned(act: &UpkeepAct) -> Option<Change> {
    match act {
        UpkeepAct::RollBack(it) => {
            let mut change = update(it.workload.to_string(), "revision", json!(it.from), json!(it.to));
            for (container, before, after) in &it.images {
                let (name, before, after) =
                    (visible(container, VALUE), visible(before, VALUE), visible(after, VALUE));
                change.text += &format!("; image of {name}: {before} → {after}");
            }
            if it.images.is_empty() {
                change.text += "; the images stay";
            }
            Some(change)
        }
        UpkeepAct::Suspend(it) => {
            Some(update(it.cron_job.to_string(), "suspend", json!(it.before), json!(it.after)))
        }
        UpkeepAct::Delete(it) => Some(Change {
            object: it.job.to_string(),
            change: ChangeKind::Delete,
            before: json!({"owned_objects": it.owned}),
            after: Value::Null,
            text: format!("deleted after the {} objects that it owns", it.owned),
        }),
        UpkeepAct::Service(it) => {
            let out = matches!(it.change, ServiceChange::Release { .. });
            Some(update(format!("Node {}", it.node), "out_of_service", json!(!out), json!(out)))
        }
        UpkeepAct::AwaitDeleted(_) | UpkeepAct::AwaitLetGo(_) => None,
    }
}

/// What really changed between two probes.
pub(crate) fn observed(before: &UpkeepSeen, after: &UpkeepSeen) -> Vec<Change> {
    let mut changes = Vec::new();
    for was in &before.histories {
        let Some(is) = after.history(&was.workload).filter(|is| is.template != was.template) else {
            continue;
        };
        let number = |h: &History| json!(h.current().map(|kept| kept.number));
        changes.push(update(was.workload.to_string(), "revision", number(was), number(is)));
    }
    for was in &before.cron_jobs {
        let is = after.cron_jobs.iter().find(|c| c.id.uid == was.id.uid);
        if let Some(is) = is.filter(|is| is.suspended != was.suspended) {
            changes.push(update(was.id.to_string(), "suspend", json!(was.suspended), json!(is.suspended)));
        }
    }
    for was in before.jobs.iter().filter(|job| job.finished.is_some()) {
        if !after.jobs.iter().any(|is| is.id.uid == was.id.uid) {
            changes.push(Change {
                object: was.id.to_string(),
                change: ChangeKind::Delete,
                before: json!({"owned_objects": was.owned.values().sum::<i64>()}),
                after: Value::Null,
                text: "deleted".to_owned(),
            });
        }
    }
    for was in &before.vitals {
        let Some(is) = after.vitals(&was.node) else { continue };
        let out = (was.out_of_service().is_some(), is.out_of_service().is_some());
        if out.0 != out.1 {
            changes.push(update(format!("Node {}", was.node), "out_of_service", json!(out.0), json!(out.1)));
        }
    }
    changes
}

fn update(object: String, field: &str, before: Value, after: Value) -> Change {
    let text = format!("{field}: {before} → {after}");
    Change {
        object,
        change: ChangeKind::Update,
        before: json!({field: before}),
        after: json!({field: after}),
        text,
    }
}
