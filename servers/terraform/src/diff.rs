//! Before and after: as planned, from the plan that an act carries; as observed, from two looks.

use std::collections::BTreeSet;

use runcord_model::{Change, ChangeKind};
use serde_json::{Map, Value, json};

use crate::act::{Act, ApplySaved, BreakLock};
use crate::actions::Action;
use crate::canonical::plan_of;
use crate::names;
use crate::seen::{Deed, Found, Look, Planned, ResourceChange, Seen, Shown, ValueChange};
use crate::settle::again;

/// Of so many changes the values are shown, the gravest changes first; of the others what is done.
const DETAILED: usize = 100;
/// So many values stand in the line of one change.
const IN_LINE: usize = 12;

/// What the acts would change.
pub(crate) fn planned(seen: &Seen, acts: &[&Act]) -> Vec<Change> {
    let mut changes = Vec::new();
    for act in acts {
        match act {
            Act::Apply(apply) => changes.extend(of_apply(apply, seen)),
            Act::Unlock(unlock) => changes.push(of_unlock(unlock)),
        }
    }
    changes
}

fn of_apply(apply: &ApplySaved, seen: &Seen) -> Vec<Change> {
    let Some((look, planned)) = plan_of(apply, seen) else { return Vec::new() };
    let mut sorted: Vec<&ResourceChange> = planned.changes.iter().collect();
    sorted.sort_by_key(|change| gravity(change, &look.declared.data_bearing));
    let mut changes: Vec<_> = sorted
        .into_iter()
        .enumerate()
        .map(|(i, change)| of_resource(change, &look.action, if i < DETAILED { &change.values } else { &[] }))
        .collect();
    changes.extend(planned.outputs.iter().map(|name| of_output(name)));
    changes
}

/// Lower is graver.
fn gravity(change: &ResourceChange, data_bearing: &BTreeSet<names::ResourceType>) -> (bool, u8) {
    let lost = matches!(change.deed, Deed::Delete | Deed::Replace);
    let rank = match change.deed {
        Deed::Delete => 0,
        Deed::Replace => 1,
        Deed::Forget => 2,
        Deed::Update => 3,
        Deed::Create => 4,
        Deed::Keep => 5,
    };
    (!(lost && data_bearing.contains(&change.kind)), rank)
}

fn of_resource(change: &ResourceChange, action: &Action, values: &[ValueChange]) -> Change {
    let side = |pick: fn(&ValueChange) -> &Shown| {
        let fields: Map<_, _> =
            values.iter().filter_map(|value| Some((value.path.clone(), written(pick(value))?))).collect();
        if fields.is_empty() { Value::Null } else { Value::Object(fields) }
    };
    Change {
        object: names::shown(&change.address),
        change: kind(change.deed),
        before: side(|value| &value.before),
        after: side(|value| &value.after),
        text: in_line(change, action, values),
    }
}

fn kind(deed: Deed) -> ChangeKind {
    match deed {
        Deed::Create => ChangeKind::Create,
        Deed::Update | Deed::Keep => ChangeKind::Update,
        Deed::Delete | Deed::Forget => ChangeKind::Delete,
        Deed::Replace => ChangeKind::Replace,
    }
}

fn in_line(change: &ResourceChange, action: &Action, values: &[ValueChange]) -> String {
    let mut parts = vec![deed_in_words(change.deed, action).to_owned()];
    if let Some(from) = &change.moved_from {
        parts.push(format!("moved from {}", names::shown(from)));
    }
    if change.imported {
        parts.push("imported from the world".to_owned());
    }
    let mut line = parts.join(", ");
    // What is destroyed is shown as it was; a line of all that goes would say nothing more.
    let listed = match change.deed {
        Deed::Delete | Deed::Forget => &[],
        Deed::Create | Deed::Update | Deed::Replace | Deed::Keep => values,
    };
    let shown: Vec<_> = listed.iter().take(IN_LINE).map(value_in_words).collect();
    if !shown.is_empty() {
        line.push_str(&format!(": {}", shown.join("; ")));
    }
    match listed.len().saturating_sub(IN_LINE) {
        0 => line,
        more => format!("{line}; and {more} more"),
    }
}

fn deed_in_words(deed: Deed, action: &Action) -> &'static str {
    match (deed, action) {
        (Deed::Forget, Action::AcceptDrift(_)) => "is gone from the world: the state forgets it",
        (_, Action::AcceptDrift(_)) => "has changed in the world: the state takes it over",
        (Deed::Create, _) => "made",
        (Deed::Update, _) => "changed in place",
        (Deed::Delete, _) => "destroyed",
        (Deed::Replace, _) => "destroyed and made anew",
        (Deed::Forget, _) => "managed no more; it stays in the world",
        (Deed::Keep, _) => "stays as it is",
    }
}

fn value_in_words(value: &ValueChange) -> String {
    let word = |side: &Shown| match written(side) {
        None => "nothing".to_owned(),
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    };
    match &value.before {
        Shown::Absent => format!("{}: {}", value.path, word(&value.after)),
        Shown::Value(_) | Shown::Hidden | Shown::Unknown => {
            format!("{}: {} → {}", value.path, word(&value.before), word(&value.after))
        }
    }
}

