//! What admission refuses even an administrator who has the account's name.

use anyhow::{Context as _, Result};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use runcord_tests::bed::Bed;
use runcord_tests::cluster::{Cluster, wait_for};
use serde_json::{Value, json};

use super::{Account, by_policy, image, mark, marked};
use crate::secrets::db;
use crate::story::{SOON, pods, web};
use crate::upkeep::old_job;

/// A copy of the library without the runbook of that file.
fn library_without(bed: &Bed, file: &str) -> Result<String> {
    let folder = bed.path("runbooks");
    std::fs::create_dir(&folder)?;
    for (name, text) in runcord_runbooks::shipped() {
        let name = std::path::Path::new(name).file_name().context("a runbook without a name")?;
        if name != file {
            std::fs::write(folder.join(name), text)?;
        }
    }
    Ok(folder.to_str().context("a path that is no text")?.to_owned())
}

#[tokio::test]
async fn stolen_credentials_stay_within_the_shape_of_the_runbooks() -> Result<()> {
    let bed = Bed::new("stolen", 1).await?;
    web(&bed, 2).await?;
    db(&bed).await?;
    old_job(&bed, "done").await?;
    // Were it among them, a template would be a field like any other: see `marks`.
    let runbooks = library_without(&bed, "rollback_rollout.yaml")?;
    let account = Account::new(&bed, &["--runbooks", &runbooks]).await?;
    let thief = account.cluster().await?;
    let deployments = thief.api::<Deployment>(bed.name.as_str());

    // RBAC: what no runbook does is not permitted at all.
    let deleted = deployments.delete("web", &DeleteParams::default()).await;
    assert!(matches!(&deleted, Err(kube::Error::Api(status)) if status.code == 403), "{deleted:?}");

    // Admission: even were the account made an administrator of the cluster.
    let admin = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": format!("{}-admin", account.name)},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": account.user}]});
    bed.cluster.apply(bed.name.as_str(), admin).await?;
    wait_for("the binding to count", SOON, async || {
        Ok(by_policy(&deployments.delete("web", &DeleteParams::default()).await).then_some(()))
    })
    .await?;

    let plain = PatchParams::default();
    assert!(by_policy(&deployments.patch("web", &plain, &image()).await), "an image");
    let (mark, marked) = (mark('a'), |spec: Value| marked('a', spec));
    let marked_top = |mut patch: Value| {
        merge(&mut patch, &json!({"metadata": {"annotations": {"runcord.dev/plan": mark}}}));
        Patch::Merge(patch)
    };
    for (what, patch) in [
        ("an unmarked scale", Patch::Merge(json!({"spec": {"replicas": 3}}))),
        ("a pause", marked(json!({"paused": true}))),
        (
            "a label",
            Patch::Merge(
                json!({"metadata": {"labels": {"x": "y"}, "annotations": {"runcord.dev/plan": mark}}}),
            ),
        ),
        (
            "another annotation",
            Patch::Merge(json!({"metadata": {"annotations": {"runcord.dev/plan": mark, "x": "y"}}})),
        ),
        (
            "a finalizer",
            Patch::Merge(
                json!({"metadata": {"finalizers": ["x.dev/y"], "annotations": {"runcord.dev/plan": mark}}}),
            ),
        ),
        ("a template's annotation", marked(json!({"template": {"metadata": {"annotations": {"x": "y"}}}}))),
        ("a strategy", marked(json!({"strategy": {"type": "Recreate", "rollingUpdate": null}}))),
        ("a template", marked(json!({"template": {"spec": {"hostNetwork": true}}}))),
    ] {
        let result = deployments.patch("web", &plain, &patch).await;
        assert!(by_policy(&result), "{what}: {result:?}");
    }
    let scale = Patch::Merge(json!({"spec": {"replicas": 0}}));
    assert!(by_policy(&deployments.patch_scale("web", &plain, &scale).await), "the other way to scale");
    let maps = thief.api::<k8s_openapi::api::core::v1::ConfigMap>(bed.name.as_str());
    let map = serde_json::from_value(json!({"metadata": {"name": "x"}}))?;
    assert!(by_policy(&maps.create(&PostParams::default(), &map).await), "anything new");
    let nodes = Api::<k8s_openapi::api::core::v1::Node>::all(thief.client());
    let node = format!("{}-n1", bed.name);
    let taint = Patch::Merge(json!({"spec": {"taints": [{"key": "x", "effect": "NoExecute"}]}}));
    assert!(by_policy(&nodes.patch(&node, &plain, &taint).await), "a taint");
    let taint = marked(json!({"taints": [{"key": "x", "effect": "NoExecute"}]}));
    assert!(by_policy(&nodes.patch(&node, &plain, &taint).await), "a taint that no runbook sets");
    assert!(by_policy(&nodes.delete(&node, &DeleteParams::default()).await), "a node");
    let jobs = thief.api::<Job>(bed.name.as_str());
    let uid = jobs.get("done").await?.metadata.uid.context("no uid")?;
    for (what, params) in [
        ("a Job by its name alone", DeleteParams::foreground()),
        ("a Job in the background", DeleteParams::background().preconditions(by_uid(&uid))),
    ] {
        let result = jobs.delete("done", &params).await;
        assert!(by_policy(&result), "{what}: {result:?}");
    }
    let running = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "waits"}, "spec": {
        "suspend": true, "template": {"spec": {"restartPolicy": "Never", "containers": [
            {"name": "main", "image": "played"}]}}}});
    bed.cluster.apply(bed.name.as_str(), running).await?;
    let waits = jobs.get("waits").await?.metadata.uid.context("no uid")?;
    let result = jobs.delete("waits", &DeleteParams::foreground().preconditions(by_uid(&waits))).await;
    assert!(by_policy(&result), "a Job that is not finished: {result:?}");
    let kept = thief.api::<Secret>(bed.name.as_str());
    for (what, patch) in [
        ("an unmarked value", Patch::Merge(json!({"stringData": {"password": "x"}}))),
        ("a new key", marked_top(json!({"stringData": {"more": "x"}}))),
        ("a key that goes", marked_top(json!({"data": {"salt": null}}))),
        ("a label of a Secret", marked_top(json!({"metadata": {"labels": {"x": "y"}}}))),
    ] {
        let result = kept.patch("db", &plain, &patch).await;
        assert!(by_policy(&result), "{what}: {result:?}");
    }
    let of_db = kept.get("db").await?.metadata.uid.context("no uid")?;
    let token = json!({"type": "kubernetes.io/service-account-token",
        "metadata": {"annotations": {"kubernetes.io/service-account.name": "default"}}});
    for (what, change) in [
        ("a token of a service account", token),
        ("a Secret that may change", json!({"immutable": false})),
        ("a name that is no copy's", json!({"metadata": {"name": "mine"}})),
        ("a copy of nothing", json!({"metadata": {"annotations": {"runcord.dev/copy-of": null}}})),
        ("a copy without a plan", json!({"metadata": {"annotations": {"runcord.dev/plan": null}}})),
    ] {
        let result = kept.create(&PostParams::default(), &kept_copy(&of_db, &mark, change)?).await;
        assert!(by_policy(&result), "{what}: {result:?}");
    }
    let pod = pods(&bed).await?.remove(0);
    for (what, options) in [
        ("an eviction without a uid", json!({})),
        ("a kill", json!({"preconditions": {"uid": pod.metadata.uid}, "gracePeriodSeconds": 0})),
    ] {
        let result = evict(&thief, &pod, options).await;
        assert!(by_policy(&result), "{what}: {result:?}");
    }

    // What a runbook does passes, so that the above was refused for what it was.
    deployments.patch("web", &plain, &marked(json!({"replicas": 3}))).await?;
    kept.patch("db", &plain, &marked_top(json!({"stringData": {"password": "x"}}))).await?;
    kept.create(&PostParams::default(), &kept_copy(&of_db, &mark, json!({}))?).await?;
    evict(&thief, &pod, json!({"preconditions": {"uid": pod.metadata.uid}})).await?;
    jobs.delete("done", &DeleteParams::foreground().preconditions(by_uid(&uid))).await?;
    // And nobody else is held by it.
    bed.cluster.api::<Deployment>(bed.name.as_str()).patch("web", &plain, &image()).await?;
    Ok(())
}

