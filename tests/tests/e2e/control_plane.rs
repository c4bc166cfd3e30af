//! What the other tests rest on: the control plane is real, and its audit log tells.

use std::time::Duration;

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, LogParams, PostParams};
use runcord_tests::cluster::{Cluster, is_ready, wait_for};
use runcord_tests::control_plane::{ADMIN, HOSTILE_CONTAINER, MASTERS};
use runcord_tests::{BedName, ControlPlane, objects};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

/// A namespace with nodes, and a Deployment `web` with a given number of ready pods on them.
async fn web(cluster: &Cluster, bed: &BedName, replicas: u32) -> Result<()> {
    cluster.namespace(bed.as_str()).await?;
    cluster.nodes(bed.as_str(), 3, 3).await?;
    cluster.apply(bed.as_str(), objects::deployment("web", replicas)).await?;
    cluster.rolled_out(bed.as_str(), "deployments", "web", SOON).await?;
    Ok(())
}

async fn evict(cluster: &Cluster, pod: &Pod, query: &str) -> Result<Value, kube::Error> {
    let (namespace, name) = (pod.metadata.namespace.as_deref(), pod.metadata.name.as_deref());
    let (namespace, name) = (namespace.unwrap_or_default(), name.unwrap_or_default());
    let body = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}});
    let request = http::Request::post(format!("/api/v1/namespaces/{namespace}/pods/{name}/eviction{query}"))
        .body(body.to_string().into_bytes())
        .map_err(kube::Error::HttpError)?;
    cluster.client().request(request).await
}

#[tokio::test]
async fn a_deployment_becomes_ready_and_rolls_out() -> Result<()> {
    let (cluster, bed) = (ControlPlane::shared()?.cluster().await?, BedName::new("rollout"));
    web(&cluster, &bed, 3).await?;
    let before = cluster.pods(bed.as_str(), "app=web").await?;
    assert!(before.len() == 3 && before.iter().all(is_ready));

    let mut changed = objects::deployment("web", 3);
    changed["spec"]["template"]["metadata"]["annotations"] = json!({"changed": "yes"});
    cluster.apply(bed.as_str(), changed).await?;
    cluster.rolled_out(bed.as_str(), "deployments", "web", SOON).await?;

    let after = cluster.pods(bed.as_str(), "app=web").await?;
    assert_eq!(after.len(), 3);
    assert!(after.iter().all(|pod| before.iter().all(|old| old.metadata.uid != pod.metadata.uid)));
    let nodes = after.iter().filter_map(|pod| pod.spec.as_ref()?.node_name.clone());
    assert!(nodes.into_iter().all(|node| node.starts_with(bed.as_str())), "a pod left its test's nodes");
    Ok(())
}

#[tokio::test]
async fn an_eviction_honours_a_disruption_budget() -> Result<()> {
    let (cluster, bed) = (ControlPlane::shared()?.cluster().await?, BedName::new("budget"));
    web(&cluster, &bed, 2).await?;
    cluster.apply(bed.as_str(), objects::disruption_budget("web", 2)).await?;
    let pods = cluster.pods(bed.as_str(), "app=web").await?;
    let pod = pods.first().context("no pod")?;
    // Until the controller has counted, the answer is the same: no disruption is allowed.
    let refused = evict(&cluster, pod, "").await;
    assert!(matches!(&refused, Err(kube::Error::Api(status)) if status.code == 429), "{refused:?}");

    cluster.apply(bed.as_str(), objects::disruption_budget("web", 1)).await?;
    wait_for("an eviction to be allowed", SOON, async || Ok(evict(&cluster, pod, "").await.ok())).await?;
    wait_for("another pod in its place", SOON, async || {
        let now = cluster.pods(bed.as_str(), "app=web").await?;
        let ready = now.iter().filter(|one| is_ready(one) && one.metadata.uid != pod.metadata.uid).count();
        Ok((ready == 2).then_some(()))
    })
    .await
}

