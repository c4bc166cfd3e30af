//! The runbooks of upkeep, from plan to verified and undone, and what they refuse where a plain dry-run says yes.

use anyhow::{Context as _, Result};
use http::Request;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use runcord_tests::bed::{Approver, Bed};
use runcord_tests::cluster::{is_ready, wait_for};
use runcord_tests::session::{Answer, Era, Session};
use runcord_tests::{ControlPlane, objects};
use serde_json::{Value, json};

use crate::story::{
    SOON, apply, budget, deploy, ended, node_of, of_web, pods, schedulable, verified, web, with,
};

/// The same object with another image.
fn with_image(mut object: Value, image: &str) -> Value {
    object["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
    object
}

async fn image_of_web(bed: &Bed) -> Result<String> {
    let web = bed.cluster.api::<Deployment>(bed.name.as_str()).get("web").await?;
    let spec = web.spec.and_then(|s| s.template.spec).context("no template")?;
    spec.containers.into_iter().next().and_then(|c| c.image).context("no image")
}

/// A JSON patch by an administrator that changes nothing: what plain dry-run says.
async fn plain_dry_run(bed: &Bed, path: &str) -> Result<bool> {
    let body = json!([{"op": "add", "path": "/metadata/labels/touched", "value": "yes"}]).to_string();
    let request = Request::patch(format!("{path}?dryRun=All"))
        .header("content-type", "application/json-patch+json")
        .body(body.into_bytes())?;
    Ok(bed.cluster.client().request::<Value>(request).await.is_ok())
}

pub(crate) async fn planned(session: &Session, tool: &str, args: Value) -> Result<Answer> {
    session.call(tool, with(args, json!({"reason": "an end-to-end test"}))).await
}

/// The message of a refusal for a precondition.
pub(crate) async fn refused(session: &Session, tool: &str, args: Value) -> Result<String> {
    let answer = planned(session, tool, args).await?;
    assert_eq!(answer.refusal()?, "precondition_failed", "{:#}", answer.content);
    Ok(answer.str("/message")?.to_owned())
}

pub(crate) async fn approved(bed: &Bed, plan: &Answer, approvers: &[Approver]) -> Result<()> {
    for approver in approvers {
        bed.approve(plan.str("/plan_id")?, *approver)?;
    }
    Ok(())
}

async fn undone(bed: &Bed, session: &Session, end: &Answer, approvers: &[Approver]) -> Result<()> {
    let undo = session.call("undo_plan", json!({"run_id": end.str("/run_id")?})).await?.done()?;
    approved(bed, &undo, approvers).await?;
    verified(session, &undo).await?;
    Ok(())
}

#[tokio::test]
async fn a_deployment_is_rolled_back_and_forth() -> Result<()> {
    let bed = Bed::new("rollback", 2).await?;
    web(&bed, 3).await?;
    deploy(&bed, with_image(objects::deployment("web", 3), "played:2")).await?;
    let session = bed.session(Era::Stateless).await?;
    let plan = session.call("plan_rollback_rollout", of_web(&bed)).await?.done()?;
    assert_eq!(plan.str("/decision/outcome")?, "allow", "it surges: nothing is lost");
    let diff = plan.content["diff"].to_string();
    assert!(diff.contains("played:2 → played"), "{diff}");
    let end = verified(&session, &plan).await?;
    assert_eq!(image_of_web(&bed).await?, "played");
    undone(&bed, &session, &end, &[]).await?;
    assert_eq!(image_of_web(&bed).await?, "played:2", "undone");

    let again = with(of_web(&bed), json!({"revision": 4}));
    let refusal = session.call("plan_rollback_rollout", again).await?;
    assert!(refusal.str("/message")?.contains("already"), "{:#}", refusal.content);
    let unknown = with(of_web(&bed), json!({"revision": 77}));
    let refusal = session.call("plan_rollback_rollout", unknown).await?;
    assert!(refusal.str("/message")?.contains("keeps no revision 77"), "{:#}", refusal.content);
    Ok(())
}

#[tokio::test]
async fn stateful_and_daemon_sets_are_rolled_back_by_their_controller_revisions() -> Result<()> {
    let bed = Bed::new("revisions", 3).await?;
    let session = bed.session(Era::Stateless).await?;
    for (kind, plural, object) in [
        ("StatefulSet", "statefulsets", objects::stateful_set("db", 3)),
        ("DaemonSet", "daemonsets", objects::daemon_set("db", bed.name.as_str())),
    ] {
        for image in ["played", "played:2"] {
            bed.cluster.apply(bed.name.as_str(), with_image(object.clone(), image)).await?;
            bed.cluster.rolled_out(bed.name.as_str(), plural, "db", SOON).await?;
        }
        let args = json!({"kind": kind, "namespace": bed.name.as_str(), "name": "db"});
        let plan = planned(&session, "plan_rollback_rollout", args).await?.done()?;
        if plan.str("/decision/outcome")? == "needs_approval" {
            approved(&bed, &plan, &[Approver::Ana]).await?;
        }
        verified(&session, &plan).await?;
        let now = bed.cluster.rolled_out(bed.name.as_str(), plural, "db", SOON).await?;
        assert_eq!(now["spec"]["template"]["spec"]["containers"][0]["image"], "played", "{kind}");
    }
    Ok(())
}

#[tokio::test]
async fn a_rollout_in_progress_is_not_rolled_back_though_a_dry_run_says_yes() -> Result<()> {
    let bed = Bed::new("progress", 2).await?;
    web(&bed, 2).await?;
    let mut hanging = with_image(objects::deployment("web", 2), "played:2");
    hanging["spec"]["template"]["metadata"]["annotations"] = json!({"runcord.dev/test": "hang"});
    bed.cluster.apply(bed.name.as_str(), hanging).await?;
    let api = bed.cluster.api::<Deployment>(bed.name.as_str());
    wait_for("the rollout to begin", SOON, async || {
        let status = api.get("web").await?.status.unwrap_or_default();
        Ok((status.updated_replicas.unwrap_or(0) > 0 && status.replicas.unwrap_or(0) > 2).then_some(()))
    })
    .await?;
    // Labels are there in none of our objects: give it some.
    let labelled = json!({"metadata": {"labels": {"app": "web"}}});
    api.patch("web", &PatchParams::default(), &Patch::Merge(&labelled)).await?;
    let path = format!("/apis/apps/v1/namespaces/{}/deployments/web", bed.name.as_str());
    assert!(plain_dry_run(&bed, &path).await?, "the plain dry-run says yes");
    let session = bed.session(Era::Stateless).await?;
    for tool in ["plan_rollback_rollout", "plan_restart_workload"] {
        let refusal = session.call(tool, of_web(&bed)).await?;
        assert_eq!(refusal.refusal()?, "precondition_failed");
        assert!(refusal.str("/message")?.contains("under way"), "{:#}", refusal.content);
    }
    Ok(())
}

#[tokio::test]
async fn one_pod_is_evicted_and_replaced() -> Result<()> {
    let bed = Bed::new("onepod", 3).await?;
    web(&bed, 3).await?;
    budget(&bed, 2, 1).await?;
    let before = pods(&bed).await?;
    let pod = before.first().context("no pod")?;
    let (name, uid) = (pod.metadata.name.clone().unwrap(), pod.metadata.uid.clone());
    let args = json!({"namespace": bed.name.as_str(), "pod": name});
    let session = bed.session(Era::Stateless).await?;
    let plan = planned(&session, "plan_evict_pod", args).await?.done()?;
    let blast = &plan.content["blast_radius"];
    assert_eq!(
        (&blast["pods_lost"], &blast["nodes"], &blast["pdb_headroom"]),
        (&json!(1), &json!(0), &json!(0))
    );
    assert_eq!(plan.str("/decision/outcome")?, "needs_approval", "no headroom is left");
    approved(&bed, &plan, &[Approver::Ana]).await?;
    let end = verified(&session, &plan).await?;
    assert!(end.content["diff"].to_string().contains(&name), "{:#}", end.content["diff"]);
    let after = pods(&bed).await?;
    assert!(after.len() == 3 && after.iter().all(|p| p.metadata.uid != uid));
    assert!(schedulable(&bed, &node_of(pod)?).await?, "its node stays as it is");
    Ok(())
}

#[tokio::test]
async fn a_budget_with_an_empty_selector_covers_every_pod() -> Result<()> {
    let bed = Bed::new("everything", 2).await?;
    web(&bed, 2).await?;
    let all = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "all"},
        "spec": {"minAvailable": 2, "selector": {}},
    });
    bed.cluster.apply(bed.name.as_str(), all).await?;
    let budgets = bed.cluster.api::<k8s_openapi::api::policy::v1::PodDisruptionBudget>(bed.name.as_str());
    wait_for("the budget to be counted", SOON, async || {
        Ok(budgets.get("all").await?.status.filter(|s| s.expected_pods == 2).map(|_| ()))
    })
    .await?;
    let session = bed.session(Era::Stateless).await?;
    // A plain dry-run of a scale asks no budget at all.
    let path = format!("/apis/apps/v1/namespaces/{}/deployments/web/scale", bed.name.as_str());
    let request = Request::patch(format!("{path}?dryRun=All"))
        .header("content-type", "application/merge-patch+json")
        .body(json!({"spec": {"replicas": 1}}).to_string().into_bytes())?;
    bed.cluster.client().request::<Value>(request).await?;
    let scale =
        session.call("plan_scale_workload", with(of_web(&bed), json!({"replicas": 1}))).await?.done()?;
    assert_eq!(scale.str("/decision/outcome")?, "deny", "{:#}", scale.content);
    let pod = pods(&bed).await?.first().and_then(|p| p.metadata.name.clone()).context("no pod")?;
    let args = json!({"namespace": bed.name.as_str(), "pod": pod});
    let plan = planned(&session, "plan_evict_pod", args).await?.done()?;
    assert_eq!(plan.str("/decision/outcome")?, "deny", "{:#}", plan.content);
    assert!(plan.content["decision"]["reasons"].to_string().contains("headroom.never"));
    Ok(())
}

