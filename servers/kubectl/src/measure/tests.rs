use std::collections::BTreeSet;

use proptest::prelude::*;
use runcord_model::{BlastRadius, Measure};
use runcord_runtime::target::Measured;
use serde_json::json;

use super::*;
use crate::actions::{Action, Kind};
use crate::draft::draft;
use crate::dry_run::Answer;
use crate::samples::{budget, fixed, owner, pod, seen_drain, seen_workload, uid, with_room};
use crate::seen::{Amounts, BudgetRule, Ingress, Service, Share, Strategy};

fn measured(action: serde_json::Value, seen: &Seen) -> Measured {
    let action: Action = serde_json::from_value(action).unwrap();
    let acts = draft(&action, seen, &fixed()).unwrap().acts;
    measure(seen, &[acts], &DryRun::default())
}

fn drain(seen: &Seen, batch: i64) -> Measured {
    measured(json!({"action": "drain", "node": "n1", "batch": batch, "timeout": "10m"}), seen)
}

fn restart(seen: &Seen) -> BlastRadius {
    let kind = seen.focus.workloads[0].kind;
    measured(json!({"action": "restart", "kind": kind, "namespace": "shop", "name": "web"}), seen)
        .blast_radius
}

fn scale(seen: &Seen, replicas: i64) -> BlastRadius {
    let kind = seen.focus.workloads[0].kind;
    let action =
        json!({"action": "scale", "kind": kind, "namespace": "shop", "name": "web", "replicas": replicas});
    measured(action, seen).blast_radius
}

fn web(n: usize) -> Seen {
    with_room(seen_drain("n1", (0..n).map(|i| pod("n1", "web", i)).collect()))
}

fn n(measure: Measure) -> i64 {
    assert!(measure.is_known());
    measure.at_worst()
}

#[test]
fn two_pods_that_share_one_disruption_overrun_the_budget() {
    let one = drain(&web(1), 1).blast_radius;
    assert_eq!((one.pdb_headroom, one.below_minimum), (Measure::Known(0), Measure::Known(0)));
    let two = drain(&web(2), 1);
    assert_eq!(
        two.blast_radius.pdb_headroom,
        Measure::Known(-1),
        "every eviction is summed, whatever the batches"
    );
    assert_eq!(two.blast_radius.below_minimum, Measure::Known(1));
    assert!(two.remarks.iter().any(|r| r.contains("shop/web allows 1 now, the evictions need 2")));
}

#[test]
fn a_budget_at_zero_leaves_negative_headroom() {
    let mut seen = web(1);
    (seen.budgets[0].allowed, seen.budgets[0].healthy) = (0, 3);
    assert_eq!(drain(&seen, 1).blast_radius.pdb_headroom, Measure::Known(-1));
}

#[test]
fn a_budget_that_is_below_its_minimum_already_is_not_counted_twice() {
    let mut seen = web(1);
    (seen.budgets[0].allowed, seen.budgets[0].healthy) = (0, 2);
    assert_eq!(drain(&seen, 1).blast_radius.below_minimum, Measure::Known(0));
}

#[test]
fn pods_that_take_no_disruption_are_not_counted() {
    for change in [
        (|p| p.phase = Phase::Pending) as fn(&mut Pod),
        |p| (p.phase, p.ready) = (Phase::Finished, false),
        |p| p.ready = false,
    ] {
        let mut seen = web(1);
        change(&mut seen.pods[0]);
        assert_eq!(drain(&seen, 1).blast_radius.pdb_headroom, Measure::Known(BlastRadius::NO_BUDGET));
    }
    let mut unhealthy = web(1);
    unhealthy.pods[0].ready = false;
    unhealthy.budgets[0].healthy = 2;
    assert_eq!(
        drain(&unhealthy, 1).blast_radius.pdb_headroom,
        Measure::Known(0),
        "not enough healthy: it counts"
    );
    unhealthy.budgets[0].unhealthy_always = true;
    assert_eq!(drain(&unhealthy, 1).blast_radius.pdb_headroom, Measure::Known(BlastRadius::NO_BUDGET));
}

#[test]
fn what_is_lost_at_once_is_the_worst_batch() {
    let lost = |batch| {
        let blast = drain(&web(4), batch).blast_radius;
        (n(blast.pods_lost), n(blast.replicas_percent))
    };
    assert_eq!(lost(1), (1, 25));
    assert_eq!(lost(3), (3, 75));
    assert_eq!(lost(10), (4, 100));
}

