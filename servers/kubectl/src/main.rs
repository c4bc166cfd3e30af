//! `runcord-kubectl`.

use std::process::ExitCode;

use clap::Parser;
use runcord_kubectl::server::Cli;
use runcord_mcp::program;

// One thread: it serves one client, and most of its time it waits. With two, every piece of an answer of the API server would
// wake the other one (a fifth of what a plan costs); so a disk write may hold up another call, for as long as it takes.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Cli { common, cluster } = Cli::parse();
    program::main(common, cluster).await
}
