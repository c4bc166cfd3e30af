//! The fields of these actions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{DataKey, Namespace, ObjectName};
use crate::numbers::{Batch, Span, ValueLength, VersionNumber};

/// A typed step of these actions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "secret", rename_all = "snake_case")]
pub enum SecretAction {
    /// Puts new random values in.
    Rotate(RotateSecret),
    /// Puts the values of an earlier number back.
    Restore(RestoreSecret),
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
    #[schemars(length(min = 1, max = 10))]
    pub keys: Vec<DataKey>,
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
        }
    }

    /// The Secret's name.
    pub fn name(&self) -> &ObjectName {
        match self {
            Self::Rotate(it) => &it.name,
            Self::Restore(it) => &it.name,
        }
    }
}
