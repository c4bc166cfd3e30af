//! The servers that there are. Everything that depends on their action types goes through here.

use std::path::{Path, PathBuf};

use clap::Args;
use runcord_ansible::drift::PlaybooksInspector;
use runcord_ansible::playbooks::{self, Playbooks};
use runcord_ansible::ready::{self, Looked};
use runcord_ansible::{Ansible, AnsibleActions};
use runcord_kubectl::drift::ClusterInspector;
use runcord_kubectl::names::Namespace;
use runcord_kubectl::{Connect, KubectlActions, Kubernetes};
use runcord_ledger::KeptRun;
use runcord_model::action::Use;
use runcord_model::{Catalog, Refusal, RunView, StepCall};
use runcord_runtime::drift::{Finding, Inspector};
use runcord_runtime::library::{Library, LoadError};
use runcord_runtime::mask::MaskFile;
use runcord_runtime::settings::Settings;
use runcord_runtime::target::{Actions, Target};
use runcord_runtime::view;
use runcord_terraform::drift::ModulesInspector;
use runcord_terraform::modules::{self, Modules};
use runcord_terraform::names::WorkspaceName;
use runcord_terraform::{Terraform, TerraformActions};
use serde_json::Value;

/// How to reach the target of a server: a cluster, with `--root` root modules, or with `--project` the hosts of a project.
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
    /// Folder of providers, laid out as a filesystem mirror, where the root modules have one
    #[arg(long, value_name = "DIR", env = "RUNCORD_PROVIDER_MIRROR")]
    provider_mirror: Option<PathBuf>,
    /// Folder of an Ansible project: look at its hosts and playbooks instead of a cluster
    #[arg(long, value_name = "DIR", env = "RUNCORD_PROJECT", conflicts_with = "root")]
    project: Option<PathBuf>,
    /// Virtual environment that Ansible is installed in [default: the programs on the PATH]
    #[arg(long, value_name = "DIR", env = "RUNCORD_ANSIBLE")]
    ansible: Option<PathBuf>,
}

