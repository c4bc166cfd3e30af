//! Every runbook under what is printed: nothing is missing, and nothing is left over.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, Patch, PatchParams};
use runcord_tests::bed::{Approver, Bed};
use runcord_tests::cluster::wait_for;
use runcord_tests::{ControlPlane, objects};
use serde_json::{Value, json};

use super::{Account, carried_out};
use crate::secrets::{self, by_env, db};
use crate::story::{SOON, budget, busiest_node, drain_of, node_of, of_web, pods, verified, web, with};
use crate::upkeep::{cron_job, old_job, stop_lease};
use crate::volumes;

/// Workloads of every kind that a drain may meet, on the bed's nodes.
async fn neighbours(bed: &Bed) -> Result<()> {
    let namespace = bed.name.as_str();
    // These use the Secret that is rotated.
    bed.cluster.apply(namespace, by_env(objects::stateful_set("store", 3))).await?;
    bed.cluster.apply(namespace, by_env(objects::daemon_set("agent", namespace))).await?;
    bed.cluster.apply(namespace, by_env(objects::deployment("web", 4))).await?;
    bed.cluster.rolled_out(namespace, "deployments", "web", SOON).await?;
    // And these a ConfigMap: nobody could restart them.
    let settings = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}});
    bed.cluster.apply(namespace, settings).await?;
    let template = |name: &str, policy: &str| {
        json!({"metadata": {"labels": {"app": name}}, "spec": {"restartPolicy": policy,
            "terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": "played",
                "envFrom": [{"configMapRef": {"name": "settings"}}]}]}})
    };
    let old = json!({"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "old"},
        "spec": {"replicas": 1, "selector": {"app": "old"}, "template": template("old", "Always")}});
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"},
        "spec": {"template": template("once", "Never")}});
    bed.cluster.apply(namespace, old).await?;
    bed.cluster.apply(namespace, job).await?;
    bed.cluster.rolled_out(namespace, "statefulsets", "store", SOON).await?;
    bed.cluster.rolled_out(namespace, "daemonsets", "agent", SOON).await?;
    wait_for("the other pods", SOON, async || {
        let (old, once) =
            (bed.cluster.pods(namespace, "app=old").await?, bed.cluster.pods(namespace, "app=once").await?);
        Ok((old.iter().chain(&once).filter(|pod| runcord_tests::cluster::is_ready(pod)).count() == 2)
            .then_some(()))
    })
    .await
}

/// A node that is not heard of any more, as the node controller leaves it behind.
async fn play_dead(bed: &Bed, node: &str) -> Result<()> {
    not_ready(bed, node).await?;
    let lost = Patch::Merge(json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}));
    let api = bed.cluster.api::<Pod>(bed.name.as_str());
    for pod in api.list(&Default::default()).await?.items {
        if node_of(&pod).is_ok_and(|on| on == node) {
            let name = pod.metadata.name.context("a pod without a name")?;
            api.patch_status(&name, &PatchParams::default(), &lost).await?;
        }
    }
    stop_lease(bed, node).await
}

async fn not_ready(bed: &Bed, node: &str) -> Result<()> {
    let nodes = Api::<Node>::all(bed.cluster.client());
    let down = Patch::Merge(json!({"metadata": {"annotations": {"runcord.dev/test": "down"}}}));
    nodes.patch(node, &PatchParams::default(), &down).await?;
    wait_for("the node to be not ready", SOON, async || {
        let conditions = nodes.get(node).await?.status.and_then(|s| s.conditions).unwrap_or_default();
        Ok(conditions.iter().any(|c| c.type_ == "Ready" && c.status != "True").then_some(()))
    })
    .await
}

async fn carried_out_and_back(bed: &Bed, account: &Account, tool: &str, args: Value) -> Result<()> {
    let run = carried_out(bed, account, tool, args).await?;
    let session = account.session(bed).await?;
    let undo = session.call("undo_plan", json!({"run_id": run})).await?.done()?;
    if undo.str("/decision/outcome")? == "needs_approval" {
        bed.approve(undo.str("/plan_id")?, Approver::Ana)?;
    }
    verified(&session, &undo).await?;
    Ok(())
}

