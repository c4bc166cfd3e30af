//! The cord between the last preview and the purge.

use anyhow::Result;
use runcord_tests::ControlPlane;
use runcord_tests::cluster::wait_for;
use runcord_tests::session::Session;
use serde_json::json;

use super::Queue;
use crate::story::{SOON, apply, ended};

/// Applies a plan whose last preview waits: the run is between the permit for its purge and the purge. Gives the run.
async fn held_before_the_purge(queue: &Queue, session: &Session) -> Result<String> {
    let plan = queue.approved(session).await?;
    // Once more when applying, and then right before the purge.
    queue.write("answers", "size\nwait\n")?;
    let run = apply(session, &plan).await?.done()?.str("/run_id")?.to_owned();
    let waits = queue.folder.join("waits");
    wait_for("the last preview", SOON, async || Ok(waits.exists().then_some(()))).await?;
    Ok(run)
}

/// Lets the preview go on; the run ends stopped, for this reason, and nothing was purged.
async fn ends_stopped(queue: &Queue, session: &Session, run: &str, why: &str) -> Result<()> {
    queue.write("go", "")?;
    let end = ended(session, run).await?;
    assert_eq!(end.str("/state")?, "stopped", "never unknown: {:#}", end.content);
    assert!(end.str("/summary")?.contains(why), "{:#}", end.content);
    assert!(end.content["record"]["index"].is_u64(), "it is recorded: {:#}", end.content);
    assert_eq!((queue.purges()?, queue.size()?), (0, 10));
    Ok(())
}

#[tokio::test]
async fn a_cord_that_is_pulled_during_the_last_preview_stops_the_purge() -> Result<()> {
    let queue = Queue::new("late", 10).await?;
    let session = queue.session().await?;
    let mark = ControlPlane::shared()?.mark()?;
    let run = held_before_the_purge(&queue, &session).await?;
    session.call("pull_cord", json!({"reason": "a test"})).await?.done()?;
    ends_stopped(&queue, &session, &run, "STOPPED because the cord was pulled").await?;
    let ran = queue.ran(mark, queue.bed.name.as_str()).await?;
    assert!(ran.iter().all(|one| !one.contains(&"LTRIM".to_owned())), "the purge was never sent: {ran:#?}");
    Ok(())
}

#[tokio::test]
async fn a_cord_that_cannot_be_read_after_the_last_preview_counts_as_pulled() -> Result<()> {
    let queue = Queue::new("unread", 10).await?;
    let session = queue.session().await?;
    let run = held_before_the_purge(&queue, &session).await?;
    let ledger = rusqlite::Connection::open(queue.bed.state().join("ledger.db"))?;
    ledger.execute("UPDATE cord SET pull = 'not what was written'", [])?;
    let why = "STOPPED because it could not be told whether the cord was pulled";
    ends_stopped(&queue, &session, &run, why).await
}
