//! Before and after: numbers and names of keys, never a value.

use runcord_model::text::visible;
use runcord_model::{Change, ChangeKind};
use serde_json::{Value, json};

use super::acts::{Origin, SecretAct, Tell, TellTo, named};
use super::seen::SecretsSeen;
use crate::names::{Namespace, ObjectName};
use crate::numbers::VersionNumber;

/// The longest command shown, in bytes: the longest that there is, with every character of it written out.
const COMMAND: usize = 16 * 1024;

/// What one act would change.
pub(crate) fn planned(act: &SecretAct) -> Change {
    let id = &act.live().id;
    match act {
        SecretAct::Keep(it) => {
            created(&id.namespace, &it.copy, it.version, format!("an immutable copy of what {id} holds now"))
        }
        SecretAct::Stage(it) => {
            let text = format!(
                "an immutable copy of {id} with new random values of {} letters and digits for {}",
                it.length,
                named(&it.keys)
            );
            created(&id.namespace, &it.copy, it.version, text)
        }
        SecretAct::Tell(it) => told(it),
        SecretAct::Promote(it) => {
            let what = match it.origin {
                Origin::Staged => format!("new values for {}", named(&it.keys)),
                Origin::Kept { .. } => "the values that were kept".to_owned(),
            };
            updated(id.to_string(), it.from, it.to, format!("{what}, as in {}", it.copy))
        }
    }
}

/// The whole command is shown, each element in quotes of its own: it is what is approved.
fn told(it: &Tell) -> Change {
    let command = visible(&json!(it.command.texts()).to_string(), COMMAND);
    let what = match it.purpose {
        TellTo::Learn => "learns",
        TellTo::Test => "is asked whether it takes",
    };
    Change {
        object: it.at.to_string(),
        change: ChangeKind::Run,
        before: Value::Null,
        after: json!({"key": it.key, "copy": it.copy}),
        text: format!("{what} the value of {} in {}, on the standard input of {command}", it.key, it.copy),
    }
}

/// What really changed between two probes.
pub(crate) fn observed(before: &SecretsSeen, after: &SecretsSeen) -> Vec<Change> {
    let mut changes = Vec::new();
    for was in &before.secrets {
        let Some(is) = after.secrets.iter().find(|s| s.id.uid == was.id.uid) else { continue };
        if was.version != is.version {
            let text = "its values are those of the new version".to_owned();
            changes.push(updated(was.id.to_string(), was.kept_as(), is.version, text));
        } else if was.resource_version != is.resource_version {
            changes.push(Change {
                object: was.id.to_string(),
                change: ChangeKind::Update,
                before: json!({"resource_version": was.resource_version}),
                after: json!({"resource_version": is.resource_version}),
                text: "somebody wrote to it".to_owned(),
            });
        }
    }
    changes
}

fn created(namespace: &Namespace, copy: &ObjectName, version: VersionNumber, text: String) -> Change {
    Change {
        object: format!("Secret {namespace}/{copy}"),
        change: ChangeKind::Create,
        before: Value::Null,
        after: json!({"version": version}),
        text,
    }
}

fn updated(object: String, from: VersionNumber, to: VersionNumber, text: String) -> Change {
    Change {
        object,
        change: ChangeKind::Update,
        before: json!({"version": from}),
        after: json!({"version": to}),
        text: format!("version: {from} → {to}; {text}"),
    }
}
