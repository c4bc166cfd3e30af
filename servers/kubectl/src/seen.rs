//! What a probe saw: slim, typed snapshots. Everything the pure functions know of a cluster is here.
//!
//! Names are typed, so they may be shown. Text that a cluster's users wrote freely (annotation values) is kept
//! only where a guard must compare it, and is never shown as it is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::actions::{Kind, WorkloadRef};
use crate::names::{KindName, Namespace, NodeName, ObjectName, PodName, RestartedAt, Uid, Zone};
use crate::queues::{QueueFocus, QueueSeen};
use crate::secrets::{SecretsFocus, SecretsSeen};
use crate::upkeep::{UpkeepFocus, UpkeepSeen};
use crate::volumes::{VolumeFocus, VolumeSeen};

/// What a probe saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// What the actions name.
    pub focus: Focus,
    /// All nodes.
    pub nodes: BTreeMap<NodeName, Node>,
    /// The pods on the nodes to be drained, daemons and mirrors included.
    pub pods: Vec<Pod>,
    /// The workloads named, and those that own the pods above.
    pub workloads: Vec<Workload>,
    /// The ready pods of each workload named: `(workload, uids)`.
    pub ready_pods: Vec<(OwnerRef, BTreeSet<Uid>)>,
    /// The disruption budgets that cover the pods above or the workloads named.
    pub budgets: Vec<Budget>,
    /// The Services of the namespaces concerned.
    pub services: Vec<Service>,
    /// The Ingresses of the namespaces concerned.
    pub ingresses: Vec<Ingress>,
    /// The autoscalers of the workloads named.
    pub autoscalers: Vec<Autoscaler>,
    /// What is used on nodes that evicted pods might move to: only as many as needed looking at.
    pub used: BTreeMap<NodeName, Amounts>,
    /// The resource quotas of the namespaces concerned that bound pods.
    #[serde(default)]
    pub quotas: Vec<Quota>,
    /// Revisions, CronJobs, Jobs and signs of life.
    #[serde(default)]
    pub upkeep: UpkeepSeen,
    /// Secrets to be rotated, and who uses them.
    #[serde(default)]
    pub secrets: SecretsSeen,
    /// Claims, and what decides whether they can grow.
    #[serde(default)]
    pub volumes: VolumeSeen,
    /// Queues.
    #[serde(default)]
    pub queues: QueueSeen,
}

/// What the actions name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Focus {
    /// Nodes, in the order of the actions.
    pub nodes: Vec<NodeName>,
    /// The nodes to be drained.
    pub drained: BTreeSet<NodeName>,
    /// Workloads, in the order of the actions.
    pub workloads: Vec<WorkloadRef>,
    /// What the actions of upkeep name.
    #[serde(default)]
    pub upkeep: UpkeepFocus,
    /// What the actions that rotate Secrets name.
    #[serde(default)]
    pub secrets: SecretsFocus,
    /// What the actions on volumes name.
    #[serde(default)]
    pub volumes: VolumeFocus,
    /// What the actions on queues name.
    #[serde(default)]
    pub queues: QueueFocus,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its uid.
    pub uid: Uid,
    /// Whether its kubelet reports it ready.
    pub ready: bool,
    /// `spec.unschedulable`.
    pub unschedulable: bool,
    /// Its zone.
    pub zone: Zone,
    /// The plan that last touched it, as our annotation says.
    pub mark: Option<String>,
    /// Whether it has annotations at all.
    pub annotated: bool,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its taints, the one for being unschedulable left out.
    pub taints: Vec<Taint>,
    /// What pods may use.
    pub allocatable: Amounts,
}

/// A taint that keeps pods away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value; empty when it has none.
    pub value: String,
    /// `NoSchedule` or `NoExecute`.
    pub effect: String,
}

/// Amounts of resources by name, in thousandths of the unit; `pods` among them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amounts(pub BTreeMap<String, i64>);

/// The top-level controller of a pod, such as its Deployment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OwnerRef {
    /// Its kind.
    pub kind: KindName,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// Its uid.
    pub uid: Uid,
}

impl OwnerRef {
    /// Whether both have the same kind, namespace and name; not always the same uid.
    pub fn same_name(&self, other: &Self) -> bool {
        (&self.kind, &self.namespace, &self.name) == (&other.kind, &other.namespace, &other.name)
    }
}

