//! What a look at hosts found: everything that the pure functions decide on. Secret values are not in here; what has to be
//! compared and may be secret is a digest under the installation's mask.

use std::collections::BTreeMap;

use runcord_model::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::actions::Action;
use crate::inventory::Share;
use crate::names::{GroupName, HostName, LookId, TaskName, VariableName};
use crate::playbooks::{Playbook, Source};
use crate::ran::Ran;
use crate::vet::Vetted;

/// What was seen, for each step of a runbook.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// In the order of the steps.
    pub looks: Vec<Look>,
}

/// What one step is concerned with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// The step.
    pub action: Action,
    /// What is done on this look is kept under it. No other look has it.
    pub id: LookId,
    /// The playbook as it was declared then: a worker goes by this, whatever is declared meanwhile.
    pub declared: Playbook,
    /// What runs: the playbook, or its way back.
    pub source: Source,
    /// What asserts afterwards that it did what it should. There is none for a way back.
    pub verify: Option<Source>,
    /// All that it rests on.
    pub rests_on: RestsOn,
    /// Exactly these, never none, in the order of the inventory.
    pub hosts: Vec<HostName>,
    /// How large the declared groups are, and how much of each is among the hosts.
    pub shares: BTreeMap<GroupName, Share>,
    /// What Ansible is given of variables that are the same for all hosts.
    pub given: BTreeMap<VariableName, Value>,
    /// What each host reported, and is given now.
    pub pinned: BTreeMap<HostName, BTreeMap<VariableName, Vec<String>>>,
    /// When it was looked, in seconds since 1970.
    pub at: i64,
    /// What was found in the files.
    pub vetted: Vetted,
    /// What the playbook did in check mode.
    pub checked: Ran,
    /// How far what was planned on this look was carried out.
    #[serde(default)]
    pub standing: Standing,
}

/// All that a look rests on. What is equal here runs the same tasks with the same values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestsOn {
    /// The folder that Ansible runs in: project, library, roles, collections, plugins and our own configuration.
    pub content: Digest,
    /// Of the hosts with their variables, under the installation's mask: secrets may be among them.
    pub inventory: String,
    /// Which Ansible, such as `ansible-core 2.19.4`.
    pub version: String,
}

/// How far the batches of a look were carried out, and what is known of its hosts since.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// By the number of the batch; one that is not in here was not begun.
    pub batches: BTreeMap<u32, Batch>,
    /// What verifying said of each host of a batch that was begun.
    pub verified: BTreeMap<HostName, Verified>,
}

/// What became of a batch that was begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Whether Ansible came to its end.
    pub ended: Ended,
    /// What became of each of its hosts.
    pub hosts: BTreeMap<HostName, HostStanding>,
}

/// Whether Ansible came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// It summed up what it did.
    Whole,
    /// It did not, or that cannot be told.
    Not,
}

/// What became of a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostStanding {
    /// Tasks that changed something.
    pub changed: u32,
    /// How it stands.
    pub how: How,
}

/// How a host stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Nothing was begun on it.
    Untouched,
    /// All of its tasks ended well.
    Done,
    /// A task failed, and nothing after it was begun.
    Failed {
        /// The task; nothing where its name is no name.
        task: Option<TaskName>,
    },
    /// A task was begun, and no end of it was told: it may go on there, whatever became of Ansible.
    Unknown {
        /// The task; nothing where its name is no name.
        task: Option<TaskName>,
    },
}

/// What verifying said of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verified {
    /// It is as it should be.
    Holds,
    /// It is not.
    Fails,
    /// It did not answer, or that could not be asked.
    Unknown,
}

impl Look {
    /// The hosts of each batch, as declared: the first batch, the second, and so on; the last size again and again.
    pub fn batches(&self) -> Vec<&[HostName]> {
        let sizes = &self.declared.batches;
        let mut batches = Vec::new();
        let mut left = self.hosts.as_slice();
        while !left.is_empty() {
            let size = sizes.get(batches.len()).or(sizes.last()).map_or(1, |size| size.of(self.hosts.len()));
            let (batch, rest) = left.split_at(size.min(left.len()));
            batches.push(batch);
            left = rest;
        }
        batches
    }
}

impl Standing {
    /// The hosts on which something was begun.
    pub fn touched(&self) -> impl Iterator<Item = &HostName> {
        let is_touched = |standing: &HostStanding| match standing.how {
            How::Untouched => false,
            How::Done | How::Failed { .. } => standing.changed > 0,
            How::Unknown { .. } => true,
        };
        let hosts = self.batches.values().flat_map(|batch| &batch.hosts);
        hosts.filter(move |(_, standing)| is_touched(standing)).map(|(host, _)| host)
    }
}
