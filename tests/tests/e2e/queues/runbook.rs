//! The runbook's file: its limits, where it is loaded, and what drift says of it.

use std::fs;

use anyhow::Result;
use runcord_tests::ControlPlane;
use runcord_tests::bed::{Approver, Bed};
use runcord_tests::session::Era;

use super::Queue;
use crate::story::{apply, verified};

#[tokio::test]
async fn the_runbooks_own_limits_hold() -> Result<()> {
    let queue = Queue::new("limits", 1_000_001).await?;
    let session = queue.session().await?;
    assert!(queue.refused(&session).await?.contains("holds 1000001 entries, more than the 1000000"));
    queue.write("size", "10001")?;
    let plan = queue.approved(&session).await?;
    assert_eq!(apply(&session, &plan).await?.refusal()?, "approval_required", "so many take two people");
    queue.bed.approve(plan.str("/plan_id")?, Approver::Ben)?;
    verified(&session, &plan).await?;
    Ok(())
}

#[tokio::test]
async fn it_is_loaded_only_where_it_is_named() -> Result<()> {
    let bed = Bed::new("optional", 1).await?;
    let tools = bed.session(Era::Stateless).await?.tools().await?;
    assert!(tools.iter().all(|tool| tool.name != "plan_purge_queue"));
    let shown = bed.runcord(["runbook", "show", "purge_queue"])?;
    assert!(shown.status.success(), "it is there to be read all the same");
    fs::write(bed.path("runcord.yaml"), "agent: claude\noptional_runbooks: [purge_queue]\n")?;
    let tools = bed.session(Era::Stateless).await?.tools().await?;
    assert!(tools.iter().any(|tool| tool.name == "plan_purge_queue"));
    Ok(())
}

#[tokio::test]
async fn drift_looks_for_a_container_that_is_named_and_runs_nothing() -> Result<()> {
    let queue = Queue::new("rusts", 10).await?;
    let namespace = queue.bed.name.as_str().to_owned();
    let drift = || -> Result<(Option<i32>, String)> {
        let output = queue.bed.runcord(["runbook", "drift", "--json", "--namespace", &namespace])?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
    };
    let mark = ControlPlane::shared()?.mark()?;
    assert_eq!(drift()?.0, Some(0), "a caller names the pod: there is nothing to look for");

    let named = |container: &str| -> Result<()> {
        let (namespace, container) =
            (format!("namespace: {namespace}\n"), format!("container: {container}\n"));
        queue.replace(&[
            ("namespace: ${params.namespace}\n", namespace.as_str()),
            ("pod: ${params.pod}\n", "pod: redis-0\n"),
            ("container: redis\n", container.as_str()),
        ])?;
        fs::write(queue.bed.path("runcord.yaml"), "agent: claude\nrunbooks: runbooks\n")?;
        Ok(())
    };
    named("redis")?;
    let (code, said) = drift()?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cannot be told without running them") && !said.contains("is not there"), "{said}");
    named("valkey")?;
    let (_, said) = drift()?;
    let gone = format!("the runbook names container valkey of pod {namespace}/redis-0, which is not there");
    assert!(said.contains(&gone), "{said}");
    assert!(queue.ran(mark, &namespace).await?.is_empty(), "nothing was run");
    Ok(())
}
