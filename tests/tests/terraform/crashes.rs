//! What is left when a process dies, and what stops one that works.

use std::time::Duration;

use anyhow::Result;
use runcord_tests::cluster::wait_for;
use runcord_tests::fake_state_server::Reads;
use runcord_tests::processes::{kill, process};
use runcord_tests::{FakeStateServer, Ground};
use serde_json::json;

use crate::locks::over_http;
use crate::story::{DECLARED, NODES, apply, approve, begun, ended, net, nodes, plan, verified};

const SOON: Duration = Duration::from_secs(30);
const REVIEWED: &str = "    runs_code: [terraform_data.note]\n";

/// A module whose state is kept by a fake, and whose note is made by a line in a file: as many lines, as often it was done.
async fn counted() -> Result<(Ground, FakeStateServer)> {
    let (ground, keeper) = over_http(NODES, REVIEWED).await?;
    let line = format!(
        "  input = var.note\n  provisioner \"local-exec\" {{ command = \"echo done >>{}\" }}\n",
        ground.file("done").display()
    );
    ground.write("net/main.tf", &NODES.replace("  input = var.note\n", &line))?;
    Ok((ground, keeper))
}

fn times_done(ground: &Ground) -> usize {
    std::fs::read_to_string(ground.file("done")).unwrap_or_default().lines().count()
}

/// A note whose making takes a while: in a provisioner that somebody reviewed.
fn slow(ground: &Ground, seconds: u32) -> Result<()> {
    let provisioner =
        format!("  input = var.note\n  provisioner \"local-exec\" {{ command = \"sleep {seconds}\" }}\n");
    ground.write("net/main.tf", &NODES.replace("  input = var.note\n", &provisioner))?;
    ground.declare(&format!("{DECLARED}    runs_code: [terraform_data.note]\n"))
}

#[tokio::test]
async fn a_cancel_interrupts_once_and_leaves_no_lock() -> Result<()> {
    let ground = nodes()?;
    slow(&ground, 60)?;
    let session = ground.session().await?;
    let slow = plan(&session).await?;
    approve(&ground, &slow)?;
    let run = apply(&session, &slow).await?.done()?.str("/run_id")?.to_owned();
    process(&["sleep 60"]).await?;
    let status = session.call("run_status", json!({"id": run, "wait_seconds": 1})).await?.done()?;
    assert_eq!(status.str("/state")?, "applying");
    session.call("run_cancel", json!({"id": run})).await?.done()?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "stopped", "{:#}", end.content);
    assert!(end.str("/summary")?.contains("cancelled"), "{:#}", end.content);
    // The state is free: the next plan takes its lock.
    ground.write("net/main.tf", NODES)?;
    verified(&ground, &session, &plan(&session).await?).await?;
    Ok(())
}

#[tokio::test]
async fn the_cord_stops_an_apply_that_lasts() -> Result<()> {
    let ground = nodes()?;
    slow(&ground, 61)?;
    let session = ground.session().await?;
    let slow = plan(&session).await?;
    approve(&ground, &slow)?;
    let run = apply(&session, &slow).await?.done()?.str("/run_id")?.to_owned();
    process(&["sleep 61"]).await?;
    session.call("pull_cord", json!({"reason": "a test"})).await?.done()?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "stopped", "{:#}", end.content);
    assert!(end.str("/summary")?.contains("cord"), "{:#}", end.content);
    Ok(())
}

#[tokio::test]
async fn an_apply_outlives_its_server_and_is_verified_by_another() -> Result<()> {
    let ground = nodes()?;
    slow(&ground, 4)?;
    let session = ground.session().await?;
    let slow = plan(&session).await?;
    approve(&ground, &slow)?;
    let run = apply(&session, &slow).await?.done()?.str("/run_id")?.to_owned();
    drop(session);
    let session = ground.session().await?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);
    Ok(())
}

#[tokio::test]
async fn a_worker_that_dies_leaves_the_tool_which_ends_and_is_settled_by_looking() -> Result<()> {
    let ground = nodes()?;
    slow(&ground, 5)?;
    let session = ground.session().await?;
    let slow = plan(&session).await?;
    approve(&ground, &slow)?;
    let run = apply(&session, &slow).await?.done()?.str("/run_id")?.to_owned();
    process(&["sleep 5"]).await?;
    kill(process(&["run-worker", &run]).await?)?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "verified", "the tool went on, and was waited for: {:#}", end.content);
    Ok(())
}

