//! The acts: single requests with everything they carry decided beforehand, but for the values, which nobody decides.

use std::collections::BTreeSet;

use runcord_model::PlanId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::seen::{COPY_OF, VERSION};
use super::values::Values;
use crate::convert::PLAN_MARK;
use crate::exec::{Argv, Limit, Place};
use crate::names::{DataKey, Literal, Namespace, ObjectName, ResourceVersion, Uid};
use crate::numbers::{ValueLength, VersionNumber};
use crate::seen::OwnerRef;

/// One mutation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "secret", rename_all = "snake_case")]
pub enum SecretAct {
    /// Keeps what the Secret holds now under a number.
    Keep(Keep),
    /// Makes new values, and keeps them under a number.
    Stage(Stage),
    /// Gives a value to a backend, to learn it or to say whether it takes it.
    Tell(Tell),
    /// Puts the values of a number into the Secret.
    Promote(Promote),
}

/// The Secret that is rotated, as it was seen: any write since then changes its resource version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// What it is.
    pub id: OwnerRef,
    /// Its resource version.
    pub resource_version: ResourceVersion,
}

/// Keeps what the Secret holds now under a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    /// The Secret.
    pub live: Live,
    /// The number.
    pub version: VersionNumber,
    /// The name of the copy.
    pub copy: ObjectName,
    /// The plan, left in an annotation of the copy.
    pub plan: PlanId,
}

/// Makes new values, and keeps them under a number together with those that stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// The Secret.
    pub live: Live,
    /// The number.
    pub version: VersionNumber,
    /// The name of the copy.
    pub copy: ObjectName,
    /// The keys that get a new value.
    pub keys: BTreeSet<DataKey>,
    /// How long each is.
    pub length: ValueLength,
    /// The plan, left in an annotation of the copy.
    pub plan: PlanId,
}

/// Gives a value to a backend by a command in a container, which reads it on standard input and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tell {
    /// The Secret.
    pub live: Live,
    /// The name of the copy that holds the value.
    pub copy: ObjectName,
    /// Which copy of that name.
    pub origin: Origin,
    /// The key of the value.
    pub key: DataKey,
    /// What for.
    pub purpose: TellTo,
    /// Where.
    pub at: Place,
    /// The pod's uid.
    pub uid: Uid,
    /// The command.
    pub command: Argv,
    /// How long it may take in the container.
    pub limit: Limit,
    /// What going back does not take back, as the runbook says it.
    pub not_undone: Literal,
    /// The plan, whose mark a staged copy carries.
    pub plan: PlanId,
}

/// What a backend is given a value for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TellTo {
    /// To take it from now on.
    Learn,
    /// To say whether it does; nothing changes.
    Test,
}

/// Puts the values of a number into the Secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promote {
    /// The Secret.
    pub live: Live,
    /// The number that its values had.
    pub from: VersionNumber,
    /// The number of the values that are put in.
    pub to: VersionNumber,
    /// The name of the copy that holds them.
    pub copy: ObjectName,
    /// Which copy of that name.
    pub origin: Origin,
    /// The keys that are written.
    pub keys: BTreeSet<DataKey>,
    /// The plan, left in an annotation.
    pub plan: PlanId,
    /// Whether it has annotations already.
    pub annotated: bool,
}

/// Which copy is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The one that this plan itself staged.
    Staged,
    /// One that was there when the plan was made.
    Kept {
        /// Its uid.
        uid: Uid,
    },
}

impl Keep {
    /// The copy: immutable, with `data` as it was read a moment ago.
    pub(super) fn body(&self, data: &Values) -> Value {
        copy(&self.live.id, &self.copy, self.version, &self.plan, data)
    }
}

impl Stage {
    /// The copy: immutable, with `data` as it was read a moment ago and new values in it.
    pub(super) fn body(&self, data: &Values) -> Value {
        copy(&self.live.id, &self.copy, self.version, &self.plan, data)
    }
}

fn copy(of: &OwnerRef, name: &ObjectName, version: VersionNumber, plan: &PlanId, data: &Values) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": data.type_name(), "immutable": true,
        "metadata": {
            "name": name, "namespace": of.namespace,
            "annotations": {
                COPY_OF: of.uid, VERSION: i64::from(version).to_string(), PLAN_MARK: plan.as_str(),
            },
        },
        "data": data.json(),
    })
}

