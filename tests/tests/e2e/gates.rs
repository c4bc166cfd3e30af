//! The gates: what is refused, with which code, and that nothing but reads and dry-runs reached the API server.

use anyhow::{Context as _, Result};
use runcord_tests::bed::{Approver, Bed};
use runcord_tests::session::Era;
use runcord_tests::{ControlPlane, objects};
use serde_json::json;

use crate::plain;
use crate::story::{
    apply, budget, busiest_node, deploy, drain_of, of_web, pods, refused, verified, web, with,
};

#[tokio::test]
async fn planning_and_refused_calls_write_nothing_but_dry_runs() -> Result<()> {
    let bed = Bed::new("dry", 3).await?;
    web(&bed, 3).await?;
    let (node, _) = busiest_node(&bed).await?;
    let plane = ControlPlane::shared()?;
    let session = bed.session(Era::Stateless).await?;
    let mark = plane.mark()?;

    let drain = session.call("plan_drain_node", drain_of(&node)).await?.done()?;
    session.call("plan_restart_workload", of_web(&bed)).await?.done()?;
    session.call("plan_scale_workload", with(of_web(&bed), json!({"replicas": 1}))).await?.done()?;
    assert_eq!(apply(&session, &drain).await?.refusal()?, "approval_required");
    let wrong = json!({"plan_id": drain.str("/plan_id")?, "expect": "drain node other on test-eu"});
    assert_eq!(session.call("apply_plan", wrong).await?.refusal()?, "invalid_params");

    let writes = plane.writes_since(mark, bed.name.as_str()).await?;
    assert!(!writes.is_empty(), "dry-runs were asked for");
    assert!(writes.iter().all(runcord_tests::control_plane::AuditEvent::is_dry_run), "{writes:#?}");
    Ok(())
}

#[tokio::test]
async fn a_denied_principal_reaches_nothing() -> Result<()> {
    let bed = Bed::new("denied", 2).await?;
    web(&bed, 2).await?;
    // An agent that exists and is in no group.
    let people = bed.policy().join("people.yaml");
    let text = std::fs::read_to_string(&people)? + "  stranger: {groups: [], sponsors: any}\n";
    std::fs::write(&people, text)?;
    std::fs::write(bed.path("runcord.yaml"), "agent: stranger\n")?;
    bed.activate(Approver::Ana)?;
    let plane = ControlPlane::shared()?;
    let session = bed.session(Era::Stateless).await?;
    let mark = plane.mark()?;
    let denied = session.call("plan_restart_workload", of_web(&bed)).await?;
    assert_eq!(denied.refusal()?, "policy_denied");
    let read = json!({"kind": "Deployment", "namespace": bed.name.as_str(), "name": "web"});
    assert_eq!(session.call("workload_status", read).await?.refusal()?, "policy_denied");
    let asked = plane.events_since(mark, bed.name.as_str()).await?;
    assert!(asked.is_empty(), "a denied call reached the API server: {asked:#?}");
    let log = bed.runcord(["log", "list", "--json"])?;
    assert!(String::from_utf8_lossy(&log.stdout).contains("denial"), "the denial is recorded");
    Ok(())
}

#[tokio::test]
async fn kube_system_is_off_limits() -> Result<()> {
    let bed = Bed::new("system", 1).await?;
    let session = bed.session(Era::Stateless).await?;
    let args = json!({"kind": "Deployment", "namespace": "kube-system", "name": "coredns", "reason": "test"});
    assert_eq!(session.call("plan_restart_workload", args).await?.refusal()?, "policy_denied");
    Ok(())
}

#[tokio::test]
async fn bad_parameters_are_refused_before_anything_is_asked() -> Result<()> {
    let bed = Bed::new("params", 1).await?;
    let plane = ControlPlane::shared()?;
    let session = bed.session(Era::Initialize).await?;
    let mark = plane.mark()?;
    let long = "a".repeat(1 << 20);
    for node in
        ["", " ", "-n", "n1 n2", "n1\n", "n\u{0}", "${params.x}", "../n1", "n1,n2", "ｎ1", long.as_str()]
    {
        let answer = session.call("plan_drain_node", drain_of(node)).await?;
        assert_eq!(answer.refusal()?, "invalid_params", "{:?}", node.chars().take(20).collect::<String>());
        assert!(answer.str("/message")?.starts_with("node: "), "{:#}", answer.content);
    }
    let extra = with(drain_of("n1"), json!({"force": true}));
    assert_eq!(session.call("plan_drain_node", extra).await?.refusal()?, "invalid_params");
    let wrong_type = json!({"node": 7, "reason": "test"});
    assert_eq!(session.call("plan_drain_node", wrong_type).await?.refusal()?, "invalid_params");
    assert!(plane.events_since(mark, bed.name.as_str()).await?.is_empty(), "nothing was sent");
    Ok(())
}