#[tokio::test]
async fn a_pod_that_was_replaced_under_the_same_name_is_not_evicted() -> Result<()> {
    // On one node, so that nothing but the uid tells the two apart.
    let bed = Bed::new("samename", 1).await?;
    bed.cluster.apply(bed.name.as_str(), objects::stateful_set("db", 3)).await?;
    bed.cluster.rolled_out(bed.name.as_str(), "statefulsets", "db", SOON).await?;
    let session = bed.session(Era::Stateless).await?;
    let args = json!({"namespace": bed.name.as_str(), "pod": "db-2"});
    let plan = planned(&session, "plan_evict_pod", args).await?.done()?;
    let api = bed.cluster.api::<Pod>(bed.name.as_str());
    let old = api.get("db-2").await?.metadata.uid;
    api.delete("db-2", &DeleteParams::default()).await?;
    wait_for("another db-2", SOON, async || {
        let sets = bed.cluster.api::<StatefulSet>(bed.name.as_str()).get("db").await?;
        let ready = sets.status.and_then(|s| s.ready_replicas) == Some(3);
        Ok(api.get_opt("db-2").await?.filter(|p| ready && is_ready(p) && p.metadata.uid != old).map(|_| ()))
    })
    .await?;
    // Its name is right, and a plain dry-run of the eviction says yes.
    let path = format!("/api/v1/namespaces/{}/pods/db-2/eviction?dryRun=All", bed.name.as_str());
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "db-2"}});
    let request = Request::post(path).body(eviction.to_string().into_bytes())?;
    bed.cluster.client().request::<Value>(request).await?;
    assert_eq!(apply(&session, &plan).await?.refusal()?, "plan_drifted");
    Ok(())
}

