//! The acts: single requests and single waits, with everything they carry decided beforehand.

use runcord_model::PlanId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::seen::{Condition, NO_EXECUTE, OUT_OF_SERVICE, SHUTDOWN};
use crate::act::{PodRef, set_annotation};
use crate::actions::WorkloadRef;
use crate::convert::PLAN_MARK;
use crate::names::{Namespace, NodeName, ObjectName, Uid};
use crate::numbers::Span;
use crate::seen::OwnerRef;

/// One mutation or one wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "upkeep", rename_all = "snake_case")]
pub enum UpkeepAct {
    /// Puts the pod template of a kept revision back.
    RollBack(PutBack),
    /// Suspends a CronJob, or lets it go on.
    Suspend(Suspend),
    /// Deletes one finished Job, and what it owns before it.
    Delete(DeleteJob),
    /// Waits until deleted Jobs are gone.
    AwaitDeleted(AwaitDeleted),
    /// Sets or removes the out-of-service taint of a node.
    Service(Service),
    /// Waits until the pods of a released node are gone.
    AwaitLetGo(AwaitLetGo),
}

/// Puts the pod template of a kept revision back. The template itself, which may hold what is nobody's business, is not
/// kept here: its masked digest is, and it is read again when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutBack {
    /// The workload.
    pub workload: WorkloadRef,
    /// Its uid.
    pub uid: Uid,
    /// The masked digest of its pod template as it was.
    pub before: String,
    /// The number of the revision that it has now.
    pub from: i64,
    /// The number of the revision that is put back.
    pub to: i64,
    /// The object that keeps that revision.
    pub kept: ObjectName,
    /// That object's uid.
    pub kept_uid: Uid,
    /// The masked digest of the pod template that is put back.
    pub after: String,
    /// The images of the containers that change: `(container, before, after)`. Free text.
    pub images: Vec<(String, String, String)>,
    /// The plan, left in an annotation of the workload.
    pub plan: PlanId,
}

/// Suspends a CronJob, or lets it go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspend {
    /// The CronJob.
    pub cron_job: OwnerRef,
    /// Whether it was suspended.
    pub before: bool,
    /// Whether it will be.
    pub after: bool,
    /// The plan, left in an annotation.
    pub plan: PlanId,
    /// Whether it has annotations already.
    pub annotated: bool,
}

/// Deletes one finished Job in the foreground: the API server keeps the Job until all that it owns is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteJob {
    /// The Job.
    pub job: OwnerRef,
    /// How many objects go with it.
    pub owned: i64,
}

/// Waits until deleted Jobs are gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwaitDeleted {
    /// The Jobs.
    pub jobs: Vec<OwnerRef>,
    /// How long it may take.
    pub timeout: Span,
}

/// Sets or removes the out-of-service taint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The node.
    pub node: NodeName,
    /// Its uid.
    pub uid: Uid,
    /// What is done.
    pub change: ServiceChange,
    /// The key and effect of its taints as they are, in order.
    pub taints: Vec<(String, String)>,
    /// The plan, left in an annotation.
    pub plan: PlanId,
    /// Whether it has annotations already.
    pub annotated: bool,
}

/// What is done to the out-of-service taint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceChange {
    /// It is set, if the node's `Ready` condition, which stands at this place, is still what it was.
    Release {
        /// The place in the list of conditions.
        at: usize,
        /// What it was; never *true*.
        ready: Condition,
    },
    /// It is removed from this place in the list of taints.
    Reclaim {
        /// The place.
        at: usize,
    },
}

/// Waits until the pods of a released node are gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwaitLetGo {
    /// The node.
    pub node: NodeName,
    /// The pods that do not stay on a node out of service.
    pub pods: Vec<PodRef>,
    /// How long it may take.
    pub timeout: Span,
}

impl Suspend {
    /// The JSON Patch: tests of the uid and of the field first.
    pub fn operations(&self) -> Value {
        let mut operations = vec![
            json!({"op": "test", "path": "/metadata/uid", "value": self.cron_job.uid}),
            json!({"op": "test", "path": "/spec/suspend", "value": self.before}),
            json!({"op": "replace", "path": "/spec/suspend", "value": self.after}),
        ];
        operations.extend(set_annotation(
            "/metadata/annotations",
            PLAN_MARK,
            self.plan.as_str(),
            self.annotated,
        ));
        Value::Array(operations)
    }
}