impl std::fmt::Display for OwnerRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// One pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pod {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: PodName,
    /// Its uid.
    pub uid: Uid,
    /// The node it is on.
    pub node: NodeName,
    /// Where it is in its life.
    pub phase: Phase,
    /// Whether it counts as ready.
    pub ready: bool,
    /// What keeps it alive.
    pub keeper: Keeper,
    /// Whether it has emptyDir volumes, whose data goes with it.
    pub empty_dir: bool,
    /// The budgets that cover it.
    pub budgets: BTreeSet<Uid>,
    /// What it needs to run somewhere else.
    pub needs: Needs,
    /// What another one like it counts as under quotas.
    #[serde(default)]
    pub charges: Charges,
}

impl Pod {
    /// Whether a drain evicts it: not the pods of a DaemonSet, mirror pods, or those already going.
    pub fn evictable(&self) -> bool {
        self.phase != Phase::Terminating
            && match self.keeper {
                Keeper::Owner(_) | Keeper::Nobody => true,
                Keeper::DaemonSet(_) | Keeper::Kubelet => false,
            }
    }

    /// Its top-level controller.
    pub fn owner(&self) -> Option<&OwnerRef> {
        match &self.keeper {
            Keeper::Owner(owner) | Keeper::DaemonSet(owner) => Some(owner),
            Keeper::Nobody | Keeper::Kubelet => None,
        }
    }

    /// `namespace/name`.
    pub fn label(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// Where a pod is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Not started yet.
    Pending,
    /// Running, or not known to be otherwise.
    Running,
    /// Succeeded or failed: it will not run again.
    Finished,
    /// Being deleted.
    Terminating,
}

/// What keeps a pod alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keeper {
    /// A controller that makes it anew elsewhere.
    Owner(OwnerRef),
    /// A DaemonSet, which would put it back on the same node.
    DaemonSet(OwnerRef),
    /// The kubelet: a mirror of a static pod.
    Kubelet,
    /// Nobody: once evicted it is gone.
    Nobody,
}

/// What a pod needs to run somewhere else.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Needs {
    /// What it asks for.
    pub requests: Amounts,
    /// Labels that the node must have.
    pub node_selector: BTreeMap<String, String>,
    /// Alternatives, one of which the node must satisfy; none when it does not matter.
    pub node_affinity: Option<Vec<NodeTerm>>,
    /// The taints it puts up with.
    pub tolerations: Vec<Toleration>,
    /// What only the scheduler can tell, in our words: `pod anti-affinity`, `volumes`.
    pub undetermined: BTreeSet<String>,
}

/// Requirements that a node must satisfy together. None at all match no node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeTerm {
    /// On its labels.
    pub labels: Vec<Requirement>,
    /// On its name.
    pub name: Vec<Requirement>,
}

/// One requirement on one label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt`, `Lt`.
    pub operator: String,
    /// The values.
    pub values: Vec<String>,
}

/// A taint that a pod puts up with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toleration {
    /// The key; none for all.
    pub key: Option<String>,
    /// `Exists` or `Equal`.
    pub operator: String,
    /// The value.
    pub value: String,
    /// The effect; none for all.
    pub effect: Option<String>,
}

/// One workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// What it is.
    pub id: OwnerRef,
    /// How many pods it has; none for a kind that we cannot count.
    pub counts: Option<Counts>,
    /// Its rollout, for the kinds that have one.
    pub rollout: Option<Rollout>,
    /// The budgets that cover its pods.
    pub budgets: BTreeSet<Uid>,
    /// What a new pod of its template counts as under quotas. Only for the workloads named.
    #[serde(default)]
    pub charges: Charges,
}

impl Workload {
    /// Whether it is the one named.
    pub fn is(&self, named: &WorkloadRef) -> bool {
        self.id.kind.as_str() == named.kind.as_str()
            && self.id.namespace == named.namespace
            && self.id.name == named.name
    }
}

/// How many pods a workload has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Wanted.
    pub replicas: i64,
    /// There, of whatever revision.
    pub total: i64,
    /// Ready.
    pub ready: i64,
    /// Of the newest revision.
    pub updated: i64,
    /// Ready for long enough.
    pub available: i64,
}

/// How a workload replaces its pods, and how far it is with that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// Its kind.
    pub kind: Kind,
    /// How it replaces its pods.
    pub strategy: Strategy,
    /// Whether its controller has seen its newest specification.
    pub observed: bool,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether its controller gave up waiting for progress.
    pub stalled: bool,
    /// The restart annotation of its template, as it is. Free text: compared, never shown.
    pub restarted_at: Option<String>,
    /// Whether its template has annotations at all.
    pub template_annotated: bool,
    /// The plan that last touched it, as our annotation says.
    pub mark: Option<String>,
    /// Whether it has annotations at all.
    pub annotated: bool,
    /// Whether its pods have emptyDir volumes.
    pub empty_dir: bool,
    /// Volume claims deleted with each pod that is scaled away.
    pub claims_deleted: i64,
}

