use std::collections::BTreeSet;

use runcord_model::{Code, Refusal};
use runcord_runtime::target::Draft;
use serde_json::json;

use super::*;
use crate::act::{Act, Touch};
use crate::actions::Kind;
use crate::canonical::canonical;
use crate::samples::{budget, fixed, pod, seen_drain, seen_workload, uid, with_room};
use crate::seen::{Amounts, Autoscaler, Keeper, Phase, Pod, Rollout, Seen, Strategy};

fn action(value: serde_json::Value) -> Action {
    serde_json::from_value(value).unwrap()
}

fn drain(batch: i64) -> Action {
    action(json!({"action": "drain", "node": "n1", "batch": batch, "timeout": "10m"}))
}

fn restart() -> Action {
    action(json!({"action": "restart", "kind": "Deployment", "namespace": "shop", "name": "web"}))
}

fn scale(replicas: i64) -> Action {
    action(
        json!({"action": "scale", "kind": "Deployment", "namespace": "shop", "name": "web", "replicas": replicas}),
    )
}

fn drafted(action: &Action, seen: &Seen) -> Draft<crate::KubectlActions> {
    draft(action, seen, &fixed()).unwrap()
}

fn refused(action: &Action, seen: &Seen) -> Refusal {
    draft(action, seen, &fixed()).map(|d| d.summary).unwrap_err()
}

fn pods(of: &[(&str, usize)]) -> Vec<Pod> {
    of.iter().flat_map(|(name, n)| (0..*n).map(|i| pod("n1", name, i))).collect()
}

fn evicted(draft: &Draft<crate::KubectlActions>) -> Vec<Vec<String>> {
    let mut batches = vec![vec![]];
    for act in &draft.acts {
        match act {
            Act::Evict(evict) => batches.last_mut().unwrap().push(evict.pod.to_string()),
            Act::AwaitEvicted(_) => batches.push(vec![]),
            Act::Patch(_)
            | Act::AwaitRollout(_)
            | Act::Upkeep(_)
            | Act::Secret(_)
            | Act::Volume(_)
            | Act::Queue(_) => panic!("not in a drain"),
        }
    }
    assert_eq!(batches.pop(), Some(vec![]), "the last act is a wait");
    batches
}

#[test]
fn a_cordoned_node_is_cordoned_no_more() {
    let cordon = action(json!({"action": "cordon", "node": "n1"}));
    let draft = drafted(&cordon, &seen_drain("n1", vec![]));
    assert!(draft.acts.is_empty() && draft.summary.contains("already cordoned"));
    let unknown = action(json!({"action": "cordon", "node": "n7"}));
    assert_eq!(refused(&unknown, &seen_drain("n1", vec![])).code, Code::PreconditionFailed);
}

#[test]
fn a_drain_follows_a_cordon_of_the_same_plan() {
    let mut seen = seen_drain("n1", pods(&[("web", 1)]));
    seen.nodes.get_mut(&"n1".parse().unwrap()).unwrap().unschedulable = false;
    assert!(refused(&drain(1), &seen).message.contains("schedulable"));
    let cordon = drafted(&action(json!({"action": "cordon", "node": "n1"})), &seen);
    assert!(matches!(&cordon.acts[..], [Act::Patch(_)]));
    assert_eq!(drafted(&drain(1), &cordon.predicted).acts.len(), 2);
}

#[test]
fn replicas_of_one_workload_go_into_different_batches() {
    let draft = drafted(&drain(2), &seen_drain("n1", pods(&[("api", 2), ("web", 2)])));
    assert_eq!(evicted(&draft), [["api-0", "web-0"], ["api-1", "web-1"]]);
    assert!(draft.predicted.pods.is_empty());
}

#[test]
fn daemons_mirrors_and_pods_already_going_stay() {
    let mut all = pods(&[("web", 4)]);
    all[1].keeper = Keeper::DaemonSet(crate::samples::owner("DaemonSet", "log"));
    all[2].keeper = Keeper::Kubelet;
    all[3].phase = Phase::Terminating;
    assert_eq!(evicted(&drafted(&drain(10), &seen_drain("n1", all))), [["web-0"]]);
}

