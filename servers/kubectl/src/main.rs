//! `runcord-kubectl`.

use std::process::ExitCode;

use clap::Parser;
use runcord_kubectl::server::Cli;
use runcord_mcp::program;

// Two threads, on however many processors: it serves one client, and most of its time it waits. One disk write does not
// hold up another call; more threads would only cost memory.
#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let Cli { common, cluster } = Cli::parse();
    program::main(common, cluster).await
}
