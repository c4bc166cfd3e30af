//! The command line of `runcord-kubectl`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use miette::Report;
use runcord_model::{Principal, Refusal, RunId};
use runcord_runtime::launch::Launcher;
use runcord_runtime::library::Library;
use runcord_runtime::mask::MaskFile;
use runcord_runtime::service::Service;
use runcord_runtime::settings::{Options, Origin, Settings, login};
use runcord_runtime::target::Actions;
use runcord_runtime::worker;

use crate::{Connect, KubectlActions, Kubernetes};

/// The MCP server for Kubernetes: it offers an AI agent the typed tools that reviewed runbooks declare, and nothing else.
///
/// Every change is planned first (a dry-run), measured, judged by policy, approved by people where policy says so,
/// applied exactly as approved, verified, and recorded. Speaks MCP over standard input and output.
#[derive(Debug, Parser)]
#[command(name = "runcord-kubectl", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    cluster: Cluster,
    /// Serve streamable HTTP at /mcp instead; refused unless authentication is configured
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  runcord init --approver ana             set up state, keys, a policy folder and a first authority
  runcord-kubectl                         serve the current kubeconfig context over stdio
  runcord-kubectl --context prod-eu       serve another context
  claude mcp add runcord-kubectl -- runcord-kubectl --context prod-eu";

#[derive(Debug, Clone, Args)]
struct Cluster {
    /// Kubeconfig file [default: the ordinary rules, then in-cluster]
    #[arg(long, value_name = "FILE", global = true)]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME", global = true)]
    context: Option<String>,
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
    pub report: Report,
    /// 1 refused, 2 wrong usage, 3 the surroundings failed.
    pub code: u8,
}

/// How often a server looks for runs that nobody holds.
const TAKE_UP_EVERY: Duration = Duration::from_secs(5);

/// Serves, or carries out one run.
///
/// # Errors
/// With the exit code of the contract.
pub async fn run(cli: Cli) -> Result<(), Failed> {
    if let Some(listen) = cli.listen {
        let report = miette::miette!(
            help = "serve over stdio (leave --listen out); authentication for HTTP cannot be configured in this version",
            "refusing to listen on {listen}: no authentication is configured"
        );
        return Err(Failed { report, code: 2 });
    }
    let settings = Settings::resolve(&cli.options).map_err(|e| Failed { report: e.into(), code: 2 })?;
    match &cli.command {
        Some(Command::RunWorker { run }) => work(&cli.cluster, &settings, run).await,
        None => serve(&cli, settings).await,
    }
}

async fn serve(cli: &Cli, settings: Settings) -> Result<(), Failed> {
    let library = Library::load(&settings, KubectlActions::catalog())
        .map_err(|e| Failed { report: e.into(), code: 1 })?;
    let principal = library.current().policies.principal(&login(), settings.agent.as_str());
    let principal: Principal = principal.map_err(|e| Failed { report: miette::miette!("{e}"), code: 1 })?;
    let target = connect(&cli.cluster, &settings).await.map_err(surroundings)?;
    let launcher = launcher(cli, &settings, target.context())?;
    let service = Service::new(target, library, settings, launcher).await.map_err(surroundings)?;
    let service = Arc::new(service);
    let looking = tokio::spawn(take_up_for_ever(Arc::clone(&service)));
    let served = runcord_mcp::serve_stdio(service, principal).await;
    looking.abort();
    served.map_err(|e| Failed { report: miette::miette!("{e}"), code: 3 })
}

/// A run whose worker died is found by any server of the same target, at its start and from then on.
async fn take_up_for_ever(service: Arc<Service<Kubernetes>>) {
    loop {
        if let Err(refusal) = service.take_up() {
            tracing::warn!("{}", refusal.message);
        }
        tokio::time::sleep(TAKE_UP_EVERY).await;
    }
}

async fn work(cluster: &Cluster, settings: &Settings, run: &RunId) -> Result<(), Failed> {
    worker::leave_session();
    let connect = || connect(cluster, settings);
    worker::work_in(connect, &settings.state, run)
        .await
        .map_err(|error| Failed { report: miette::miette!("{error}"), code: 3 })
}

async fn connect(cluster: &Cluster, settings: &Settings) -> Result<Kubernetes, Refusal> {
    Kubernetes::connect(&cluster.into(), MaskFile::of(&settings.state)).await
}

impl From<&Cluster> for Connect {
    fn from(cluster: &Cluster) -> Self {
        Self { kubeconfig: cluster.kubeconfig.clone(), context: cluster.context.clone() }
    }
}

fn surroundings(refusal: Refusal) -> Failed {
    Failed { report: miette::miette!(help = refusal.next, "{}", refusal.message), code: 3 }
}

/// The same program with the options that lead to the same cluster, ledger and configuration.
/// `context` is the one that was current when the server started: it may be switched under a running server.
fn launcher(cli: &Cli, settings: &Settings, context: Option<&str>) -> Result<Launcher, Failed> {
    let program = std::env::current_exe().map_err(|e| Failed {
        report: miette::miette!("cannot find this program's own file: {e}"),
        code: 3,
    })?;
    let mut args: Vec<OsString> = Vec::new();
    let mut option = |name: &str, value: Option<OsString>| {
        if let Some(value) = value {
            args.extend([OsString::from(name), value]);
        }
    };
    option("--kubeconfig", cli.cluster.kubeconfig.clone().map(Into::into));
    option("--context", context.map(Into::into));
    option("--state", Some(settings.state.clone().into()));
    option("--config", settings.config.exists().then(|| settings.config.clone().into()));
    option("--policy", folder(&settings.policy));
    option("--runbooks", folder(&settings.runbooks));
    let output = settings.state.join("workers");
    Ok(Launcher { program, args, environment: settings.worker_environment.clone(), output })
}

fn folder(origin: &Origin) -> Option<OsString> {
    match origin {
        Origin::Shipped => None,
        Origin::Folder(path) => Some(path.clone().into()),
    }
}