#[test]
fn pods_that_fit_nowhere_stay_lost() {
    let mut full = web(3);
    full.used.insert("n9".parse().unwrap(), Amounts([("pods".to_owned(), 109_000)].into()));
    let measured = drain(&full, 1);
    assert_eq!(n(measured.blast_radius.pods_lost), 2, "one is lost for good when the next one goes");
    assert!(
        measured.remarks.iter().any(|r| r.contains("2 pods fit on no other node: shop/web-1, shop/web-2"))
    );
}

#[test]
fn unmanaged_pods_and_scratch_data_cannot_be_brought_back() {
    let mut seen = web(2);
    seen.pods[0].keeper = Keeper::Nobody;
    seen.pods[1].empty_dir = true;
    let measured = drain(&seen, 1);
    assert_eq!(n(measured.blast_radius.irreversible), 2);
    assert_eq!(n(measured.blast_radius.pods_lost), 2, "the unmanaged one stays lost");
    assert!(
        measured
            .remarks
            .iter()
            .any(|r| r == "Pod shop/web-0 belongs to no controller: once evicted it is gone.")
    );
    assert!(measured.remarks.iter().any(|r| r == "Pod shop/web-1 loses the data of its emptyDir volumes."));
    seen.pods.iter_mut().for_each(|p| (p.phase, p.ready) = (Phase::Finished, false));
    let finished = drain(&seen, 1).blast_radius;
    assert_eq!((n(finished.irreversible), n(finished.pods_lost)), (0, 0), "what has finished is no loss");
}

#[test]
fn a_workload_that_cannot_be_counted_makes_its_share_unknown() {
    let mut seen = web(1);
    seen.workloads[0].counts = None;
    let blast = drain(&seen, 1).blast_radius;
    assert_eq!((blast.replicas_percent, blast.sole_replicas), (Measure::Unknown, Measure::Unknown));
    assert!(!blast.known);
}

#[test]
fn the_only_replica_is_told() {
    let mut seen = web(1);
    let counts = seen.workloads[0].counts.as_mut().unwrap();
    (counts.replicas, counts.ready) = (1, 1);
    let blast = drain(&seen, 1).blast_radius;
    assert_eq!((n(blast.sole_replicas), n(blast.replicas_percent)), (1, 100));
    assert_eq!(n(drain(&web(1), 1).blast_radius.sole_replicas), 0);
}

fn service(pods: &[&str], elsewhere: i64) -> Service {
    Service {
        namespace: "shop".parse().unwrap(),
        name: "web".parse().unwrap(),
        ready: pods.iter().map(|p| uid(p)).collect(),
        elsewhere,
    }
}

#[test]
fn a_service_goes_dark_when_all_its_endpoints_are_lost_together() {
    let dark = |batch, service: Service| {
        let mut seen = web(2);
        seen.services = vec![service];
        seen.ingresses = vec![Ingress {
            namespace: "shop".parse().unwrap(),
            name: "front".parse().unwrap(),
            services: BTreeSet::from(["web".parse().unwrap()]),
        }];
        let measured = drain(&seen, batch);
        let told = measured.remarks.first().is_some_and(|r| {
            r == "Service shop/web would have no ready endpoint, and Ingress front sends to it."
        });
        let blast = measured.blast_radius;
        assert_eq!(told, n(blast.services_without_endpoints) == 1);
        (n(blast.services_without_endpoints), n(blast.downstream))
    };
    assert_eq!(dark(2, service(&["pod-web-0", "pod-web-1"], 0)), (1, 2));
    assert_eq!(dark(1, service(&["pod-web-0", "pod-web-1"], 0)), (0, 0), "one batch at a time");
    assert_eq!(dark(1, service(&["pod-web-0"], 0)), (1, 2));
    assert_eq!(dark(2, service(&["pod-web-0", "pod-web-1", "x"], 0)), (0, 0));
    assert_eq!(dark(2, service(&["pod-web-0"], 1)), (0, 0), "an endpoint outside the cluster stays");
    assert_eq!(dark(2, service(&[], 0)), (0, 0), "it is dark already");
}

