//! What dies, and what does not get lost or done twice when it does.

use std::time::Duration;

use anyhow::Result;
use runcord_tests::bed::{Approver, Bed};
use runcord_tests::cluster::wait_for;
use runcord_tests::session::{Answer, Era, Session};
use runcord_tests::{ControlPlane, objects};
use serde_json::json;

use crate::story::{
    SOON, apply, budget, busiest_node, deploy, drain_of, ended, kill, pods, processes, schedulable, with,
    worker_of,
};

/// A drain that takes a while: pods that are slow to go.
async fn slow_drain(bed: &Bed, session: &Session) -> Result<(Answer, String)> {
    let mut slow = objects::deployment("web", 4);
    slow["spec"]["template"]["metadata"]["annotations"] = json!({"runcord.dev/slow-delete": "3s"});
    deploy(bed, slow).await?;
    let (node, _) = busiest_node(bed).await?;
    let plan = session.call("plan_drain_node", drain_of(&node)).await?.done()?;
    bed.approve(plan.str("/plan_id")?, Approver::Ana)?;
    Ok((plan, node))
}

#[tokio::test]
async fn a_drain_outlives_the_client_that_asked_for_it() -> Result<()> {
    let bed = Bed::new("orphan", 3).await?;
    let session = bed.session(Era::Stateless).await?;
    let (plan, node) = slow_drain(&bed, &session).await?;
    let run = apply(&session, &plan).await?.done()?.str("/run_id")?.to_owned();
    session.kill().await?;

    let session = bed.session(Era::Stateless).await?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);
    assert!(!schedulable(&bed, &node).await?);
    Ok(())
}

#[tokio::test]
async fn a_killed_worker_is_reconciled_by_looking_and_nothing_is_done_twice() -> Result<()> {
    let bed = Bed::new("killed", 3).await?;
    let session = bed.session(Era::Stateless).await?;
    let (plan, node) = slow_drain(&bed, &session).await?;
    let plane = ControlPlane::shared()?;
    let mark = plane.mark()?;
    let run = apply(&session, &plan).await?.done()?.str("/run_id")?.to_owned();
    wait_for("the node to be cordoned", SOON, async || Ok((!schedulable(&bed, &node).await?).then_some(())))
        .await?;
    for _ in 0..3 {
        for pid in processes(&run)? {
            // It may be gone already.
            let _ = kill(pid);
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);

    let writes = plane.writes_since(mark, bed.name.as_str()).await?;
    let done =
        writes.iter().filter(|w| !w.is_dry_run() && w.response_status.as_ref().is_some_and(|s| s.code < 300));
    let mut objects: Vec<_> =
        done.filter_map(|w| w.object_ref.as_ref().map(|o| (o.resource.clone(), o.name.clone()))).collect();
    let all = objects.len();
    objects.sort();
    objects.dedup();
    assert_eq!(objects.len(), all, "something was done twice: {writes:#?}");
    Ok(())
}

#[tokio::test]
async fn a_run_whose_server_and_worker_died_is_found_at_the_next_start() -> Result<()> {
    let bed = Bed::new("found", 3).await?;
    let session = bed.session(Era::Stateless).await?;
    let (plan, _) = slow_drain(&bed, &session).await?;
    let run = apply(&session, &plan).await?.done()?.str("/run_id")?.to_owned();
    let worker = worker_of(&run).await?;
    session.kill().await?;
    kill(worker)?;

    let session = bed.session(Era::Initialize).await?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);
    Ok(())
}

