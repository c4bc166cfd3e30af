//! `runcord`: parse, call, map the exit code.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let exit = match runcord_cli::parse() {
        Ok(cli) => runcord_cli::run(cli).await,
        Err(exit) => exit,
    };
    ExitCode::from(exit.code())
}
