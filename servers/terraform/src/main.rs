//! `runcord-terraform`.

use std::process::ExitCode;

use clap::Parser;
use runcord_mcp::program;
use runcord_terraform::server::Cli;

// One thread: it serves one client, and most of its time it waits for the tool.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Cli { common, place } = Cli::parse();
    program::main(common, place).await
}
