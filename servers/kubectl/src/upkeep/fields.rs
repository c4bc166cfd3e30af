//! The fields of these actions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::numbers::{Age, JobCount, Revision};
use crate::actions::{Kind, WorkloadRef};
use crate::names::{Namespace, NodeName, ObjectName, PodName};
use crate::numbers::Span;

/// A typed step of these actions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "upkeep", rename_all = "snake_case")]
pub enum UpkeepAction {
    /// Puts an earlier revision's pod template back.
    RollBack(RollBack),
    /// Evicts one pod that a controller makes anew.
    EvictPod(EvictPod),
    /// Suspends a CronJob, or lets it go on.
    SuspendCronJob(SuspendCronJob),
    /// Deletes finished Jobs, and what they own.
    CleanJobs(CleanJobs),
    /// Declares a dead node out of service, so that its pods and volumes are let go.
    ReleaseNode(ReleaseNode),
    /// Takes that declaration back.
    ReclaimNode(ReclaimNode),
}

/// `roll_back`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollBack {
    /// The workload's kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// The revision to put back; the one before the current one unless given.
    #[serde(default)]
    pub revision: Option<Revision>,
    /// How long the rollout may take; 10m unless given.
    #[serde(default = "ten_minutes")]
    pub timeout: Span,
}

/// `evict_pod`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvictPod {
    /// The pod's namespace.
    pub namespace: Namespace,
    /// The pod.
    pub pod: PodName,
    /// How long it may take until the pod is gone and replaced; 10m unless given.
    #[serde(default = "ten_minutes")]
    pub timeout: Span,
}

/// `suspend_cronjob`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspendCronJob {
    /// The CronJob's namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// Whether it should be suspended; `false` lets it go on.
    pub suspend: bool,
}

/// `clean_jobs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CleanJobs {
    /// The Jobs' namespace.
    pub namespace: Namespace,
    /// Only Jobs that finished longer ago than this.
    pub older_than: Age,
    /// Only Jobs of this CronJob.
    #[serde(default)]
    pub cron_job: Option<ObjectName>,
    /// At most so many, the oldest first.
    pub at_most: JobCount,
    /// How long it may take until they and what they own are gone; 10m unless given.
    #[serde(default = "ten_minutes")]
    pub timeout: Span,
}

/// `release_node`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseNode {
    /// The dead node.
    pub node: NodeName,
    /// How long it may take until its pods are gone; 10m unless given.
    #[serde(default = "ten_minutes")]
    pub timeout: Span,
}

/// `reclaim_node`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReclaimNode {
    /// The node.
    pub node: NodeName,
}

fn ten_minutes() -> Span {
    Span::TEN_MINUTES
}

impl UpkeepAction {
    /// The node it names.
    pub fn node(&self) -> Option<&NodeName> {
        match self {
            Self::ReleaseNode(it) => Some(&it.node),
            Self::ReclaimNode(it) => Some(&it.node),
            Self::RollBack(_) | Self::EvictPod(_) | Self::SuspendCronJob(_) | Self::CleanJobs(_) => None,
        }
    }

    /// The workload it names.
    pub fn workload(&self) -> Option<WorkloadRef> {
        match self {
            Self::RollBack(it) => {
                Some(WorkloadRef { kind: it.kind, namespace: it.namespace.clone(), name: it.name.clone() })
            }
            Self::EvictPod(_)
            | Self::SuspendCronJob(_)
            | Self::CleanJobs(_)
            | Self::ReleaseNode(_)
            | Self::ReclaimNode(_) => None,
        }
    }

    /// The namespace it names.
    pub fn namespace(&self) -> Option<&Namespace> {
        match self {
            Self::RollBack(it) => Some(&it.namespace),
            Self::EvictPod(it) => Some(&it.namespace),
            Self::SuspendCronJob(it) => Some(&it.namespace),
            Self::CleanJobs(it) => Some(&it.namespace),
            Self::ReleaseNode(_) | Self::ReclaimNode(_) => None,
        }
    }
}
