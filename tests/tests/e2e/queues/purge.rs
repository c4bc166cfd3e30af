//! The purge itself: what is run, what it leaves behind, and what is said of it.

use std::fs;

use anyhow::{Context as _, Result};
use runcord_tests::ControlPlane;
use runcord_tests::bed::Approver;
use serde_json::json;

use super::{HOSTILE, Queue};
use crate::story::{apply, verified, with};

#[tokio::test]
async fn a_queue_is_emptied_from_its_number_to_verified() -> Result<()> {
    let queue = Queue::new("purge", 1200).await?;
    let session = queue.session().await?;
    let plane = ControlPlane::shared()?;
    let mark = plane.mark()?;
    let plan = queue.planned(&session).await?;
    assert_eq!(plan.content["blast_radius"]["irreversible"], 1200);
    assert_eq!(plan.content["blast_radius"]["known"], true);
    assert_eq!(plan.str("/decision/outcome")?, "needs_approval");
    let command = format!(r#"["redis-cli","-e","LTRIM","{}","1","0"]"#, queue.key);
    let change = &plan.content["diff"][0];
    assert_eq!(change["text"], format!("size: 1200 → 0, by {command}"));
    let undetermined = plan.content["coverage"]["undetermined"].to_string();
    assert!(undetermined.contains("no dry-run") && undetermined.contains("only looks"), "{undetermined}");
    assert_eq!(apply(&session, &plan).await?.refusal()?, "approval_required");
    assert_eq!((queue.purges()?, queue.size()?), (0, 1200), "nothing happens before somebody approves");

    queue.bed.approve(plan.str("/plan_id")?, Approver::Ana)?;
    let end = verified(&session, &plan).await?;
    assert_eq!((queue.purges()?, queue.size()?), (1, 0));
    assert_eq!(end.content["diff"][0]["text"], "size: 1200 → 0");
    assert_eq!(end.content["undo_available"], false);
    let undo = session.call("undo_plan", json!({"run_id": end.str("/run_id")?})).await?;
    assert_eq!(undo.refusal()?, "undo_unavailable");
    assert!(queue.refused(&session).await?.contains("the queue is empty"));

    // What was run is what the file says, under `timeout`, and the purge once.
    let words = |seconds: &str, rest: &[&str]| -> Vec<String> {
        ["timeout", "-s", "KILL", seconds].iter().chain(rest).map(|word| (*word).to_owned()).collect()
    };
    let preview = words("30", &["redis-cli", "-e", "LLEN", &queue.key]);
    let purge = words("30", &["redis-cli", "-e", "LTRIM", &queue.key, "1", "0"]);
    let ran = queue.ran(mark, queue.bed.name.as_str()).await?;
    assert!(ran.contains(&preview) && ran.contains(&purge), "{ran:#?}");
    assert!(ran.iter().all(|one| *one == preview || *one == purge), "{ran:#?}");
    let before = ran.iter().take_while(|one| **one == preview).count();
    assert_eq!(ran.get(before), Some(&purge), "the number is read before");
    Ok(())
}

#[tokio::test]
async fn what_a_purge_prints_is_shown_to_nobody() -> Result<()> {
    let queue = Queue::new("prints", 10).await?;
    let session = queue.session().await?;
    queue.write("purge", HOSTILE)?;
    let plan = queue.approved(&session).await?;
    let end = verified(&session, &plan).await?;
    assert!(!end.content.to_string().contains(HOSTILE) && !end.text.contains(HOSTILE), "{:#}", end.content);
    let shown = queue.bed.runcord(["run", "show", end.str("/run_id")?])?;
    assert!(shown.status.success() && !String::from_utf8_lossy(&shown.stdout).contains(HOSTILE));
    Ok(())
}

#[tokio::test]
async fn a_purge_that_fails_is_neither_done_nor_repeated() -> Result<()> {
    let queue = Queue::new("fails", 10).await?;
    let session = queue.session().await?;
    queue.write("purge", "exit 69")?;
    let plan = queue.approved(&session).await?;
    let end = queue.over(&session, &plan).await?;
    // A kubelet tells the exit code, and then it is said; kwok tells only that it was none.
    assert_eq!(end.str("/state")?, "unknown", "{:#}", end.content);
    assert!(
        !end.content.to_string().contains(HOSTILE),
        "nor what it said on standard error: {:#}",
        end.content
    );
    assert_eq!((queue.purges()?, queue.size()?), (1, 10));
    Ok(())
}

/// Entries that come in again at once are told, not passed over.
#[tokio::test]
async fn a_queue_that_fills_again_is_not_verified() -> Result<()> {
    let queue = Queue::adapted("refills", 10, &[("within: 10s", "within: 1s")]).await?;
    let session = queue.session().await?;
    let plan = queue.approved(&session).await?;
    let again = format!("size\nsize\n{}", "3\n".repeat(40));
    queue.write("answers", &again)?;
    let end = queue.over(&session, &plan).await?;
    assert_eq!(end.str("/state")?, "unverified", "{:#}", end.content);
    assert!(end.str("/summary")?.contains("entries in the queue again"), "{:#}", end.content);
    assert_eq!(queue.purges()?, 1);
    Ok(())
}

#[tokio::test]
async fn a_value_arrives_as_one_element_whatever_is_in_it_and_is_never_an_option() -> Result<()> {
    let pattern = "pattern: \"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}\"\n      example: celery";
    let free = [
        (pattern, "maxLength: 200"),
        ("queue ${params.queue} of", "a queue of"),
        ("/${params.queue}\"", "\""),
    ];
    let queue = Queue::adapted("literal", 10, &free).await?;
    let session = queue.session().await?;
    let evil = format!("{} $(touch owned); `id` | sh -c 'x' \"&command=sh", queue.bed.name);
    let folder = ControlPlane::shared()?.lists().join(&evil);
    fs::create_dir(&folder)?;
    fs::write(folder.join("size"), "4")?;
    let mark = ControlPlane::shared()?.mark()?;
    let plan = session.call("plan_purge_queue", with(queue.args(), json!({"queue": evil}))).await?.done()?;
    assert_eq!(plan.content["blast_radius"]["irreversible"], 4);
    let shown = plan.content["diff"][0]["text"].as_str().context("no text")?;
    assert!(shown.contains(&serde_json::to_string(&evil)?), "the approver sees all of it: {shown}");
    queue.bed.approve(plan.str("/plan_id")?, Approver::Ana)?;
    verified(&session, &plan).await?;
    assert_eq!(fs::read_to_string(folder.join("size"))?.trim(), "0");
    let calls = fs::read_to_string(folder.join("calls"))?;
    assert!(calls.lines().all(|call| call.starts_with(":-e:LLEN:") || call.ends_with(":1:0")), "{calls}");
    let ran = queue.ran(mark, queue.bed.name.as_str()).await?;
    assert!(ran.iter().all(|one| one.get(7) == Some(&evil)), "one element: {ran:#?}");
    assert!(!folder.join("owned").exists() && !ControlPlane::shared()?.lists().join("owned").exists());

    for option in ["-x", "--eval", "-"] {
        let answer = session.call("plan_purge_queue", with(queue.args(), json!({"queue": option}))).await?;
        assert_eq!(answer.refusal()?, "invalid_params", "{option}: {:#}", answer.content);
        assert!(answer.str("/message")?.contains("never begins with `-`"), "{:#}", answer.content);
    }
    Ok(())
}
