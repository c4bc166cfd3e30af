//! Hand-made observations for tests: a Deployment `shop/web` of four pods under a budget of three.

use std::collections::{BTreeMap, BTreeSet};

use runcord_model::PlanId;
use runcord_runtime::mask::Mask;
use runcord_runtime::target::Fixed;

use crate::act::{Annotated, BudgetRef, Evict, Object, Patch, Touch};
use crate::actions::{Kind, WorkloadRef};
use crate::names::{NodeName, Uid};
use crate::numbers::Span;
use crate::seen::{
    Amounts, Budget, BudgetRule, Charges, Counts, Focus, Keeper, Needs, Node, OwnerRef, Phase, Pod, Rollout,
    Seen, Share, Strategy, Workload,
};

pub(crate) fn fixed() -> Fixed {
    Fixed { at: "2026-11-22T10:00:00.5Z".parse().unwrap(), plan: PlanId::from_entropy([7; 16]) }
}

pub(crate) fn mask() -> Mask {
    Mask::new([7; 32])
}

pub(crate) fn uid(text: &str) -> Uid {
    text.parse().unwrap()
}

pub(crate) fn node(name: &str) -> Node {
    Node {
        uid: uid(&format!("node-{name}")),
        ready: true,
        unschedulable: false,
        zone: "z1".parse().unwrap(),
        mark: None,
        annotated: true,
        labels: BTreeMap::new(),
        taints: vec![],
        allocatable: Amounts(BTreeMap::from([("pods".to_owned(), 110_000)])),
    }
}

pub(crate) fn owner(kind: &str, name: &str) -> OwnerRef {
    OwnerRef {
        kind: kind.parse().unwrap(),
        namespace: "shop".parse().unwrap(),
        name: name.parse().unwrap(),
        uid: uid(&format!("{kind}-{name}")),
    }
}

/// A ready pod of Deployment `shop/<workload>`, under budget `web`.
pub(crate) fn pod(on: &str, workload: &str, i: usize) -> Pod {
    Pod {
        namespace: "shop".parse().unwrap(),
        name: format!("{workload}-{i}").parse().unwrap(),
        uid: uid(&format!("pod-{workload}-{i}")),
        node: on.parse().unwrap(),
        phase: Phase::Running,
        ready: true,
        keeper: Keeper::Owner(owner("Deployment", workload)),
        empty_dir: false,
        budgets: BTreeSet::from([uid("budget-web")]),
        needs: Needs { requests: Amounts(BTreeMap::from([("pods".to_owned(), 1000)])), ..Needs::default() },
        charges: Charges::default(),
    }
}

pub(crate) fn budget(name: &str) -> Budget {
    Budget {
        namespace: "shop".parse().unwrap(),
        name: name.parse().unwrap(),
        uid: uid(&format!("budget-{name}")),
        allowed: 1,
        healthy: 4,
        desired: 3,
        expected: 4,
        rule: BudgetRule::MinAvailable(Share::Count(3)),
        unhealthy_always: false,
    }
}

pub(crate) fn workload(kind: Kind, name: &str, replicas: i64, ready: i64) -> Workload {
    Workload {
        id: owner(kind.as_str(), name),
        counts: Some(Counts { replicas, total: replicas, ready, updated: replicas, available: ready }),
        rollout: Some(Rollout {
            kind,
            strategy: Strategy::Rolling { unavailable: 1, surge: 1 },
            observed: true,
            paused: false,
            stalled: false,
            restarted_at: None,
            template_annotated: true,
            mark: None,
            annotated: true,
            empty_dir: false,
            claims_deleted: 0,
        }),
        budgets: BTreeSet::from([uid("budget-web")]),
        charges: Charges::default(),
    }
}

/// A cordoned node `on` with these pods, and an empty node `n9` beside it.
pub(crate) fn seen_drain(on: &str, pods: Vec<Pod>) -> Seen {
    let name: NodeName = on.parse().unwrap();
    let spare: NodeName = "n9".parse().unwrap();
    let names: BTreeSet<String> = pods.iter().filter_map(|p| p.owner()).map(|o| o.name.to_string()).collect();
    Seen {
        focus: Focus {
            nodes: vec![name.clone()],
            drained: BTreeSet::from([name.clone()]),
            workloads: vec![],
            ..Focus::default()
        },
        nodes: BTreeMap::from([(name, Node { unschedulable: true, ..node(on) }), (spare, node("n9"))]),
        workloads: names.iter().map(|name| workload(Kind::Deployment, name, 4, 4)).collect(),
        budgets: vec![budget("web")],
        pods,
        ..Seen::default()
    }
}

/// A cluster in which whatever is evicted fits on node `n9`.
pub(crate) fn with_room(mut seen: Seen) -> Seen {
    seen.used.insert("n9".parse().unwrap(), Amounts::default());
    seen
}

/// The Deployment `shop/web` named by an action.
pub(crate) fn seen_workload(replicas: i64, ready: i64) -> Seen {
    let workload = workload(Kind::Deployment, "web", replicas, ready);
    let named = WorkloadRef {
        kind: Kind::Deployment,
        namespace: workload.id.namespace.clone(),
        name: workload.id.name.clone(),
    };
    let pods = (0..ready).map(|i| uid(&format!("pod-web-{i}"))).collect();
    Seen {
        focus: Focus { workloads: vec![named], ..Focus::default() },
        ready_pods: vec![(workload.id.clone(), pods)],
        workloads: vec![workload],
        ..Seen::default()
    }
}

pub(crate) fn eviction(pod: &Pod) -> Evict {
    let web = budget("web");
    Evict {
        node: pod.node.clone(),
        node_uid: uid(&format!("node-{}", pod.node)),
        namespace: pod.namespace.clone(),
        pod: pod.name.clone(),
        uid: pod.uid.clone(),
        owner: pod.owner().cloned(),
        budgets: vec![BudgetRef { namespace: web.namespace, name: web.name, uid: web.uid }],
        timeout: Span::TEN_MINUTES,
        cause: crate::act::Cause::Drain,
    }
}

/// The patch that cordons node `n1`.
pub(crate) fn cordon() -> Patch {
    Patch {
        object: Object::Node("n1".parse().unwrap()),
        uid: "node-n1".parse().unwrap(),
        touch: Touch::Unschedulable { before: false, after: true },
        plan: fixed().plan,
        annotated: Annotated { object: true, template: false },
    }
}
