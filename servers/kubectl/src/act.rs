//! Acts: single requests and single waits, with everything they carry decided beforehand.

use runcord_model::PlanId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::actions::{Kind, WorkloadRef};
use crate::convert::{PLAN_MARK, RESTARTED_AT};
use crate::names::{Namespace, NodeName, ObjectName, PodName, Uid};
use crate::numbers::Span;
use crate::queues::QueueAct;
use crate::secrets::SecretAct;
use crate::seen::OwnerRef;
use crate::upkeep::UpkeepAct;
use crate::volumes::VolumeAct;

/// One mutation, or one wait for the world to follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// Changes one field of one object.
    Patch(Patch),
    /// Evicts one pod.
    Evict(Evict),
    /// Waits until evicted pods are gone and their workloads have recovered.
    AwaitEvicted(AwaitEvicted),
    /// Waits until a rollout is finished.
    AwaitRollout(AwaitRollout),
    /// An act of upkeep.
    Upkeep(UpkeepAct),
    /// An act of rotating a Secret.
    Secret(SecretAct),
    /// An act on volumes.
    Volume(VolumeAct),
    /// An act on a queue.
    Queue(QueueAct),
}

/// Changes one field of one object, if the object is still the one that was seen and the field still as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// The object.
    pub object: Object,
    /// Its uid.
    pub uid: Uid,
    /// The field, as it was and as it will be.
    pub touch: Touch,
    /// The plan, left in an annotation of the object.
    pub plan: PlanId,
    /// Whether the object, and for a restart its pod template, has annotations already.
    pub annotated: Annotated,
}

/// Which maps of annotations are there already: JSON Patch cannot add to one that is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotated {
    /// On the object.
    pub object: bool,
    /// On its pod template.
    pub template: bool,
}

/// An object that can be patched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Object {
    /// A node.
    Node(NodeName),
    /// A workload.
    Workload(WorkloadRef),
}

/// A field, as it was and as it will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "field", rename_all = "snake_case")]
pub enum Touch {
    /// `spec.unschedulable` of a node.
    Unschedulable {
        /// As it was.
        before: bool,
        /// As it will be.
        after: bool,
    },
    /// The restart annotation of a pod template.
    RestartedAt {
        /// As it was; none when it was not there.
        before: Option<String>,
        /// As it will be; none when it will not be there.
        after: Option<String>,
    },
    /// `spec.replicas` of a workload.
    Replicas {
        /// As it was.
        before: i64,
        /// As it will be.
        after: i64,
    },
}

/// Evicts one pod, if it is still the one that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evict {
    /// The node that is drained.
    pub node: NodeName,
    /// Its uid.
    pub node_uid: Uid,
    /// The pod's namespace.
    pub namespace: Namespace,
    /// The pod.
    pub pod: PodName,
    /// Its uid.
    pub uid: Uid,
    /// Its top-level controller, if it has one.
    pub owner: Option<OwnerRef>,
    /// The budgets that cover it.
    pub budgets: Vec<BudgetRef>,
    /// How long the drain may take.
    pub timeout: Span,
    /// Why it is evicted.
    #[serde(default)]
    pub cause: Cause,
}

/// Why a pod is evicted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its node is drained.
    #[default]
    Drain,
    /// It was named; its node stays as it is.
    Named,
}

/// A disruption budget.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BudgetRef {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// Its uid.
    pub uid: Uid,
}

/// Waits until evicted pods are gone and their workloads have recovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwaitEvicted {
    /// The node that is drained.
    pub node: NodeName,
    /// The pods.
    pub pods: Vec<PodRef>,
    /// Their workloads, and how many ready pods each should have again.
    pub workloads: Vec<Recovery>,
    /// How long the drain may take.
    pub timeout: Span,
}

/// One pod by uid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodRef {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: PodName,
    /// Its uid.
    pub uid: Uid,
}

/// How many ready pods a workload should have again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// The workload.
    pub workload: OwnerRef,
    /// Ready pods.
    pub ready: i64,
}

/// Waits until a rollout is finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwaitRollout {
    /// The workload.
    pub workload: WorkloadRef,
    /// Its uid.
    pub uid: Uid,
    /// How long it may take.
    pub timeout: Span,
}

impl Object {
    /// `Node n7`, `Deployment shop/web`.
    pub fn label(&self) -> String {
        match self {
            Self::Node(name) => format!("Node {name}"),
            Self::Workload(workload) => workload.to_string(),
        }
    }
}

impl Patch {
    /// The JSON Patch (RFC 6902): tests of the uid and of the touched field first, so that the API server does all or
    /// nothing.
    ///
    /// `test` with null holds when the field is not there, and only then: the API server's library takes a missing
    /// key for null as long as its parent exists (seen with 1.36: absent 200, present 422). So where the parent itself
    /// is missing, the parent is tested for null and added whole.
    pub fn operations(&self) -> Value {
        let mut operations = vec![json!({"op": "test", "path": "/metadata/uid", "value": self.uid})];
        operations.extend(self.touch_operations());
        operations.extend(set_annotation(
            "/metadata/annotations",
            PLAN_MARK,
            self.plan.as_str(),
            self.annotated.object,
        ));
        Value::Array(operations)
    }

    fn touch_operations(&self) -> Vec<Value> {
        match &self.touch {
            Touch::Unschedulable { before, after } => {
                // The API server leaves the field out when it is false.
                let was = if *before { json!(true) } else { Value::Null };
                vec![
                    json!({"op": "test", "path": "/spec/unschedulable", "value": was}),
                    json!({"op": "add", "path": "/spec/unschedulable", "value": after}),
                ]
            }
            Touch::Replicas { before, after } => vec![
                json!({"op": "test", "path": "/spec/replicas", "value": before}),
                json!({"op": "replace", "path": "/spec/replicas", "value": after}),
            ],
            Touch::RestartedAt { before, after } => {
                self.restart_operations(before.as_deref(), after.as_deref())
            }
        }
    }

