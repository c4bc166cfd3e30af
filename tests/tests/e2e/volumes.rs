//! `grow_volume`: from plan to grown, where it ends when nobody grows the volume, and what it refuses where a plain
//! dry-run says yes. There is no storage driver here: a *played resizer* does to claim and volume what one does.

use anyhow::{Context as _, Result};
use http::Request;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, ResourceQuota};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use runcord_tests::bed::{Approver, Bed};
use runcord_tests::cluster::wait_for;
use runcord_tests::objects;
use runcord_tests::session::{Era, Session};
use serde_json::{Value, json};

use crate::permissions::{Account, by_policy};
use crate::story::{SOON, apply, deploy, ended, verified, web, with};
use crate::upkeep::{approved, planned, refused};

const TOOL: &str = "plan_grow_volume";
/// No such driver runs, so that whatever happens to a volume was played.
const DRIVER: &str = "played.runcord.dev";

fn claims(bed: &Bed) -> Api<PersistentVolumeClaim> {
    bed.cluster.api(bed.name.as_str())
}

fn volume_name(bed: &Bed, name: &str) -> String {
    format!("{}-{name}", bed.name)
}

/// A storage class of the bed's own; gives its name.
async fn class(bed: &Bed, word: &str, provisioner: &str, grows: bool) -> Result<String> {
    let name = volume_name(bed, word);
    let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
        "provisioner": provisioner, "allowVolumeExpansion": grows});
    bed.cluster.apply(bed.name.as_str(), class).await?;
    Ok(name)
}

/// A claim of 10Gi with a volume made by hand, once the cluster has bound them.
async fn claim(bed: &Bed, name: &str, class: &str) -> Result<()> {
    let volume = volume_name(bed, name);
    let size = json!({"storage": "10Gi"});
    let made = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume}, "spec": {
        "capacity": size, "accessModes": ["ReadWriteOnce"], "storageClassName": class,
        "persistentVolumeReclaimPolicy": "Retain", "csi": {"driver": DRIVER, "volumeHandle": volume},
        "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": bed.name.as_str(), "name": name}}});
    let wanted = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": class, "volumeName": volume,
        "resources": {"requests": size}}});
    for object in [made, wanted] {
        bed.cluster.apply(bed.name.as_str(), object).await?;
    }
    let api = claims(bed);
    wait_for("the claim to be bound", SOON, async || {
        let status = api.get(name).await?.status.unwrap_or_default();
        Ok((status.phase.as_deref() == Some("Bound") && status.capacity.is_some()).then_some(()))
    })
    .await
}

/// A claim `data` of 10Gi of a class that grows.
pub(crate) async fn data(bed: &Bed) -> Result<()> {
    let grows = class(bed, "grows", DRIVER, true).await?;
    claim(bed, "data", &grows).await
}

/// A Deployment `web` whose pods mount the claim.
async fn web_on(bed: &Bed, claim: &str) -> Result<()> {
    let mut web = objects::deployment("web", 1);
    let source = json!({"claimName": claim});
    web["spec"]["template"]["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": source}]);
    deploy(bed, web).await
}

/// What the claim asks for, and what it has.
async fn sizes(bed: &Bed, name: &str) -> Result<(String, String)> {
    let claim = serde_json::to_value(claims(bed).get(name).await?)?;
    let at = |pointer: &str| {
        claim.pointer(pointer).and_then(Value::as_str).map(str::to_owned).context("the claim has no size")
    };
    Ok((at("/spec/resources/requests/storage")?, at("/status/capacity/storage")?))
}

/// What a driver writes into a claim's status.
async fn played_status(bed: &Bed, name: &str, status: Value) -> Result<()> {
    let patch = Patch::Merge(json!({"status": status}));
    claims(bed).patch_status(name, &PatchParams::default(), &patch).await?;
    Ok(())
}

/// Waits until the claim asks for more than it has, as a resizer does.
async fn asked_to_grow(bed: &Bed, name: &str) -> Result<String> {
    wait_for("the claim to ask for more", SOON, async || {
        let (asked, has) = sizes(bed, name).await?;
        Ok((asked != has).then_some(asked))
    })
    .await
}

