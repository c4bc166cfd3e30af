//! The command line of `runcord-terraform`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser};
use runcord_mcp::program::{Common, Host};
use runcord_model::Refusal;
use runcord_runtime::settings::Settings;

use crate::names::WorkspaceName;
use crate::terraform::{Connect, Terraform};

/// The MCP server for Terraform: it offers an AI agent the typed tools that reviewed runbooks declare, and nothing else.
///
/// It drives the `terraform` (1.5 or newer) that is on the PATH, or `tofu` where there is none, over the root modules that
/// `modules.yaml` in the policy folder declares. Every change is planned first, measured, judged by policy, approved by
/// people where policy says so; then the very plan file that was approved is applied, verified, and recorded. Speaks MCP
/// over standard input and output.
#[derive(Debug, Parser)]
#[command(name = "runcord-terraform", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What every server takes.
    #[command(flatten)]
    pub common: Common,
    /// Which root modules.
    #[command(flatten)]
    pub place: Place,
}

const EXAMPLES: &str = "\
Examples:
  runcord init --approver ana                                  set up state, keys, a policy folder and a first authority
  runcord-terraform --root ./infrastructure                    serve the declared modules there, in the workspace `default`
  runcord-terraform --root ./infrastructure --workspace prod   serve another workspace
  claude mcp add runcord-terraform -- runcord-terraform --root /srv/infrastructure";

/// Which root modules it serves.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Folder below which the declared root modules are [default: where it is started]
    #[arg(long, value_name = "DIR", env = "RUNCORD_ROOT", global = true)]
    pub root: Option<PathBuf>,
    /// The workspace that it acts on
    #[arg(long, value_name = "NAME", env = "RUNCORD_WORKSPACE", default_value = "default", global = true)]
    pub workspace: WorkspaceName,
    /// Folder of providers, laid out as a filesystem mirror: nothing is downloaded then
    #[arg(long, value_name = "DIR", env = "RUNCORD_PROVIDER_MIRROR", global = true)]
    pub provider_mirror: Option<PathBuf>,
}

impl Host for Place {
    type T = Terraform;

    async fn connect(&self, settings: &Settings) -> Result<Terraform, Refusal> {
        Terraform::connect(&self.into(), settings).await
    }

    async fn rejoin(&self, settings: &Settings) -> Result<Terraform, Refusal> {
        Terraform::rejoin(&self.into(), settings)
    }

    fn again(&self, target: &Terraform) -> Vec<(&'static str, OsString)> {
        let mirror = self.provider_mirror.clone().map(|folder| ("--provider-mirror", folder.into()));
        let fixed =
            [("--root", target.root().into()), ("--workspace", OsString::from(self.workspace.as_str()))];
        fixed.into_iter().chain(mirror).collect()
    }
}

impl From<&Place> for Connect {
    fn from(place: &Place) -> Self {
        Self {
            root: place.root.clone(),
            workspace: place.workspace.clone(),
            provider_mirror: place.provider_mirror.clone(),
        }
    }
}
