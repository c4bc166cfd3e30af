//! The actions of this server, typed: what a filled-in step must be before anything looks at a cluster.

use runcord_model::action::{BadStep, Scopes, StepCall, read_fields};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::consumers::SourceKind;
use crate::exec::{ARGV_RULE, Argv, Limit};
use crate::names::{
    ContainerName, DataKey, KindName, Literal, Namespace, NodeName, ObjectName, PageCursor, PodName,
    RestartedAt,
};
use crate::numbers::{Batch, Replicas, Span, Tail, ValueLength, VersionNumber};
use crate::queues::QueueAction;
use crate::secrets::SecretAction;
use crate::secrets::fields::DataKeys;
use crate::upkeep::UpkeepAction;
use crate::upkeep::numbers::{Age, JobCount, Revision};
use crate::volumes::VolumeAction;
use crate::volumes::size::{GrowthPercent, Size};

/// A typed step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Makes a node unschedulable.
    Cordon(OnNode),
    /// Makes a node schedulable again.
    Uncordon(OnNode),
    /// Evicts the pods of a cordoned node.
    Drain(Drain),
    /// Replaces the pods of a workload, as its own update strategy says.
    Restart(Restart),
    /// Puts a workload's restart time back to what it was: its pods are replaced once more.
    RevertRestart(RevertRestart),
    /// Changes how many replicas a workload has.
    Scale(Scale),
    /// Looks at a workload, its pods and its recent warnings.
    WorkloadStatus(WorkloadRef),
    /// Reads a pod's log.
    PodLogs(PodLogs),
    /// Looks at a node, its pods and its recent warnings.
    NodeStatus(OnNode),
    /// Lists the revisions of a workload.
    RolloutHistory(WorkloadRef),
    /// Reads the recent events of a namespace or of one object.
    RecentEvents(RecentEvents),
    /// Rolling back, evicting one pod, suspending, cleaning up, letting go of a dead node.
    Upkeep(UpkeepAction),
    /// Rotating a Secret, and going back.
    Secret(SecretAction),
    /// Looks for everybody who uses a Secret, a ConfigMap or a volume claim.
    FindConsumers(FindConsumers),
    /// Letting a volume grow.
    Volume(VolumeAction),
    /// Purging a queue.
    Queue(QueueAction),
}

/// A kind of workload that has a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum Kind {
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` DaemonSet.
    DaemonSet,
}

/// A kind of workload that has a number of replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum ScalableKind {
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` StatefulSet.
    StatefulSet,
}

/// `cordon` and `uncordon`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnNode {
    /// The node.
    pub node: NodeName,
}

/// `drain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// The node; it must be unschedulable by the time it is drained.
    pub node: NodeName,
    /// How many pods are evicted together; 1 unless given.
    #[serde(default = "one")]
    pub batch: Batch,
    /// How long the whole drain may take.
    pub timeout: Span,
}

/// `restart`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// The workload's kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// How long the rollout may take; 10m unless given.
    #[serde(default = "ten_minutes")]
    pub timeout: Span,
}

/// `revert_restart`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevertRestart {
    /// The workload's kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// The restart time to put back; empty removes it.
    pub restarted_at: RestartedAt,
    /// How long the rollout may take; 10m unless given.
    #[serde(default = "ten_minutes")]
    pub timeout: Span,
}

/// `scale`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// The workload's kind.
    pub kind: ScalableKind,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// How many replicas it should have.
    pub replicas: Replicas,
    /// How long the rollout may take; 10m unless given.
    #[serde(default = "ten_minutes")]
    pub timeout: Span,
}

/// A workload with a rollout, by name; also `workload_status`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkloadRef {
    /// The workload's kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
}

/// `pod_logs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PodLogs {
    /// The pod's namespace.
    pub namespace: Namespace,
    /// The pod.
    pub pod: PodName,
    /// The container; may be left out when the pod has only one.
    #[serde(default)]
    pub container: Option<ContainerName>,
    /// Only lines younger than this.
    #[serde(default)]
    pub since: Option<Span>,
    /// How many of the newest lines are read, before filtering; 100 unless given.
    #[serde(default = "screenful")]
    pub tail: Tail,
    /// Only lines that hold this text, literally.
    #[serde(default)]
    pub contains: Option<Literal>,
    /// The `next_page` of the page before.
    #[serde(default)]
    pub page: Option<PageCursor>,
}

/// `recent_events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecentEvents {
    /// The namespace.
    pub namespace: Namespace,
    /// Only events about objects of this kind.
    #[serde(default)]
    pub object_kind: Option<KindName>,
    /// Only events about objects of this name.
    #[serde(default)]
    pub object_name: Option<ObjectName>,
    /// Which are shown; all unless given.
    #[serde(default)]
    pub show: EventsShown,
    /// The `next_page` of the page before.
    #[serde(default)]
    pub page: Option<PageCursor>,
}