/// The *played resizer*: grows the volume, then, as the kubelet would, its file system.
pub(crate) async fn played_resizer(bed: &Bed, name: &str) -> Result<()> {
    let size = json!({"storage": asked_to_grow(bed, name).await?});
    let at_work = json!({"allocatedResourceStatuses": {"storage": "ControllerResizeInProgress"}, "allocatedResources": size});
    played_status(bed, name, at_work).await?;
    let volumes: Api<PersistentVolume> = Api::all(bed.cluster.client());
    let grown = Patch::Merge(json!({"spec": {"capacity": size}}));
    volumes.patch(&volume_name(bed, name), &PatchParams::default(), &grown).await?;
    played_status(bed, name, on_node()).await?;
    played_status(bed, name, json!({"capacity": size, "allocatedResourceStatuses": null, "conditions": []}))
        .await
}

/// The volume has grown, its file system has not.
fn on_node() -> Value {
    json!({
        "allocatedResourceStatuses": {"storage": "NodeResizePending"},
        "conditions": [{"type": "FileSystemResizePending", "status": "True"}],
    })
}

pub(crate) fn to(bed: &Bed, name: &str, size: &str) -> Value {
    json!({"namespace": bed.name.as_str(), "name": name, "size": size, "timeout": "1m"})
}

/// Whether the API server would let an administrator ask for that size: a plain dry-run.
async fn plain_dry_run(bed: &Bed, name: &str, size: &str) -> kube::Result<PersistentVolumeClaim> {
    let patch = Patch::Merge(json!({"spec": {"resources": {"requests": {"storage": size}}}}));
    claims(bed).patch(name, &PatchParams { dry_run: true, ..PatchParams::default() }, &patch).await
}

/// Ours refuses with these words.
async fn refused_saying(session: &Session, bed: &Bed, name: &str, size: &str, words: &str) -> Result<()> {
    let said = refused(session, TOOL, to(bed, name, size)).await?;
    assert!(said.contains(words), "{name} to {size}: {said}");
    Ok(())
}

/// The same, where the plain dry-run says yes.
async fn refused_alone(session: &Session, bed: &Bed, name: &str, size: &str, words: &str) -> Result<()> {
    plain_dry_run(bed, name, size).await.with_context(|| format!("the plain dry-run of {name} to {size}"))?;
    refused_saying(session, bed, name, size, words).await
}

#[tokio::test]
async fn a_volume_grows_with_one_approval_and_never_back() -> Result<()> {
    let bed = Bed::new("grow", 1).await?;
    data(&bed).await?;
    web_on(&bed, "data").await?;
    let session = bed.session(Era::Stateless).await?;
    let plan = planned(&session, TOOL, to(&bed, "data", "20Gi")).await?.done()?;
    assert_eq!(plan.str("/headline")?, format!("grow volume claim {}/data to 20Gi on test-eu", bed.name));
    let blast = &plan.content["blast_radius"];
    assert_eq!(
        (&blast["irreversible"], &blast["pods_lost"], &blast["downstream"]),
        (&json!(1), &json!(0), &json!(0))
    );
    assert_eq!(plan.content["decision"]["approvals_needed"], json!([[{"count": 1, "group": "approvers"}]]));
    let summary = plan.str("/summary")?;
    assert!(
        summary.contains("no undo, and 10Gi more are paid for") && summary.contains("pod web-"),
        "{summary}"
    );
    assert!(plan.content["coverage"]["undetermined"].to_string().contains("backend has the room"));
    assert_eq!(sizes(&bed, "data").await?.0, "10Gi", "planning asks for nothing");

    assert_eq!(apply(&session, &plan).await?.refusal()?, "approval_required");
    approved(&bed, &plan, &[Approver::Ana]).await?;
    let (end, _) = tokio::try_join!(verified(&session, &plan), played_resizer(&bed, "data"))?;
    assert_eq!(sizes(&bed, "data").await?, ("20Gi".to_owned(), "20Gi".to_owned()));
    let marks = claims(&bed).get("data").await?.metadata.annotations.unwrap_or_default();
    assert_eq!(marks.get("runcord.dev/plan").map(String::as_str), Some(plan.str("/plan_id")?));
    let diff = end.content["diff"].to_string();
    assert!(diff.contains("requested: 10Gi → 20Gi") && diff.contains("capacity: 10Gi → 20Gi"), "{diff}");

    assert_eq!(end.content["undo_available"], false);
    let undo = session.call("undo_plan", json!({"run_id": end.str("/run_id")?})).await?;
    assert_eq!(undo.refusal()?, "undo_unavailable");
    assert!(undo.str("/message")?.contains("declares no way back"), "{:#}", undo.content);
    refused_saying(&session, &bed, "data", "20Gi", "has 20Gi already: nothing to do").await?;
    refused_saying(&session, &bed, "data", "10Gi", "never made smaller").await?;
    Ok(())
}