fn written(side: &Shown) -> Option<Value> {
    match side {
        Shown::Absent => None,
        Shown::Value(value) => Some(value.clone()),
        Shown::Hidden => Some(json!("‹sensitive›")),
        Shown::Unknown => Some(json!("‹known after apply›")),
    }
}

fn of_output(name: &str) -> Change {
    Change {
        object: format!("output {name}"),
        change: ChangeKind::Update,
        before: Value::Null,
        after: Value::Null,
        text: "changes".to_owned(),
    }
}

fn of_unlock(unlock: &BreakLock) -> Change {
    Change {
        object: format!("lock of the state of {}", unlock.module),
        change: ChangeKind::Delete,
        before: json!({"id": unlock.lock}),
        after: Value::Null,
        text: format!("lock {} is broken", unlock.lock),
    }
}

/// What became of all that had been planned, and what is left to do that was not.
pub(crate) fn observed(before: &Seen, after: &Seen) -> Vec<Change> {
    before.looks.iter().flat_map(|look| became(look, after)).collect()
}

fn became(look: &Look, after: &Seen) -> Vec<Change> {
    match &look.found {
        Found::Planned(was) => match again(look, after) {
            Some(is) => of_plan(look, was, is),
            None => Vec::new(),
        },
        Found::Lock { lock: Some(lock), .. } => {
            let held = after.looks.iter().any(|now| {
                now.module == look.module
                    && now.workspace == look.workspace
                    && matches!(&now.found, Found::Lock { lock: Some(other), .. } if other.id == lock.id)
            });
            let object = format!("lock of the state of {}", look.module);
            let text = if held { "still held" } else { "broken" };
            vec![told(
                object,
                ChangeKind::Delete,
                json!({"id": lock.id}),
                json!({"held": held}),
                text.to_owned(),
            )]
        }
        Found::Lock { lock: None, .. } => Vec::new(),
    }
}

fn of_plan(look: &Look, was: &Planned, is: &Planned) -> Vec<Change> {
    let pending: BTreeSet<&str> = is.changes.iter().map(|change| change.address.as_str()).collect();
    let approved: BTreeSet<&str> = was.changes.iter().map(|change| change.address.as_str()).collect();
    let (serial, now) = (was.rests_on.state.serial, is.rests_on.state.serial);
    let mut changes = vec![told(
        format!("state of {}", look.module),
        ChangeKind::Update,
        json!({"serial": serial}),
        json!({"serial": now}),
        if serial == now {
            format!("not written: serial {now}")
        } else {
            format!("serial: {serial} → {now}")
        },
    )];
    for change in &was.changes {
        let left = pending.contains(change.address.as_str());
        let deed = deed_in_words(change.deed, &look.action);
        let text = if left { format!("still pending: {deed}") } else { format!("done: {deed}") };
        let object = names::shown(&change.address);
        changes.push(told(object, kind(change.deed), Value::Null, json!({"pending": left}), text));
    }
    for name in &was.outputs {
        let left = is.outputs.contains(name);
        let text = if left { "still pending" } else { "done" };
        let object = format!("output {name}");
        changes.push(told(
            object,
            ChangeKind::Update,
            Value::Null,
            json!({"pending": left}),
            text.to_owned(),
        ));
    }
    for change in is.changes.iter().filter(|change| !approved.contains(change.address.as_str())) {
        let text =
            format!("was not planned, and is pending now: {}", deed_in_words(change.deed, &look.action));
        let object = names::shown(&change.address);
        changes.push(told(object, kind(change.deed), Value::Null, json!({"pending": true}), text));
    }
    changes
}

fn told(object: String, change: ChangeKind, before: Value, after: Value, text: String) -> Change {
    Change { object, change, before, after, text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{change, seen};

    #[test]
    fn after_a_run_each_change_is_done_or_still_pending() {
        let mut before = seen(vec![
            change("aws_instance.node", Deed::Replace),
            change("aws_subnet.a", Deed::Create),
            change("aws_subnet.b[\"IGNORE\\\"ALL\"]", Deed::Delete),
        ]);
        let Found::Planned(planned) = &mut before.looks[0].found else { unreachable!() };
        planned.outputs = ["owner".to_owned()].into();
        let mut after =
            seen(vec![change("aws_subnet.a", Deed::Create), change("aws_subnet.new", Deed::Update)]);
        let Found::Planned(planned) = &mut after.looks[0].found else { unreachable!() };
        planned.rests_on.state.serial = 9;
        let told: Vec<_> =
            observed(&before, &after).into_iter().map(|c| format!("{}: {}", c.object, c.text)).collect();
        assert_eq!(
            told,
            [
                "state of network: serial: 7 → 9",
                "aws_instance.node: done: destroyed and made anew",
                "aws_subnet.a: still pending: made",
                "aws_subnet.b: done: destroyed",
                "output owner: done",
                "aws_subnet.new: was not planned, and is pending now: changed in place",
            ]
        );
        assert_eq!(observed(&before, &Seen::default()), []);
        assert_eq!(observed(&before, &before)[0].text, "not written: serial 7");
    }
}
