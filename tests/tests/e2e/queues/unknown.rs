//! A purge whose end nobody is told: unknown, never failed, and never tried again.

use std::fs;

use anyhow::{Context as _, Result};
use runcord_tests::ControlPlane;
use runcord_tests::cluster::wait_for;
use runcord_tests::session::Era;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::Queue;
use crate::story::{SOON, apply, ended, kill, worker_of};

#[tokio::test]
async fn a_purge_that_hangs_is_killed_inside_and_its_outcome_is_unknown() -> Result<()> {
    let queue = Queue::adapted("hangs", 10, &[("limit: 30s", "limit: 3s")]).await?;
    let session = queue.session().await?;
    let plan = queue.approved(&session).await?;
    queue.write("purge", "hang")?;
    let run = apply(&session, &plan).await?.done()?.str("/run_id")?.to_owned();
    wait_for("the purge to hang", SOON, async || Ok((!queue.at_work()?.is_empty()).then_some(()))).await?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "unknown", "never failed: {:#}", end.content);
    assert!(end.str("/next")?.contains("do not retry"), "{:#}", end.content);
    assert_eq!(end.content["diff"][0]["text"], "size: 10 → 10", "both numbers are handed on");
    assert_eq!(queue.purges()?, 1, "and nothing is tried again");
    assert_eq!(queue.at_work()?, Vec::<i32>::new(), "no process is left");
    Ok(())
}

/// Stands between a client and the API server; what runs through it can be cut.
struct Relay {
    address: String,
    streams: tokio::sync::watch::Sender<u32>,
    accepting: AbortHandle,
}

impl Relay {
    async fn to(server: &str) -> Result<Self> {
        let server = server.strip_prefix("https://").context("no https")?.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("https://{}", listener.local_addr()?);
        let (streams, cut) = tokio::sync::watch::channel(0);
        let accepting = tokio::spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let (server, mut cut) = (server.clone(), cut.clone());
                cut.mark_unchanged();
                open.spawn(async move {
                    let Ok(mut server) = TcpStream::connect(server).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Ok(Self { address, streams, accepting: accepting.abort_handle() })
    }

    /// Cuts all connections; new ones can be made.
    fn cut(&self) {
        self.streams.send_modify(|cuts| *cuts += 1);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_leaves_the_command_running_and_the_outcome_unknown() -> Result<()> {
    let queue = Queue::adapted("cut", 10, &[("limit: 30s", "limit: 8s")]).await?;
    let server = ControlPlane::shared()?.server();
    let relay = Relay::to(server).await?;
    let kubeconfig = queue.bed.path("relayed.kubeconfig");
    let direct = fs::read_to_string(queue.bed.kubeconfig())?;
    assert!(direct.contains(server));
    fs::write(&kubeconfig, direct.replace(server, &relay.address))?;
    let session = queue.bed.session_with(Era::Stateless, &[("KUBECONFIG", kubeconfig)]).await?;
    let plan = queue.approved(&session).await?;
    queue.write("purge", "hang")?;
    let run = apply(&session, &plan).await?.done()?.str("/run_id")?.to_owned();
    wait_for("the purge to hang", SOON, async || Ok((!queue.at_work()?.is_empty()).then_some(()))).await?;
    relay.cut();
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "unknown", "{:#}", end.content);
    assert_eq!(queue.purges()?, 1, "nothing is tried again");
    // Closing the stream does not end the process; its own limit does.
    assert!(!queue.at_work()?.is_empty(), "the command goes on without its stream");
    wait_for("the limit inside", SOON, async || Ok(queue.at_work()?.is_empty().then_some(()))).await
}

#[tokio::test]
async fn a_worker_that_dies_with_its_purge_in_flight_leaves_it_unknown() -> Result<()> {
    let queue = Queue::adapted("orphaned", 10, &[("limit: 30s", "limit: 5s")]).await?;
    let session = queue.session().await?;
    let plan = queue.approved(&session).await?;
    queue.write("purge", "hang")?;
    let run = apply(&session, &plan).await?.done()?.str("/run_id")?.to_owned();
    wait_for("the purge to hang", SOON, async || Ok((!queue.at_work()?.is_empty()).then_some(()))).await?;
    kill(worker_of(&run).await?)?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "unknown", "{:#}", end.content);
    assert_eq!(queue.purges()?, 1, "nothing is done twice");
    wait_for("the limit inside", SOON, async || Ok(queue.at_work()?.is_empty().then_some(()))).await
}