#[tokio::test]
async fn what_no_storage_engineer_would_do_is_refused_though_a_dry_run_says_yes() -> Result<()> {
    let bed = Bed::new("slips", 0).await?;
    let grows = class(&bed, "grows", DRIVER, true).await?;
    let by_hand = class(&bed, "by-hand", "kubernetes.io/no-provisioner", true).await?;
    for name in ["data", "open", "failed", "behind", "going"] {
        claim(&bed, name, &grows).await?;
    }
    claim(&bed, "local", &by_hand).await?;
    let session = bed.session(Era::Stateless).await?;
    refused_alone(&session, &bed, "data", "100Gi", "300 % of its size at once, which is 30Gi").await?;
    refused_alone(&session, &bed, "local", "20Gi", "made by hand").await?;

    // A resize that the driver is at, one that it has given up, and one that nobody has taken up.
    let state = |state: &str| json!({"allocatedResourceStatuses": {"storage": state}});
    played_status(&bed, "open", state("ControllerResizeInProgress")).await?;
    refused_alone(&session, &bed, "open", "20Gi", "this is not over").await?;
    played_status(&bed, "failed", state("ControllerResizeInfeasible")).await?;
    refused_alone(&session, &bed, "failed", "20Gi", "its storage driver says that this cannot be done")
        .await?;
    let more = Patch::Merge(json!({"spec": {"resources": {"requests": {"storage": "15Gi"}}}}));
    claims(&bed).patch("behind", &PatchParams::default(), &more).await?;
    refused_alone(&session, &bed, "behind", "20Gi", "was asked to grow to 15Gi before and has 10Gi").await?;

    // A claim that goes as soon as nothing holds it any more.
    let hold = |finalizers: Value| Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
    claims(&bed).patch("going", &PatchParams::default(), &hold(json!(["example.com/hold"]))).await?;
    claims(&bed).delete("going", &DeleteParams::default()).await?;
    refused_alone(&session, &bed, "going", "20Gi", "is being deleted").await?;
    claims(&bed).patch("going", &PatchParams::default(), &hold(Value::Null)).await?;
    Ok(())
}

