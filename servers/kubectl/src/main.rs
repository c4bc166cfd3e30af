//! `runcord-kubectl`: parse, connect, serve; or, started by itself, carry out one run.

use std::process::ExitCode;

use clap::Parser;
use runcord_kubectl::server::{self, Cli};

// Two threads, on however many processors: it serves one client, and most of its time it waits. One disk write does not
// hold up another call; more threads would only cost memory.
#[tokio::main(worker_threads = 2)]
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
