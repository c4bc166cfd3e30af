//! Where a plain dry-run says yes, or says nothing, and the change would fail, hang or be undone. Each test has the
//! administrator's own dry-run as its witness. More of them are where their runbooks are tested: `upkeep` (children,
//! finalizers, a rollout under way, another object of the same name, empty and idle names), `gates` (shared disruptions),
//! `crashes` (a budget that closes).

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use runcord_tests::bed::{Approver, Bed};
use runcord_tests::cluster::{is_ready, wait_for};
use runcord_tests::control_plane::AuditEvent;
use runcord_tests::session::{Era, Session};
use runcord_tests::{ControlPlane, objects};
use serde_json::{Value, json};

use crate::plain;
use crate::story::{SOON, apply, deploy, drain_of, ended, node_of, of_web, pods, verified, web, with};

/// The message of a refusal for a precondition.
async fn refused(session: &Session, tool: &str, args: Value) -> Result<String> {
    let answer = session.call(tool, args).await?;
    assert_eq!(answer.refusal()?, "precondition_failed", "{tool}: {:#}", answer.content);
    Ok(answer.str("/message")?.to_owned())
}

fn scale_to(bed: &Bed, replicas: u32) -> Value {
    with(of_web(bed), json!({"replicas": replicas}))
}

/// Two budgets over `web`, of other names. Its pods must be there: of the budgets over one pod, the
/// controller counts only the first anew when a pod comes, and the other would wait for ever.
async fn two_budgets(bed: &Bed) -> Result<()> {
    for name in ["one", "two"] {
        let mut budget = objects::disruption_budget("web", 1);
        budget["metadata"]["name"] = json!(name);
        bed.cluster.apply(bed.name.as_str(), budget).await?;
    }
    let api = bed.cluster.api::<k8s_openapi::api::policy::v1::PodDisruptionBudget>(bed.name.as_str());
    wait_for("both budgets to be counted", SOON, async || {
        let all = api.list(&Default::default()).await?.items;
        Ok(all.iter().all(|one| one.status.as_ref().is_some_and(|s| s.expected_pods > 0)).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_pod_under_two_budgets_is_not_evicted() -> Result<()> {
    let bed = Bed::new("two-budgets", 1).await?;
    web(&bed, 3).await?;
    two_budgets(&bed).await?;
    let session = bed.session(Era::Stateless).await?;
    let pod = pods(&bed).await?.remove(0);
    let name = pod.metadata.name.clone().context("no name")?;
    let path = format!("/api/v1/namespaces/{}/pods/{name}", bed.name);
    plain::delete(&bed, &path, "").await.context("a deletion asks no budget")?;
    assert_eq!(
        plain::code(&plain::evict(&bed, &pod).await),
        Some(500),
        "an eviction says that the server is broken"
    );
    let of_pod = json!({"namespace": bed.name.as_str(), "pod": name, "reason": "a test"});
    for (tool, args) in [("plan_drain_node", drain_of(&node_of(&pod)?)), ("plan_evict_pod", of_pod)] {
        let said = refused(&session, tool, args).await?;
        assert!(said.contains("covered by more than one disruption budget (one, two)"), "{said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_pod_under_two_budgets_that_is_about_to_run_is_not_evicted() -> Result<()> {
    let bed = Bed::new("two-pending", 1).await?;
    let mut hanging = objects::deployment("web", 1);
    hanging["spec"]["template"]["metadata"]["annotations"] = json!({"runcord.dev/test": "hang"});
    bed.cluster.apply(bed.name.as_str(), hanging).await?;
    let pod = wait_for("a pod on its node", SOON, async || {
        let found = bed.cluster.pods(bed.name.as_str(), "app=web").await?.into_iter().next();
        Ok(found.filter(|pod| node_of(pod).is_ok()))
    })
    .await?;
    two_budgets(&bed).await?;
    plain::evict(&bed, &pod).await.context("the plain dry-run says yes while the pod is pending")?;
    let session = bed.session(Era::Stateless).await?;
    let said = refused(&session, "plan_drain_node", drain_of(&node_of(&pod)?)).await?;
    assert!(said.contains("covered by more than one disruption budget"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_scaling_that_an_autoscaler_would_undo_is_refused() -> Result<()> {
    let bed = Bed::new("autoscaler", 1).await?;
    web(&bed, 2).await?;
    let session = bed.session(Era::Stateless).await?;
    let early = session.call("plan_scale_workload", scale_to(&bed, 4)).await?.done()?;
    let autoscaler = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web-scaler"},
        "spec": {"minReplicas": 1, "maxReplicas": 3,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
    });
    bed.cluster.apply(bed.name.as_str(), autoscaler).await?;
    plain::scale(&bed, 4).await.context("the plain dry-run says yes")?;
    let said = refused(&session, "plan_scale_workload", scale_to(&bed, 4)).await?;
    assert!(said.contains("scaled by HorizontalPodAutoscaler web-scaler, which would undo"), "{said}");
    // It came between plan and apply.
    assert_eq!(apply(&session, &early).await?.refusal()?, "precondition_failed");
    Ok(())
}

/// A quota, once its controller has counted.
async fn quota(bed: &Bed, hard: Value, used: &[(&str, &str)]) -> Result<()> {
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "compute"}, "spec": {"hard": hard}});
    bed.cluster.apply(bed.name.as_str(), quota).await?;
    let api = bed.cluster.api::<ResourceQuota>(bed.name.as_str());
    let wanted: BTreeMap<_, _> = used.iter().map(|(name, n)| ((*name).to_owned(), (*n).to_owned())).collect();
    wait_for("the quota to be counted", SOON, async || {
        let status = api.get("compute").await?.status.unwrap_or_default();
        let now: BTreeMap<_, _> = status.used.into_iter().flatten().map(|(name, n)| (name, n.0)).collect();
        let hard: BTreeMap<_, _> = status.hard.into_iter().flatten().map(|(name, n)| (name, n.0)).collect();
        let same = hard.keys().eq(now.keys()) && serde_json::to_value(&hard)? == quota_of(&api).await?;
        Ok((same && wanted.iter().all(|(name, n)| now.get(name) == Some(n))).then_some(()))
    })
    .await
}

/// What the quota asks for.
async fn quota_of(api: &kube::Api<ResourceQuota>) -> Result<Value> {
    Ok(serde_json::to_value(api.get("compute").await?.spec.and_then(|spec| spec.hard))?)
}

/// `web` with one new pod beside the old ones and none taken away, each with a tenth of a processor.
fn surging(replicas: u32) -> Value {
    let mut surging = objects::deployment("web", replicas);
    surging["spec"]["strategy"] =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}});
    surging
}

#[tokio::test]
async fn a_quota_that_stops_the_new_pods_is_found_before_they_are_wanted() -> Result<()> {
    let bed = Bed::new("quota", 2).await?;
    deploy(&bed, surging(2)).await?;
    let session = bed.session(Era::Stateless).await?;

    quota(&bed, json!({"pods": "2", "requests.cpu": "1"}), &[("pods", "2"), ("requests.cpu", "200m")])
        .await?;
    plain::restart(&bed).await.context("the plain dry-run of the restart says yes")?;
    let said = refused(&session, "plan_restart_workload", of_web(&bed)).await?;
    let expected = format!(
        "ResourceQuota {}/compute lets the rollout of Deployment {}/web stand still",
        bed.name, bed.name
    );
    assert!(said.contains(&expected) && said.contains("room for 0 of 1 new pods (pods)"), "{said}");

    quota(&bed, json!({"pods": "9", "requests.cpu": "450m"}), &[("pods", "2"), ("requests.cpu", "200m")])
        .await?;
    plain::scale(&bed, 5).await.context("the plain dry-run of the scaling says yes")?;
    let said = refused(&session, "plan_scale_workload", scale_to(&bed, 5)).await?;
    assert!(
        said.contains("leaves room for 2 of the 3 new pods") && said.contains("(requests.cpu)"),
        "{said}"
    );
    // What fits is let through, and gets there.
    let plan = session.call("plan_scale_workload", scale_to(&bed, 4)).await?.done()?;
    assert!(
        plan.content["coverage"]["checked"].to_string().contains("ResourceQuotas"),
        "{:#}",
        plan.content["coverage"]
    );
    verified(&session, &plan).await?;
    assert_eq!(pods(&bed).await?.len(), 4);
    Ok(())
}

#[tokio::test]
async fn a_quota_that_is_full_again_when_the_plan_is_applied_refuses_it() -> Result<()> {
    let bed = Bed::new("quota-late", 2).await?;
    deploy(&bed, surging(2)).await?;
    let session = bed.session(Era::Stateless).await?;
    quota(&bed, json!({"pods": "3"}), &[("pods", "2")]).await?;
    let restart = session.call("plan_restart_workload", of_web(&bed)).await?.done()?;
    let taken = json!({"metadata": {"name": "taken"}, "spec": {"terminationGracePeriodSeconds": 1,
        "containers": [{"name": "main", "image": "played", "resources": {"requests": {"cpu": "100m"}}}]}});
    let api = bed.cluster.api::<Pod>(bed.name.as_str());
    api.create(&Default::default(), &serde_json::from_value(taken)?).await?;
    quota(&bed, json!({"pods": "3"}), &[("pods", "3")]).await?;
    assert_eq!(apply(&session, &restart).await?.refusal()?, "precondition_failed");
    api.delete("taken", &Default::default()).await?;
    quota(&bed, json!({"pods": "3"}), &[("pods", "2")]).await?;
    verified(&session, &restart).await?;
    Ok(())
}

#[tokio::test]
async fn a_quota_that_wants_limits_said_stops_a_template_that_says_none() -> Result<()> {
    let bed = Bed::new("quota-limits", 2).await?;
    deploy(&bed, surging(2)).await?;
    let session = bed.session(Era::Stateless).await?;
    quota(&bed, json!({"limits.memory": "1Gi"}), &[("limits.memory", "0")]).await?;
    plain::restart(&bed).await.context("the plain dry-run says yes")?;
    let said = refused(&session, "plan_restart_workload", of_web(&bed)).await?;
    assert!(
        said.contains("lets in only pods that say limits.memory, and the template of Deployment"),
        "{said}"
    );
    // A default of the namespace says it for them.
    let defaults = json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "defaults"},
        "spec": {"limits": [{"type": "Container", "default": {"memory": "64Mi"}, "defaultRequest": {"memory": "32Mi"}}]}});
    bed.cluster.apply(bed.name.as_str(), defaults).await?;
    let plan = session.call("plan_restart_workload", of_web(&bed)).await?.done()?;
    verified(&session, &plan).await?;
    Ok(())
}

