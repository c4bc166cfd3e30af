//! Everything that a server of a cluster needs to be itself: a namespace with nodes, a user of its own in the cluster, and an
//! installation with an authority in force.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::control_plane::MASTERS;
pub use crate::installation::{AGENT, Approver, TARGET};
use crate::installation::{Installation, printed};
use crate::session::{Era, Session};
use crate::{BedName, Cluster, ControlPlane, binaries};

/// A bed to run servers in. Its folder goes when this is dropped; its namespace goes with the control plane.
pub struct Bed {
    /// The name of its namespace, of its user in the audit log, and of its nodes before `-n1`, `-n2`, …
    pub name: BedName,
    /// An administrator's client, under another user than the servers'.
    pub cluster: Cluster,
    kubeconfig: PathBuf,
    installation: Installation,
}

/// A bed is an installation, with a cluster.
impl Deref for Bed {
    type Target = Installation;

    fn deref(&self) -> &Installation {
        &self.installation
    }
}

impl Bed {
    /// A bed on the shared control plane with `nodes` nodes in three zones. Its target is named [`TARGET`] and counts as
    /// production; the authority in force is the one it was made with.
    ///
    /// # Errors
    ///
    /// Any of it failed.
    pub async fn new(word: &str, nodes: usize) -> Result<Self> {
        Self::on(ControlPlane::shared()?, word, nodes).await
    }

    /// A bed on a control plane of one's own.
    ///
    /// # Errors
    ///
    /// Any of it failed.
    pub async fn on(plane: &ControlPlane, word: &str, nodes: usize) -> Result<Self> {
        let (name, cluster) = (BedName::new(word), plane.cluster().await?);
        cluster.namespace(name.as_str()).await?;
        cluster.nodes(name.as_str(), nodes, 3).await?;
        let kubeconfig = plane.kubeconfig_for(name.as_str(), &[MASTERS])?;
        let installation = Installation::new(vec![("KUBECONFIG", kubeconfig.clone())])?;
        let bed = Self { name, cluster, kubeconfig, installation };
        bed.name_target("prod")?;
        bed.activate(Approver::Ana)?;
        Ok(bed)
    }

    /// The kubeconfig file of its servers, for a test to change.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A session with a new `runcord-kubectl`.
    ///
    /// # Errors
    ///
    /// It does not start or does not greet.
    pub async fn session(&self, era: Era) -> Result<Session> {
        self.session_with(era, &[]).await
    }

    /// The same with these variables on top of the bed's own.
    ///
    /// # Errors
    ///
    /// It does not start or does not greet.
    pub async fn session_with(&self, era: Era, more: &[(&'static str, PathBuf)]) -> Result<Session> {
        let binary = binaries::find("runcord-kubectl")?;
        let stderr = self.path("server.stderr");
        let environment = self.environment().into_iter().chain(more.iter().cloned());
        Session::start(&binary, &[], environment, &stderr, era).await
    }

    /// What the target is to its servers: `k8s:…`, as `runcord doctor` prints it.
    ///
    /// # Errors
    ///
    /// The command does not print one.
    pub fn identity(&self) -> Result<String> {
        let output = self.runcord(["doctor", "--json"])?;
        let text = String::from_utf8_lossy(&output.stdout);
        let identity =
            regex::Regex::new("k8s:[0-9a-f-]{36}:[0-9a-z-]+")?.find(&text).map(|found| found.as_str());
        Ok(identity.with_context(|| format!("doctor names no identity: {}", printed(&output)))?.to_owned())
    }

    /// Names the target [`TARGET`], of an environment (`dev`, `staging` or `prod`), in `targets.yaml`.
    ///
    /// # Errors
    ///
    /// The identity is not known, or the file cannot be written.
    pub fn name_target(&self, environment: &str) -> Result<()> {
        self.installation.name_target(&self.identity()?, environment)
    }
}