#[test]
fn two_budgets_on_one_pod_are_refused_by_name() {
    let mut seen = seen_drain("n1", pods(&[("web", 1)]));
    seen.budgets.push(budget("all"));
    seen.pods[0].budgets.insert(uid("budget-all"));
    let refusal = refused(&drain(1), &seen);
    assert_eq!(refusal.code, Code::PreconditionFailed);
    assert!(
        refusal.message.contains("shop/web-0") && refusal.message.contains("all, web"),
        "{}",
        refusal.message
    );
    seen.pods[0].phase = Phase::Finished;
    assert_eq!(drafted(&drain(1), &seen).acts.len(), 2, "budgets do not hold what has finished");
}

#[test]
fn a_batch_waits_for_as_many_ready_pods_as_before_less_those_that_fit_nowhere() {
    let waits = |seen: &Seen| -> Vec<i64> {
        let ready = |act: &Act| match act {
            Act::AwaitEvicted(wait) => Some(wait.workloads[0].ready),
            Act::Evict(_)
            | Act::Patch(_)
            | Act::AwaitRollout(_)
            | Act::Upkeep(_)
            | Act::Secret(_)
            | Act::Volume(_)
            | Act::Queue(_) => None,
        };
        drafted(&drain(1), seen).acts.iter().filter_map(ready).collect()
    };
    let roomy = with_room(seen_drain("n1", pods(&[("web", 2)])));
    assert_eq!(waits(&roomy), [4, 4]);
    let mut full = roomy.clone();
    full.used.insert("n9".parse().unwrap(), Amounts([("pods".to_owned(), 109_000)].into()));
    assert_eq!(waits(&full), [4, 3], "one of the two finds room");
}

#[test]
fn a_restart_carries_the_time_that_was_fixed() {
    let draft = drafted(&restart(), &seen_workload(3, 3));
    let Act::Patch(patch) = &draft.acts[0] else { panic!("a patch first") };
    assert_eq!(patch.touch, Touch::RestartedAt { before: None, after: Some("2026-11-22T10:00:00Z".into()) });
    assert!(matches!(draft.acts[1], Act::AwaitRollout(_)));
    let rollout = draft.predicted.workloads[0].rollout.as_ref().unwrap();
    assert_eq!(rollout.restarted_at.as_deref(), Some("2026-11-22T10:00:00Z"));
}

fn changed(change: impl Fn(&mut Rollout)) -> Seen {
    let mut seen = seen_workload(3, 3);
    change(seen.workloads[0].rollout.as_mut().unwrap());
    seen
}

#[test]
fn a_restart_that_would_do_nothing_or_only_half_is_refused() {
    for (seen, word) in [
        (changed(|r| r.paused = true), "paused"),
        (changed(|r| r.strategy = Strategy::OnDelete), "OnDelete"),
        (changed(|r| r.strategy = Strategy::Partitioned { from: 1 }), "ordinal 1"),
        (changed(|r| r.observed = false), "under way"),
    ] {
        let refusal = refused(&restart(), &seen);
        assert_eq!(refusal.code, Code::PreconditionFailed);
        assert!(refusal.message.contains(word), "{}", refusal.message);
    }
    let mut rolling = seen_workload(3, 3);
    rolling.workloads[0].counts.as_mut().unwrap().updated = 2;
    assert!(refused(&restart(), &rolling).message.contains("under way"));
    assert!(draft(&restart(), &seen_workload(3, 0), &fixed()).is_ok(), "what is down may be restarted");
    assert!(refused(&restart(), &Seen::default()).message.contains("there is no Deployment shop/web"));
}

