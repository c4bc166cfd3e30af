//! The fields of these actions.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::argv::{Preview, Purge};
use super::number::Size;
use crate::exec::Limit;
use crate::names::{ContainerName, Namespace, PodName};

/// A typed step of these actions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "queue", rename_all = "snake_case")]
pub enum QueueAction {
    /// Empties a queue.
    Purge(PurgeQueue),
}

/// `purge_queue`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PurgeQueue {
    /// The pod's namespace.
    pub namespace: Namespace,
    /// The pod.
    pub pod: PodName,
    /// The container in which both commands run. Its image must have `timeout`, of coreutils or BusyBox.
    #[schemars(schema_with = "written_out")]
    pub container: ContainerName,
    /// The command that prints how much is in the queue, one whole number and nothing else. It must only look: it runs
    /// when planning, when applying and when verifying, without anybody's approval.
    pub preview: Preview,
    /// The command that empties the queue.
    pub purge: Purge,
    /// How long the purge may take inside the container before it is killed there; 30s unless given. A preview has as
    /// long, and 30s at most.
    #[serde(default = "half_a_minute")]
    pub limit: Limit,
    /// Refused when the queue holds more than this.
    #[serde(default)]
    pub size_at_most: Option<Size>,
}

fn half_a_minute() -> Limit {
    Limit::HALF_A_MINUTE
}

/// A container's name that no parameter fills: what runs in it is reviewed with it.
fn written_out(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = ContainerName::json_schema(generator);
    schema.insert("x-filled".to_owned(), "never".into());
    schema
}

impl QueueAction {
    /// The namespace it names.
    pub fn namespace(&self) -> &Namespace {
        match self {
            Self::Purge(it) => &it.namespace,
        }
    }
}