#[test]
fn a_drain_counts_its_node_zone_and_scopes() {
    let mut seen = web(1);
    let mut elsewhere = pod("n1", "db", 0);
    elsewhere.namespace = "data".parse().unwrap();
    seen.pods.push(elsewhere);
    let measured = drain(&seen, 1);
    let blast = &measured.blast_radius;
    assert_eq!((n(blast.nodes), n(blast.zones), n(blast.nodes_cordoned)), (1, 1, 0));
    assert_eq!(measured.scopes.namespaces.into_iter().collect::<Vec<_>>(), ["data", "shop"]);
    assert_eq!(measured.scopes.nodes.into_iter().collect::<Vec<_>>(), ["n1"]);
}

#[test]
fn a_cordon_alone_empties_nothing() {
    let mut seen = web(3);
    seen.nodes.get_mut(&"n1".parse().unwrap()).unwrap().unschedulable = false;
    let measured = measured(json!({"action": "cordon", "node": "n1"}), &seen);
    let expected = BlastRadius { nodes_cordoned: Measure::Known(1), ..BlastRadius::nothing() };
    assert_eq!(measured.blast_radius, expected);
    assert_eq!(measured.diff[0].text, "unschedulable: false → true");
}

fn with_strategy(kind: Kind, replicas: i64, ready: i64, strategy: Strategy) -> Seen {
    let mut seen = seen_workload(replicas, ready);
    seen.focus.workloads[0].kind = kind;
    seen.workloads[0].id = owner(kind.as_str(), "web");
    seen.ready_pods[0].0 = owner(kind.as_str(), "web");
    let rollout = seen.workloads[0].rollout.as_mut().unwrap();
    (rollout.kind, rollout.strategy) = (kind, strategy);
    seen
}

#[test]
fn a_restart_loses_what_its_strategy_allows_less_what_is_down() {
    let rolling = |unavailable, surge| Strategy::Rolling { unavailable, surge };
    for (kind, replicas, ready, strategy, lost) in [
        (Kind::Deployment, 4, 4, rolling(1, 1), 1),
        (Kind::Deployment, 4, 4, rolling(0, 1), 0),
        (Kind::Deployment, 4, 3, rolling(1, 1), 0),
        (Kind::Deployment, 4, 0, rolling(1, 1), 0),
        (Kind::Deployment, 2, 2, rolling(5, 0), 2),
        (Kind::Deployment, 4, 4, Strategy::Recreate, 4),
        (Kind::Deployment, 4, 0, Strategy::Recreate, 0),
        (Kind::StatefulSet, 3, 3, rolling(1, 0), 1),
        (Kind::StatefulSet, 3, 1, rolling(1, 0), 1),
        (Kind::StatefulSet, 3, 0, rolling(1, 0), 0),
        (Kind::DaemonSet, 5, 5, rolling(2, 0), 2),
        (Kind::DaemonSet, 5, 4, rolling(2, 0), 1),
        (Kind::DaemonSet, 5, 5, rolling(1, 1), 0),
    ] {
        let blast = restart(&with_strategy(kind, replicas, ready, strategy));
        assert_eq!(n(blast.pods_lost), lost, "{kind:?} {ready}/{replicas} {strategy:?}");
    }
}

#[test]
fn a_surge_needs_nothing_of_a_budget_and_a_loss_does() {
    let mut seen = with_strategy(Kind::Deployment, 4, 4, Strategy::Rolling { unavailable: 0, surge: 1 });
    seen.budgets = vec![budget("web")];
    assert_eq!(restart(&seen).pdb_headroom, Measure::Known(BlastRadius::NO_BUDGET));
    let mut seen = with_strategy(Kind::Deployment, 4, 4, Strategy::Recreate);
    seen.budgets = vec![budget("web")];
    let blast = restart(&seen);
    assert_eq!((blast.pdb_headroom, blast.below_minimum), (Measure::Known(-3), Measure::Known(3)));
}

#[test]
fn scaling_down_loses_ready_pods_and_up_none() {
    assert_eq!(n(scale(&seen_workload(4, 4), 1).pods_lost), 3);
    assert_eq!(n(scale(&seen_workload(4, 2), 2).pods_lost), 0, "those that are down go first");
    assert_eq!(n(scale(&seen_workload(4, 4), 9).pods_lost), 0);
    assert_eq!(n(scale(&seen_workload(1, 1), 0).sole_replicas), 1);
    let stateful = with_strategy(Kind::StatefulSet, 4, 2, Strategy::Rolling { unavailable: 1, surge: 0 });
    assert_eq!(n(scale(&stateful, 2).pods_lost), 2, "the last ones go, ready or not");
}