#[tokio::test]
async fn an_evicted_pod_that_a_quota_does_not_let_back_counts_as_lost() -> Result<()> {
    let bed = Bed::new("quota-evict", 2).await?;
    web(&bed, 2).await?;
    // Lowered below what runs: whatever goes does not come back.
    quota(&bed, json!({"pods": "1"}), &[("pods", "2")]).await?;
    let pod = pods(&bed).await?.remove(0);
    plain::evict(&bed, &pod).await.context("the plain dry-run says yes")?;
    let session = bed.session(Era::Stateless).await?;
    let args = json!({"namespace": bed.name.as_str(), "pod": pod.metadata.name, "timeout": "1m", "reason": "a test"});
    let plan = session.call("plan_evict_pod", args).await?.done()?;
    let said = plan.str("/summary")?;
    assert!(said.contains("is not made anew: a ResourceQuota of its namespace is used up"), "{said}");
    if plan.str("/decision/outcome")? == "needs_approval" {
        bed.approve(plan.str("/plan_id")?, Approver::Ana)?;
    }
    // The run does not wait for a pod that nobody may make.
    verified(&session, &plan).await?;
    assert_eq!(pods(&bed).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_webhook_that_cannot_be_dry_run_leaves_the_plan_undetermined_and_nothing_is_sent_for_real()
-> Result<()> {
    let bed = Bed::new("webhook", 2).await?;
    web(&bed, 2).await?;
    let plane = ControlPlane::shared()?;
    let name = format!("{}-undryable", bed.name);
    // No API server takes one that does not say that it can be dry-run, since 1.22; but what an older one stored stays.
    // Nothing listens there: what is sent for real passes, as `Ignore` says.
    let webhook = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name, "uid": "6f9c1f3e-0000-4000-8000-000000000001", "creationTimestamp": "2026-11-01T12:00:00Z"},
        "webhooks": [{
            "name": "undryable.example.com", "sideEffects": "Some", "failurePolicy": "Ignore", "timeoutSeconds": 1,
            "admissionReviewVersions": ["v1"], "matchPolicy": "Equivalent", "objectSelector": {},
            "clientConfig": {"url": "https://127.0.0.1:1/"},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": bed.name.as_str()}},
            "rules": [
                {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"], "scope": "*"},
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods/eviction"], "scope": "*"},
            ],
        }],
    });
    plane.put_stored("validatingwebhookconfigurations", &name, &webhook)?;
    wait_for("the webhook to count", SOON, async || {
        Ok((plain::code(&plain::scale(&bed, 3).await) == Some(400)).then_some(()))
    })
    .await?;

    let session = bed.session(Era::Stateless).await?;
    let mark = plane.mark()?;
    let scale = session.call("plan_scale_workload", scale_to(&bed, 3)).await?.done()?;
    let pod = pods(&bed).await?.remove(0).metadata.name;
    let evict = json!({"namespace": bed.name.as_str(), "pod": pod, "reason": "a test"});
    let evict = session.call("plan_evict_pod", evict).await?.done()?;
    for (plan, what) in [(&scale, "scale Deployment"), (&evict, "evict pod")] {
        let undetermined = plan.content["coverage"]["undetermined"].to_string();
        assert!(
            undetermined.contains(what) && undetermined.contains("does not support dry-run"),
            "{undetermined}"
        );
        assert!(!plan.content["coverage"]["checked"].to_string().contains("server-side dry-run"));
    }
    let writes = plane.writes_since(mark, bed.name.as_str()).await?;
    assert!(!writes.is_empty() && writes.iter().all(AuditEvent::is_dry_run), "{writes:#?}");
    assert_eq!(pods(&bed).await?.len(), 2, "nothing was done");

    verified(&session, &scale).await?;
    assert_eq!(pods(&bed).await?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn pods_that_fit_on_no_other_node_are_counted_as_lost_and_not_waited_for() -> Result<()> {
    let bed = Bed::new("crowded", 3).await?;
    let mut large = objects::deployment("web", 3);
    // A node has eight processors, so each takes one for itself.
    large["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "6"}});
    deploy(&bed, large).await?;
    let pod = pods(&bed).await?.remove(0);
    let (name, node) = (pod.metadata.name.clone().context("no name")?, node_of(&pod)?);
    plain::evict(&bed, &pod).await.context("the plain dry-run says yes")?;
    let session = bed.session(Era::Stateless).await?;
    let plan =
        session.call("plan_drain_node", with(drain_of(&node), json!({"timeout": "1m"}))).await?.done()?;
    let said = plan.str("/summary")?;
    assert!(said.contains(&format!("Pod {}/{name} fits on no other node.", bed.name)), "{said}");
    bed.approve(plan.str("/plan_id")?, Approver::Ana)?;
    let run = apply(&session, &plan).await?.done()?;
    let end = ended(&session, run.str("/run_id")?).await?;
    assert_eq!(end.str("/state")?, "verified", "it waits for no pod that cannot come: {:#}", end.content);
    let left = bed.cluster.pods(bed.name.as_str(), "app=web").await?;
    assert_eq!(left.iter().filter(|pod| is_ready(pod)).count(), 2);
    Ok(())
}

#[tokio::test]
async fn a_kind_that_the_cluster_does_not_serve_is_a_clear_refusal_and_is_drift() -> Result<()> {
    // What a missing definition of a custom resource is to its kind, an API group that is switched off is to budgets:
    // the API server answers 404, as for an object that is not there. No action names a custom resource.
    let plane = ControlPlane::start_without(&["policy/v1"])?;
    let bed = Bed::on(&plane, "unserved", 1).await?;
    bed.cluster.apply(bed.name.as_str(), objects::deployment("web", 2)).await?;
    let api = bed.cluster.api::<Deployment>(bed.name.as_str());
    wait_for("the controller to have counted", SOON, async || {
        let status = api.get("web").await?.status.unwrap_or_default();
        Ok((status.observed_generation == Some(1) && status.updated_replicas == Some(2)).then_some(()))
    })
    .await?;
    plain::scale(&bed, 3).await.context("the plain dry-run says yes")?;
    plain::restart(&bed).await.context("the plain dry-run says yes")?;
    let session = bed.session(Era::Stateless).await?;
    for (tool, args) in [("plan_scale_workload", scale_to(&bed, 3)), ("plan_restart_workload", of_web(&bed))]
    {
        let answer = session.call(tool, args).await?;
        assert_eq!(answer.refusal()?, "precondition_failed", "{:#}", answer.content);
        assert_eq!(answer.str("/message")?, "the cluster does not serve poddisruptionbudgets of policy/v1");
        assert!(answer.str("/next")?.contains("runcord runbook drift"), "{:#}", answer.content);
    }
    // What needs no budget is offered all the same.
    let read = json!({"kind": "Deployment", "namespace": bed.name.as_str(), "name": "web"});
    session.call("workload_status", read).await?.done()?;

    let output = bed.runcord(["runbook", "drift", "--json"])?;
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let printed: Value = serde_json::from_slice(&output.stdout)?;
    let state = |name: &str| {
        let found =
            printed["runbooks"].as_array().and_then(|all| all.iter().find(|one| one["runbook"] == name));
        found.cloned().unwrap_or_default()
    };
    let scale = state("scale_workload");
    assert_eq!(scale["state"], "drifted");
    assert!(scale.to_string().contains("the cluster does not serve policy/v1 any more"), "{scale:#}");
    assert_eq!(state("pod_logs")["state"], "holds");
    Ok(())
}