/// `find_consumers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindConsumers {
    /// What is used.
    pub source: SourceKind,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
}

/// Which events are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum EventsShown {
    /// All, warnings first.
    #[default]
    All,
    /// Only warnings.
    Warnings,
}

fn one() -> Batch {
    Batch::ONE
}

fn ten_minutes() -> Span {
    Span::TEN_MINUTES
}

fn screenful() -> Tail {
    Tail::DEFAULT
}

impl Kind {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
        }
    }
}

impl From<ScalableKind> for Kind {
    fn from(kind: ScalableKind) -> Self {
        match kind {
            ScalableKind::Deployment => Self::Deployment,
            ScalableKind::StatefulSet => Self::StatefulSet,
        }
    }
}

impl std::fmt::Display for WorkloadRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind.as_str(), self.namespace, self.name)
    }
}

impl Action {
    /// Reads a filled-in step.
    ///
    /// # Errors
    /// Names the field at fault and its rule, never the text that broke it.
    pub fn read(call: &StepCall) -> Result<Self, BadStep> {
        let with = &call.with;
        match call.action.as_str() {
            "cordon" => fields(with).map(Self::Cordon),
            "uncordon" => fields(with).map(Self::Uncordon),
            "drain" => fields(with).map(Self::Drain),
            "restart" => fields(with).map(Self::Restart),
            "revert_restart" => fields(with).map(Self::RevertRestart),
            "scale" => fields(with).map(Self::Scale),
            "workload_status" => fields(with).map(Self::WorkloadStatus),
            "pod_logs" => fields(with).map(Self::PodLogs),
            "node_status" => fields(with).map(Self::NodeStatus),
            "rollout_history" => fields(with).map(Self::RolloutHistory),
            "recent_events" => fields(with).map(Self::RecentEvents),
            "roll_back" => fields(with).map(|it| Self::Upkeep(UpkeepAction::RollBack(it))),
            "evict_pod" => fields(with).map(|it| Self::Upkeep(UpkeepAction::EvictPod(it))),
            "suspend_cronjob" => fields(with).map(|it| Self::Upkeep(UpkeepAction::SuspendCronJob(it))),
            "clean_jobs" => fields(with).map(|it| Self::Upkeep(UpkeepAction::CleanJobs(it))),
            "release_node" => fields(with).map(|it| Self::Upkeep(UpkeepAction::ReleaseNode(it))),
            "reclaim_node" => fields(with).map(|it| Self::Upkeep(UpkeepAction::ReclaimNode(it))),
            "rotate_secret" => fields(with).map(|it| Self::Secret(SecretAction::Rotate(it))),
            "restore_secret" => fields(with).map(|it| Self::Secret(SecretAction::Restore(it))),
            "rotate_taught_secret" => fields(with).map(|it| Self::Secret(SecretAction::RotateTaught(it))),
            "restore_taught_secret" => fields(with).map(|it| Self::Secret(SecretAction::RestoreTaught(it))),
            "find_consumers" => fields(with).map(Self::FindConsumers),
            "grow_claim" => fields(with).map(|it| Self::Volume(VolumeAction::GrowClaim(it))),
            "purge_queue" => fields(with).map(|it| Self::Queue(QueueAction::Purge(it))),
            _ => Err(BadStep { field: "action".to_owned(), rule: "not an action of kubectl".to_owned() }),
        }
    }

    /// What the action names, before anything is looked at.
    pub fn scopes(&self) -> Scopes {
        let mut scopes = Scopes::default();
        if let Some(node) = self.node() {
            scopes.nodes.insert(node.to_string());
        }
        if let Some(workload) = self.workload() {
            scopes.namespaces.insert(workload.namespace.to_string());
        }
        if let Self::PodLogs(logs) = self {
            scopes.namespaces.insert(logs.namespace.to_string());
        }
        if let Self::RecentEvents(events) = self {
            scopes.namespaces.insert(events.namespace.to_string());
        }
        if let Self::Secret(secret) = self {
            scopes.namespaces.insert(secret.namespace().to_string());
        }
        if let Self::FindConsumers(find) = self {
            scopes.namespaces.insert(find.namespace.to_string());
        }
        if let Self::Upkeep(upkeep) = self {
            scopes.namespaces.extend(upkeep.namespace().map(ToString::to_string));
        }
        if let Self::Volume(volume) = self {
            scopes.namespaces.insert(volume.namespace().to_string());
        }
        if let Self::Queue(queue) = self {
            scopes.namespaces.insert(queue.namespace().to_string());
        }
        scopes
    }