#[tokio::test]
async fn a_tool_that_is_killed_leaves_the_run_unknown_and_nothing_is_done_twice() -> Result<()> {
    let ground = nodes()?;
    slow(&ground, 62)?;
    let session = ground.session().await?;
    let slow = plan(&session).await?;
    approve(&ground, &slow)?;
    let run = apply(&session, &slow).await?.done()?.str("/run_id")?.to_owned();
    process(&["sleep 62"]).await?;
    kill(process(&["apply", "-json", ".tfplan", &ground.state().display().to_string()]).await?)?;
    let end = ended(&session, &run).await?;
    assert!(["unknown", "failed"].contains(&end.str("/state")?), "{:#}", end.content);
    assert!(apply(&session, &slow).await?.refused, "a plan is applied once");
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_killed_while_it_plans_leaves_no_lock() -> Result<()> {
    let (ground, keeper) = over_http(NODES, "").await?;
    let session = ground.session().await?;
    plan(&session).await?;
    keeper.reads_are(Reads::Wait);
    let locked = wait_for("the lock", SOON, async || Ok(keeper.lock()));
    tokio::select! {
        answer = session.call("plan_apply_workspace", net(json!({}))) => {
            anyhow::bail!("it does not last: {answer:?}")
        }
        lock = locked => drop(lock?),
    }
    session.kill().await?;
    keeper.reads_are(Reads::Answered);
    wait_for("the lock to be given back", SOON, async || Ok(keeper.lock().is_none().then_some(()))).await?;
    let session = ground.session().await?;
    verified(&ground, &session, &plan(&session).await?).await?;
    Ok(())
}

#[tokio::test]
async fn a_worker_that_dies_before_the_tool_starts_does_nothing_twice() -> Result<()> {
    let (ground, keeper) = counted().await?;
    let session = ground.session().await?;
    let first = plan(&session).await?;
    let run = begun(&ground, &session, &first).await?;
    keeper.reads_are(Reads::Wait);
    kill(process(&["run-worker", &run]).await?)?;
    assert_eq!((times_done(&ground), keeper.state()), (0, None), "it had not come so far");
    keeper.reads_are(Reads::Answered);
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "verified", "taken up by another worker: {:#}", end.content);
    assert_eq!(times_done(&ground), 1);
    assert_eq!(keeper.lock(), None);
    Ok(())
}

#[tokio::test]
async fn a_worker_that_dies_once_the_tool_has_ended_is_settled_and_nothing_is_done_twice() -> Result<()> {
    let (ground, keeper) = counted().await?;
    let session = ground.session().await?;
    let first = plan(&session).await?;
    keeper.reads_are(Reads::WaitOnceWritten);
    let run = begun(&ground, &session, &first).await?;
    let written = async || Ok((keeper.state().is_some() && keeper.lock().is_none()).then_some(()));
    wait_for("the tool to end", SOON, written).await?;
    let asked = async || Ok((keeper.waiting() > 0).then_some(()));
    wait_for("the worker to ask for the state that the tool left", SOON, asked).await?;
    kill(process(&["run-worker", &run]).await?)?;
    keeper.reads_are(Reads::Answered);
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);
    assert_eq!(times_done(&ground), 1);
    Ok(())
}

#[tokio::test]
async fn whoever_waits_hears_how_many_changes_are_made() -> Result<()> {
    let ground = nodes()?;
    slow(&ground, 6)?;
    let session = ground.session().await?;
    let slow = plan(&session).await?;
    let run = begun(&ground, &session, &slow).await?;
    process(&["sleep 6"]).await?;
    let part = "2 of 3 parts are done";
    wait_for("two of three changes", SOON, async || {
        let status = session.call("run_status", json!({"id": run, "wait_seconds": 1})).await?.done()?;
        Ok(status.str("/summary")?.contains(part).then_some(()))
    })
    .await?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);
    assert!(!end.str("/summary")?.contains(part), "it is over: {:#}", end.content);
    let heard = session.progress();
    assert!(heard.iter().any(|message| message.contains(part)), "{heard:?}");
    Ok(())
}
