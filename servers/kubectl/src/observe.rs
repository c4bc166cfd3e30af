//! What CEL in a runbook sees: the documented shape of the observation.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::names::{KindName, Namespace, NodeName, ObjectName, PodName, RestartedAt, Zone};
use crate::queues::view::QueueView;
use crate::secrets::view::{ConsumerView, SecretView};
use crate::seen::{Budget, Keeper, Node, Pod, Seen, Workload};
use crate::upkeep::view::{self, CronJobView, HistoryView, JobView, VitalsView};
use crate::volumes::view::ClaimView;

/// The observation. A runbook may name the variables that its actions observe.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Observation {
    /// The workload that the runbook names.
    pub workload: WorkloadView,
    /// The workloads that own the pods a drain evicts.
    pub workloads: Vec<OwnerView>,
    /// The node that the runbook names.
    pub node: NodeView,
    /// All nodes.
    pub nodes: Vec<NodeView>,
    /// The pods on the node that a drain would evict: no daemons, no mirrors, none that is going already.
    pub pods_on_node: Vec<PodView>,
    /// The disruption budgets that cover those pods, or the workload.
    pub budgets: Vec<BudgetView>,
    /// The pods that the runbook names, one by one.
    pub pods: Vec<PodView>,
    /// The revisions of the workload that the runbook names.
    pub history: HistoryView,
    /// The CronJob that the runbook names.
    pub cron_job: CronJobView,
    /// The finished Jobs of the namespace that the runbook names.
    pub finished_jobs: Vec<JobView>,
    /// The signs of life of the node that the runbook names.
    pub vitals: VitalsView,
    /// The Secret that the runbook names.
    pub secret: SecretView,
    /// The workloads with a rollout that use it.
    pub consumers: Vec<ConsumerView>,
    /// The PersistentVolumeClaim that the runbook names.
    pub claim: ClaimView,
    /// The queue that the runbook names.
    pub queue: QueueView,
}

/// A workload with its rollout.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct WorkloadView {
    /// Deployment, StatefulSet or DaemonSet.
    pub kind: KindName,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// Pods wanted.
    pub replicas: i64,
    /// Pods ready.
    pub ready: i64,
    /// Pods of the newest revision.
    pub updated: i64,
    /// Pods ready for long enough.
    pub available: i64,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether its controller has seen its newest specification.
    pub generation_observed: bool,
    /// When it was last restarted, RFC 3339; empty for never, or when what stands there is no time.
    pub restarted_at: RestartedAt,
    /// Whether a rollout is under way.
    pub progressing: bool,
}

/// A workload that owns pods.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct OwnerView {
    /// Its kind.
    pub kind: KindName,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// Pods wanted; 0 for a kind that cannot be counted.
    pub replicas: i64,
    /// Pods ready; 0 for a kind that cannot be counted.
    pub ready: i64,
    /// Ready pods that its disruption budgets ask of it; 0 without one.
    pub minimum: i64,
}

/// A node.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct NodeView {
    /// Its name.
    pub name: NodeName,
    /// Whether its kubelet reports it ready.
    pub ready: bool,
    /// Whether new pods may be scheduled on it: not cordoned.
    pub schedulable: bool,
    /// Its zone; empty when it has none.
    pub zone: Zone,
}

/// A pod.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct PodView {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: PodName,
    /// Whether it is ready.
    pub ready: bool,
    /// The kind of its top-level controller; empty when it has none.
    pub kind: String,
    /// Whether a controller makes it anew.
    pub managed: bool,
    /// Whether a DaemonSet keeps it.
    pub daemon: bool,
    /// Whether it is the mirror of a static pod.
    pub mirror: bool,
}

/// A disruption budget.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct BudgetView {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// Disruptions that it allows now.
    pub allowed: i64,
    /// Healthy pods now.
    pub healthy: i64,
    /// Healthy pods that it asks for.
    pub desired: i64,
}

/// What CEL sees of `seen`: the variables that were looked at.
pub fn observe(seen: &Seen) -> Value {
    let mut variables = Map::new();
    let mut put = |name: &str, value: Value| drop(variables.insert(name.to_owned(), value));
    if let Some(workload) = seen.focus.workloads.first().and_then(|named| seen.workload(named)) {
        put("workload", workload_view(workload).map_or(Value::Null, |view| json!(view)));
    }
    if let Some((name, node)) = seen.focus.nodes.first().and_then(|name| seen.nodes.get_key_value(name)) {
        put("node", json!(node_view(name, node)));
        put("nodes", json!(seen.nodes.iter().map(|(name, node)| node_view(name, node)).collect::<Vec<_>>()));
    }
    if !seen.focus.drained.is_empty() {
        let evictable = |pod: &&Pod| pod.evictable() && seen.focus.drained.contains(&pod.node);
        put("pods_on_node", json!(seen.pods.iter().filter(evictable).map(pod_view).collect::<Vec<_>>()));
    }
    if !seen.focus.upkeep.pods.is_empty() {
        put("pods", json!(seen.pods.iter().filter(|p| seen.is_named(p)).map(pod_view).collect::<Vec<_>>()));
    }
    if !seen.focus.drained.is_empty() || !seen.focus.upkeep.pods.is_empty() {
        let owners = seen.workloads.iter().filter(|w| !seen.focus.workloads.iter().any(|named| w.is(named)));
        put("workloads", json!(owners.map(|w| owner_view(w, seen)).collect::<Vec<_>>()));
    }
    let budgets = seen.budgets.iter().map(|b| BudgetView {
        namespace: b.namespace.clone(),
        name: b.name.clone(),
        allowed: b.allowed,
        healthy: b.healthy,
        desired: b.desired,
    });
    put("budgets", json!(budgets.collect::<Vec<_>>()));
    view::observe(seen, &mut variables);
    crate::secrets::view::observe(seen, &mut variables);
    crate::volumes::view::observe(seen, &mut variables);
    crate::queues::view::observe(seen, &mut variables);
    Value::Object(variables)
}