    /// The node it names.
    pub fn node(&self) -> Option<&NodeName> {
        match self {
            Self::Cordon(on) | Self::Uncordon(on) | Self::NodeStatus(on) => Some(&on.node),
            Self::Drain(drain) => Some(&drain.node),
            Self::Upkeep(upkeep) => upkeep.node(),
            Self::Restart(_)
            | Self::RevertRestart(_)
            | Self::Scale(_)
            | Self::WorkloadStatus(_)
            | Self::PodLogs(_)
            | Self::RolloutHistory(_)
            | Self::RecentEvents(_)
            | Self::Secret(_)
            | Self::FindConsumers(_)
            | Self::Volume(_) => None,
            Self::Queue(_) => None,
        }
    }

    /// The workload it names.
    pub fn workload(&self) -> Option<WorkloadRef> {
        let named = |kind, namespace: &Namespace, name: &ObjectName| {
            Some(WorkloadRef { kind, namespace: namespace.clone(), name: name.clone() })
        };
        match self {
            Self::Restart(it) => named(it.kind, &it.namespace, &it.name),
            Self::RevertRestart(it) => named(it.kind, &it.namespace, &it.name),
            Self::Scale(it) => named(it.kind.into(), &it.namespace, &it.name),
            Self::WorkloadStatus(it) | Self::RolloutHistory(it) => Some(it.clone()),
            Self::Upkeep(upkeep) => upkeep.workload(),
            Self::Cordon(_)
            | Self::Uncordon(_)
            | Self::Drain(_)
            | Self::PodLogs(_)
            | Self::NodeStatus(_)
            | Self::RecentEvents(_)
            | Self::Secret(_)
            | Self::FindConsumers(_)
            | Self::Volume(_) => None,
            Self::Queue(_) => None,
        }
    }
}

fn fields<T: DeserializeOwned + JsonSchema>(with: &Map<String, Value>) -> Result<T, BadStep> {
    // Where every field is right by itself it is the kind, which is narrower for some actions.
    read_fields(with, &probe_field, ("kind", KINDS))
}

const KINDS: &str = "must be Deployment, StatefulSet or, except for scale, DaemonSet";