/// The dry-run on the API server counts quota and asks the class; what it says is that it is forbidden, no more.
#[tokio::test]
async fn what_the_api_server_forbids_too_is_said_in_words() -> Result<()> {
    let bed = Bed::new("room", 0).await?;
    let (grows, stays) =
        (class(&bed, "grows", DRIVER, true).await?, class(&bed, "stays", DRIVER, false).await?);
    claim(&bed, "data", &grows).await?;
    claim(&bed, "fixed", &stays).await?;
    let session = bed.session(Era::Stateless).await?;
    let forbidden = async |name: &str| {
        let answer = plain_dry_run(&bed, name, "20Gi").await;
        matches!(answer, Err(kube::Error::Api(status)) if status.code == 403)
    };
    assert!(forbidden("fixed").await);
    refused_saying(&session, &bed, "fixed", "20Gi", "does not allow its volumes to grow").await?;
    refused_saying(&session, &bed, "nobody", "20Gi", "no PersistentVolumeClaim").await?;

    let of_class = format!("{grows}.storageclass.storage.k8s.io/requests.storage");
    for (key, used, more) in [("requests.storage", "20Gi", "25Gi"), (of_class.as_str(), "10Gi", "15Gi")] {
        planned(&session, TOOL, to(&bed, "data", "20Gi")).await?.done()?;
        let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "room"},
            "spec": {"hard": {key: more}}});
        bed.cluster.apply(bed.name.as_str(), quota).await?;
        let quotas = bed.cluster.api::<ResourceQuota>(bed.name.as_str());
        wait_for("the quota to be counted", SOON, async || {
            let counted = quotas.get("room").await?.status.and_then(|s| s.used).unwrap_or_default();
            Ok(counted.get(key).is_some_and(|quantity| quantity.0 == used).then_some(()))
        })
        .await?;
        wait_for("the API server to know the quota", SOON, async || {
            Ok(forbidden("data").await.then_some(()))
        })
        .await?;
        let words = format!("ResourceQuota {}/room lets claims ask for {more} of storage", bed.name);
        refused_saying(&session, &bed, "data", "20Gi", &words).await?;
        planned(&session, TOOL, to(&bed, "data", "15Gi")).await?.done()?;
        quotas.delete("room", &DeleteParams::default()).await?;
        wait_for("the API server to forget the quota", SOON, async || {
            Ok((!forbidden("data").await).then_some(()))
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_claim_that_is_another_or_grew_meanwhile_is_left_alone() -> Result<()> {
    let bed = Bed::new("sameclaim", 0).await?;
    data(&bed).await?;
    let session = bed.session(Era::Stateless).await?;
    let plan = planned(&session, TOOL, to(&bed, "data", "20Gi")).await?.done()?;
    approved(&bed, &plan, &[Approver::Ana]).await?;
    let api = claims(&bed);
    let volumes: Api<PersistentVolume> = Api::all(bed.cluster.client());
    let old = api.get("data").await?.metadata.uid;
    api.delete("data", &DeleteParams::default()).await?;
    volumes.delete(&volume_name(&bed, "data"), &DeleteParams::default()).await?;
    wait_for("claim and volume to be gone", SOON, async || {
        let gone = api.get_opt("data").await?.is_none();
        Ok((gone && volumes.get_opt(&volume_name(&bed, "data")).await?.is_none()).then_some(()))
    })
    .await?;
    data(&bed).await?;
    assert_ne!(api.get("data").await?.metadata.uid, old);
    // Its name and its size are right, and a plain dry-run says yes.
    plain_dry_run(&bed, "data", "20Gi").await?;
    assert_eq!(apply(&session, &plan).await?.refusal()?, "plan_drifted");

    // Somebody else lets it grow, and it has grown.
    let plan = planned(&session, TOOL, to(&bed, "data", "20Gi")).await?.done()?;
    approved(&bed, &plan, &[Approver::Ana]).await?;
    let more = Patch::Merge(json!({"spec": {"resources": {"requests": {"storage": "15Gi"}}}}));
    api.patch("data", &PatchParams::default(), &more).await?;
    played_resizer(&bed, "data").await?;
    assert_eq!(apply(&session, &plan).await?.refusal()?, "plan_drifted");
    assert_eq!(sizes(&bed, "data").await?.0, "15Gi");
    Ok(())
}

/// The shipped runbook, with a timeout that may be as short as a test wants.
fn impatient(bed: &Bed) -> Result<()> {
    let shipped = runcord_runbooks::shipped().iter().find(|(file, _)| file.ends_with("/grow_volume.yaml"));
    let (_, text) = shipped.context("not shipped")?;
    let folder = bed.path("runbooks");
    std::fs::create_dir(&folder)?;
    std::fs::write(folder.join("grow.yaml"), text.replace("minimum: 1m\n", "minimum: 1s\n"))?;
    std::fs::write(bed.path("runcord.yaml"), "agent: claude\nrunbooks: runbooks\n")?;
    bed.activate(Approver::Ana)?;
    Ok(())
}

/// Makes a claim, has it grow with little patience, and waits until it asks for more; gives the run.
async fn begun(bed: &Bed, session: &Session, name: &str, class: &str) -> Result<String> {
    claim(bed, name, class).await?;
    let args = with(to(bed, name, "20Gi"), json!({"timeout": "20s"}));
    let plan = planned(session, TOOL, args).await?.done()?;
    approved(bed, &plan, &[Approver::Ana]).await?;
    let run = apply(session, &plan).await?.done()?.str("/run_id")?.to_owned();
    asked_to_grow(bed, name).await?;
    Ok(run)
}

#[tokio::test]
async fn a_volume_that_nobody_grows_ends_the_run_and_says_where_it_stands() -> Result<()> {
    let bed = Bed::new("nobody-grows", 0).await?;
    impatient(&bed)?;
    let grows = class(&bed, "grows", DRIVER, true).await?;
    let session = bed.session(Era::Stateless).await?;
    let given_up = json!({"allocatedResourceStatuses": {"storage": "ControllerResizeInfeasible"}});
    let mut runs = Vec::new();
    for (name, status) in [("infeasible", given_up), ("on-node", on_node()), ("untaken", json!({}))] {
        runs.push((name, begun(&bed, &session, name, &grows).await?));
        played_status(&bed, name, status).await?;
    }
    let words = [
        "its storage driver says that this cannot be done",
        "its file system has not: that is done when a pod mounts it, and none does",
        "the time for it is over: PersistentVolumeClaim NAMESPACE/untaken has 10Gi of 20Gi: no storage driver has taken it up",
    ];
    for ((name, run), words) in runs.iter().zip(words) {
        let end = ended(&session, run).await?;
        assert_eq!(end.str("/state")?, "failed", "{name}: {:#}", end.content);
        let (summary, words) = (end.str("/summary")?, words.replace("NAMESPACE", bed.name.as_str()));
        assert!(summary.contains(&words), "{name}: {summary}");
        assert_eq!(sizes(&bed, name).await?, ("20Gi".to_owned(), "10Gi".to_owned()), "the request stays");
    }
    refused_saying(&session, &bed, "untaken", "25Gi", "was asked to grow to 20Gi before and has 10Gi")
        .await?;

    // As it says: an administrator lowers the request, above what there is. Then it can be planned again.
    let less = Patch::Merge(json!({"spec": {"resources": {"requests": {"storage": "11Gi"}}}}));
    claims(&bed).patch("untaken", &PatchParams::default(), &less).await?;
    played_resizer(&bed, "untaken").await?;
    planned(&session, TOOL, to(&bed, "untaken", "25Gi")).await?.done()?;
    Ok(())
}

#[tokio::test]
async fn stolen_credentials_let_a_claim_ask_for_more_and_do_nothing_else_to_it() -> Result<()> {
    let bed = Bed::new("thief", 1).await?;
    web(&bed, 1).await?;
    data(&bed).await?;
    let account = Account::new(&bed, &[]).await?;
    let thief = account.cluster().await?.api::<PersistentVolumeClaim>(bed.name.as_str());
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    let asks = |size: &str| json!({"spec": {"resources": {"requests": {"storage": size}}}});
    let mark = json!({"metadata": {"annotations": {"runcord.dev/plan": format!("pln_{}", "a".repeat(26))}}});
    let marked = |more: Value| Patch::Merge(with(mark.clone(), more));
    for (what, patch) in [
        ("without a plan", Patch::Merge(asks("20Gi"))),
        ("another class of volume", marked(json!({"spec": {"volumeAttributesClassName": "gold"}}))),
        (
            "a label",
            Patch::Merge(
                json!({"metadata": {"labels": {"x": "y"}, "annotations": mark["metadata"]["annotations"]}}),
            ),
        ),
        (
            "a finalizer",
            Patch::Merge(
                json!({"metadata": {"finalizers": [], "annotations": mark["metadata"]["annotations"]}}),
            ),
        ),
    ] {
        let result = thief.patch("data", &dry, &patch).await;
        assert!(by_policy(&result), "{what}: {result:?}");
    }
    thief.patch("data", &dry, &marked(asks("20Gi"))).await?;

    // While a growth is not over, the API server lets anybody who may patch ask for less again.
    claims(&bed).patch("data", &PatchParams::default(), &Patch::Merge(asks("20Gi"))).await?;
    plain_dry_run(&bed, "data", "15Gi").await?;
    let lowered = thief.patch("data", &dry, &marked(asks("15Gi"))).await;
    assert!(by_policy(&lowered), "{lowered:?}");
    thief.patch("data", &dry, &marked(asks("20480Mi"))).await?;
    let deleted = Request::delete(format!("/api/v1/namespaces/{}/persistentvolumeclaims/data", bed.name))
        .body(Vec::new())?;
    let deleted = account.cluster().await?.client().request::<Value>(deleted).await;
    assert!(matches!(&deleted, Err(kube::Error::Api(status)) if status.code == 403), "{deleted:?}");
    Ok(())
}
