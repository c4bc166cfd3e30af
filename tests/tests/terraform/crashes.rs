//! What is left when a process dies, and what stops one that works.

use std::time::Duration;

use anyhow::{Context as _, Result};
use runcord_tests::Ground;
use runcord_tests::cluster::wait_for;
use serde_json::json;

use crate::story::{DECLARED, NODES, apply, approve, ended, nodes, plan, verified};

/// A note whose making takes a while: in a provisioner that somebody reviewed.
fn slow(ground: &Ground, seconds: u32) -> Result<()> {
    let provisioner =
        format!("  input = var.note\n  provisioner \"local-exec\" {{ command = \"sleep {seconds}\" }}\n");
    ground.write("net/main.tf", &NODES.replace("  input = var.note\n", &provisioner))?;
    ground.declare(&format!("{DECLARED}    runs_code: [terraform_data.note]\n"))
}

/// The first process whose command line holds all of these words.
async fn process(words: &[&str]) -> Result<i32> {
    wait_for("a process", Duration::from_secs(30), async || {
        for entry in std::fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            if words.iter().all(|word| line.contains(word)) {
                return Ok(Some(pid));
            }
        }
        Ok(None)
    })
    .await
}

fn kill(pid: i32) -> Result<()> {
    let pid = rustix::process::Pid::from_raw(pid).context("no pid")?;
    Ok(rustix::process::kill_process(pid, rustix::process::Signal::KILL)?)
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
