//! Before and after: numbers and names of keys, never a value.

use runcord_model::{Change, ChangeKind};
use serde_json::{Value, json};

use super::acts::{Origin, SecretAct, named};
use super::seen::SecretsSeen;
use crate::names::{Namespace, ObjectName};
use crate::numbers::VersionNumber;

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
        SecretAct::Promote(it) => {
            let what = match it.origin {
                Origin::Staged => format!("new values for {}", named(&it.keys)),
                Origin::Kept { .. } => "the values that were kept".to_owned(),
            };
            updated(id.to_string(), it.from, it.to, format!("{what}, as in {}", it.copy))
        }
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
