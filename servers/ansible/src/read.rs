//! The action that only looks: what it answers. What hosts report leaves only under `untrusted`.

use std::collections::BTreeMap;

use runcord_model::Untrusted;
use schemars::JsonSchema;
use serde::Serialize;

use crate::names::{HostName, PlaybookName};

/// What `read_playbook` returns.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The playbook, as it is declared.
    pub playbook: PlaybookName,
    /// What became of it on each host, by the host's name in the inventory.
    pub hosts: BTreeMap<HostName, HostAnswer>,
}

/// What became of it on one host.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct HostAnswer {
    /// In a word.
    pub status: HostStatus,
    /// What the host reports, as JSON on one line, cut where it is long; none where it reports nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub untrusted: Option<Untrusted>,
}

/// What became of a playbook that only reads, on one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum HostStatus {
    /// It came to its end.
    Ok,
    /// A task failed.
    Failed,
    /// The host did not answer.
    Unreachable,
}