impl Service {
    /// The JSON Patch: tests of the uid, of the node's condition and of every taint first. That the taint is not there
    /// twice, the API server checks: no two taints share key and effect.
    pub fn operations(&self) -> Value {
        let test = |path: String, value: Value| json!({"op": "test", "path": path, "value": value});
        let mut operations = vec![test("/metadata/uid".to_owned(), json!(self.uid))];
        if let ServiceChange::Release { at, ready } = self.change {
            operations.push(test(format!("/status/conditions/{at}/type"), json!("Ready")));
            operations.push(test(format!("/status/conditions/{at}/status"), json!(ready.as_str())));
        }
        for (i, (key, effect)) in self.taints.iter().enumerate() {
            operations.push(test(format!("/spec/taints/{i}/key"), json!(key)));
            operations.push(test(format!("/spec/taints/{i}/effect"), json!(effect)));
        }
        let taint = json!({"key": OUT_OF_SERVICE, "value": SHUTDOWN, "effect": NO_EXECUTE});
        match self.change {
            ServiceChange::Release { .. } if self.taints.is_empty() => {
                operations.push(test("/spec/taints".to_owned(), Value::Null));
                operations.push(json!({"op": "add", "path": "/spec/taints", "value": [taint]}));
            }
            ServiceChange::Release { .. } => {
                operations.push(json!({"op": "add", "path": "/spec/taints/-", "value": taint}));
            }
            ServiceChange::Reclaim { at } => {
                operations.push(json!({"op": "remove", "path": format!("/spec/taints/{at}")}));
            }
        }
        operations.extend(set_annotation(
            "/metadata/annotations",
            PLAN_MARK,
            self.plan.as_str(),
            self.annotated,
        ));
        Value::Array(operations)
    }
}

impl PutBack {
    /// The JSON Patch, with the workload's generation as it was read a moment ago: nothing of its specification has
    /// changed since then.
    pub fn operations(&self, generation: i64, template: &Value, annotated: Annotations) -> Value {
        let mut operations = vec![
            json!({"op": "test", "path": "/metadata/uid", "value": self.uid}),
            json!({"op": "test", "path": "/metadata/generation", "value": generation}),
            json!({"op": "replace", "path": "/spec/template", "value": template}),
        ];
        let there = match annotated {
            Annotations::There => true,
            Annotations::Missing => false,
        };
        operations.extend(set_annotation("/metadata/annotations", PLAN_MARK, self.plan.as_str(), there));
        Value::Array(operations)
    }
}

/// Whether an object has annotations: JSON Patch cannot add to a map that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Annotations {
    /// It has.
    There,
    /// It has none.
    Missing,
}

impl UpkeepAct {
    /// One line for a person.
    pub fn describe(&self) -> String {
        match self {
            Self::RollBack(it) => {
                format!("roll {} back from revision {} to {}", it.workload, it.from, it.to)
            }
            Self::Suspend(it) if it.after => format!("suspend {}", it.cron_job),
            Self::Suspend(it) => format!("let {} go on", it.cron_job),
            Self::Delete(it) => match it.owned {
                0 => format!("delete {}", it.job),
                n => format!("delete {} and {n} {} that it owns", it.job, objects(n)),
            },
            Self::AwaitDeleted(it) => match it.jobs.as_slice() {
                [one] => format!("wait until {one} is gone"),
                more => format!("wait until {} Jobs are gone", more.len()),
            },
            Self::Service(it) => match it.change {
                ServiceChange::Release { .. } => format!("declare Node {} out of service", it.node),
                ServiceChange::Reclaim { .. } => format!("take Node {} back into service", it.node),
            },
            Self::AwaitLetGo(it) => format!("wait until {} pods of node {} are gone", it.pods.len(), it.node),
        }
    }

    /// Whether it waits.
    pub fn waits(&self) -> bool {
        match self {
            Self::AwaitDeleted(_) | Self::AwaitLetGo(_) => true,
            Self::RollBack(_) | Self::Suspend(_) | Self::Delete(_) | Self::Service(_) => false,
        }
    }

    /// How long it may be deferred or waited for, in seconds.
    pub fn patience_seconds(&self) -> u64 {
        match self {
            Self::AwaitDeleted(it) => it.timeout.seconds(),
            Self::AwaitLetGo(it) => it.timeout.seconds(),
            Self::RollBack(_) | Self::Suspend(_) | Self::Delete(_) | Self::Service(_) => 60,
        }
    }

