//! The servers that there are. Everything that depends on their action types goes through here.

use std::path::PathBuf;

use clap::Args;
use runcord_kubectl::drift::ClusterInspector;
use runcord_kubectl::names::Namespace;
use runcord_kubectl::{Connect, KubectlActions, Kubernetes};
use runcord_ledger::KeptRun;
use runcord_model::{Catalog, Refusal, RunView};
use runcord_runtime::drift::Inspector;
use runcord_runtime::library::{Library, LoadError};
use runcord_runtime::mask::MaskFile;
use runcord_runtime::settings::Settings;
use runcord_runtime::target::{Actions, Target};
use runcord_runtime::view;
use runcord_terraform::names::WorkspaceName;
use runcord_terraform::{Terraform, TerraformActions};

/// How to reach the target of a server: a cluster, or with `--root` root modules.
#[derive(Debug, Clone, Args)]
pub(crate) struct Reach {
    /// Kubeconfig file [default: the ordinary rules, then in-cluster]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Folder of Terraform root modules: look at these instead of a cluster
    #[arg(long, value_name = "DIR", env = "RUNCORD_ROOT")]
    root: Option<PathBuf>,
    /// Workspace of the root modules
    #[arg(long, value_name = "NAME", env = "RUNCORD_WORKSPACE", default_value = "default")]
    workspace: WorkspaceName,
}

/// The binary of a server, as clients start it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Binary {
    pub(crate) name: &'static str,
    /// What it finds its target by in the environment of whoever sets it up.
    pub(crate) found_by: Option<&'static str>,
    /// The option that it needs, with a value that a person puts the real one in the place of.
    pub(crate) needs: Option<(&'static str, &'static str)>,
}

/// All of them.
pub(crate) const BINARIES: [Binary; 2] = [
    Binary { name: "runcord-kubectl", found_by: Some("KUBECONFIG"), needs: None },
    Binary { name: "runcord-terraform", found_by: None, needs: Some(("--root", "/FOLDER/OF/ROOT/MODULES")) },
];

/// What each server can do and see.
pub(crate) fn catalogs() -> Vec<&'static Catalog> {
    vec![KubectlActions::catalog(), TerraformActions::catalog()]
}

/// The policy and the runbooks of all servers, loaded and checked. What an authority covers is the same for all of them.
pub(crate) fn library(settings: &Settings) -> Result<Library, LoadError> {
    for catalog in catalogs() {
        Library::load(settings, catalog)?.check_thoroughly()?;
    }
    let library = Library::load(settings, KubectlActions::catalog())?;
    modules(&library)?;
    Ok(library)
}

/// Holds `modules.yaml`, which the server of root modules reads.
fn modules(library: &Library) -> Result<(), LoadError> {
    let (texts, _) = library.with_texts();
    let file = runcord_terraform::modules::FILE;
    let Some((_, text)) = texts.policy.iter().find(|(name, _)| name == file) else { return Ok(()) };
    let parsed = runcord_terraform::modules::Modules::parse(file, text);
    parsed.map(|_| ()).map_err(|problems| LoadError {
        what: "the policy".to_owned(),
        problems: problems.into_iter().map(miette::Report::from).collect(),
    })
}

/// A run as its reader sees it.
pub(crate) fn run_view(run: &KeptRun) -> RunView {
    match run.target.starts_with(runcord_terraform::IDENTITY) {
        true => view::of::<TerraformActions>(run),
        false => view::of::<KubectlActions>(run),
    }
}

/// The identity of the target that is reached so.
pub(crate) async fn identity(reach: &Reach, settings: &Settings) -> Result<String, Refusal> {
    match &reach.root {
        None => {
            Kubernetes::connect(&reach.to_connect(), MaskFile::of(&settings.state)).await?.identity().await
        }
        Some(root) => {
            let (root, workspace) = (Some(root.clone()), reach.workspace.clone());
            let connect = runcord_terraform::Connect { root, workspace, provider_mirror: None };
            Terraform::connect(&connect, settings).await?.identity().await
        }
    }
}

/// What looks for drift on the cluster that is reached so.
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
