//! Each mutating runbook from plan to undo, in both protocol eras, with golden transcripts.

use anyhow::Result;
use runcord_tests::bed::{Approver, Bed};
use runcord_tests::objects;
use runcord_tests::session::{ERAS, Era};
use serde_json::json;

use crate::story::{
    apply, budget, deploy, drain_of, ended, of_web, pods, quietest_node, schedulable, transcript, verified,
    web, with,
};

#[tokio::test]
async fn a_node_is_drained_verified_recorded_and_undone() -> Result<()> {
    let bed = Bed::new("drain", 4).await?;
    web(&bed, 4).await?;
    budget(&bed, 2, 2).await?;
    let node = quietest_node(&bed).await?;
    let session = bed.session(Era::Stateless).await?;
    let mut transcript = transcript(&bed, &[(&node, "NODE")])?;

    let args = drain_of(&node);
    let plan = session.call("plan_drain_node", args.clone()).await?.done()?;
    transcript.call("plan_drain_node", &args, &plan);
    assert_eq!(plan.str("/decision/outcome")?, "needs_approval", "{:#}", plan.content);
    assert_eq!(plan.content["decision"]["approvals_needed"], json!([[{"count": 1, "group": "approvers"}]]));
    assert_eq!(plan.content["blast_radius"]["nodes"], 1);
    assert_eq!(plan.str("/headline")?, format!("drain node {node} on test-eu"));

    let early = apply(&session, &plan).await?;
    transcript.call(
        "apply_plan",
        &json!({"plan_id": plan.str("/plan_id")?, "expect": plan.str("/headline")?}),
        &early,
    );
    assert_eq!(early.refusal()?, "approval_required");
    assert!(schedulable(&bed, &node).await?, "nothing was done");

    let printed = bed.approve(plan.str("/plan_id")?, Approver::Ana)?;
    transcript.command("runcord approve PLAN --as ana", &printed);
    let run = apply(&session, &plan).await?.done()?;
    assert_eq!(run.str("/state")?, "applying");
    let end = ended(&session, run.str("/run_id")?).await?;
    transcript.call("run_status", &json!({"id": run.str("/run_id")?, "wait_seconds": 10}), &end);
    assert_eq!(end.str("/state")?, "verified", "{:#}\n{}", end.content, session.stderr()?);
    assert_eq!(end.content["undo_available"], true);
    assert!(!schedulable(&bed, &node).await?);
    for pod in pods(&bed).await? {
        assert_ne!(crate::story::node_of(&pod)?, node, "a pod of web is still on the drained node");
    }
    assert_eq!(pods(&bed).await?.len(), 4);

    let undo_args = json!({"run_id": run.str("/run_id")?});
    let undo = session.call("undo_plan", undo_args.clone()).await?.done()?;
    transcript.call("undo_plan", &undo_args, &undo);
    assert_eq!(undo.str("/decision/outcome")?, "allow");
    verified(&session, &undo).await?;
    assert!(schedulable(&bed, &node).await?, "undone");

    let records = bed.runcord(["log", "verify", "--json"])?;
    assert!(records.status.success(), "{}", String::from_utf8_lossy(&records.stderr));
    transcript.check("drain_node")
}

