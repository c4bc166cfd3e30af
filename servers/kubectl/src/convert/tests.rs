use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::names::NodeName;
use crate::seen::{BudgetRule, Keeper, Phase, Share, Strategy};

fn api<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn a_deployment(strategy: Value, replicas: i64) -> Value {
    json!({
        "metadata": {"name": "web", "namespace": "shop", "uid": "u1", "generation": 3},
        "spec": {
            "replicas": replicas, "strategy": strategy, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}
        },
        "status": {"observedGeneration": 3, "replicas": 4, "readyReplicas": 3, "updatedReplicas": 4}
    })
}

fn strategy(value: Value, replicas: i64) -> Strategy {
    deployment(&api(a_deployment(value, replicas))).unwrap().rollout.unwrap().strategy
}

#[test]
fn a_deployments_shares_round_as_its_controller_does() {
    let rolling = |u: Value, s: Value| json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": u, "maxSurge": s}});
    assert_eq!(strategy(json!(null), 4), Strategy::Rolling { unavailable: 1, surge: 1 });
    assert_eq!(strategy(json!(null), 3), Strategy::Rolling { unavailable: 0, surge: 1 });
    assert_eq!(strategy(rolling(json!("50%"), json!(0)), 3), Strategy::Rolling { unavailable: 1, surge: 0 });
    assert_eq!(strategy(rolling(json!(0), json!(0)), 3), Strategy::Rolling { unavailable: 1, surge: 0 });
    assert_eq!(
        strategy(rolling(json!("10%"), json!("0%")), 3),
        Strategy::Rolling { unavailable: 1, surge: 0 }
    );
    assert_eq!(strategy(json!({"type": "Recreate"}), 3), Strategy::Recreate);
    assert!(deployment(&api(a_deployment(rolling(json!("many"), json!(0)), 3))).is_err());
}

#[test]
fn a_generation_that_was_not_seen_is_told() {
    let mut value = a_deployment(json!(null), 4);
    value["metadata"]["generation"] = json!(4);
    assert!(!deployment(&api(value)).unwrap().rollout.unwrap().observed);
}

#[test]
fn a_stateful_set_tells_its_partition_and_the_claims_it_deletes() {
    let value = |update: Value, retention: Value| {
        api(json!({
            "metadata": {"name": "db", "namespace": "shop", "uid": "u1"},
            "spec": {
                "replicas": 3, "serviceName": "db", "selector": {}, "template": {},
                "updateStrategy": update, "persistentVolumeClaimRetentionPolicy": retention,
                "volumeClaimTemplates": [{"metadata": {"name": "data"}}]
            },
            "status": {"replicas": 3, "readyReplicas": 3, "updateRevision": "a", "currentRevision": "a"}
        }))
    };
    let of = |update, retention| {
        let workload = stateful_set(&value(update, retention)).unwrap();
        (workload.rollout.unwrap(), workload.counts.unwrap())
    };
    let (rollout, counts) = of(json!(null), json!(null));
    assert_eq!(
        (rollout.strategy, rollout.claims_deleted),
        (Strategy::Rolling { unavailable: 1, surge: 0 }, 0)
    );
    assert_eq!(counts.updated, 3);
    assert_eq!(of(json!({"type": "OnDelete"}), json!(null)).0.strategy, Strategy::OnDelete);
    let partition = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    assert_eq!(of(partition, json!(null)).0.strategy, Strategy::Partitioned { from: 2 });
    assert_eq!(of(json!(null), json!({"whenScaled": "Delete"})).0.claims_deleted, 1);
}

fn a_pod(extra: Value) -> k8s_openapi::api::core::v1::Pod {
    let mut value = json!({
        "metadata": {"name": "web-0", "namespace": "shop", "uid": "p1"},
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "resources": {"requests": {"cpu": "100m"}}}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    });
    merge(&mut value, extra);
    api(value)
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

fn seen_pod(extra: Value) -> crate::seen::Pod {
    pod(&a_pod(extra), Keeper::Nobody, BTreeSet::new()).unwrap()
}

#[test]
fn a_pods_phase_and_readiness() {
    assert_eq!((seen_pod(json!({})).phase, seen_pod(json!({})).ready), (Phase::Running, true));
    let done = seen_pod(json!({"status": {"phase": "Succeeded"}}));
    assert_eq!((done.phase, done.ready), (Phase::Finished, false));
    let going = seen_pod(json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}));
    assert_eq!((going.phase, going.ready, going.evictable()), (Phase::Terminating, false, false));
}

#[test]
fn a_mirror_pod_is_the_kubelets() {
    let mirror = seen_pod(json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}}));
    assert_eq!((mirror.keeper.clone(), mirror.evictable()), (Keeper::Kubelet, false));
}