/// The copy that a rotation keeps, with a change; null takes a field away.
fn kept_copy(uid: &str, mark: &str, change: Value) -> Result<Secret> {
    let mut copy = json!({
        "metadata": {"name": "db-v9", "annotations": {"runcord.dev/copy-of": uid, "runcord.dev/plan": mark}},
        "immutable": true, "type": "Opaque", "stringData": {"password": "x"},
    });
    merge(&mut copy, &change);
    Ok(serde_json::from_value(copy)?)
}

/// RFC 7386.
fn merge(value: &mut Value, change: &Value) {
    match (value, change) {
        (Value::Object(fields), Value::Object(changes)) => {
            for (key, change) in changes {
                if change.is_null() {
                    fields.remove(key);
                } else {
                    merge(fields.entry(key.clone()).or_insert(Value::Null), change);
                }
            }
        }
        (value, change) => *value = change.clone(),
    }
}

fn by_uid(uid: &str) -> kube::api::Preconditions {
    kube::api::Preconditions { uid: Some(uid.to_owned()), resource_version: None }
}

async fn evict(
    cluster: &Cluster,
    pod: &k8s_openapi::api::core::v1::Pod,
    options: Value,
) -> kube::Result<Value> {
    let meta = &pod.metadata;
    let (namespace, name) =
        (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
    let body = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, "deleteOptions": options});
    let request = http::Request::post(format!("/api/v1/namespaces/{namespace}/pods/{name}/eviction"))
        .body(body.to_string().into_bytes())
        .map_err(kube::Error::HttpError)?;
    cluster.client().request(request).await
}
