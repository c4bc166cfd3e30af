//! How long a tool's starts take, told in the log: so that the tool's share of our time can be told from our own.

use std::time::Instant;

/// One start of a tool. When it is dropped, how long it took is told, at `runcord::tool=debug`.
#[derive(Debug)]
pub struct Timed {
    subcommand: &'static str,
    since: Instant,
}

impl Timed {
    /// The tool is about to be started for this.
    pub fn start(subcommand: &'static str) -> Self {
        tracing::debug!(target: "runcord::tool", subcommand, "starting the tool");
        Self { subcommand, since: Instant::now() }
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        let took = self.since.elapsed().as_micros();
        tracing::debug!(target: "runcord::tool", subcommand = self.subcommand, took, "the tool has ended");
    }
}