/// Which target is meant.
enum Meant<'r> {
    Cluster,
    Modules(&'r Path),
    Project(&'r Path),
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
pub(crate) const BINARIES: [Binary; 3] = [
    Binary { name: "runcord-kubectl", found_by: Some("KUBECONFIG"), needs: None },
    Binary { name: "runcord-terraform", found_by: None, needs: Some(("--root", "/FOLDER/OF/ROOT/MODULES")) },
    Binary { name: "runcord-ansible", found_by: None, needs: Some(("--project", "/FOLDER/OF/THE/PROJECT")) },
];

/// What each server can do and see.
pub(crate) fn catalogs() -> Vec<&'static Catalog> {
    vec![KubectlActions::catalog(), TerraformActions::catalog(), AnsibleActions::catalog()]
}

/// The policy and the runbooks of all servers, loaded and checked. What an authority covers is the same for all of them.
pub(crate) fn library(settings: &Settings) -> Result<Library, LoadError> {
    for catalog in catalogs() {
        Library::load(settings, catalog)?.check_thoroughly()?;
    }
    let library = Library::load(settings, KubectlActions::catalog())?;
    declared(&library)?;
    Ok(library)
}

/// The policy and the runbooks of the server that is reached so.
pub(crate) fn library_of(reach: &Reach, settings: &Settings) -> Result<Library, LoadError> {
    let library = library(settings)?;
    match reach.meant() {
        Meant::Cluster => Ok(library),
        Meant::Modules(_) => Library::load(settings, TerraformActions::catalog()),
        Meant::Project(_) => Library::load(settings, AnsibleActions::catalog()),
    }
}

/// Holds `modules.yaml` and `playbooks.yaml`, which their own servers read.
fn declared(library: &Library) -> Result<(), LoadError> {
    let (texts, _) = library.with_texts();
    let text = |file: &str| texts.policy.iter().find(|(name, _)| name == file).map(|(_, text)| text.as_ref());
    let modules = text(modules::FILE).map(|text| Modules::parse(modules::FILE, text).map(|_| ()));
    let playbooks = text(playbooks::FILE).map(|text| Playbooks::parse(playbooks::FILE, text).map(|_| ()));
    let problems: Vec<_> =
        [modules, playbooks].into_iter().flatten().filter_map(Result::err).flatten().collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(LoadError {
        what: "the policy".to_owned(),
        problems: problems.into_iter().map(miette::Report::from).collect(),
    })
}

/// A run as its reader sees it.
pub(crate) fn run_view(run: &KeptRun) -> RunView {
    let is_of = |identity| run.target.starts_with(identity);
    if is_of(runcord_terraform::IDENTITY) {
        view::of::<TerraformActions>(run)
    } else if is_of(runcord_ansible::IDENTITY) {
        view::of::<AnsibleActions>(run)
    } else {
        view::of::<KubectlActions>(run)
    }
}

/// The identity of the target that is reached so.
pub(crate) async fn identity(reach: &Reach, settings: &Settings) -> Result<String, Refusal> {
    match reach.meant() {
        Meant::Cluster => {
            Kubernetes::connect(&reach.to_connect(), MaskFile::of(&settings.state)).await?.identity().await
        }
        Meant::Modules(root) => Terraform::connect(&reach.to_modules(root), settings).await?.identity().await,
        Meant::Project(folder) => {
            Ansible::connect(&reach.to_project(folder), settings).await?.identity().await
        }
    }
}

/// What the server that is reached so needs beside its target, as far as that has to be looked at.
pub(crate) async fn beside_target(reach: &Reach, settings: &Settings) -> Vec<Looked> {
    match reach.meant() {
        Meant::Cluster | Meant::Modules(_) => Vec::new(),
        Meant::Project(folder) => ready::look(&reach.to_project(folder), settings).await,
    }
}

/// What looks for drift on the target that is reached so.
pub(crate) async fn inspector(
    reach: &Reach,
    namespaces: &[Namespace],
    settings: &Settings,
) -> Result<AnyInspector, Refusal> {
    Ok(match reach.meant() {
        Meant::Cluster => AnyInspector::Cluster(
            ClusterInspector::connect(&reach.to_connect(), namespaces.to_vec()).await?.into(),
        ),
        Meant::Modules(root) => {
            AnyInspector::Modules(ModulesInspector::connect(&reach.to_modules(root), settings).await?.into())
        }
        Meant::Project(folder) => AnyInspector::Playbooks(
            PlaybooksInspector::connect(&reach.to_project(folder), settings).await?.into(),
        ),
    })
}

/// The inspector of one of the servers.
pub(crate) enum AnyInspector {
    Cluster(Box<ClusterInspector>),
    Modules(Box<ModulesInspector>),
    Playbooks(Box<PlaybooksInspector>),
}

impl Inspector for AnyInspector {
    async fn identity(&self) -> Result<String, Refusal> {
        match self {
            Self::Cluster(inspector) => inspector.identity().await,
            Self::Modules(inspector) => inspector.identity().await,
            Self::Playbooks(inspector) => inspector.identity().await,
        }
    }

    async fn inspect(&mut self, uses: &[Use]) -> Result<Vec<Finding>, Refusal> {
        match self {
            Self::Cluster(inspector) => inspector.inspect(uses).await,
            Self::Modules(inspector) => inspector.inspect(uses).await,
            Self::Playbooks(inspector) => inspector.inspect(uses).await,
        }
    }

    async fn observe(&self, calls: &[StepCall]) -> Result<Value, Refusal> {
        match self {
            Self::Cluster(inspector) => inspector.observe(calls).await,
            Self::Modules(inspector) => inspector.observe(calls).await,
            Self::Playbooks(inspector) => inspector.observe(calls).await,
        }
    }
}

impl Reach {
    fn meant(&self) -> Meant<'_> {
        match (&self.project, &self.root) {
            (Some(project), _) => Meant::Project(project),
            (None, Some(root)) => Meant::Modules(root),
            (None, None) => Meant::Cluster,
        }
    }

    fn to_connect(&self) -> Connect {
        Connect { kubeconfig: self.kubeconfig.clone(), context: self.context.clone() }
    }

    fn to_modules(&self, root: &Path) -> runcord_terraform::Connect {
        runcord_terraform::Connect {
            root: Some(root.to_owned()),
            workspace: self.workspace.clone(),
            provider_mirror: self.provider_mirror.clone(),
        }
    }

    fn to_project(&self, folder: &Path) -> runcord_ansible::Connect {
        runcord_ansible::Connect { project: Some(folder.to_owned()), ansible: self.ansible.clone() }
    }
}
