//! The command line of `runcord-ansible`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser};
use runcord_mcp::program::{Common, Host};
use runcord_model::Refusal;
use runcord_runtime::settings::Settings;

use crate::ansible::{Ansible, Connect};

/// The MCP server for Ansible: it offers an AI agent the typed tools that reviewed runbooks declare, and nothing else.
///
/// It drives the `ansible-playbook` (ansible-core 2.17 or newer) that is on the PATH, or that of a virtual environment, over
/// the playbooks and inventories that `playbooks.yaml` in the policy folder declares. A playbook is vetted before anything of
/// it runs; every change is run in check mode first, measured, judged by policy, approved by people where policy says so;
/// then it runs on exactly those hosts, batch by batch, is verified, and recorded. Speaks MCP over standard input and output.
#[derive(Debug, Parser)]
#[command(name = "runcord-ansible", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What every server takes.
    #[command(flatten)]
    pub common: Common,
    /// Which project.
    #[command(flatten)]
    pub place: Place,
}

const EXAMPLES: &str = "\
Examples:
  runcord init --approver ana                                   set up state, keys, a policy folder and a first authority
  runcord-ansible --project ./ansible                           serve the declared playbooks on the inventories there
  runcord-ansible --project ./ansible --ansible ~/venvs/ansible with the Ansible of a virtual environment
  claude mcp add runcord-ansible -- runcord-ansible --project /srv/ansible";

/// Which project it serves, with which Ansible.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Folder of inventories, and of playbooks that are not the library's [default: where it is started]
    #[arg(long, value_name = "DIR", env = "RUNCORD_PROJECT", global = true)]
    pub project: Option<PathBuf>,
    /// Virtual environment that Ansible is installed in [default: the programs on the PATH]
    #[arg(long, value_name = "DIR", env = "RUNCORD_ANSIBLE", global = true)]
    pub ansible: Option<PathBuf>,
}

impl Host for Place {
    type T = Ansible;

    async fn connect(&self, settings: &Settings) -> Result<Ansible, Refusal> {
        Ansible::connect(&self.into(), settings).await
    }

    async fn rejoin(&self, settings: &Settings) -> Result<Ansible, Refusal> {
        Ansible::rejoin(&self.into(), settings)
    }

    fn again(&self, target: &Ansible) -> Vec<(&'static str, OsString)> {
        let venv = target.venv().map(|folder| ("--ansible", folder.into()));
        std::iter::once(("--project", target.project().into())).chain(venv).collect()
    }
}

impl From<&Place> for Connect {
    fn from(place: &Place) -> Self {
        Self { project: place.project.clone(), ansible: place.ansible.clone() }
    }
}
