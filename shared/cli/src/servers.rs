//! The servers that there are. Everything that depends on their action types goes through here.

use std::path::PathBuf;

use clap::Args;
use runcord_kubectl::drift::ClusterInspector;
use runcord_kubectl::names::Namespace;
use runcord_kubectl::{Connect, KubectlActions};
use runcord_ledger::KeptRun;
use runcord_model::{Catalog, Refusal, RunView};
use runcord_runtime::drift::Inspector;
use runcord_runtime::library::{Library, LoadError};
use runcord_runtime::settings::Settings;
use runcord_runtime::target::Actions;
use runcord_runtime::view;

/// How to reach the target of a server.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Reach {
    /// Kubeconfig file [default: the ordinary rules, then in-cluster]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

/// The binaries of the servers, as clients start them.
pub(crate) const BINARIES: [&str; 1] = ["runcord-kubectl"];

/// What each server can do and see.
pub(crate) fn catalogs() -> Vec<&'static Catalog> {
    vec![KubectlActions::catalog()]
}

/// The policy and the runbooks of all servers, loaded and checked.
pub(crate) fn library(settings: &Settings) -> Result<Library, LoadError> {
    let library = Library::load(settings, KubectlActions::catalog())?;
    library.check_thoroughly()?;
    Ok(library)
}

/// A run as its reader sees it.
pub(crate) fn run_view(run: &KeptRun) -> RunView {
    view::of::<KubectlActions>(run)
}

/// The identity of the target that is reached so.
pub(crate) async fn identity(reach: &Reach) -> Result<String, Refusal> {
    inspector(reach, &[]).await?.identity().await
}

/// What looks for drift on the target that is reached so.
pub(crate) async fn inspector(
    reach: &Reach,
    namespaces: &[Namespace],
) -> Result<impl Inspector + use<>, Refusal> {
    ClusterInspector::connect(&reach.to_connect(), namespaces.to_vec()).await
}

impl Reach {
    fn to_connect(&self) -> Connect {
        Connect { kubeconfig: self.kubeconfig.clone(), context: self.context.clone() }
    }
}