/// Every runbook is carried out, so that nothing that is printed may stay unused.
#[tokio::test]
async fn the_whole_library_runs_under_exactly_the_printed_permissions() -> Result<()> {
    let bed = Bed::new("least", 4).await?;
    db(&bed).await?;
    web(&bed, 4).await?;
    neighbours(&bed).await?;
    budget(&bed, 2, 2).await?;
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "compute"},
        "spec": {"hard": {"pods": "99"}}});
    bed.cluster.apply(bed.name.as_str(), quota).await?;
    bed.cluster.apply(bed.name.as_str(), cron_job("nightly")).await?;
    old_job(&bed, "done").await?;
    volumes::data(&bed).await?;
    let account = Account::new(&bed, &[]).await?;
    let plane = ControlPlane::shared()?;
    let mark = plane.mark()?;
    let session = account.session(&bed).await?;
    let of = |kind: &str, name: &str| with(of_web(&bed), json!({"kind": kind, "name": name}));

    // Reading.
    for (kind, name) in [("Deployment", "web"), ("StatefulSet", "store"), ("DaemonSet", "agent")] {
        let args = json!({"kind": kind, "namespace": bed.name.as_str(), "name": name});
        session.call("workload_status", args.clone()).await?.done()?;
        session.call("rollout_history", args).await?.done()?;
    }
    let pod = pods(&bed).await?.remove(0).metadata.name.context("a pod without a name")?;
    session.call("pod_logs", json!({"namespace": bed.name.as_str(), "pod": pod})).await?.done()?;
    session.call("recent_events", json!({"namespace": bed.name.as_str()})).await?.done()?;
    let first = format!("{}-n1", bed.name);
    session.call("node_status", json!({"node": first})).await?.done()?;

    for (kind, name) in [("Secret", "db"), ("ConfigMap", "settings")] {
        let args = json!({"kind": kind, "namespace": bed.name.as_str(), "name": name});
        session.call("find_consumers", args).await?.done()?;
    }

    // Changing, and back.
    let why = |args: Value| with(args, json!({"reason": "an end-to-end test"}));
    carried_out_and_back(&bed, &account, "plan_restart_workload", of("Deployment", "web")).await?;
    carried_out(&bed, &account, "plan_restart_workload", of("StatefulSet", "store")).await?;
    carried_out(&bed, &account, "plan_restart_workload", of("DaemonSet", "agent")).await?;
    // The restarts made the revisions.
    for (kind, name) in [("Deployment", "web"), ("StatefulSet", "store"), ("DaemonSet", "agent")] {
        carried_out(&bed, &account, "plan_rollback_rollout", of(kind, name)).await?;
    }
    carried_out_and_back(&bed, &account, "plan_rotate_secret", secrets::of_db(&bed)).await?;
    let nightly = json!({"namespace": bed.name.as_str(), "name": "nightly"});
    carried_out_and_back(&bed, &account, "plan_suspend_cronjob", why(nightly)).await?;
    let clean = json!({"namespace": bed.name.as_str(), "timeout": "1m"});
    carried_out(&bed, &account, "plan_clean_finished_jobs", why(clean)).await?;
    let larger = why(volumes::to(&bed, "data", "20Gi"));
    tokio::try_join!(
        carried_out(&bed, &account, "plan_grow_volume", larger),
        volumes::played_resizer(&bed, "data")
    )?;
    for tool in ["plan_cordon_node", "plan_uncordon_node"] {
        carried_out(&bed, &account, tool, drain_of(&first)).await?;
    }
    let pod = pods(&bed).await?.remove(0).metadata.name.context("a pod without a name")?;
    let one = json!({"namespace": bed.name.as_str(), "pod": pod});
    carried_out(&bed, &account, "plan_evict_pod", why(one)).await?;
    for (kind, name) in [("Deployment", "web"), ("StatefulSet", "store")] {
        let args = with(of(kind, name), json!({"replicas": 5}));
        carried_out(&bed, &account, "plan_scale_workload", args).await?;
    }
    // All nodes are planned for, so that every kind of owner is met; the fullest one is drained.
    for n in 1..=4 {
        session.call("plan_drain_node", drain_of(&format!("{}-n{n}", bed.name))).await?.done()?;
    }
    let emptied = busiest_node(&bed).await?.0;
    carried_out_and_back(&bed, &account, "plan_drain_node", drain_of(&emptied)).await?;
    play_dead(&bed, &emptied).await?;
    let dead = with(drain_of(&emptied), json!({"timeout": "1m"}));
    carried_out_and_back(&bed, &account, "plan_release_dead_node", dead).await?;

    let asked = plane.events_since(mark, &account.user).await?;
    let refused: Vec<_> = asked
        .iter()
        .filter(|event| event.response_status.as_ref().is_some_and(|status| status.code == 403))
        .collect();
    assert!(refused.is_empty(), "a permission is missing: {refused:#?}");
    let used: BTreeSet<_> = asked
        .iter()
        .filter_map(|event| {
            let object = event.object_ref.clone()?;
            Some((event.verb.clone(), object.resource, object.subresource))
        })
        .collect();
    let idle: Vec<_> = account.granted()?.difference(&used).cloned().collect();
    assert!(idle.is_empty(), "permitted and never used; does this test carry out every runbook? {idle:?}");
    Ok(())
}
