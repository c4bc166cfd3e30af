//! The operator's command: what a person does about plans, authority, the cord and the ledger.
//!
//! One module for each noun of the command line; [`output`] shows what they answer, [`sign`] has `ssh-keygen`
//! sign for them, [`servers`] is the one place that knows which servers there are.

use clap::Parser;

mod activate;
mod approve;
mod args;
mod around;
mod cord;
mod doctor;
mod drift;
mod failure;
mod files;
mod init;
mod keys;
mod kubectl;
mod log;
mod output;
mod plan;
mod policy;
mod reset;
mod run;
mod runbook;
mod servers;
mod sign;
mod snapshot;
mod terminal;

#[cfg(test)]
#[path = "../tests/operator/sample.rs"]
mod sample;

pub use args::Cli;
pub use failure::Exit;

/// Reads the command line. When there is nothing to carry out (a mistake, or `--help`), says so and how to end.
///
/// # Errors
/// How the process should end.
pub fn parse() -> Result<Cli, Exit> {
    Cli::try_parse().map_err(|error| {
        let for_programs = error.use_stderr() && std::env::args_os().any(|arg| arg == "--json");
        if for_programs {
            output::show(output::Format::Json, Err(args::mistake(&error)))
        } else {
            args::told(&error)
        }
    })
}

/// Carries out one command, shows what came of it, and says how the process should end.
pub async fn run(cli: Cli) -> Exit {
    if std::env::var_os("RUNCORD_LOG").is_some() {
        runcord_runtime::telemetry::init();
    }
    let format = cli.format();
    output::show(format, args::carry_out(cli).await)
}
