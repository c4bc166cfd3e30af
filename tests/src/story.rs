//! The steps that the sessions of most servers share: a plan is approved, applied, and waited for.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use crate::installation::{Approver, Installation};
use crate::session::{Answer, Session};

/// How long a run may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// Applies a plan, whatever comes of it.
///
/// # Errors
///
/// The connection broke, or the answer was no plan.
pub async fn apply(session: &Session, plan: &Answer) -> Result<Answer> {
    let args = json!({"plan_id": plan.str("/plan_id")?, "expect": plan.str("/headline")?});
    session.call("apply_plan", args).await
}

/// How many people a plan needs.
///
/// # Errors
///
/// More than anybody counts.
pub fn people_needed(plan: &Answer) -> Result<usize> {
    let needed = plan.content.pointer("/decision/approvals_needed/0").and_then(Value::as_array);
    let counts = needed.into_iter().flatten().filter_map(|one| one.get("count")?.as_i64());
    let people = counts.max().unwrap_or(0);
    Ok(usize::try_from(people)?)
}

/// Gives a plan the approvals that it needs, of one person or of two.
///
/// # Errors
///
/// One of them was refused.
pub fn approve(installation: &Installation, plan: &Answer) -> Result<()> {
    for approver in [Approver::Ana, Approver::Ben].into_iter().take(people_needed(plan)?) {
        installation.approve(plan.str("/plan_id")?, approver)?;
    }
    Ok(())
}

/// Approves and applies; gives the run.
///
/// # Errors
///
/// Either was refused.
pub async fn begun(installation: &Installation, session: &Session, plan: &Answer) -> Result<String> {
    approve(installation, plan)?;
    Ok(apply(session, plan).await?.done()?.str("/run_id")?.to_owned())
}

/// Waits until a run is over.
///
/// # Errors
///
/// It does not end in time.
pub async fn ended(session: &Session, run: &str) -> Result<Answer> {
    let until = Instant::now() + PATIENCE;
    loop {
        let status = session.call("run_status", json!({"id": run, "wait_seconds": 10})).await?.done()?;
        match status.str("/state")? {
            "applying" | "applied" | "reconciling" if Instant::now() < until => {}
            "applying" | "applied" | "reconciling" => bail!("the run does not end: {:#}", status.content),
            _ => return Ok(status),
        }
    }
}

/// Approves and applies a plan, and waits until its run is over.
///
/// # Errors
///
/// It was refused, or does not end in time.
pub async fn carried_out(installation: &Installation, session: &Session, plan: &Answer) -> Result<Answer> {
    let run = begun(installation, session, plan).await?;
    ended(session, &run).await
}

/// The same, and it is verified.
///
/// # Errors
///
/// It is not; the error shows the run.
pub async fn verified(installation: &Installation, session: &Session, plan: &Answer) -> Result<Answer> {
    let end = carried_out(installation, session, plan).await?;
    ensure!(end.str("/state")? == "verified", "not verified: {:#}", end.content);
    Ok(end)
}
