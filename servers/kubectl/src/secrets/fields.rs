//! The fields of these actions.

use std::collections::BTreeSet;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::exec::{Argv, Limit, Place};
use crate::names::{ContainerName, DataKey, Literal, Namespace, ObjectName, PodName};
use crate::numbers::{Batch, Span, ValueLength, VersionNumber};

/// A typed step of these actions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "secret", rename_all = "snake_case")]
pub enum SecretAction {
    /// Puts new random values in.
    Rotate(RotateSecret),
    /// Puts the values of an earlier number back.
    Restore(RestoreSecret),
    /// Makes one new value, has a backend learn it, and only then puts it in.
    RotateTaught(RotateTaughtSecret),
    /// Has a backend learn an earlier value again, and then puts it back.
    RestoreTaught(RestoreTaughtSecret),
}

/// 1 to 10 keys. A server that starts does not hold a runbook's steps against their schemas: the type itself does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<DataKey>", into = "Vec<DataKey>")]
pub struct DataKeys(BTreeSet<DataKey>);

/// Too few keys, or too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not 1 to 10 keys")]
pub struct NotSoMany;

impl TryFrom<Vec<DataKey>> for DataKeys {
    type Error = NotSoMany;
    fn try_from(keys: Vec<DataKey>) -> Result<Self, NotSoMany> {
        let so_many = (1..=10).contains(&keys.len());
        so_many.then(|| Self(keys.into_iter().collect())).ok_or(NotSoMany)
    }
}

impl From<DataKeys> for Vec<DataKey> {
    fn from(keys: DataKeys) -> Self {
        keys.0.into_iter().collect()
    }
}

impl DataKeys {
    /// The keys.
    pub fn get(&self) -> &BTreeSet<DataKey> {
        &self.0
    }
}

impl JsonSchema for DataKeys {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DataKeys".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let key = DataKey::json_schema(generator);
        json_schema!({"type": "array", "items": key, "minItems": 1, "maxItems": 10})
    }
}

/// `rotate_secret`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateSecret {
    /// The Secret's namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// The keys that get a new value: 1 to 10 that it has already.
    pub keys: DataKeys,
    /// How many letters and digits each new value has; 32 unless given.
    #[serde(default)]
    pub length: ValueLength,
    /// How many workloads are restarted together; 1 unless given.
    #[serde(default = "one")]
    pub batch: Batch,
    /// How long the rollout of one workload may take; 10m unless given.
    #[serde(default = "ten_minutes")]
    pub timeout: Span,
}

/// `restore_secret`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreSecret {
    /// The Secret's namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// The number of the values that are put back.
    pub version: VersionNumber,
    /// How many workloads are restarted together; 1 unless given.
    #[serde(default = "one")]
    pub batch: Batch,
    /// How long the rollout of one workload may take; 10m unless given.
    #[serde(default = "ten_minutes")]
    pub timeout: Span,
}

/// `rotate_taught_secret`: for a value that a backend checks, which must learn the new one first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateTaughtSecret {
    /// The Secret's namespace, and the backend's.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// The key that gets a new value; it must have it already.
    pub key: DataKey,
    /// How many letters and digits the new value has; 32 unless given.
    #[serde(default)]
    pub length: ValueLength,
    /// The backend's pod.
    pub pod: PodName,
    /// The container in which both commands run. Its image must have `timeout`, of coreutils or BusyBox.
    #[schemars(schema_with = "crate::exec::written_out_container")]
    pub container: ContainerName,
    /// The command by which the backend learns the value, which it reads as one line of standard input.
    pub teach: Argv,
    /// The command that fails unless the backend takes the value, read likewise. It must only look.
    pub test: Argv,
    /// How long each command may take inside the container before it is killed there; 30s unless given.
    #[serde(default = "half_a_minute")]
    pub limit: Limit,
    /// What going back does not take back, for the person who approves.
    #[schemars(schema_with = "written_out_literal")]
    pub not_undone: Literal,
    /// How many workloads are restarted together; 1 unless given.
    #[serde(default = "one")]
    pub batch: Batch,
    /// How long the rollout of one workload may take; 10m unless given.
    #[serde(default = "ten_minutes")]
    pub timeout: Span,
}