    fn restart_operations(&self, before: Option<&str>, after: Option<&str>) -> Vec<Value> {
        const MAP: &str = "/spec/template/metadata/annotations";
        let at = format!("{MAP}/{}", escaped(RESTARTED_AT));
        let there = self.annotated.template || before.is_some();
        let unchanged = there.then(|| json!({"op": "test", "path": at, "value": before}));
        let change = match after {
            Some(after) => set_annotation(MAP, RESTARTED_AT, after, there),
            None => vec![json!({"op": "remove", "path": at})],
        };
        unchanged.into_iter().chain(change).collect()
    }
}

pub(crate) fn set_annotation(map: &str, key: &str, value: &str, there: bool) -> Vec<Value> {
    if there {
        vec![json!({"op": "add", "path": format!("{map}/{}", escaped(key)), "value": value})]
    } else {
        vec![
            json!({"op": "test", "path": map, "value": null}),
            json!({"op": "add", "path": map, "value": {key: value}}),
        ]
    }
}

/// A key as a part of a JSON pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

impl Act {
    /// One line for a person.
    pub fn describe(&self) -> String {
        match self {
            Self::Patch(patch) => describe_patch(patch),
            Self::Evict(evict) => format!("evict pod {}/{}", evict.namespace, evict.pod),
            Self::AwaitEvicted(wait) => match wait.pods.as_slice() {
                [one] => format!("wait until pod {}/{} is gone and replaced", one.namespace, one.name),
                more => format!("wait until {} pods of node {} are gone and replaced", more.len(), wait.node),
            },
            Self::AwaitRollout(wait) => format!("wait for the rollout of {}", wait.workload),
            Self::Upkeep(act) => act.describe(),
            Self::Secret(act) => act.describe(),
            Self::Volume(act) => act.describe(),
            Self::Queue(act) => act.describe(),
        }
    }

    /// How long the act may be deferred or waited for, in seconds.
    pub fn patience_seconds(&self) -> u64 {
        match self {
            // A patch is deferred only by an overloaded API server.
            Self::Patch(_) => 60,
            Self::Evict(evict) => evict.timeout.seconds(),
            Self::AwaitEvicted(wait) => wait.timeout.seconds(),
            Self::AwaitRollout(wait) => wait.timeout.seconds(),
            Self::Upkeep(act) => act.patience_seconds(),
            Self::Secret(act) => act.patience_seconds(),
            Self::Volume(act) => act.patience_seconds(),
            Self::Queue(act) => act.patience_seconds(),
        }
    }
}

fn describe_patch(patch: &Patch) -> String {
    let object = patch.object.label();
    match &patch.touch {
        Touch::Unschedulable { after: true, .. } => format!("cordon {object}"),
        Touch::Unschedulable { after: false, .. } => format!("uncordon {object}"),
        Touch::RestartedAt { .. } => format!("restart the pods of {object}"),
        Touch::Replicas { before, after } => format!("scale {object} from {before} to {after}"),
    }
}

impl Kind {
    /// Its resource in `apps/v1`.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Deployment => "deployments",
            Self::StatefulSet => "statefulsets",
            Self::DaemonSet => "daemonsets",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(touch: Touch, object: bool, template: bool) -> Value {
        let named = WorkloadRef {
            kind: Kind::Deployment,
            namespace: "shop".parse().unwrap(),
            name: "web".parse().unwrap(),
        };
        Patch {
            object: Object::Workload(named),
            uid: "u1".parse().unwrap(),
            touch,
            plan: PlanId::from_entropy([0; 16]),
            annotated: Annotated { object, template },
        }
        .operations()
    }

    #[test]
    fn every_patch_tests_the_uid_first_and_the_field_before_it_changes() {
        for touch in [
            Touch::Unschedulable { before: false, after: true },
            Touch::Replicas { before: 2, after: 3 },
            Touch::RestartedAt { before: None, after: Some("2026-01-01T00:00:00Z".into()) },
            Touch::RestartedAt { before: Some("x".into()), after: None },
        ] {
            for (object, template) in [(true, true), (false, true), (false, false)] {
                let operations = patch(touch.clone(), object, template);
                let ops = operations.as_array().unwrap();
                assert_eq!(ops[0], json!({"op": "test", "path": "/metadata/uid", "value": "u1"}));
                let changed = ops.iter().position(|o| o["op"] != "test").unwrap();
                assert!(changed >= 2, "the field is tested before it changes: {operations}");
            }
        }
    }

    #[test]
    fn an_absent_field_is_tested_as_null() {
        let operations = patch(Touch::Unschedulable { before: false, after: true }, true, true);
        assert_eq!(operations[1], json!({"op": "test", "path": "/spec/unschedulable", "value": null}));
    }

    #[test]
    fn a_missing_map_is_added_whole_and_only_while_it_is_missing() {
        let after = Some("2026-01-01T00:00:00Z".to_owned());
        let operations = patch(Touch::RestartedAt { before: None, after }, true, false);
        assert_eq!(
            operations[1],
            json!({"op": "test", "path": "/spec/template/metadata/annotations", "value": null})
        );
        assert_eq!(operations[2]["value"][RESTARTED_AT], "2026-01-01T00:00:00Z");
    }

    #[test]
    fn reverting_to_never_removes_the_annotation() {
        let operations = patch(Touch::RestartedAt { before: Some("x".into()), after: None }, true, true);
        let path = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt";
        assert_eq!(operations[1], json!({"op": "test", "path": path, "value": "x"}));
        assert_eq!(operations[2], json!({"op": "remove", "path": path}));
    }
}