#[tokio::test]
async fn two_pods_that_share_one_disruption_are_not_drained_together() -> Result<()> {
    let bed = Bed::new("shared", 1).await?;
    web(&bed, 2).await?;
    bed.cluster.nodes(&format!("{}-spare", bed.name.as_str()), 2, 1).await?;
    budget(&bed, 1, 1).await?;
    let (node, on_it) = busiest_node(&bed).await?;
    assert_eq!(on_it, 2, "both are on the only node");
    for pod in pods(&bed).await? {
        plain::evict(&bed, &pod).await.context("the plain dry-run says yes to each by itself")?;
    }
    let session = bed.session(Era::Stateless).await?;
    let plan = session.call("plan_drain_node", drain_of(&node)).await?.done()?;
    assert_eq!(plan.content["blast_radius"]["pdb_headroom"], -1, "{:#}", plan.content);
    assert_eq!(plan.str("/decision/outcome")?, "deny");
    assert_eq!(refused(&bed, &session, &plan).await?, "policy_denied");
    Ok(())
}

#[tokio::test]
async fn a_budget_at_zero_is_said_and_denied() -> Result<()> {
    let bed = Bed::new("zero", 4).await?;
    web(&bed, 2).await?;
    budget(&bed, 2, 0).await?;
    let (node, _) = busiest_node(&bed).await?;
    plain::patch(&bed, &format!("/api/v1/nodes/{node}"), json!({"spec": {"unschedulable": true}})).await?;
    let pod = pods(&bed).await?.remove(0);
    assert_eq!(plain::code(&plain::evict(&bed, &pod).await), Some(429), "try again, for ever");
    let session = bed.session(Era::Stateless).await?;
    let plan = session.call("plan_drain_node", drain_of(&node)).await?.done()?;
    assert_eq!(plan.str("/decision/outcome")?, "deny", "{:#}", plan.content);
    let reasons = plan.content["decision"]["reasons"].to_string();
    assert!(reasons.contains("headroom.never"), "{reasons}");
    assert!(reasons.contains("20-blast.cedar"), "{reasons}");
    Ok(())
}

#[tokio::test]
async fn what_matters_moved_and_the_plan_has_drifted() -> Result<()> {
    let bed = Bed::new("drift", 2).await?;
    web(&bed, 2).await?;
    let session = bed.session(Era::Stateless).await?;
    let plan =
        session.call("plan_scale_workload", with(of_web(&bed), json!({"replicas": 4}))).await?.done()?;
    // Somebody else scales it in between.
    deploy(&bed, objects::deployment("web", 3)).await?;
    let drifted = apply(&session, &plan).await?;
    assert_eq!(drifted.refusal()?, "plan_drifted", "{:#}", drifted.content);
    assert!(!drifted.content["details"]["differences"].to_string().is_empty());
    let fresh = drifted.str("/details/fresh_plan/plan_id")?;
    let headline = drifted.str("/details/fresh_plan/headline")?;
    let run = session.call("apply_plan", json!({"plan_id": fresh, "expect": headline})).await?.done()?;
    assert_eq!(crate::story::ended(&session, run.str("/run_id")?).await?.str("/state")?, "verified");
    Ok(())
}

#[tokio::test]
async fn an_object_of_the_same_name_is_not_the_object() -> Result<()> {
    let bed = Bed::new("uid", 2).await?;
    web(&bed, 2).await?;
    let session = bed.session(Era::Stateless).await?;
    let plan =
        session.call("plan_scale_workload", with(of_web(&bed), json!({"replicas": 3}))).await?.done()?;
    let api = bed.cluster.api::<k8s_openapi::api::apps::v1::Deployment>(bed.name.as_str());
    api.delete("web", &kube::api::DeleteParams::background()).await?;
    runcord_tests::cluster::wait_for("web to be gone", crate::story::SOON, async || {
        Ok(api.get_opt("web").await?.is_none().then_some(()))
    })
    .await?;
    deploy(&bed, objects::deployment("web", 2)).await?;
    plain::scale(&bed, 3).await.context("the plain dry-run says yes")?;
    assert_eq!(refused(&bed, &session, &plan).await?, "plan_drifted");
    Ok(())
}