    /// What must be *equal* at apply.
    pub fn canonical(&self) -> Option<Value> {
        match self {
            Self::RollBack(it) => Some(json!({
                "roll_back": it.workload.to_string(), "uid": it.uid, "before": it.before, "after": it.after,
                "to": it.to, "kept": it.kept_uid,
            })),
            Self::Suspend(it) => Some(json!({
                "cron_job": it.cron_job.to_string(), "uid": it.cron_job.uid, "before": it.before, "after": it.after,
            })),
            Self::Delete(it) => Some(json!({"delete": it.job.to_string(), "uid": it.job.uid})),
            Self::Service(it) => Some(json!({
                "node": it.node, "uid": it.uid,
                "service": match it.change {
                    ServiceChange::Release { .. } => "released",
                    ServiceChange::Reclaim { .. } => "reclaimed",
                },
            })),
            Self::AwaitDeleted(_) | Self::AwaitLetGo(_) => None,
        }
    }

    /// The namespace it touches.
    pub fn namespace(&self) -> Option<&Namespace> {
        match self {
            Self::RollBack(it) => Some(&it.workload.namespace),
            Self::Suspend(it) => Some(&it.cron_job.namespace),
            Self::Delete(it) => Some(&it.job.namespace),
            Self::AwaitDeleted(_) | Self::Service(_) | Self::AwaitLetGo(_) => None,
        }
    }

    /// The node it touches.
    pub fn node(&self) -> Option<&NodeName> {
        match self {
            Self::Service(it) => Some(&it.node),
            Self::AwaitLetGo(it) => Some(&it.node),
            Self::RollBack(_) | Self::Suspend(_) | Self::Delete(_) | Self::AwaitDeleted(_) => None,
        }
    }
}

fn objects(n: i64) -> &'static str {
    if n == 1 { "object" } else { "objects" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{fixed, owner, uid};

    fn release(taints: &[(&str, &str)]) -> Service {
        Service {
            node: "n1".parse().unwrap(),
            uid: uid("node-n1"),
            change: ServiceChange::Release { at: 3, ready: Condition::Unknown },
            taints: taints.iter().map(|(k, e)| ((*k).to_owned(), (*e).to_owned())).collect(),
            plan: fixed().plan,
            annotated: true,
        }
    }

    /// Each write holds only while the object is the one that was seen and the field as it was.
    #[test]
    fn every_patch_tests_before_it_changes() {
        let suspend = Suspend {
            cron_job: owner("CronJob", "nightly"),
            before: false,
            after: true,
            plan: fixed().plan,
            annotated: false,
        };
        let service = release(&[("a", "NoSchedule")]);
        for (operations, least) in [(suspend.operations(), 2), (service.operations(), 5)] {
            let ops = operations.as_array().unwrap();
            assert_eq!((&ops[0]["op"], &ops[0]["path"]), (&json!("test"), &json!("/metadata/uid")));
            assert_eq!(ops.iter().position(|o| o["op"] != "test"), Some(least), "{operations}");
        }
    }

    #[test]
    fn a_node_is_released_only_while_its_condition_is_what_it_was() {
        let operations = release(&[]).operations();
        assert_eq!(
            operations[1],
            json!({"op": "test", "path": "/status/conditions/3/type", "value": "Ready"})
        );
        assert_eq!(
            operations[2],
            json!({"op": "test", "path": "/status/conditions/3/status", "value": "Unknown"})
        );
        assert_eq!(operations[3], json!({"op": "test", "path": "/spec/taints", "value": null}));
        assert_eq!(operations[4]["value"][0]["key"], OUT_OF_SERVICE);
    }

    #[test]
    fn reclaiming_removes_the_taint_that_it_tested() {
        let service = Service {
            change: ServiceChange::Reclaim { at: 1 },
            ..release(&[("a", "NoSchedule"), (OUT_OF_SERVICE, NO_EXECUTE)])
        };
        let operations = service.operations();
        let tested = json!({"op": "test", "path": "/spec/taints/1/key", "value": OUT_OF_SERVICE});
        assert!(operations.as_array().unwrap().contains(&tested));
        assert!(operations.as_array().unwrap().contains(&json!({"op": "remove", "path": "/spec/taints/1"})));
    }
}