impl Rollout {
    /// The restart time, when it is one.
    pub fn restart_time(&self) -> Option<RestartedAt> {
        RestartedAt::try_from(self.restarted_at.clone().unwrap_or_default()).ok()
    }
}

/// How a workload replaces its pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strategy {
    /// A few at a time.
    Rolling {
        /// So many may be unavailable.
        unavailable: i64,
        /// So many may be there in addition.
        surge: i64,
    },
    /// All at once.
    Recreate,
    /// Only when somebody deletes a pod.
    OnDelete,
    /// Only the pods from that ordinal on.
    Partitioned {
        /// The first ordinal that is replaced.
        from: i64,
    },
}

/// One disruption budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// Its uid.
    pub uid: Uid,
    /// Disruptions allowed now; 0 while its controller has not seen its newest specification.
    pub allowed: i64,
    /// Healthy pods now.
    pub healthy: i64,
    /// Healthy pods needed.
    pub desired: i64,
    /// Pods that it counts on.
    pub expected: i64,
    /// What it asks for.
    pub rule: BudgetRule,
    /// Whether pods that are not ready may always be evicted.
    pub unhealthy_always: bool,
}

/// What a disruption budget asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BudgetRule {
    /// So many must stay.
    MinAvailable(Share),
    /// So many may go.
    MaxUnavailable(Share),
}

/// A number of pods or a percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Share {
    /// Pods.
    Count(i64),
    /// Percent.
    Percent(i64),
}

/// One resource quota, as far as it bounds pods and what a rollout makes for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// Its uid.
    pub uid: Uid,
    /// What may be used in all, by the names that quotas have for it: `pods`, `requests.cpu`.
    pub hard: Amounts,
    /// What is used now, by the same names. What its controller has not counted yet is not there.
    pub used: Amounts,
}

/// What one new pod counts as under the quotas of its namespace; nothing where none covers it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charges {
    /// One for each quota that covers it.
    pub each: Vec<Charge>,
    /// The quotas of which only the API server can tell whether they cover it, and how much they have left.
    pub unclear: BTreeSet<ObjectName>,
}

/// What one new pod counts as under one quota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The quota.
    pub quota: Uid,
    /// What it adds to what is used.
    pub amounts: Amounts,
    /// What the quota asks every container to say and one of them does not: such a pod is never let in.
    pub unsaid: BTreeSet<String>,
}

/// One Service and the pods behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// The pods that are its ready endpoints.
    pub ready: BTreeSet<Uid>,
    /// Ready endpoints that are no pods; these cannot be lost here.
    pub elsewhere: i64,
}

/// One Ingress and the Services it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ingress {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// The Services that it sends to, of its own namespace.
    pub services: BTreeSet<ObjectName>,
}

/// One horizontal autoscaler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Autoscaler {
    /// Its name.
    pub name: ObjectName,
    /// What it scales.
    pub target: WorkloadRef,
}

impl Seen {
    /// The workload named.
    pub fn workload(&self, named: &WorkloadRef) -> Option<&Workload> {
        self.workloads.iter().find(|w| w.is(named))
    }

    /// The workload of that uid.
    pub fn workload_by_uid(&self, uid: &Uid) -> Option<&Workload> {
        self.workloads.iter().find(|w| w.id.uid == *uid)
    }

    /// The budget of that uid.
    pub fn budget(&self, uid: &Uid) -> Option<&Budget> {
        self.budgets.iter().find(|b| b.uid == *uid)
    }

    /// Whether a workload is named, or restarted with a Secret that it uses.
    pub fn is_changed(&self, workload: &Workload) -> bool {
        self.focus.workloads.iter().any(|named| workload.is(named)) || self.secrets.is_consumer(&workload.id)
    }

    /// The quota of that uid.
    pub fn quota(&self, uid: &Uid) -> Option<&Quota> {
        self.quotas.iter().find(|q| q.uid == *uid)
    }

    /// Whether a pod is named by itself.
    pub fn is_named(&self, pod: &Pod) -> bool {
        self.focus
            .upkeep
            .pods
            .iter()
            .any(|(namespace, name)| pod.namespace == *namespace && pod.name == *name)
    }

    /// The pods that draining `node` would evict.
    pub fn evictable<'a>(&'a self, node: &'a NodeName) -> impl Iterator<Item = &'a Pod> {
        self.pods.iter().filter(move |pod| pod.node == *node && pod.evictable())
    }
}
