//! The operator's command: what a person does about plans, authority, the cord and the ledger.
//!
//! One module for each noun of the command line; [`output`] shows what they answer, [`sign`] has `ssh-keygen`
//! sign for them, [`servers`] is the one place that knows which servers there are.

mod activate;
mod approve;
mod args;
mod around;
mod cord;
mod doctor;
mod failure;
mod files;
mod init;
mod keys;
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

pub use args::Cli;
pub use failure::Exit;

/// Carries out one command, shows what came of it, and says how the process should end.
pub async fn run(cli: Cli) -> Exit {
    if std::env::var_os("RUNCORD_LOG").is_some() {
        runcord_runtime::telemetry::init();
    }
    let format = cli.format();
    output::show(format, args::carry_out(cli).await)
}
