//! The act: one batch of hosts, with everything it carries decided beforehand.

use std::collections::BTreeMap;

use runcord_model::bounds::Span;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::actions::Action;
use crate::names::{HostName, LookId, VariableName};
use crate::playbooks::{Playbook, Source};
use crate::seen::RestsOn;

/// Runs a playbook on one batch of hosts, by a process of its own: `serial` lets later batches begin after a host of an
/// earlier one was unreachable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunBatch {
    /// The step.
    pub action: Action,
    /// The look that it was drafted on.
    pub look: LookId,
    /// Which batch, from 1.
    pub number: u32,
    /// Of so many.
    pub of: u32,
    /// Exactly these hosts.
    pub hosts: Vec<HostName>,
    /// The playbook as it was declared.
    pub declared: Playbook,
    /// What runs.
    pub source: Source,
    /// What is run on the same hosts afterwards: unless it holds on all of them, no further batch begins.
    pub verify: Option<Source>,
    /// All that it rests on.
    pub rests_on: RestsOn,
    /// What Ansible is given of variables that are the same for all hosts.
    pub given: BTreeMap<VariableName, Value>,
    /// What each of the hosts is given.
    pub pinned: BTreeMap<HostName, BTreeMap<VariableName, Vec<String>>>,
    /// When it was looked, in seconds since 1970.
    pub at: i64,
    /// How many results are expected: tasks by hosts.
    pub results: u32,
    /// One line for a person: `restart_service on 1 of 4 hosts of web: web1`.
    pub summary: String,
    /// How long it may take before it is interrupted.
    pub timeout: Span,
}

/// A batch of a service's restart, for tests.
#[cfg(test)]
pub(crate) fn sample(hosts: &[&str], number: u32, of: u32) -> RunBatch {
    serde_json::from_value(serde_json::json!({
        "action": {"action": "run_playbook", "playbook": "restart_web", "group": "web", "variables": {"service": "nginx"}},
        "look": "0123456789abcdef0123456789abcdef",
        "number": number,
        "of": of,
        "hosts": hosts,
        "declared": {
            "playbook": {"shipped": "restart_service"},
            "inventory": "hosts.yml",
            "groups": ["web"],
            "variables": {"service": {"enum": ["nginx"]}},
            "batches": [1],
        },
        "source": {"shipped": "restart_service"},
        "verify": {"shipped": "restart_service.verify"},
        "rests_on": {
            "content": format!("sha256:{}", "0".repeat(64)),
            "inventory": "mark",
            "version": "ansible-core 2.19.4",
        },
        "given": {"service": "nginx"},
        "pinned": {},
        "at": 5,
        "results": 4,
        "summary": "restart",
        "timeout": "30m",
    }))
    .unwrap()
}