#[tokio::test]
async fn a_name_that_matches_nothing_and_an_empty_one_change_nothing() -> Result<()> {
    let bed = Bed::new("nothing", 3).await?;
    web(&bed, 1).await?;
    old_job(&bed, "old").await?;
    let session = bed.session(Era::Stateless).await?;
    let plane = ControlPlane::shared()?;
    let mark = plane.mark()?;
    let namespace = bed.name.as_str();
    // The plain dry-run says yes to a name that matches nothing, and to a selector that matches everything.
    let all = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
    let of_nobody = crate::plain::delete(&bed, &all, "&fieldSelector=metadata.name%3Dnobody").await?;
    assert_eq!(of_nobody["items"], json!([]), "{of_nobody:#}");
    let of_all = crate::plain::delete(&bed, &all, "&labelSelector=").await?;
    assert_eq!(of_all["items"][0]["metadata"]["name"], "web", "an empty selector means all: {of_all:#}");
    for (tool, args) in [
        ("plan_restart_workload", json!({"kind": "Deployment", "namespace": namespace, "name": "nobody"})),
        (
            "plan_scale_workload",
            json!({"kind": "Deployment", "namespace": namespace, "name": "nobody", "replicas": 1}),
        ),
        ("plan_evict_pod", json!({"namespace": namespace, "pod": "nobody"})),
        ("plan_suspend_cronjob", json!({"namespace": namespace, "name": "nobody"})),
        // There is one that could be cleaned up, but not of that CronJob.
        ("plan_clean_finished_jobs", json!({"namespace": namespace, "cron_job": "nobody"})),
        ("plan_clean_finished_jobs", json!({"namespace": format!("{namespace}-none")})),
        ("plan_cordon_node", json!({"node": "nobody"})),
        ("plan_uncordon_node", json!({"node": "nobody"})),
        ("plan_release_dead_node", json!({"node": "nobody"})),
        ("plan_rollback_rollout", json!({"kind": "Deployment", "namespace": namespace, "name": "nobody"})),
    ] {
        refused(&session, tool, args).await.with_context(|| tool.to_owned())?;
    }
    for (tool, args) in [
        ("plan_restart_workload", json!({"kind": "Deployment", "namespace": namespace, "name": ""})),
        (
            "plan_scale_workload",
            json!({"kind": "Deployment", "namespace": namespace, "name": "", "replicas": 1}),
        ),
        ("plan_drain_node", json!({"node": ""})),
        ("plan_evict_pod", json!({"namespace": namespace, "pod": ""})),
        ("plan_clean_finished_jobs", json!({"namespace": ""})),
        ("plan_clean_finished_jobs", json!({"namespace": namespace, "cron_job": ""})),
        ("plan_clean_finished_jobs", json!({"namespace": namespace, "older_than": "0s"})),
        ("plan_clean_finished_jobs", json!({"namespace": namespace, "at_most": 0})),
        ("plan_suspend_cronjob", json!({"namespace": namespace, "name": ""})),
        ("plan_rollback_rollout", json!({"kind": "Deployment", "namespace": namespace, "name": ""})),
    ] {
        assert_eq!(planned(&session, tool, args).await?.refusal()?, "invalid_params", "{tool}");
    }
    assert!(plane.writes_since(mark, namespace).await?.is_empty(), "nothing was sent");
    Ok(())
}

