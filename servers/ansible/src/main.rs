//! `runcord-ansible`.

use std::process::ExitCode;

use clap::Parser;
use runcord_ansible::server::Cli;
use runcord_mcp::program;

// One thread: it serves one client, and most of its time it waits for Ansible.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Cli { common, place } = Cli::parse();
    program::main(common, place).await
}