impl Promote {
    /// The JSON Patch: tests of the uid and of the resource version first, so that no write of anybody else's since the
    /// plan is lost.
    pub(super) fn operations(&self, data: &Values) -> Value {
        let mut operations = vec![
            json!({"op": "test", "path": "/metadata/uid", "value": self.live.id.uid}),
            json!({"op": "test", "path": "/metadata/resourceVersion", "value": self.live.resource_version}),
        ];
        // The grammar of a key has neither `~` nor `/`.
        let value =
            |key: &DataKey| json!({"op": "replace", "path": format!("/data/{key}"), "value": data.get(key)});
        operations.extend(self.keys.iter().map(value));
        operations.extend(self.annotations());
        Value::Array(operations)
    }

    fn annotations(&self) -> Vec<Value> {
        const MAP: &str = "/metadata/annotations";
        let (mark, version) = (self.plan.as_str(), i64::from(self.to).to_string());
        if self.annotated {
            let set = |key: &str, value: &str| json!({"op": "add", "path": format!("{MAP}/{}", key.replace('/', "~1")), "value": value});
            vec![set(PLAN_MARK, mark), set(VERSION, &version)]
        } else {
            vec![
                json!({"op": "test", "path": MAP, "value": null}),
                json!({"op": "add", "path": MAP, "value": {PLAN_MARK: mark, VERSION: version}}),
            ]
        }
    }
}

impl SecretAct {
    /// The Secret that is rotated.
    pub fn live(&self) -> &Live {
        match self {
            Self::Keep(it) => &it.live,
            Self::Stage(it) => &it.live,
            Self::Tell(it) => &it.live,
            Self::Promote(it) => &it.live,
        }
    }

    /// One line for a person.
    pub fn describe(&self) -> String {
        let secret = &self.live().id;
        match self {
            Self::Keep(it) => format!("keep what {secret} holds as {}", it.copy),
            Self::Stage(it) => {
                format!("make new values for {} of {secret}, as {}", named(&it.keys), it.copy)
            }
            Self::Tell(it) => match it.purpose {
                TellTo::Learn => format!("have {} learn the value of {} in {}", it.at, it.key, it.copy),
                TellTo::Test => format!("test that {} takes the value of {} in {}", it.at, it.key, it.copy),
            },
            Self::Promote(it) => format!("put the values of {} into {secret}", it.copy),
        }
    }

    /// How long the act may be deferred, in seconds: only an overloaded API server defers it, or other commands that
    /// are under way.
    pub fn patience_seconds(&self) -> u64 {
        60
    }

    /// What must be *equal* at apply.
    pub fn canonical(&self) -> Value {
        let live = self.live();
        let (secret, uid, resource_version) = (live.id.to_string(), &live.id.uid, &live.resource_version);
        match self {
            Self::Keep(it) => json!({
                "keep": secret, "uid": uid, "resource_version": resource_version, "version": it.version,
            }),
            Self::Stage(it) => json!({
                "stage": secret, "uid": uid, "resource_version": resource_version, "version": it.version,
                "keys": it.keys, "length": it.length,
            }),
            Self::Tell(it) => json!({
                "tell": secret, "uid": uid, "resource_version": resource_version, "copy": it.copy, "origin": it.origin,
                "key": it.key, "to": it.purpose, "at": it.at, "pod": it.uid, "command": it.command, "limit": it.limit,
            }),
            Self::Promote(it) => json!({
                "promote": secret, "uid": uid, "resource_version": resource_version, "from": it.from, "to": it.to,
                "keys": it.keys, "origin": it.origin,
            }),
        }
    }

    /// The namespace it touches.
    pub fn namespace(&self) -> &Namespace {
        &self.live().id.namespace
    }
}

