//! `runcord-kubectl`: parse, connect, serve; or, started by itself, carry out one run.

use std::process::ExitCode;

use clap::Parser;
use runcord_kubectl::server::{self, Cli};

#[tokio::main]
async fn main() -> ExitCode {
    runcord_runtime::telemetry::init();
    match server::run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(report) => {
            // Standard output is the client's: everything for people goes to standard error.
            eprintln!("{:?}", report.report);
            ExitCode::from(report.code)
        }
    }
}
