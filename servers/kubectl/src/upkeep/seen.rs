//! What a probe saw of revisions, CronJobs, Jobs and a node's signs of life.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::actions::WorkloadRef;
use crate::names::{Namespace, NodeName, ObjectName, PodName, Uid};
use crate::seen::{Charges, OwnerRef};

/// What the actions name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpkeepFocus {
    /// Pods to be evicted one by one.
    pub pods: Vec<(Namespace, PodName)>,
    /// Workloads to be rolled back.
    pub histories: Vec<WorkloadRef>,
    /// CronJobs.
    pub cron_jobs: Vec<(Namespace, ObjectName)>,
    /// The namespaces whose Jobs are looked at.
    pub jobs: Vec<Namespace>,
    /// Nodes whose signs of life are looked at.
    pub vitals: Vec<NodeName>,
}

/// What a probe saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpkeepSeen {
    /// The revisions of workloads.
    pub histories: Vec<History>,
    /// CronJobs: those named, and those that own Jobs to be cleaned up.
    pub cron_jobs: Vec<CronJob>,
    /// The Jobs of the namespaces concerned, finished or not.
    pub jobs: Vec<Job>,
    /// Signs of life of nodes.
    pub vitals: Vec<Vitals>,
}

/// The revisions of one workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The workload.
    pub workload: WorkloadRef,
    /// The masked digest of its pod template as it is.
    pub template: String,
    /// The revisions that its controller keeps, the oldest first.
    pub revisions: Vec<KeptRevision>,
}

/// One revision that a controller keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRevision {
    /// Its number.
    pub number: i64,
    /// The object that keeps it: a ReplicaSet or a ControllerRevision.
    pub name: ObjectName,
    /// That object's uid.
    pub uid: Uid,
    /// The masked digest of its pod template.
    pub template: String,
    /// The image of each container. Free text: shown only made visible.
    pub images: BTreeMap<String, String>,
    /// What a pod of its template counts as under quotas.
    #[serde(default)]
    pub charges: Charges,
}

/// One CronJob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CronJob {
    /// What it is.
    pub id: OwnerRef,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Jobs of it that run now.
    pub active: i64,
    /// Whether a run that was missed too long ago is left out (`startingDeadlineSeconds`).
    pub deadline: Option<i64>,
    /// The plan that last touched it, as our annotation says.
    pub mark: Option<String>,
    /// Whether it has annotations at all.
    pub annotated: bool,
}

/// One Job and what it owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// What it is.
    pub id: OwnerRef,
    /// Who made it.
    pub maker: Maker,
    /// When it finished; none when it has not.
    pub finished: Option<Timestamp>,
    /// Whether it is being deleted already.
    pub deleting: bool,
    /// Finalizers that would hold its deletion, of itself or of what it owns: valid qualified names.
    pub held_by: Vec<String>,
    /// How many objects go with it, by kind.
    pub owned: BTreeMap<String, i64>,
}

/// Who made a Job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Maker {
    /// Nobody that would make it again.
    Nobody,
    /// A CronJob, which does not make the same Job again.
    CronJob {
        /// Its name.
        name: ObjectName,
        /// Its uid.
        uid: Uid,
    },
    /// Another controller, which might make it again or miss it.
    Other,
}

/// A node's signs of life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vitals {
    /// The node.
    pub node: NodeName,
    /// Its uid.
    pub uid: Uid,
    /// Its `Ready` condition, and where it stands in the list.
    pub ready: Option<(usize, Condition)>,
    /// By how many seconds its lease is behind those of the other nodes; none when that cannot be told.
    pub lease_behind: Option<i64>,
    /// After how many seconds its lease runs out.
    pub lease_period: i64,
    /// Pods on it that count as ready.
    pub ready_pods: i64,
    /// The key, value and effect of its taints, in order.
    pub taints: Vec<(String, String, String)>,
    /// The plan that last touched it, as our annotation says.
    pub mark: Option<String>,
    /// Whether it has annotations at all.
    pub annotated: bool,
}

/// The status of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody has said for a while.
    Unknown,
}

impl Condition {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// The taint that says that a node is shut down and will not come back by itself.
pub const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";
/// Its value.
pub const SHUTDOWN: &str = "nodeshutdown";
/// Its effect.
pub const NO_EXECUTE: &str = "NoExecute";

impl History {
    /// The revision whose template the workload has now; none while its controller has not recorded it.
    pub fn current(&self) -> Option<&KeptRevision> {
        self.revisions.iter().rev().find(|kept| kept.template == self.template)
    }

    /// The newest revision before the current one with another template.
    pub fn previous(&self) -> Option<&KeptRevision> {
        let current = self.current()?;
        let other = |kept: &&KeptRevision| kept.number < current.number && kept.template != self.template;
        self.revisions.iter().rev().find(other)
    }

    /// The revision of that number.
    pub fn revision(&self, number: i64) -> Option<&KeptRevision> {
        self.revisions.iter().find(|kept| kept.number == number)
    }
}

impl Vitals {
    /// Where the out-of-service taint stands in the list of taints.
    pub fn out_of_service(&self) -> Option<usize> {
        self.taints.iter().position(|(key, _, _)| key == OUT_OF_SERVICE)
    }
}

impl UpkeepSeen {
    /// The revisions of that workload.
    pub fn history(&self, workload: &WorkloadRef) -> Option<&History> {
        self.histories.iter().find(|h| h.workload == *workload)
    }

    /// The CronJob of that name.
    pub fn cron_job(&self, namespace: &Namespace, name: &ObjectName) -> Option<&CronJob> {
        self.cron_jobs.iter().find(|c| c.id.namespace == *namespace && c.id.name == *name)
    }

    /// The signs of life of that node.
    pub fn vitals(&self, node: &NodeName) -> Option<&Vitals> {
        self.vitals.iter().find(|v| v.node == *node)
    }
}