#[tokio::test]
async fn what_does_not_matter_may_move() -> Result<()> {
    let bed = Bed::new("still", 3).await?;
    web(&bed, 4).await?;
    let (node, _) = busiest_node(&bed).await?;
    let session = bed.session(Era::Stateless).await?;
    let plan = session.call("plan_drain_node", drain_of(&node)).await?.done()?;
    bed.approve(plan.str("/plan_id")?, Approver::Ana)?;
    // A pod elsewhere is replaced under another name, and with it status and resourceVersion of everything above it.
    let elsewhere =
        pods(&bed).await?.into_iter().find(|pod| crate::story::node_of(pod).is_ok_and(|n| n != node));
    let name = elsewhere.and_then(|pod| pod.metadata.name).unwrap_or_default();
    let api = bed.cluster.api::<k8s_openapi::api::core::v1::Pod>(bed.name.as_str());
    api.delete(&name, &kube::api::DeleteParams::default()).await?;
    // The replacement may not come to the node that is to be drained.
    runcord_tests::cluster::wait_for("a pod in its place", crate::story::SOON, async || {
        Ok((pods(&bed).await?.len() == 4).then_some(()))
    })
    .await?;
    let answer = apply(&session, &plan).await?;
    if answer.refused {
        // Only if the scheduler put the new pod on this very node is there more to lose than was approved.
        assert_eq!(answer.refusal()?, "plan_drifted");
        assert!(answer.content.to_string().contains("blast_radius/"), "{:#}", answer.content);
        return Ok(());
    }
    assert_eq!(crate::story::ended(&session, answer.str("/run_id")?).await?.str("/state")?, "verified");
    Ok(())
}