#[tokio::test]
async fn a_node_is_cordoned_undone_and_uncordoned() -> Result<()> {
    let bed = Bed::new("cordons", 3).await?;
    let node = format!("{}-n1", bed.name.as_str());
    let session = bed.session(Era::Stateless).await?;
    let cordon = planned(&session, "plan_cordon_node", json!({"node": node})).await?.done()?;
    assert_eq!(cordon.str("/decision/outcome")?, "allow");
    assert_eq!(cordon.content["blast_radius"]["nodes_cordoned"], 1);
    let end = verified(&session, &cordon).await?;
    assert!(!schedulable(&bed, &node).await?);
    assert!(refused(&session, "plan_cordon_node", json!({"node": node})).await?.contains("cordoned already"));
    undone(&bed, &session, &end, &[]).await?;
    assert!(schedulable(&bed, &node).await?, "undone");
    assert!(refused(&session, "plan_uncordon_node", json!({"node": node})).await?.contains("already"));

    let cordon = planned(&session, "plan_cordon_node", json!({"node": node})).await?.done()?;
    verified(&session, &cordon).await?;
    let back = planned(&session, "plan_uncordon_node", json!({"node": node})).await?.done()?;
    verified(&session, &back).await?;
    assert!(schedulable(&bed, &node).await?);
    Ok(())
}

pub(crate) fn cron_job(name: &str) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name},
        "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": job_spec()}},
    })
}

fn job_spec() -> Value {
    json!({"template": {"spec": {
        "restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "main", "image": "played"}],
    }}})
}

