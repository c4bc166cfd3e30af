//! `runcord`: parse, call, map the exit code.

use std::process::ExitCode;

use clap::Parser;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let exit = runcord_cli::run(runcord_cli::Cli::parse()).await;
    ExitCode::from(exit.code())
}