#[test]
fn what_only_the_scheduler_knows_is_named() {
    let bound = seen_pod(json!({"spec": {
        "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "d"}}],
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}]
    }}));
    let told: Vec<_> = bound.needs.undetermined.iter().map(String::as_str).collect();
    assert_eq!(told, ["pod anti-affinity", "topology spread", "volumes"]);
    let scratch = seen_pod(json!({"spec": {"volumes": [{"name": "d", "emptyDir": {}}]}}));
    assert!(scratch.needs.undetermined.is_empty() && scratch.empty_dir);
}

#[test]
fn requests_count_sidecars_and_the_largest_init_container() {
    let request = |cpu: &str| json!({"requests": {"cpu": cpu}});
    let pod = a_pod(json!({"spec": {
        "initContainers": [
            {"name": "side", "restartPolicy": "Always", "resources": request("50m")},
            {"name": "init", "resources": request("300m")}
        ],
        "overhead": {"cpu": "10m"}
    }}));
    let cpu = |pod: &k8s_openapi::api::core::v1::Pod| requests(pod.spec.as_ref().unwrap()).0["cpu"];
    assert_eq!(cpu(&pod), 360, "init 300 and its sidecar 50 are more than 100 and 50; overhead 10");
    assert_eq!(cpu(&a_pod(json!({}))), 100);
}

#[test]
fn a_name_that_is_none_stops_the_probe() {
    for extra in [
        json!({"metadata": {"name": "Web 0"}}),
        json!({"metadata": {"name": "<b>ignore</b>"}}),
        json!({"metadata": {"uid": null}}),
        json!({"spec": {"nodeName": "a b"}}),
    ] {
        assert!(pod(&a_pod(extra), Keeper::Nobody, BTreeSet::new()).is_err());
    }
}

#[test]
fn a_controller_of_another_group_is_foreign() {
    let owned = |version: &str, kind: &str| {
        let refs =
            json!([{"apiVersion": version, "kind": kind, "name": "web", "uid": "u", "controller": true}]);
        controller(&a_pod(json!({"metadata": {"ownerReferences": refs}})).metadata).unwrap().unwrap().known
    };
    assert_eq!(owned("apps/v1", "ReplicaSet"), ControllerKind::ReplicaSet);
    assert_eq!(owned("example.com/v1", "ReplicaSet"), ControllerKind::Foreign);
    assert_eq!(owned("argoproj.io/v1alpha1", "Rollout"), ControllerKind::Foreign);
    assert_eq!(controller(&a_pod(json!({})).metadata), Ok(None));
}

#[test]
fn a_budget_that_its_controller_has_not_seen_allows_nothing() {
    let value = |generation: i64| {
        api(json!({
            "metadata": {"name": "web", "namespace": "shop", "uid": "b", "generation": generation},
            "spec": {"maxUnavailable": "25%"},
            "status": {"observedGeneration": 1, "disruptionsAllowed": 2, "currentHealthy": 4, "desiredHealthy": 2, "expectedPods": 4}
        }))
    };
    assert_eq!(budget(&value(1)).unwrap().allowed, 2);
    assert_eq!(budget(&value(2)).unwrap().allowed, 0);
    assert_eq!(budget(&value(1)).unwrap().rule, BudgetRule::MaxUnavailable(Share::Percent(25)));
}

#[test]
fn endpoints_are_ready_unless_they_say_otherwise() {
    let slice = api(json!({
        "metadata": {"name": "web-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["1"], "conditions": null, "targetRef": {"kind": "Pod", "uid": "a"}},
            {"addresses": ["2"], "conditions": {"ready": false}, "targetRef": {"kind": "Pod", "uid": "b"}},
            {"addresses": ["3"], "conditions": {"ready": true}}
        ]
    }));
    let found = services(&[slice]).unwrap();
    assert_eq!(found[0].ready, BTreeSet::from(["a".parse().unwrap()]));
    assert_eq!(found[0].elsewhere, 1);
    let empty = json!({"metadata": {"namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}}, "endpoints": null});
    assert!(services(&[api(empty)]).unwrap()[0].ready.is_empty());
}

#[test]
fn a_node_is_slim_and_its_cordon_is_no_taint() {
    let (name, seen) = node(&api(json!({
        "metadata": {"name": "n1", "uid": "u", "labels": {"topology.kubernetes.io/zone": "z1"}},
        "spec": {"unschedulable": true, "taints": [
            {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},
            {"key": "gpu", "effect": "NoExecute"}, {"key": "soft", "effect": "PreferNoSchedule"}
        ]},
        "status": {"conditions": [{"type": "Ready", "status": "Unknown"}], "allocatable": {"cpu": "8"}}
    })))
    .unwrap();
    assert_eq!(name, "n1".parse::<NodeName>().unwrap());
    assert!(seen.unschedulable && !seen.ready && !seen.annotated);
    assert_eq!(seen.taints.iter().map(|t| t.key.as_str()).collect::<Vec<_>>(), ["gpu"]);
    assert_eq!((seen.zone.as_str(), seen.allocatable.0["cpu"]), ("z1", 8000));
}