#[tokio::test]
async fn a_cron_job_is_suspended_and_let_go_on() -> Result<()> {
    let bed = Bed::new("cronjob", 1).await?;
    bed.cluster.apply(bed.name.as_str(), cron_job("nightly")).await?;
    let api = bed.cluster.api::<CronJob>(bed.name.as_str());
    let suspended =
        async || anyhow::Ok(api.get("nightly").await?.spec.and_then(|s| s.suspend).unwrap_or(false));
    let session = bed.session(Era::Stateless).await?;
    let args = json!({"namespace": bed.name.as_str(), "name": "nightly"});
    let plan = planned(&session, "plan_suspend_cronjob", args.clone()).await?.done()?;
    assert_eq!(plan.str("/decision/outcome")?, "allow");
    let end = verified(&session, &plan).await?;
    assert!(suspended().await?);
    let marks = api.get("nightly").await?.metadata.annotations.unwrap_or_default();
    assert_eq!(marks.get("runcord.dev/plan").map(String::as_str), Some(plan.str("/plan_id")?));
    refused(&session, "plan_suspend_cronjob", args.clone()).await?;
    undone(&bed, &session, &end, &[]).await?;
    assert!(!suspended().await?, "undone");

    // Somebody else suspends it between plan and apply.
    let plan = planned(&session, "plan_suspend_cronjob", args.clone()).await?.done()?;
    api.patch("nightly", &PatchParams::default(), &Patch::Merge(&json!({"spec": {"suspend": true}}))).await?;
    assert!(apply(&session, &plan).await?.refused);
    let resume =
        planned(&session, "plan_suspend_cronjob", with(args, json!({"suspend": false}))).await?.done()?;
    assert!(resume.str("/summary")?.contains("may start at once"), "{:#}", resume.content["summary"]);
    verified(&session, &resume).await?;
    assert!(!suspended().await?);
    Ok(())
}

/// A Job that finished two days ago, with the pod that it made.
pub(crate) async fn old_job(bed: &Bed, name: &str) -> Result<()> {
    let job =
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": job_spec()});
    bed.cluster.apply(bed.name.as_str(), job).await?;
    let api = bed.cluster.api::<Job>(bed.name.as_str());
    let finished = wait_for("the Job to finish", SOON, async || {
        let status = serde_json::to_value(api.get(name).await?.status)?;
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        Ok(conditions.iter().any(|c| c["type"] == "Complete").then_some(conditions))
    })
    .await?;
    let long_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(48);
    let mut conditions = finished;
    for condition in &mut conditions {
        condition["lastTransitionTime"] =
            json!(jiff::Timestamp::from_second(long_ago.as_second())?.to_string());
    }
    let status = json!({"status": {"conditions": conditions}});
    api.patch_status(name, &PatchParams::default(), &Patch::Merge(&status)).await?;
    Ok(())
}

async fn pods_of_jobs(bed: &Bed) -> Result<usize> {
    Ok(bed.cluster.api::<Pod>(bed.name.as_str()).list(&Default::default()).await?.items.len())
}

fn clean(bed: &Bed) -> Value {
    json!({"namespace": bed.name.as_str(), "timeout": "1m"})
}

#[tokio::test]
async fn finished_jobs_go_with_their_children_which_were_counted() -> Result<()> {
    let bed = Bed::new("clean", 1).await?;
    old_job(&bed, "one").await?;
    old_job(&bed, "two").await?;
    let young =
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "young"}, "spec": job_spec()});
    bed.cluster.apply(bed.name.as_str(), young).await?;
    let api = bed.cluster.api::<Job>(bed.name.as_str());
    // The plain dry-run previews the parent only.
    api.delete("one", &DeleteParams { dry_run: true, ..DeleteParams::background() }).await?;
    let session = bed.session(Era::Stateless).await?;
    let plan = planned(&session, "plan_clean_finished_jobs", clean(&bed)).await?.done()?;
    assert_eq!(
        plan.content["blast_radius"]["irreversible"], 4,
        "two Jobs and their pods: {:#}",
        plan.content
    );
    assert_eq!(plan.str("/decision/outcome")?, "needs_approval");
    assert!(
        api.get_opt("one").await?.is_some() && api.get_opt("two").await?.is_some(),
        "planning deletes nothing"
    );
    approved(&bed, &plan, &[Approver::Ana]).await?;
    verified(&session, &plan).await?;
    assert!(api.get_opt("one").await?.is_none() && api.get_opt("two").await?.is_none());
    assert!(api.get_opt("young").await?.is_some(), "a Job that finished a moment ago stays");
    assert_eq!(pods_of_jobs(&bed).await?, 1, "the children went with their parents");
    Ok(())
}