#[tokio::test]
async fn a_workload_is_restarted_and_the_restart_undone() -> Result<()> {
    for (era, name) in ERAS.into_iter().zip(["restart-new", "restart-old"]) {
        let bed = Bed::new(name, 3).await?;
        let mut surging = objects::deployment("web", 3);
        surging["spec"]["strategy"] =
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}});
        deploy(&bed, surging).await?;
        let before = pods(&bed).await?;
        let session = bed.session(era).await?;

        let plan = session.call("plan_restart_workload", of_web(&bed)).await?.done()?;
        assert_eq!(
            plan.str("/decision/outcome")?,
            "allow",
            "a rollout with surge loses nothing: {:#}",
            plan.content
        );
        assert_eq!(plan.content["blast_radius"]["pods_lost"], 0);
        let end = verified(&session, &plan).await?;
        let after = pods(&bed).await?;
        assert!(
            after.iter().all(|pod| before.iter().all(|old| old.metadata.uid != pod.metadata.uid)),
            "every pod is new"
        );

        let undo = session.call("undo_plan", json!({"run_id": end.str("/run_id")?})).await?.done()?;
        verified(&session, &undo).await?;
        let restored =
            bed.cluster.api::<k8s_openapi::api::apps::v1::Deployment>(bed.name.as_str()).get("web").await?;
        let template =
            restored.spec.map(|spec| spec.template).and_then(|t| t.metadata).and_then(|m| m.annotations);
        assert!(
            !template.unwrap_or_default().contains_key("kubectl.kubernetes.io/restartedAt"),
            "the mark is gone"
        );
        session.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn stateful_sets_and_daemon_sets_are_restarted_too() -> Result<()> {
    let bed = Bed::new("kinds", 3).await?;
    let ns = bed.name.as_str();
    bed.cluster.apply(ns, objects::stateful_set("db", 2)).await?;
    bed.cluster.rolled_out(ns, "statefulsets", "db", crate::story::SOON).await?;
    bed.cluster.apply(ns, objects::daemon_set("agent", ns)).await?;
    bed.cluster.rolled_out(ns, "daemonsets", "agent", crate::story::SOON).await?;
    let session = bed.session(Era::Stateless).await?;
    for (kind, name, people) in [("StatefulSet", "db", 1), ("DaemonSet", "agent", 0)] {
        let args = json!({"kind": kind, "namespace": ns, "name": name, "reason": "an end-to-end test"});
        let plan = session.call("plan_restart_workload", args).await?.done()?;
        if people == 0 {
            assert_eq!(plan.str("/decision/outcome")?, "allow", "{:#}", plan.content);
        } else {
            assert_eq!(
                plan.str("/decision/outcome")?,
                "needs_approval",
                "half of it is lost: {:#}",
                plan.content
            );
            bed.approve(plan.str("/plan_id")?, Approver::Ana)?;
        }
        verified(&session, &plan).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_workload_is_scaled_and_scaled_back() -> Result<()> {
    let bed = Bed::new("scale", 3).await?;
    web(&bed, 2).await?;
    let session = bed.session(Era::Initialize).await?;
    let mut transcript = transcript(&bed, &[])?;
    let args = with(of_web(&bed), json!({"replicas": 4}));
    let plan = session.call("plan_scale_workload", args.clone()).await?.done()?;
    transcript.call("plan_scale_workload", &args, &plan);
    assert_eq!(plan.str("/decision/outcome")?, "allow", "scaling up loses nothing: {:#}", plan.content);
    let end = verified(&session, &plan).await?;
    transcript.call("run_status", &json!({"id": end.str("/run_id")?, "wait_seconds": 10}), &end);
    assert_eq!(pods(&bed).await?.len(), 4);
    assert!(!end.content["diff"].as_array().map(Vec::is_empty).unwrap_or(true), "{:#}", end.content);

    // Back to two of four: two pods at once and half of it, which one approver answers for.
    let undo_args = json!({"run_id": end.str("/run_id")?});
    let undo = session.call("undo_plan", undo_args.clone()).await?.done()?;
    transcript.call("undo_plan", &undo_args, &undo);
    assert_eq!(undo.str("/decision/outcome")?, "needs_approval", "{:#}", undo.content);
    let printed = bed.approve(undo.str("/plan_id")?, Approver::Ana)?;
    transcript.command("runcord approve PLAN --as ana", &printed);
    let end = verified(&session, &undo).await?;
    transcript.call("run_status", &json!({"id": end.str("/run_id")?, "wait_seconds": 10}), &end);
    assert_eq!(pods(&bed).await?.len(), 2);
    transcript.check("scale_workload")
}

#[tokio::test]
async fn reads_are_bounded_and_what_workloads_say_is_untrusted() -> Result<()> {
    let bed = Bed::new("reads", 2).await?;
    web(&bed, 2).await?;
    let session = bed.session(Era::Stateless).await?;
    let mut status_args = of_web(&bed);
    if let Some(args) = status_args.as_object_mut() {
        args.remove("reason");
    }
    let status = session.call("workload_status", status_args).await?.done()?;
    assert!(status.content.to_string().len() < 8 * 1024);
    let pod = pods(&bed).await?.first().and_then(|pod| pod.metadata.name.clone()).unwrap_or_default();
    let logs = session
        .call("pod_logs", json!({"namespace": bed.name.as_str(), "pod": pod, "tail": 20}))
        .await?
        .done()?;
    let text = logs.content.to_string();
    assert!(text.contains("\"untrusted\""), "{text}");
    assert!(!text.contains('\u{1b}'), "no escape sequence reaches a client");
    Ok(())
}

#[tokio::test]
async fn the_reference_client_plans_in_every_mode() -> Result<()> {
    let bed = Bed::new("reference", 2).await?;
    web(&bed, 2).await?;
    let server = runcord_tests::binaries::find("runcord-kubectl")?;
    for mode in ["auto", "legacy", "2026-07-28"] {
        let args = with(of_web(&bed), json!({"replicas": 3}));
        let seen =
            runcord_tests::python::session(mode, &server, bed.environment(), "plan_scale_workload", &args)?;
        assert!(!seen.refused, "{mode}: {}", seen.text);
        assert_eq!(
            seen.content["headline"],
            format!("scale Deployment {}/web to 3 on test-eu", bed.name.as_str())
        );
        assert_eq!(seen.tools.get("plan_scale_workload"), Some(&json!(true)), "{mode}: planning reads only");
        assert_eq!(seen.tools.get("apply_plan"), Some(&json!(false)), "{mode}: applying does not");
        assert!(
            seen.tools.keys().all(|name| !["approve", "activate", "cord_reset"].contains(&name.as_str()))
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_a_session_is_refused_is_golden() -> Result<()> {
    let bed = Bed::new("refused", 2).await?;
    web(&bed, 2).await?;
    let session = bed.session(Era::Stateless).await?;
    let mut transcript = transcript(&bed, &[])?;
    let restart = |name: &str, namespace: &str| json!({"kind": "Deployment", "namespace": namespace, "name": name, "reason": "a test"});
    for (tool, args) in [
        ("plan_restart_workload", restart("-web", bed.name.as_str())),
        ("plan_restart_workload", restart("web", "kube-system")),
        ("plan_restart_workload", restart("nothing", bed.name.as_str())),
        ("plan_scale_workload", with(of_web(&bed), json!({"replicas": 2}))),
        ("plan_scale_workload", with(of_web(&bed), json!({"replicas": 0}))),
        ("apply_plan", json!({"plan_id": "pln_aaaaaaaaaaaaaaaaaaaaaaaaaa", "expect": "x"})),
        ("run_status", json!({"id": "run_aaaaaaaaaaaaaaaaaaaaaaaaaa"})),
        ("pull_cord", json!({"reason": "a test"})),
    ] {
        let answer = session.call(tool, args.clone()).await?;
        transcript.call(tool, &args, &answer);
    }
    transcript.check("refused")
}