#[tokio::test]
async fn files_that_changed_after_the_approval_void_it() -> Result<()> {
    let bed = Bed::new("files", 3).await?;
    web(&bed, 2).await?;
    let (node, _) = busiest_node(&bed).await?;
    for (file, more) in [
        ("20-blast.cedar", "\n// a word more\n"),
        ("targets.yaml", "\n# a word more\n"),
        ("approvers", "\n# a word more\n"),
        ("people.yaml", "\n# a word more\n"),
    ] {
        // A server for each, since one server lets one principal ask only so often.
        let session = bed.session(Era::Stateless).await?;
        let plan = session.call("plan_drain_node", drain_of(&node)).await?.done()?;
        bed.approve(plan.str("/plan_id")?, Approver::Ana)?;
        let path = bed.policy().join(file);
        std::fs::write(&path, std::fs::read_to_string(&path)? + more)?;
        assert_eq!(refused(&bed, &session, &plan).await?, "not_in_authority", "{file}");
        bed.activate(Approver::Ana)?;
        assert_eq!(
            refused(&bed, &session, &plan).await?,
            "plan_drifted",
            "{file}: approved under another policy"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_plan_is_applied_once_by_its_own_principal_in_time() -> Result<()> {
    let bed = Bed::new("once", 2).await?;
    web(&bed, 2).await?;
    let session = bed.session(Era::Stateless).await?;
    let plan =
        session.call("plan_scale_workload", with(of_web(&bed), json!({"replicas": 3}))).await?.done()?;

    std::fs::write(bed.path("runcord.yaml"), "agent: agent\n")?;
    let other = bed.session(Era::Stateless).await?;
    assert_eq!(refused(&bed, &other, &plan).await?, "plan_not_found");
    assert_eq!(
        other.call("run_status", json!({"id": plan.str("/plan_id")?})).await?.refusal()?,
        "plan_not_found"
    );

    verified(&session, &plan).await?;
    let again = apply(&session, &plan).await?;
    assert_eq!(again.refusal()?, "plan_spent");
    assert!(again.str("/next")?.contains("run_status"), "{:#}", again.content);
    Ok(())
}

#[tokio::test]
async fn an_expired_plan_is_not_applied() -> Result<()> {
    let bed = Bed::new("late", 1).await?;
    web(&bed, 2).await?;
    let runbooks = bed.path("runbooks");
    std::fs::create_dir(&runbooks)?;
    let shipped =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../runbooks/kubectl/scale_workload.yaml");
    let text = std::fs::read_to_string(shipped)?.replace("plan_ttl: 30m", "plan_ttl: 2s");
    std::fs::write(runbooks.join("scale_workload.yaml"), text)?;
    std::fs::write(bed.path("runcord.yaml"), "agent: claude\nrunbooks: runbooks\n")?;
    bed.activate(Approver::Ana)?;
    let session = bed.session(Era::Stateless).await?;
    let plan =
        session.call("plan_scale_workload", with(of_web(&bed), json!({"replicas": 3}))).await?.done()?;
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert_eq!(refused(&bed, &session, &plan).await?, "plan_expired");
    Ok(())
}

#[tokio::test]
async fn only_an_approval_of_this_very_plan_by_somebody_else_counts() -> Result<()> {
    let bed = Bed::new("approvals", 3).await?;
    web(&bed, 2).await?;
    let (node, _) = busiest_node(&bed).await?;
    let session = bed.session(Era::Stateless).await?;
    let plan = session.call("plan_drain_node", drain_of(&node)).await?.done()?;
    let other = session.call("plan_drain_node", drain_of(&node)).await?.done()?;
    bed.approve(other.str("/plan_id")?, Approver::Ana)?;
    assert_eq!(refused(&bed, &session, &plan).await?, "approval_required", "the approval is another plan's");

    // Twice by one person is once.
    bed.approve(plan.str("/plan_id")?, Approver::Ana)?;
    assert!(bed.approve(plan.str("/plan_id")?, Approver::Ana).is_err());
    // With somebody else's key.
    let forged = ["approve", other.str("/plan_id")?, "--yes", "--as", "ben", "--key"];
    let mut forged: Vec<std::ffi::OsString> = forged.into_iter().map(Into::into).collect();
    forged.push(bed.key(Approver::Ana).into());
    assert!(!bed.runcord(forged)?.status.success(), "ana's key does not sign for ben");
    Ok(())
}

#[tokio::test]
async fn a_sponsors_own_ordinary_key_approves_nothing() -> Result<()> {
    let bed = Bed::new("own", 3).await?;
    web(&bed, 2).await?;
    let (node, _) = busiest_node(&bed).await?;
    // Ana is the operating-system user on whose behalf the agent asks.
    let people = bed.policy().join("people.yaml");
    let login = runcord_tests::transcript::login()?;
    let text =
        std::fs::read_to_string(&people)?.replace("ana: {login: ana,", &format!("ana: {{login: {login},"));
    std::fs::write(&people, text)?;
    bed.activate(Approver::Ana)?;
    let session = bed.session(Era::Stateless).await?;
    let plan = session.call("plan_drain_node", drain_of(&node)).await?.done()?;
    assert!(bed.approve(plan.str("/plan_id")?, Approver::Ana).is_err(), "the requester's own");
    assert_eq!(refused(&bed, &session, &plan).await?, "approval_required");
    bed.approve(plan.str("/plan_id")?, Approver::Ben)?;
    verified(&session, &plan).await?;
    Ok(())
}

#[tokio::test]
async fn without_an_authority_nothing_is_applied() -> Result<()> {
    let bed = Bed::new("authority", 2).await?;
    web(&bed, 2).await?;
    // Another, fresh state folder: what a client's configuration could name.
    std::fs::write(bed.path("runcord.yaml"), "agent: claude\n")?;
    let fresh = bed.path("fresh-state");
    let session = bed.session_with(Era::Stateless, &[("RUNCORD_STATE", fresh)]).await?;
    let plan =
        session.call("plan_scale_workload", with(of_web(&bed), json!({"replicas": 3}))).await?.done()?;
    assert_eq!(refused(&bed, &session, &plan).await?, "not_in_authority");
    Ok(())
}

#[tokio::test]
async fn a_pulled_cord_stops_everything_until_a_person_resets_it() -> Result<()> {
    let bed = Bed::new("cord", 2).await?;
    web(&bed, 2).await?;
    let session = bed.session(Era::Stateless).await?;
    let plan =
        session.call("plan_scale_workload", with(of_web(&bed), json!({"replicas": 3}))).await?.done()?;
    session.call("pull_cord", json!({"reason": "a test"})).await?.done()?;
    assert_eq!(refused(&bed, &session, &plan).await?, "cord_pulled");
    let mut reset: Vec<std::ffi::OsString> =
        ["cord", "reset", "--reason", "a test", "--as", "ana", "--key"].into_iter().map(Into::into).collect();
    reset.push(bed.key(Approver::Ana).into());
    let output = bed.runcord(reset)?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    verified(&session, &plan).await?;
    Ok(())
}

#[tokio::test]
async fn a_run_is_undone_on_its_own_target_only() -> Result<()> {
    let bed = Bed::new("here", 2).await?;
    web(&bed, 2).await?;
    let session = bed.session(Era::Stateless).await?;
    let plan =
        session.call("plan_scale_workload", with(of_web(&bed), json!({"replicas": 3}))).await?.done()?;
    let end = verified(&session, &plan).await?;

    // The same principal and ledger, but a server of another cluster: what was observed here is not true there.
    let elsewhere = ControlPlane::start()?;
    let there = bed.session_with(Era::Stateless, &[("KUBECONFIG", elsewhere.kubeconfig())]).await?;
    let undo = there.call("undo_plan", json!({"run_id": end.str("/run_id")?})).await?;
    assert_eq!(undo.refusal()?, "run_not_found");
    assert_eq!(apply(&there, &plan).await?.refusal()?, "plan_not_found");
    Ok(())
}