#[test]
fn claims_that_go_with_their_pods_are_irreversible() {
    let mut seen = with_strategy(Kind::StatefulSet, 4, 4, Strategy::Rolling { unavailable: 1, surge: 0 });
    seen.workloads[0].rollout.as_mut().unwrap().claims_deleted = 2;
    assert_eq!(n(scale(&seen, 1).irreversible), 6);
    assert_eq!(n(scale(&seen, 5).irreversible), 0);
}

#[test]
fn a_budget_in_shares_shrinks_with_its_workload_and_a_count_does_not() {
    let with = |rule, desired| {
        let mut seen = seen_workload(4, 4);
        seen.budgets = vec![crate::seen::Budget { rule, desired, allowed: 4 - desired, ..budget("web") }];
        let blast = scale(&seen, 2);
        (blast.pdb_headroom.at_least(), n(blast.below_minimum))
    };
    assert_eq!(with(BudgetRule::MinAvailable(Share::Count(3)), 3), (-1, 1));
    assert_eq!(with(BudgetRule::MaxUnavailable(Share::Count(1)), 3), (1, 0));
    assert_eq!(with(BudgetRule::MinAvailable(Share::Percent(50)), 2), (1, 0));
}

#[test]
fn a_rollout_may_take_the_pods_behind_a_service_first() {
    let mut seen = with_strategy(Kind::Deployment, 4, 4, Strategy::Rolling { unavailable: 1, surge: 0 });
    seen.services = vec![service(&["pod-web-0"], 0)];
    assert_eq!(n(restart(&seen).services_without_endpoints), 1);
    seen.services = vec![service(&["pod-web-0", "pod-web-1"], 0)];
    assert_eq!(n(restart(&seen).services_without_endpoints), 0);
    seen.services = vec![service(&["of-another"], 0)];
    assert_eq!(n(restart(&seen).services_without_endpoints), 0);
}

#[test]
fn coverage_tells_what_was_asked_and_what_was_not() {
    let seen = web(2);
    let action: Action =
        serde_json::from_value(json!({"action": "drain", "node": "n1", "timeout": "1m"})).unwrap();
    let acts = draft(&action, &seen, &fixed()).unwrap().acts;
    let answers = vec![
        Answer::EvictionPassed,
        Answer::EvictionDeferred { pod: "shop/web-1".into() },
        Answer::NotAsked { what: "cordon Node n1".into(), why: "a webhook" },
    ];
    let measured = measure(&seen, &[acts], &DryRun { answers });
    assert!(measured.coverage.checked.iter().any(|c| c.starts_with("evictions (2): server-side dry-run")));
    assert!(measured.coverage.undetermined.iter().any(|c| c == "cordon Node n1: a webhook"));
    assert!(measured.coverage.undetermined.iter().any(|c| c.contains("images")));
    assert!(measured.remarks.iter().any(|r| r == "A disruption budget forbids evicting now: shop/web-1."));
}

proptest! {
    /// One pod more on the node never makes the blast radius better.
    #[test]
    fn more_pods_are_never_better(pods in 1usize..9, batch in 1i64..11, ready in proptest::collection::vec(any::<bool>(), 10)) {
        let seen = |count: usize| {
            let mut seen = web(count);
            for (pod, ready) in seen.pods.iter_mut().zip(&ready) {
                pod.ready = *ready;
            }
            let counts = seen.workloads[0].counts.as_mut().unwrap();
            (counts.replicas, counts.ready, counts.total) = (20, 20, 20);
            seen
        };
        let (few, more) = (drain(&seen(pods), batch).blast_radius, drain(&seen(pods + 1), batch).blast_radius);
        prop_assert!(few.worse_than(&more).is_empty(), "{:?}", few.worse_than(&more));
    }

    /// What is lost at once is never more than what is there.
    #[test]
    fn nothing_is_lost_that_is_not_there(replicas in 0i64..20, ready in 0i64..20, unavailable in 0i64..25, after in 0i64..25) {
        let ready = ready.min(replicas);
        for kind in [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet] {
            let seen = with_strategy(kind, replicas, ready, Strategy::Rolling { unavailable, surge: 0 });
            let lost = n(restart(&seen).pods_lost);
            prop_assert!((0..=ready).contains(&lost));
            if kind != Kind::DaemonSet {
                let lost = n(scale(&seen, after).pods_lost);
                prop_assert!((0..=ready).contains(&lost));
            }
        }
    }
}