/// `restore_taught_secret`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreTaughtSecret {
    /// The Secret's namespace, and the backend's.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// The number of the values that are put back.
    pub version: VersionNumber,
    /// The key whose value the backend learns again.
    pub key: DataKey,
    /// The backend's pod.
    pub pod: PodName,
    /// The container in which both commands run.
    #[schemars(schema_with = "crate::exec::written_out_container")]
    pub container: ContainerName,
    /// The command by which the backend learns the value, which it reads as one line of standard input.
    pub teach: Argv,
    /// The command that fails unless the backend takes the value, read likewise. It must only look.
    pub test: Argv,
    /// How long each command may take inside the container before it is killed there; 30s unless given.
    #[serde(default = "half_a_minute")]
    pub limit: Limit,
    /// What going back does not take back, for the person who approves.
    #[schemars(schema_with = "written_out_literal")]
    pub not_undone: Literal,
    /// How many workloads are restarted together; 1 unless given.
    #[serde(default = "one")]
    pub batch: Batch,
    /// How long the rollout of one workload may take; 10m unless given.
    #[serde(default = "ten_minutes")]
    pub timeout: Span,
}

/// A backend that learns a value before anybody depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backend<'a> {
    /// The key whose value it learns.
    pub(crate) key: &'a DataKey,
    /// Where its commands run.
    pub(crate) at: Place,
    /// The command by which it learns.
    pub(crate) teach: &'a Argv,
    /// The command that fails unless it has learnt.
    pub(crate) test: &'a Argv,
    /// How long each may take.
    pub(crate) limit: Limit,
    /// What going back does not take back.
    pub(crate) not_undone: &'a Literal,
}

fn half_a_minute() -> Limit {
    Limit::HALF_A_MINUTE
}

/// A text that no parameter fills: it is shown to whoever approves, as its reviewers read it.
fn written_out_literal(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = Literal::json_schema(generator);
    schema.insert("x-filled".to_owned(), "never".into());
    schema
}

fn one() -> Batch {
    Batch::ONE
}

fn ten_minutes() -> Span {
    Span::TEN_MINUTES
}

impl SecretAction {
    /// The Secret's namespace.
    pub fn namespace(&self) -> &Namespace {
        match self {
            Self::Rotate(it) => &it.namespace,
            Self::Restore(it) => &it.namespace,
            Self::RotateTaught(it) => &it.namespace,
            Self::RestoreTaught(it) => &it.namespace,
        }
    }

    /// The Secret's name.
    pub fn name(&self) -> &ObjectName {
        match self {
            Self::Rotate(it) => &it.name,
            Self::Restore(it) => &it.name,
            Self::RotateTaught(it) => &it.name,
            Self::RestoreTaught(it) => &it.name,
        }
    }

    /// The number of the values that it puts back.
    pub fn restored(&self) -> Option<VersionNumber> {
        match self {
            Self::Rotate(_) | Self::RotateTaught(_) => None,
            Self::Restore(it) => Some(it.version),
            Self::RestoreTaught(it) => Some(it.version),
        }
    }

    /// The backend that learns the value first.
    pub(crate) fn backend(&self) -> Option<Backend<'_>> {
        let place = |namespace: &Namespace, pod: &PodName, container: &ContainerName| Place {
            namespace: namespace.clone(),
            pod: pod.clone(),
            container: container.clone(),
        };
        match self {
            Self::Rotate(_) | Self::Restore(_) => None,
            Self::RotateTaught(it) => Some(Backend {
                key: &it.key,
                at: place(&it.namespace, &it.pod, &it.container),
                teach: &it.teach,
                test: &it.test,
                limit: it.limit,
                not_undone: &it.not_undone,
            }),
            Self::RestoreTaught(it) => Some(Backend {
                key: &it.key,
                at: place(&it.namespace, &it.pod, &it.container),
                teach: &it.teach,
                test: &it.test,
                limit: it.limit,
                not_undone: &it.not_undone,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rotation_is_of_one_to_ten_keys() {
        let some = |count: usize| {
            let keys: Vec<_> = (0..count).map(|n| format!("key-{n}")).collect();
            serde_json::from_value::<DataKeys>(json!(keys)).ok().map(|keys| keys.get().len())
        };
        assert_eq!([some(0), some(1), some(10), some(11)], [None, Some(1), Some(10), None]);
        let schema = schemars::schema_for!(RotateSecret).to_value();
        let keys = &schema["properties"]["keys"];
        assert_eq!((&keys["minItems"], &keys["maxItems"]), (&json!(1), &json!(10)));
    }

    #[test]
    fn no_parameter_fills_what_whoever_approves_has_reviewed() {
        for schema in [schemars::schema_for!(RotateTaughtSecret), schemars::schema_for!(RestoreTaughtSecret)]
        {
            for field in ["not_undone", "container"] {
                assert_eq!(schema.as_value()["properties"][field]["x-filled"], "never", "{field}");
            }
        }
    }
}
