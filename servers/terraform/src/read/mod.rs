//! The actions that only look: what they answer. Values out of the state leave only under `untrusted`, sensitive ones never.

mod look;

use runcord_model::Untrusted;
use schemars::JsonSchema;
use serde::Serialize;

use crate::names::{ModuleName, ResourceType, WorkspaceName};

pub(crate) use look::read;

/// What `detect_drift` returns.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// The root module.
    pub module: ModuleName,
    /// The workspace.
    pub workspace: WorkspaceName,
    /// Instances of managed resources that the state holds.
    pub instances: i64,
    /// How many of them have changed in the world since the state was written.
    pub drifted: usize,
    /// Each of these, by address; not always all.
    pub changes: Vec<Drifted>,
    /// How many instances the configuration would change now.
    pub pending: usize,
}

/// One instance that has changed in the world.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Drifted {
    /// Its address; without keys where a key may not be shown.
    pub address: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ResourceType,
    /// What has become of it.
    pub became: Became,
    /// How many of its values are others now.
    pub values: usize,
    /// Which of them, as `path: before → after`, sensitive ones hidden; not always all.
    #[schemars(with = "Vec<String>")]
    pub untrusted: Vec<Untrusted>,
}

/// What has become of an instance in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Became {
    /// It is another way than the state says.
    Changed,
    /// It is not there any more.
    Gone,
}

/// What `list_resources` returns.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// The root module.
    pub module: ModuleName,
    /// The workspace.
    pub workspace: WorkspaceName,
    /// Instances of managed resources that the state holds.
    pub total: usize,
    /// Them, by address; not always all.
    pub resources: Vec<Held>,
    /// Whether there are more than are listed.
    pub more: bool,
    /// How many there are of each type, the most numerous first; not always all.
    pub types: Vec<OfType>,
}

/// One instance that the state holds.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Held {
    /// Its address; without keys where a key may not be shown.
    pub address: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ResourceType,
    /// Its provider.
    pub provider: String,
}

/// How many instances there are of one type.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct OfType {
    /// The type.
    #[serde(rename = "type")]
    pub kind: ResourceType,
    /// How many.
    pub count: usize,
    /// Whether it is declared to hold data.
    pub holds_data: bool,
}

/// What `show_outputs` returns.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    /// The root module.
    pub module: ModuleName,
    /// The workspace.
    pub workspace: WorkspaceName,
    /// The outputs, by name; not always all.
    pub outputs: Vec<Output>,
    /// How many there are in all.
    pub total: usize,
}

/// One output.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Whether it is sensitive: then its value is never shown.
    pub sensitive: bool,
    /// Its value as JSON, on one line, cut where it is long; none of a sensitive one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub untrusted: Option<Untrusted>,
}