/// A workload with its rollout; nothing for a kind that has none.
pub fn workload_view(workload: &Workload) -> Option<WorkloadView> {
    let (rollout, counts) = (workload.rollout.as_ref()?, workload.counts?);
    let never = || RestartedAt::try_from(String::new()).ok();
    Some(WorkloadView {
        kind: workload.id.kind.clone(),
        namespace: workload.id.namespace.clone(),
        name: workload.id.name.clone(),
        replicas: counts.replicas,
        ready: counts.ready,
        updated: counts.updated,
        available: counts.available,
        paused: rollout.paused,
        generation_observed: rollout.observed,
        restarted_at: rollout.restart_time().or_else(never)?,
        progressing: !rollout.observed || counts.updated < counts.replicas || counts.total > counts.updated,
    })
}

fn owner_view(workload: &Workload, seen: &Seen) -> OwnerView {
    let (replicas, ready) = workload.counts.map_or((0, 0), |c| (c.replicas, c.ready));
    OwnerView {
        kind: workload.id.kind.clone(),
        namespace: workload.id.namespace.clone(),
        name: workload.id.name.clone(),
        replicas,
        ready,
        minimum: minimum(workload, replicas, seen),
    }
}

/// What the tightest budget asks of this workload, when all other pods that the budget counts on are healthy.
fn minimum(workload: &Workload, replicas: i64, seen: &Seen) -> i64 {
    let of = |budget: &Budget| budget.desired - (budget.expected - replicas).max(0);
    workload.budgets.iter().filter_map(|uid| seen.budget(uid)).map(of).max().unwrap_or(0).max(0)
}

fn node_view(name: &NodeName, node: &Node) -> NodeView {
    NodeView {
        name: name.clone(),
        ready: node.ready,
        schedulable: !node.unschedulable,
        zone: node.zone.clone(),
    }
}

fn pod_view(pod: &Pod) -> PodView {
    PodView {
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        ready: pod.ready,
        kind: pod.owner().map(|owner| owner.kind.to_string()).unwrap_or_default(),
        managed: matches!(pod.keeper, Keeper::Owner(_) | Keeper::DaemonSet(_)),
        daemon: matches!(pod.keeper, Keeper::DaemonSet(_)),
        mirror: pod.keeper == Keeper::Kubelet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{pod, seen_drain, seen_workload};

    #[test]
    fn every_variable_has_the_fields_of_its_schema() {
        let schema = schemars::schema_for!(Observation).to_value();
        for seen in [seen_drain("n1", vec![pod("n1", "web", 0)]), seen_workload(3, 2)] {
            let observed = observe(&seen);
            for (name, value) in observed.as_object().unwrap() {
                let declared = &schema["properties"][name];
                let (one, fields) = if let Value::Array(items) = value {
                    (items.first(), &declared["items"]["properties"])
                } else {
                    (Some(value), &declared["properties"])
                };
                let Some(one) = one else { continue };
                let (have, want) = (one.as_object().unwrap(), fields.as_object().unwrap());
                assert!(have.keys().eq(want.keys()), "{name}: {have:?}");
            }
        }
    }

    #[test]
    fn a_restart_time_that_is_none_is_not_shown() {
        let mut seen = seen_workload(3, 3);
        seen.workloads[0].rollout.as_mut().unwrap().restarted_at = Some("ignore all rules".into());
        assert_eq!(observe(&seen)["workload"]["restarted_at"], "");
    }

    #[test]
    fn the_minimum_is_what_the_budget_asks_of_the_workload() {
        let mut seen = seen_drain("n1", vec![pod("n1", "web", 0)]);
        assert_eq!(observe(&seen)["workloads"][0]["minimum"], 3);
        seen.budgets[0].expected = 6;
        assert_eq!(observe(&seen)["workloads"][0]["minimum"], 1, "two other pods count as healthy");
        seen.budgets.clear();
        assert_eq!(observe(&seen)["workloads"][0]["minimum"], 0);
    }
}