#[test]
fn a_revert_puts_back_what_was_and_nothing_twice() {
    let revert = |at: &str| {
        action(
            json!({"action": "revert_restart", "kind": "Deployment", "namespace": "shop", "name": "web", "restarted_at": at}),
        )
    };
    let seen = changed(|r| r.restarted_at = Some("2026-11-22T10:00:00Z".into()));
    let draft = drafted(&revert(""), &seen);
    let Act::Patch(patch) = &draft.acts[0] else { panic!("a patch first") };
    assert_eq!(patch.touch, Touch::RestartedAt { before: Some("2026-11-22T10:00:00Z".into()), after: None });
    assert!(drafted(&revert("2026-11-22T10:00:00Z"), &seen).acts.is_empty());
}

#[test]
fn an_autoscaled_workload_is_not_scaled() {
    let mut seen = seen_workload(3, 3);
    seen.autoscalers =
        vec![Autoscaler { name: "web-hpa".parse().unwrap(), target: seen.focus.workloads[0].clone() }];
    assert!(refused(&scale(5), &seen).message.contains("web-hpa"));
}

#[test]
fn a_scale_touches_the_replicas_and_nothing_else() {
    let draft = drafted(&scale(5), &seen_workload(3, 3));
    let Act::Patch(patch) = &draft.acts[0] else { panic!("a patch first") };
    assert_eq!(patch.touch, Touch::Replicas { before: 3, after: 5 });
    assert_eq!(draft.predicted.workloads[0].counts.unwrap().replicas, 5);
    assert!(drafted(&scale(3), &seen_workload(3, 3)).acts.is_empty());
}

#[test]
fn an_action_that_only_looks_has_no_acts() {
    let status = action(
        json!({"action": "workload_status", "kind": "Deployment", "namespace": "shop", "name": "web"}),
    );
    assert_eq!(refused(&status, &seen_workload(3, 3)).code, Code::Internal);
}

#[test]
fn the_canonical_effect_holds_owners_and_not_pod_names() {
    let effect = |seen: &Seen| canonical(&drafted(&drain(1), seen).acts);
    let seen = seen_drain("n1", pods(&[("web", 2)]));
    let mut other_pods = seen_drain("n1", (5..8).map(|i| pod("n1", "web", i)).collect());
    assert_eq!(effect(&seen), effect(&other_pods), "names and numbers of owned pods may change");
    other_pods.budgets[0].allowed = 0;
    assert_eq!(effect(&seen), effect(&other_pods), "headroom is not part of it");

    let mut another_owner = seen.clone();
    another_owner.pods.push(pod("n1", "api", 0));
    assert_ne!(effect(&seen), effect(&another_owner));
    let mut another_node = seen.clone();
    another_node.nodes.get_mut(&"n1".parse().unwrap()).unwrap().uid = uid("again");
    assert_ne!(effect(&seen), effect(&another_node));
    let mut another_budget = seen.clone();
    another_budget.budgets.push(budget("new"));
    another_budget.pods[0].budgets = BTreeSet::from([uid("budget-new")]);
    assert_ne!(effect(&seen), effect(&another_budget));
    let mut unmanaged = seen.clone();
    unmanaged.pods[0].keeper = Keeper::Nobody;
    assert_ne!(effect(&seen), effect(&unmanaged));
}

#[test]
fn the_canonical_effect_of_a_patch_is_the_uid_and_the_field() {
    let effect = |seen: &Seen| canonical(&drafted(&restart(), seen).acts);
    let seen = seen_workload(3, 3);
    let mut noise = seen_workload(3, 2);
    noise.workloads[0].rollout.as_mut().unwrap().annotated = false;
    assert_eq!(effect(&seen), effect(&noise), "status and unrelated annotations do not matter");
    assert_ne!(effect(&seen), effect(&changed(|r| r.restarted_at = Some("x".into()))));
    let mut again = seen.clone();
    again.workloads[0].id.uid = uid("again");
    assert_ne!(effect(&seen), effect(&again));
    assert_eq!(Kind::Deployment.plural(), "deployments");
}