#[tokio::test]
async fn a_budget_that_blocks_ends_the_drain_at_its_timeout_and_says_who_blocks() -> Result<()> {
    let bed = Bed::new("blocked", 3).await?;
    let mut slow = objects::deployment("web", 6);
    slow["spec"]["template"]["metadata"]["annotations"] = json!({"runcord.dev/slow-delete": "4s"});
    deploy(&bed, slow).await?;
    budget(&bed, 3, 3).await?;
    let (node, on_it) = busiest_node(&bed).await?;
    assert!(on_it >= 2, "the second eviction is to be blocked");
    for pod in
        pods(&bed).await?.iter().filter(|pod| crate::story::node_of(pod).is_ok_and(|name| name == node))
    {
        crate::plain::evict(&bed, pod).await?;
    }
    let session = bed.session(Era::Stateless).await?;
    let plan =
        session.call("plan_drain_node", with(drain_of(&node), json!({"timeout": "1m"}))).await?.done()?;
    for approver in [Approver::Ana, Approver::Ben] {
        bed.approve(plan.str("/plan_id")?, approver)?;
    }
    let run = apply(&session, &plan).await?.done()?.str("/run_id")?.to_owned();
    // The budget closes while the first pod is on its way out.
    wait_for("the first eviction", SOON, async || Ok((pods_on(&bed, &node).await? < on_it).then_some(())))
        .await?;
    bed.cluster.apply(bed.name.as_str(), objects::disruption_budget("web", 6)).await?;
    let closed = std::time::Instant::now();
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "stopped", "{:#}", end.content);
    assert!(closed.elapsed() > Duration::from_secs(30), "it waited for the budget until its time was over");
    let budget = format!("PodDisruptionBudget {}/web", bed.name.as_str());
    assert!(end.str("/summary")?.contains(&budget), "names who blocks: {:#}", end.content);
    assert!(pods_on(&bed, &node).await? > 0, "what the budget protects is still there");
    Ok(())
}

/// The pods of `web` on a node that are not on their way out.
async fn pods_on(bed: &Bed, node: &str) -> Result<usize> {
    let pods = bed.cluster.pods(bed.name.as_str(), "app=web").await?;
    Ok(pods.iter().filter(|pod| crate::story::node_of(pod).is_ok_and(|name| name == node)).count())
}

#[tokio::test]
async fn a_run_whose_cluster_cannot_be_reached_ends_when_it_is_cancelled() -> Result<()> {
    let bed = Bed::new("unreachable", 3).await?;
    let session = bed.session(Era::Stateless).await?;
    let (plan, _) = slow_drain(&bed, &session).await?;
    // A worker reads the kubeconfig anew: with one that leads nowhere it reaches nothing.
    let kubeconfig = bed.kubeconfig();
    let good = std::fs::read_to_string(kubeconfig)?;
    let run = {
        let answer = apply_with_broken(&session, &plan, kubeconfig, &good).await?;
        answer.str("/run_id")?.to_owned()
    };
    let status = session.call("run_status", json!({"id": run, "wait_seconds": 2})).await?.done()?;
    assert_eq!(status.str("/state")?, "applying", "{:#}", status.content);
    session.call("run_cancel", json!({"id": run})).await?.done()?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "stopped", "{:#}", end.content);
    std::fs::write(kubeconfig, good)?;
    Ok(())
}

/// Applies with a kubeconfig that leads nowhere: the server holds its connection, its worker has to make one.
async fn apply_with_broken(
    session: &Session,
    plan: &Answer,
    kubeconfig: &std::path::Path,
    good: &str,
) -> Result<Answer> {
    let server = good.lines().find(|line| line.contains("server:")).unwrap_or_default();
    std::fs::write(kubeconfig, good.replace(server, &server_nowhere(server)))?;
    apply(session, plan).await?.done()
}

fn server_nowhere(line: &str) -> String {
    let (before, _) = line.split_once("https://").unwrap_or((line, ""));
    let quote = if before.ends_with('"') { "\"" } else { "" };
    format!("{before}https://127.0.0.1:1{quote}")
}

#[tokio::test]
async fn cancelling_stops_between_two_acts_and_says_what_was_done() -> Result<()> {
    let bed = Bed::new("cancel", 3).await?;
    let session = bed.session(Era::Stateless).await?;
    let (plan, node) = slow_drain(&bed, &session).await?;
    let run = apply(&session, &plan).await?.done()?.str("/run_id")?.to_owned();
    wait_for("the node to be cordoned", SOON, async || Ok((!schedulable(&bed, &node).await?).then_some(())))
        .await?;
    session.call("run_cancel", json!({"id": run})).await?.done()?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "stopped", "{:#}", end.content);
    assert!(!pods(&bed).await?.is_empty());
    let undo = session.call("undo_plan", json!({"run_id": run})).await?.done()?;
    crate::story::verified(&session, &undo).await?;
    assert!(schedulable(&bed, &node).await?);
    Ok(())
}