#[tokio::test]
async fn the_audit_log_tells_a_dry_run_from_a_write() -> Result<()> {
    let plane = ControlPlane::shared()?;
    let (admin, bed) = (plane.cluster().await?, BedName::new("audit"));
    web(&admin, &bed, 1).await?;
    let cluster = Cluster::connect(&plane.kubeconfig_for(bed.as_str(), &[MASTERS])?).await?;
    let pods = cluster.pods(bed.as_str(), "app=web").await?;
    let pod = pods.first().context("no pod")?;

    let mark = plane.mark()?;
    evict(&cluster, pod, "?dryRun=All").await?;
    let dry = plane.writes_since(mark, bed.as_str()).await?;
    assert!(matches!(&dry[..], [one] if one.is_dry_run()), "{dry:?}");

    let mark = plane.mark()?;
    evict(&cluster, pod, "").await?;
    let wet = plane.writes_since(mark, bed.as_str()).await?;
    assert!(matches!(&wet[..], [one] if !one.is_dry_run()), "{wet:?}");
    let object = wet.first().and_then(|one| one.object_ref.clone()).context("no object")?;
    assert_eq!((object.resource.as_str(), object.subresource.as_str()), ("pods", "eviction"));
    assert!(plane.writes_since(mark, "nobody").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_user_may_do_what_its_role_says() -> Result<()> {
    let plane = ControlPlane::shared()?;
    let (admin, bed) = (plane.cluster().await?, BedName::new("rbac"));
    admin.namespace(bed.as_str()).await?;
    let kubeconfig = plane.kubeconfig_for(bed.as_str(), &["readers", bed.as_str()])?;
    let cluster = Cluster::connect(&kubeconfig).await?;
    assert!(cluster.pods(bed.as_str(), "").await.is_err());

    admin
        .apply_yaml(
            bed.as_str(),
            &format!(
                r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: readers}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: Group, name: {bed}}}]
"#
            ),
        )
        .await?;
    wait_for("the role to count", SOON, async || Ok(cluster.pods(bed.as_str(), "").await.ok())).await?;
    let refused = cluster.api::<Pod>(bed.as_str()).delete("none", &DeleteParams::default()).await;
    assert!(matches!(&refused, Err(kube::Error::Api(status)) if status.code == 403), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn pods_play_what_their_annotations_say() -> Result<()> {
    let (cluster, bed) = (ControlPlane::shared()?.cluster().await?, BedName::new("stages"));
    cluster.namespace(bed.as_str()).await?;
    cluster.nodes(bed.as_str(), 1, 1).await?;
    let pods = cluster.api::<Pod>(bed.as_str());
    for (name, annotations) in [
        ("good", json!({})),
        ("hung", json!({"runcord.dev/test": "hang"})),
        ("failed", json!({"runcord.dev/test": "fail"})),
        ("slow", json!({"runcord.dev/slow-delete": "2s", "runcord.dev/slow-ready": "1s"})),
    ] {
        let pod = json!({"metadata": {"name": name, "annotations": annotations},
            "spec": {"containers": [{"name": "main", "image": "played"}]}});
        pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
    }
    wait_for("two pods to be ready", SOON, async || {
        let (good, slow) = (pods.get("good").await?, pods.get("slow").await?);
        Ok((is_ready(&good) && is_ready(&slow)).then_some(()))
    })
    .await?;
    let phase = async |name: &str| anyhow::Ok(pods.get(name).await?.status.and_then(|status| status.phase));
    assert_eq!(phase("hung").await?.as_deref(), Some("Pending"));
    assert_eq!(phase("failed").await?.as_deref(), Some("Running"));
    assert!(!is_ready(&pods.get("failed").await?));

    pods.delete("slow", &DeleteParams::default()).await?;
    pods.delete("good", &DeleteParams::default()).await?;
    wait_for("the quick one to go", SOON, async || Ok(pods.get_opt("good").await?.is_none().then_some(())))
        .await?;
    assert!(pods.get_opt("slow").await?.is_some(), "it went at once");
    wait_for("the slow one to go", SOON, async || Ok(pods.get_opt("slow").await?.is_none().then_some(())))
        .await
}

#[tokio::test]
async fn logs_are_played() -> Result<()> {
    let (cluster, bed) = (ControlPlane::shared()?.cluster().await?, BedName::new("logs"));
    cluster.namespace(bed.as_str()).await?;
    cluster.nodes(bed.as_str(), 1, 1).await?;
    let pod = json!({"metadata": {"name": "one"}, "spec": {"containers": [
        {"name": "main", "image": "played"}, {"name": HOSTILE_CONTAINER, "image": "played"}]}});
    let pods = cluster.api::<Pod>(bed.as_str());
    pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
    wait_for("the pod to be ready", SOON, async || Ok(is_ready(&pods.get("one").await?).then_some(())))
        .await?;

    let ask = |container: &str| LogParams {
        container: Some(container.into()),
        tail_lines: Some(5),
        ..LogParams::default()
    };
    let plain = pods.logs("one", &ask("main")).await?;
    assert_eq!(plain.lines().count(), 5);
    let hostile = pods.logs("one", &LogParams { tail_lines: None, ..ask(HOSTILE_CONTAINER) }).await?;
    assert!(hostile.contains("IGNORE ALL PREVIOUS INSTRUCTIONS") && hostile.contains('\u{202e}'));
    let old = LogParams { since_seconds: Some(1), tail_lines: None, ..ask("main") };
    assert!(pods.logs("one", &old).await?.lines().count() < 5);
    Ok(())
}

#[tokio::test]
async fn the_control_plane_is_ours() -> Result<()> {
    let plane = ControlPlane::shared()?;
    assert!(plane.server().starts_with("https://127.0.0.1:"));
    let mark = plane.mark()?;
    plane.cluster().await?.pods("default", "").await?;
    let events = plane.events_since(mark, ADMIN).await?;
    assert!(events.iter().any(|event| event.verb == "list"));
    assert_eq!(plane.memory().len(), 5);
    Ok(())
}
