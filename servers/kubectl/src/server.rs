//! The command line of `runcord-kubectl`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser};
use runcord_mcp::program::{Common, Host};
use runcord_model::Refusal;
use runcord_runtime::mask::MaskFile;
use runcord_runtime::settings::Settings;

use crate::{Connect, Kubernetes};

/// The MCP server for Kubernetes: it offers an AI agent the typed tools that reviewed runbooks declare, and nothing else.
///
/// Every change is planned first (a dry-run), measured, judged by policy, approved by people where policy says so,
/// applied exactly as approved, verified, and recorded. Speaks MCP over standard input and output.
#[derive(Debug, Parser)]
#[command(name = "runcord-kubectl", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What every server takes.
    #[command(flatten)]
    pub common: Common,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
}

const EXAMPLES: &str = "\
Examples:
  runcord init --approver ana             set up state, keys, a policy folder and a first authority
  runcord-kubectl                         serve the current kubeconfig context over stdio
  runcord-kubectl --context prod-eu       serve another context
  claude mcp add runcord-kubectl -- runcord-kubectl --context prod-eu";

/// Which cluster it serves.
#[derive(Debug, Clone, Args)]
pub struct Cluster {
    /// Kubeconfig file [default: the ordinary rules, then in-cluster]
    #[arg(long, value_name = "FILE", global = true)]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME", global = true)]
    context: Option<String>,
}

impl Host for Cluster {
    type T = Kubernetes;

    async fn connect(&self, settings: &Settings) -> Result<Kubernetes, Refusal> {
        Kubernetes::connect(&self.into(), MaskFile::of(&settings.state)).await
    }

    async fn rejoin(&self, settings: &Settings) -> Result<Kubernetes, Refusal> {
        self.connect(settings).await
    }

    /// The context is the one that was current when the server started: it may be switched under a running server.
    fn again(&self, target: &Kubernetes) -> Vec<(&'static str, OsString)> {
        let kubeconfig = self.kubeconfig.clone().map(|file| ("--kubeconfig", file.into()));
        let context = target.context().map(|context| ("--context", context.into()));
        kubeconfig.into_iter().chain(context).collect()
    }
}

impl From<&Cluster> for Connect {
    fn from(cluster: &Cluster) -> Self {
        Self { kubeconfig: cluster.kubeconfig.clone(), context: cluster.context.clone() }
    }
}