/// `password`, or `password and salt`.
pub(super) fn named(keys: &BTreeSet<DataKey>) -> String {
    let mut names: Vec<&str> = keys.iter().map(DataKey::as_str).collect();
    match names.pop() {
        None => "no key".to_owned(),
        Some(only) if names.is_empty() => only.to_owned(),
        Some(last) => format!("{} and {last}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::tests::{acts, keys, number, seen, tell};

    /// Changes of an act, each of which must be seen in what is compared at apply.
    type Changes<'a, T> = &'a [(&'a str, fn(&mut T))];

    fn each_counts<T: Clone>(act: &T, whole: impl Fn(T) -> SecretAct, changes: Changes<'_, T>) {
        for (what, change) in changes {
            let mut changed = act.clone();
            change(&mut changed);
            assert_ne!(whole(changed).canonical(), whole(act.clone()).canonical(), "{what}");
        }
    }

    fn another<T: std::str::FromStr>() -> T
    where
        T::Err: std::fmt::Debug,
    {
        "7".parse().unwrap()
    }

    #[test]
    fn everything_that_was_approved_is_compared_at_apply() {
        let [SecretAct::Keep(keep), SecretAct::Stage(stage), SecretAct::Promote(promote)] =
            <[_; 3]>::try_from(acts(&seen())).unwrap()
        else {
            panic!("keep, stage, put in")
        };
        each_counts(
            &keep,
            SecretAct::Keep,
            &[
                ("name", |it| it.live.id.name = another()),
                ("uid", |it| it.live.id.uid = another()),
                ("resource version", |it| it.live.resource_version = another()),
                ("number", |it| it.version = number(7)),
            ],
        );
        each_counts(
            &stage,
            SecretAct::Stage,
            &[
                ("name", |it| it.live.id.name = another()),
                ("uid", |it| it.live.id.uid = another()),
                ("resource version", |it| it.live.resource_version = another()),
                ("number", |it| it.version = number(7)),
                ("keys", |it| it.keys = keys(&["salt"])),
                ("length", |it| it.length = ValueLength::try_from(16).unwrap()),
            ],
        );
        each_counts(
            &promote,
            SecretAct::Promote,
            &[
                ("name", |it| it.live.id.name = another()),
                ("uid", |it| it.live.id.uid = another()),
                ("resource version", |it| it.live.resource_version = another()),
                ("number before", |it| it.from = number(7)),
                ("number", |it| it.to = number(7)),
                ("keys", |it| it.keys = keys(&["salt"])),
                ("copy", |it| it.origin = Origin::Kept { uid: another() }),
            ],
        );
    }

    #[test]
    fn every_part_of_what_a_backend_is_told_is_compared_at_apply() {
        each_counts(
            &tell(TellTo::Learn),
            SecretAct::Tell,
            &[
                ("name", |it| it.live.id.name = another()),
                ("uid", |it| it.live.id.uid = another()),
                ("resource version", |it| it.live.resource_version = another()),
                ("name of the copy", |it| it.copy = another()),
                ("copy", |it| it.origin = Origin::Kept { uid: another() }),
                ("key", |it| it.key = another()),
                ("purpose", |it| it.purpose = TellTo::Test),
                ("place", |it| it.at.pod = another()),
                ("pod", |it| it.uid = another()),
                ("command", |it| it.command = serde_json::from_value(json!(["true"])).unwrap()),
                ("limit", |it| it.limit = Limit::try_from("1s".to_owned()).unwrap()),
            ],
        );
    }

    #[test]
    fn the_mark_and_the_number_are_left_in_the_annotations_whether_there_are_any_or_not() {
        let SecretAct::Promote(mut it) = acts(&seen()).remove(2) else {
            panic!("the third act puts values in")
        };
        let values = Values::placeholders("Opaque", &it.keys);
        let (plan, mut annotations) = (it.plan.to_string(), |annotated| {
            it.annotated = annotated;
            it.operations(&values).as_array_mut().unwrap().split_off(3)
        });
        let set = |key: &str, value: &str| {
            let path = format!("/metadata/annotations/runcord.dev~1{key}");
            json!({"op": "add", "path": path, "value": value})
        };
        assert_eq!(annotations(true), [set("plan", &plan), set("secret-version", "2")]);
        let map = json!({PLAN_MARK: plan, VERSION: "2"});
        assert_eq!(
            annotations(false),
            [
                json!({"op": "test", "path": "/metadata/annotations", "value": null}),
                json!({"op": "add", "path": "/metadata/annotations", "value": map}),
            ]
        );
    }
}
