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
    crate::story::web(&bed, 3).await?;
    budget(&bed, 1, 2).await?;
    let (node, _) = busiest_node(&bed).await?;
    let session = bed.session(Era::Stateless).await?;
    let args = with(drain_of(&node), json!({"timeout": "1m"}));
    let plan = session.call("plan_drain_node", args).await?.done()?;
    if plan.str("/decision/outcome")? == "deny" {
        anyhow::bail!("the plan was meant to be possible: {:#}", plan.content);
    }
    bed.approve(plan.str("/plan_id")?, Approver::Ana)?;
    bed.approve(plan.str("/plan_id")?, Approver::Ben)?;
    let run = apply(&session, &plan).await?.done()?.str("/run_id")?.to_owned();
    // The budget closes while the drain runs.
    bed.cluster.apply(bed.name.as_str(), objects::disruption_budget("web", 3)).await?;
    let end = ended(&session, &run).await?;
    assert!(["stopped", "failed", "verified"].contains(&end.str("/state")?), "{:#}", end.content);
    if end.str("/state")? == "stopped" {
        assert!(
            end.str("/summary")?.contains(&format!("{}/web", bed.name.as_str())),
            "names the budget: {:#}",
            end.content
        );
    }
    Ok(())
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