#[tokio::test]
async fn a_finalizer_that_would_hold_a_deletion_is_found_and_said() -> Result<()> {
    let bed = Bed::new("finalizer", 1).await?;
    old_job(&bed, "held").await?;
    let api = bed.cluster.api::<Job>(bed.name.as_str());
    let hold = json!({"metadata": {"finalizers": ["example.com/hold"]}});
    let let_go = json!({"metadata": {"finalizers": null}});
    let session = bed.session(Era::Stateless).await?;

    // Set between plan and apply: what would be done is not what was planned.
    let plan = planned(&session, "plan_clean_finished_jobs", clean(&bed)).await?.done()?;
    approved(&bed, &plan, &[Approver::Ana]).await?;
    api.patch("held", &PatchParams::default(), &Patch::Merge(&hold)).await?;
    let answer = apply(&session, &plan).await?;
    assert!(["plan_drifted", "precondition_failed"].contains(&answer.refusal()?), "{:#}", answer.content);

    // There from the beginning: the plain dry-run says yes, and the deletion would hang.
    api.delete("held", &DeleteParams { dry_run: true, ..DeleteParams::foreground() }).await?;
    let said = refused(&session, "plan_clean_finished_jobs", clean(&bed)).await?;
    assert!(said.contains("finalizer example.com/hold would hold its deletion"), "{said}");
    old_job(&bed, "free").await?;
    let plan = planned(&session, "plan_clean_finished_jobs", clean(&bed)).await?.done()?;
    assert!(plan.str("/summary")?.contains("example.com/hold"), "{:#}", plan.content["summary"]);
    approved(&bed, &plan, &[Approver::Ana]).await?;
    verified(&session, &plan).await?;
    assert!(api.get_opt("free").await?.is_none() && api.get_opt("held").await?.is_some());
    api.patch("held", &PatchParams::default(), &Patch::Merge(&let_go)).await?;
    Ok(())
}

#[tokio::test]
async fn a_job_that_was_replaced_under_the_same_name_is_not_deleted() -> Result<()> {
    let bed = Bed::new("samejob", 1).await?;
    old_job(&bed, "one").await?;
    let session = bed.session(Era::Stateless).await?;
    let plan = planned(&session, "plan_clean_finished_jobs", clean(&bed)).await?.done()?;
    approved(&bed, &plan, &[Approver::Ana]).await?;
    let api = bed.cluster.api::<Job>(bed.name.as_str());
    api.delete("one", &DeleteParams::foreground()).await?;
    wait_for("the Job to be gone", SOON, async || Ok(api.get_opt("one").await?.is_none().then_some(())))
        .await?;
    old_job(&bed, "one").await?;
    assert_eq!(apply(&session, &plan).await?.refusal()?, "plan_drifted");
    assert!(api.get_opt("one").await?.is_some());
    Ok(())
}

/// Keeps whoever plays the kubelets from renewing a node's lease, and makes it an hour old.
pub(crate) async fn stop_lease(bed: &Bed, node: &str) -> Result<()> {
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": format!("{node}-lease")},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{
                "apiGroups": ["coordination.k8s.io"], "apiVersions": ["v1"], "operations": ["UPDATE"],
                "resources": ["leases"], "resourceNames": [node],
            }]},
            "validations": [{"expression": "request.userInfo.username != 'kwok'", "message": "played dead"}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": format!("{node}-lease")},
        "spec": {"policyName": format!("{node}-lease"), "validationActions": ["Deny"]},
    });
    for object in [policy, binding] {
        bed.cluster.apply(bed.name.as_str(), object).await?;
    }
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}");
    // Six digits, no more: the API's times of leases are so.
    let long_ago = format!("{:.6}", jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1));
    let body = json!({"spec": {"renewTime": long_ago}}).to_string().into_bytes();
    let patch = |query: &str| {
        Request::patch(format!("{path}{query}")).header("content-type", "application/merge-patch+json")
    };
    wait_for("the admission policy to hold", SOON, async || {
        let as_kwok = patch("?dryRun=All").header("impersonate-user", "kwok");
        let as_kwok = as_kwok.header("impersonate-group", "system:masters").body(body.clone())?;
        let answer = bed.cluster.client().request::<Value>(as_kwok).await;
        Ok(answer.is_err_and(|error| error.to_string().contains("played dead")).then_some(()))
    })
    .await?;
    bed.cluster.client().request::<Value>(patch("").body(body.clone())?).await?;
    Ok(())
}

