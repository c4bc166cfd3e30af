//! What the mark of a plan licenses: one write, of what a runbook writes.

use anyhow::{Context as _, Result};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use runcord_tests::bed::Bed;
use runcord_tests::cluster::wait_for;
use serde_json::{Value, json};

use super::{Account, by_policy, image, mark, marked};
use crate::story::{SOON, web};

#[tokio::test]
async fn a_mark_that_is_there_licenses_no_further_write() -> Result<()> {
    let bed = Bed::new("oldmark", 1).await?;
    web(&bed, 1).await?;
    let account = Account::new(&bed, &[]).await?;
    let deployments = account.cluster().await?.api::<Deployment>(bed.name.as_str());
    let plain = PatchParams::default();
    deployments.patch("web", &plain, &marked('a', json!({"replicas": 2}))).await?;
    let unsaid = Patch::Merge(json!({"spec": {"replicas": 3}}));
    let again = marked('a', json!({"replicas": 3}));
    for (what, patch) in [("that is left as it is", &unsaid), ("that is written again", &again)] {
        let result = deployments.patch("web", &plain, patch).await;
        assert!(by_policy(&result), "a mark {what}: {result:?}");
    }
    let off = json!({"metadata": {"annotations": {"runcord.dev/plan": null}}, "spec": {"replicas": 3}});
    let result = deployments.patch("web", &plain, &Patch::Merge(off)).await;
    assert!(by_policy(&result), "a mark that is taken off: {result:?}");
    deployments.patch("web", &plain, &marked('b', json!({"replicas": 3}))).await?;
    Ok(())
}

/// The node's taints as they are, and the out-of-service taint with that effect.
async fn out_of_service(nodes: &Api<Node>, name: &str, effect: &str) -> Result<Value> {
    let taints = nodes.get(name).await?.spec.and_then(|spec| spec.taints).unwrap_or_default();
    let mut taints = serde_json::to_value(taints)?;
    taints
        .as_array_mut()
        .context("no list")?
        .push(json!({"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": effect}));
    Ok(json!({"taints": taints}))
}

#[tokio::test]
async fn only_a_node_that_is_not_ready_is_declared_out_of_service() -> Result<()> {
    let bed = Bed::new("inservice", 1).await?;
    web(&bed, 1).await?;
    let account = Account::new(&bed, &[]).await?;
    let nodes = Api::<Node>::all(account.cluster().await?.client());
    let plain = PatchParams::default();
    let ready = format!("{}-n1", bed.name);
    let out = marked('a', out_of_service(&nodes, &ready, "NoExecute").await?);
    let result = nodes.patch(&ready, &plain, &out).await;
    assert!(by_policy(&result), "a node that is ready: {result:?}");

    // Nobody plays the kubelet of one that is down from the beginning: it says nothing.
    let admin = Api::<Node>::all(bed.cluster.client());
    let name = format!("{}-silent", bed.name);
    let down = json!({"metadata": {"name": name, "annotations": {"runcord.dev/test": "down"}}});
    admin.create(&PostParams::default(), &serde_json::from_value(down)?).await?;
    let result = wait_for("the node's taints to stay as they are", SOON, async || {
        let out = out_of_service(&nodes, &name, "NoExecute").await?;
        let result = nodes.patch(&name, &plain, &marked('a', out.clone())).await;
        // The node controller sets taints of its own: what dropped those would be refused for that alone.
        let same = result.is_ok() || out == out_of_service(&nodes, &name, "NoExecute").await?;
        Ok(same.then_some(result))
    })
    .await?;
    assert!(by_policy(&result), "a node that says nothing: {result:?}");
    let says = admin.get(&name).await?.status.and_then(|status| status.conditions).unwrap_or_default();
    assert!(says.iter().all(|condition| condition.type_ != "Ready"), "it has begun to speak: {says:?}");

    let not_ready = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
    admin.patch_status(&name, &plain, &Patch::Merge(&not_ready)).await?;
    wait_for("the node to be declared out of service", SOON, async || {
        let out = marked('a', out_of_service(&nodes, &name, "NoExecute").await?);
        Ok(nodes.patch(&name, &plain, &out).await.ok())
    })
    .await?;

    // Back and ready, it may keep the taint or lose it, and gets no further one.
    let up = Patch::Merge(json!({"metadata": {"annotations": {"runcord.dev/test": null}}}));
    admin.patch(&name, &plain, &up).await?;
    wait_for("the node to be ready, with that taint alone", SOON, async || {
        let node = admin.get(&name).await?;
        let taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default().len();
        let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
        let ready = conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True");
        Ok((ready && taints == 1).then_some(()))
    })
    .await?;
    let further = marked('b', out_of_service(&nodes, &name, "NoSchedule").await?);
    let result = nodes.patch(&name, &plain, &further).await;
    assert!(by_policy(&result), "a node that is ready again: {result:?}");
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    nodes.patch(&name, &dry, &marked('b', json!({"unschedulable": true}))).await?;
    nodes.patch(&name, &plain, &marked('b', json!({"taints": null}))).await?;
    admin.delete(&name, &DeleteParams::default()).await?;
    Ok(())
}

#[tokio::test]
async fn where_rollbacks_are_loaded_a_marked_template_passes_and_nothing_around_it() -> Result<()> {
    let bed = Bed::new("rolls", 1).await?;
    web(&bed, 1).await?;
    let account = Account::new(&bed, &[]).await?;
    let deployments = account.cluster().await?.api::<Deployment>(bed.name.as_str());
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    let marked = |spec: Value| {
        Patch::Strategic(json!({"metadata": {"annotations": {"runcord.dev/plan": mark('a')}}, "spec": spec}))
    };
    let template = json!({"template": {"spec": {"containers": [{"name": "main", "image": "played:2"}]}}});
    deployments.patch("web", &dry, &marked(template)).await?;
    assert!(by_policy(&deployments.patch("web", &dry, &image()).await), "without a plan");
    let paused = deployments.patch("web", &dry, &marked(json!({"paused": true}))).await;
    assert!(by_policy(&paused), "a pause: {paused:?}");
    Ok(())
}
