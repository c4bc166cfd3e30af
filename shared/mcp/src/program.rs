//! The program that every server is: parse, connect, serve; or, started by itself, carry out one run.
//!
//! What it serves is a [`Host`]: the options of one server, how its target is reached, and which options lead there
//! again.

use std::ffi::OsString;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::{Args, Subcommand};
use miette::Report;
use runcord_model::{Principal, Refusal, RunId};
use runcord_runtime::launch::Launcher;
use runcord_runtime::library::{Library, LoadError};
use runcord_runtime::service::Service;
use runcord_runtime::settings::{Options, Origin, Settings, login};
use runcord_runtime::target::{Actions, Target};
use runcord_runtime::worker;

use crate::serve_stdio;

/// What one server adds to the program.
pub trait Host: Debug {
    /// What it acts on.
    type T: Target;

    /// Reaches the target. `settings` say where state and policy are.
    fn connect(&self, settings: &Settings) -> impl Future<Output = Result<Self::T, Refusal>> + Send;

    /// The same for the worker of a run, which holds what it finds against what its plan was made with.
    fn rejoin(&self, settings: &Settings) -> impl Future<Output = Result<Self::T, Refusal>> + Send;

    /// The options that lead to the very same target once more: a worker is started with them.
    fn again(&self, target: &Self::T) -> Vec<(&'static str, OsString)>;
}

/// The options that every server takes.
#[derive(Debug, Args)]
pub struct Common {
    #[command(flatten)]
    options: Options,
    /// Serve streamable HTTP at /mcp instead; refused unless authentication is configured
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Carries out one run; the server starts itself so
    #[command(hide = true)]
    RunWorker {
        /// Which run
        #[arg(long)]
        run: RunId,
    },
}

/// How the program failed: what to show, and the exit code of the contract.
#[derive(Debug)]
pub struct Failed {
    /// For people.
    report: Report,
    /// 1 refused, 2 wrong usage, 3 the surroundings failed.
    code: u8,
}

/// How often a server looks for runs that nobody holds.
const TAKE_UP_EVERY: Duration = Duration::from_secs(5);

/// Serves, or carries out one run; what failed is on standard error, since standard output is the client's.
pub async fn main<H: Host>(common: Common, host: H) -> ExitCode {
    runcord_runtime::telemetry::init();
    match run(common, host).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed { report, code }) => {
            eprintln!("{report:?}");
            ExitCode::from(code)
        }
    }
}

async fn run<H: Host>(common: Common, host: H) -> Result<(), Failed> {
    if let Some(listen) = common.listen {
        let report = miette::miette!(
            help = "serve over stdio (leave --listen out); authentication for HTTP cannot be configured in this version",
            "refusing to listen on {listen}: no authentication is configured"
        );
        return Err(Failed { report, code: 2 });
    }
    let settings = Settings::resolve(&common.options).map_err(|e| Failed { report: e.into(), code: 2 })?;
    match &common.command {
        Some(Command::RunWorker { run }) => work(&host, &settings, run).await,
        None => serve(&host, settings).await,
    }
}

async fn serve<H: Host>(host: &H, settings: Settings) -> Result<(), Failed> {
    let library = load::<H>(&settings).map_err(|e| Failed { report: e.into(), code: 1 })?;
    let principal = library.current().policies.principal(&login(), settings.agent.as_str());
    let principal: Principal = principal.map_err(|e| Failed { report: miette::miette!("{e}"), code: 1 })?;
    let target = host.connect(&settings).await.map_err(surroundings)?;
    let launcher = launcher(&settings, host.again(&target))?;
    let service = Service::new(target, library, settings, launcher).await.map_err(surroundings)?;
    let service = Arc::new(service);
    let looking = tokio::spawn(take_up_for_ever(Arc::clone(&service)));
    let served = serve_stdio(service, principal).await;
    looking.abort();
    served.map_err(|e| Failed { report: miette::miette!("{e}"), code: 3 })
}

/// Loads on a thread of its own, whose stack goes with it: parsers go deep, and the depth of this one's stack would stay in
/// memory for as long as it serves.
fn load<H: Host>(settings: &Settings) -> Result<Library, LoadError> {
    let load = || Library::load(settings, <H::T as Target>::A::catalog());
    thread::scope(|scope| scope.spawn(load).join()).unwrap_or_else(|panic| resume_unwind(panic))
}

/// A run whose worker died is found by any server of the same target, at its start and from then on.
async fn take_up_for_ever<T: Target>(service: Arc<Service<T>>) {
    loop {
        if let Err(refusal) = service.take_up() {
            tracing::warn!("{}", refusal.message);
        }
        tokio::time::sleep(TAKE_UP_EVERY).await;
    }
}

async fn work<H: Host>(host: &H, settings: &Settings, run: &RunId) -> Result<(), Failed> {
    worker::leave_session();
    worker::work_in(|| host.rejoin(settings), &settings.state, run)
        .await
        .map_err(|error| Failed { report: miette::miette!("{error}"), code: 3 })
}

fn surroundings(refusal: Refusal) -> Failed {
    Failed { report: miette::miette!(help = refusal.next, "{}", refusal.message), code: 3 }
}

/// The same program with the options that lead to the same target, ledger and configuration.
fn launcher(settings: &Settings, target: Vec<(&'static str, OsString)>) -> Result<Launcher, Failed> {
    let program = std::env::current_exe().map_err(|e| Failed {
        report: miette::miette!("cannot find this program's own file: {e}"),
        code: 3,
    })?;
    let options = [
        ("--state", Some(settings.state.clone().into())),
        ("--config", settings.config.exists().then(|| settings.config.clone().into())),
        ("--policy", folder(&settings.policy)),
        ("--runbooks", folder(&settings.runbooks)),
    ];
    let ours = options.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let args = target.into_iter().chain(ours).flat_map(|(name, value)| [OsString::from(name), value]);
    let output = settings.state.join("workers");
    Ok(Launcher { program, args: args.collect(), environment: settings.worker_environment.clone(), output })
}

fn folder(origin: &Origin) -> Option<OsString> {
    match origin {
        Origin::Shipped => None,
        Origin::Folder(path) => Some(path.clone().into()),
    }
}