/// Reads one field by itself; fields of one name have one type in all actions.
fn probe_field(name: &str, value: &Value) -> Result<(), String> {
    fn is<T: DeserializeOwned>(value: &Value, rule: &str) -> Result<(), String> {
        T::deserialize(value.clone()).map(|_| ()).map_err(|_| format!("must be {rule}"))
    }
    const SUBDOMAIN: &str = "an RFC 1123 subdomain: a-z, 0-9, `-` and `.`, at most 253 characters";
    const LABEL: &str = "an RFC 1123 label: a-z, 0-9 and `-`, at most 63 characters";
    match name {
        "node" => is::<NodeName>(value, SUBDOMAIN),
        "name" => is::<ObjectName>(value, SUBDOMAIN),
        "pod" => is::<PodName>(value, SUBDOMAIN),
        "namespace" => is::<Namespace>(value, LABEL),
        "container" => is::<ContainerName>(value, LABEL),
        "kind" => is::<Kind>(value, "").map_err(|_| KINDS.to_owned()),
        "batch" => is::<Batch>(value, "a whole number from 1 to 10"),
        "replicas" => is::<Replicas>(value, "a whole number from 0 to 1000"),
        "tail" => is::<Tail>(value, "a whole number from 1 to 1000"),
        "timeout" | "since" => is::<Span>(value, "a duration from 1s to 24h such as `90s`, `15m` or `1h30m`"),
        "restarted_at" => is::<RestartedAt>(value, "an RFC 3339 time, or empty for never"),
        "contains" => is::<Literal>(value, "1 to 200 characters without control characters"),
        "object_kind" => is::<KindName>(
            value,
            "a kind: letters and digits, beginning with a capital, at most 63 characters",
        ),
        "object_name" => is::<ObjectName>(value, SUBDOMAIN),
        "show" => is::<EventsShown>(value, "all or warnings"),
        "revision" => is::<Revision>(value, "a whole number from 1"),
        "older_than" => is::<Age>(value, "a duration from 1m to 8760h such as `90m` or `24h`"),
        "at_most" => is::<JobCount>(value, "a whole number from 1 to 100"),
        "cron_job" => is::<ObjectName>(value, SUBDOMAIN),
        "suspend" => is::<bool>(value, "true or false"),
        "source" => is::<SourceKind>(value, "Secret, ConfigMap or PersistentVolumeClaim"),
        "keys" => is::<DataKeys>(
            value,
            "a list of 1 to 10 keys: letters, digits, `-`, `_` and `.`, at most 253 characters each",
        ),
        "key" => is::<DataKey>(value, "a key: letters, digits, `-`, `_` and `.`, at most 253 characters"),
        "not_undone" => is::<Literal>(value, "1 to 200 characters without control characters"),
        "length" => is::<ValueLength>(value, "a whole number from 16 to 128"),
        "version" => is::<VersionNumber>(value, "a whole number from 1"),
        "size" => {
            is::<Size>(value, "a whole number of bytes such as `20Gi`, `500G` or `1.5Ti`, one byte at least")
        }
        "at_most_percent" => is::<GrowthPercent>(value, "a whole number from 101 to 1000"),
        "preview" | "purge" | "teach" | "test" => is::<Argv>(value, ARGV_RULE),
        "limit" => is::<Limit>(value, "a duration from 1s to 10m such as `30s` or `5m`"),
        "size_at_most" => is::<crate::queues::seen::Size>(value, "a whole number from 0 to 999999999999999"),
        "page" => is::<PageCursor>(value, "the `next_page` of the page before"),
        _ => Err("must be of its type".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(action: &str, with: Value) -> Result<Action, BadStep> {
        let with = with.as_object().cloned().unwrap();
        Action::read(&StepCall { id: "s".into(), action: action.into(), with })
    }

    #[test]
    fn actions_are_read_and_written_back() {
        for (action, with) in [
            ("cordon", json!({"node": "n7"})),
            ("drain", json!({"node": "n7", "batch": 2, "timeout": "15m"})),
            ("restart", json!({"kind": "DaemonSet", "namespace": "shop", "name": "web"})),
            ("scale", json!({"kind": "Deployment", "namespace": "shop", "name": "web", "replicas": 3})),
            (
                "revert_restart",
                json!({"kind": "Deployment", "namespace": "shop", "name": "web", "restarted_at": ""}),
            ),
            ("pod_logs", json!({"namespace": "shop", "pod": "web-1", "since": null, "container": null})),
        ] {
            let read = read(action, with).unwrap();
            let back: Action = serde_json::from_value(serde_json::to_value(&read).unwrap()).unwrap();
            assert_eq!(read, back);
        }
    }

    #[test]
    fn a_bad_step_names_the_field_and_never_the_text() {
        let workload = |extra: Value| {
            let mut with = json!({"kind": "Deployment", "namespace": "shop", "name": "web", "replicas": 1});
            for (k, v) in extra.as_object().unwrap() {
                with[k] = v.clone();
            }
            with
        };
        for (action, with, field) in [
            ("drain", json!({"node": "n7"}), "timeout"),
            ("drain", json!({"node": "EVIL;rm", "timeout": "1m"}), "node"),
            ("drain", json!({"node": "n7", "timeout": "EVIL"}), "timeout"),
            ("drain", json!({"node": "n7", "timeout": "1m", "batch": 11}), "batch"),
            ("drain", json!({"node": "n7", "timeout": "1m", "force": true}), "force"),
            ("scale", workload(json!({"kind": "DaemonSet"})), "kind"),
            ("scale", workload(json!({"name": ""})), "name"),
            ("scale", workload(json!({"replicas": 1001})), "replicas"),
            ("scale", workload(json!({"replicas": "EVIL"})), "replicas"),
            ("exec", json!({}), "action"),
        ] {
            let bad = read(action, with).unwrap_err();
            assert_eq!(bad.field, field);
            assert!(!bad.to_string().contains("EVIL"), "{bad}");
        }
    }

    #[test]
    fn an_empty_name_never_means_all() {
        assert_eq!(
            read("restart", json!({"kind": "Deployment", "namespace": "shop", "name": ""}))
                .unwrap_err()
                .field,
            "name"
        );
    }

    #[test]
    fn scopes_hold_what_is_named() {
        let drain = read("drain", json!({"node": "n7", "timeout": "1m"})).unwrap().scopes();
        assert!(drain.nodes.contains("n7") && drain.namespaces.is_empty());
        let logs = read("pod_logs", json!({"namespace": "shop", "pod": "web-1"})).unwrap().scopes();
        assert!(logs.namespaces.contains("shop") && logs.nodes.is_empty());
        let events = read("recent_events", json!({"namespace": "shop"})).unwrap().scopes();
        assert!(events.namespaces.contains("shop"), "policy must know whose events are read");
        let node = read("node_status", json!({"node": "n7"})).unwrap().scopes();
        assert!(node.nodes.contains("n7"), "policy must know which node is looked at");
    }
}
