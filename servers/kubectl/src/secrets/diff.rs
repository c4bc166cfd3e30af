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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Uid;
    use crate::secrets::tests::{acts, number, seen, tell, with};

    #[test]
    fn the_whole_command_is_shown_with_nothing_invisible_in_it() {
        let mut it = tell(TellTo::Learn);
        it.command = serde_json::from_value(json!(["rabbitmqctl", {"value": "a\u{202e}b"}])).unwrap();
        let shown = planned(&SecretAct::Tell(it));
        assert!(shown.text.contains(r#"standard input of ["rabbitmqctl","a"#), "{}", shown.text);
        assert!(!shown.text.contains('\u{202e}'), "{}", shown.text);
        assert_eq!(shown.after, json!({"key": "password", "copy": "db-v2"}));
    }

    #[test]
    fn whether_values_are_new_or_were_kept_is_said() {
        let SecretAct::Promote(mut it) = acts(&seen()).remove(2) else {
            panic!("the third act puts values in")
        };
        let said = |it: &crate::secrets::acts::Promote| planned(&SecretAct::Promote(it.clone())).text;
        assert_eq!(said(&it), "version: 1 → 2; new values for password, as in db-v2");
        it.origin = Origin::Kept { uid: "copy-2".parse().unwrap() };
        assert_eq!(said(&it), "version: 1 → 2; the values that were kept, as in db-v2");
    }

    #[test]
    fn what_became_of_a_secret_is_told_by_its_number_and_whoever_else_wrote_is_told_of() {
        let before = seen().secrets;
        let told = |after: SecretsSeen| -> Vec<String> {
            observed(&before, &after).into_iter().map(|change| change.text).collect()
        };
        assert_eq!(told(before.clone()), Vec::<String>::new());
        let written = with(|it| it.resource_version = "101".parse().unwrap());
        assert_eq!(told(written.secrets), ["somebody wrote to it"]);
        let put_in = with(|it| (it.version, it.resource_version) = (number(2), "101".parse().unwrap()));
        assert_eq!(told(put_in.secrets), ["version: 1 → 2; its values are those of the new version"]);
        let replaced =
            with(|it| (it.id.uid, it.version) = (Uid::try_from("7".to_owned()).unwrap(), number(2)));
        assert_eq!(told(replaced.secrets), Vec::<String>::new(), "another Secret of that name");
    }
}