/// What a server says to a dead node's release whose library holds the shipped runbook under a name of the site's own.
async fn planned_under_another_name(bed: &Bed, node: &str) -> Result<Answer> {
    let shipped = runcord_runbooks::shipped().iter().find(|(name, _)| name.contains("release_dead_node"));
    let (_, text) = shipped.context("not in the library")?;
    let folder = bed.path("own-runbooks");
    std::fs::create_dir(&folder)?;
    std::fs::write(
        folder.join("bury_node.yaml"),
        text.replace("name: release_dead_node", "name: bury_node"),
    )?;
    let session = bed.session_with(Era::Stateless, &[("RUNCORD_RUNBOOKS", folder)]).await?;
    planned(&session, "plan_bury_node", json!({"node": node, "timeout": "1m"})).await?.done()
}

#[tokio::test]
async fn a_dead_node_is_released_by_two_people_and_taken_back() -> Result<()> {
    let bed = Bed::new("dead", 4).await?;
    web(&bed, 4).await?;
    let nodes: Api<k8s_openapi::api::core::v1::Node> = Api::all(bed.cluster.client());
    let node = node_of(pods(&bed).await?.first().context("no pod")?)?;
    let session = bed.session(Era::Stateless).await?;
    let args = json!({"node": node, "timeout": "1m"});
    assert!(
        refused(&session, "plan_release_dead_node", args.clone()).await?.contains("reports that it is ready")
    );

    let down = json!({"metadata": {"annotations": {"runcord.dev/test": "down"}}});
    nodes.patch(&node, &PatchParams::default(), &Patch::Merge(&down)).await?;
    let on_it = async || {
        let all = bed.cluster.api::<Pod>(bed.name.as_str()).list(&Default::default()).await?.items;
        anyhow::Ok(all.into_iter().filter(|p| node_of(p).is_ok_and(|n| n == node)).collect::<Vec<_>>())
    };
    wait_for("the node to be not ready", SOON, async || {
        let conditions = nodes.get(&node).await?.status.and_then(|s| s.conditions).unwrap_or_default();
        Ok(conditions.iter().any(|c| c.type_ == "Ready" && c.status != "True").then_some(()))
    })
    .await?;
    assert!(
        refused(&session, "plan_release_dead_node", args.clone()).await?.contains("still count as ready")
    );
    // What the node controller does once the node has not been heard of for long enough.
    let lost = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
    for pod in on_it().await? {
        let name = pod.metadata.name.unwrap_or_default();
        let api = bed.cluster.api::<Pod>(bed.name.as_str());
        api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&lost)).await?;
    }
    // Not ready, and yet its kubelet renews its lease; a plain dry-run of the taint says yes.
    let taint = json!({"spec": {"taints": [
        {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}
    ]}});
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    nodes.patch(&node, &dry, &Patch::Merge(&taint)).await?;
    let said = refused(&session, "plan_release_dead_node", args.clone()).await?;
    assert!(said.contains("not proved gone: its lease"), "{said}");

    stop_lease(&bed, &node).await?;
    let plan = planned(&session, "plan_release_dead_node", args).await?.done()?;
    assert_eq!(plan.content["decision"]["approvals_needed"], json!([[{"count": 2, "group": "approvers"}]]));
    assert!(plan.content["decision"]["reasons"].to_string().contains("dead-node.two-people"));
    let renamed = planned_under_another_name(&bed, &node).await?;
    assert_eq!(
        renamed.content["decision"], plan.content["decision"],
        "a site's own runbook is judged the same"
    );
    approved(&bed, &plan, &[Approver::Ana]).await?;
    assert_eq!(apply(&session, &plan).await?.refusal()?, "approval_required", "one is not enough");
    approved(&bed, &plan, &[Approver::Ben]).await?;
    let run = apply(&session, &plan).await?.done()?;
    let end = ended(&session, run.str("/run_id")?).await?;
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);
    let tainted = async || {
        let spec = nodes.get(&node).await?.spec.and_then(|s| s.taints).unwrap_or_default();
        anyhow::Ok(spec.iter().any(|t| t.key == "node.kubernetes.io/out-of-service"))
    };
    assert!(tainted().await?);
    assert!(on_it().await?.is_empty(), "its pods were let go");
    undone(&bed, &session, &end, &[]).await?;
    assert!(!tainted().await?, "undone");
    Ok(())
}
