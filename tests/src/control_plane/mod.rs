//! etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok on loopback: no containers, real controllers.

mod assets;
mod audit;
mod bring_up;
mod flags;
mod home;
mod keeper;
mod kubeconfig;
mod parts;
mod pki;
mod played;
mod store;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};

pub use audit::{AuditEvent, Mark, ObjectRef};
use home::Home;
use keeper::Keeper;
use pki::Authority;
pub use played::{HOSTILE_CONTAINER, LOG_LINES, PRINTED_SECRET};

use crate::Cluster;

/// The user of the administrator's kubeconfig.
pub const ADMIN: &str = "test-admin";

/// The group whose members may do anything.
pub const MASTERS: &str = "system:masters";

/// A running control plane. It ends when this is dropped, and when the process that started it ends in any way.
#[derive(Debug)]
pub struct ControlPlane {
    // Declared before the home, so that the servers are gone before their files are.
    keeper: Keeper,
    authority: Authority,
    home: Home,
}

impl ControlPlane {
    /// Starts one in a folder of its own under the build's target folder. Takes about 7 s; blocks.
    ///
    /// # Errors
    ///
    /// The binaries are not to be had, or one of them ended before it was ready (the error shows the end of its log).
    pub fn start() -> Result<Self> {
        Self::start_in(Home::claim()?, &[])
    }

    /// Starts one whose API server does not serve these groups and versions: `policy/v1`.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_without(versions: &[&str]) -> Result<Self> {
        Self::start_in(Home::claim()?, versions)
    }

    /// Starts one in a given folder, which is emptied first.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); and when another control plane runs in the folder.
    pub fn start_at(dir: &Path) -> Result<Self> {
        Self::start_in(Home::at(dir)?, &[])
    }

    /// The one of this test process, started by whoever asks first.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); everybody who asks gets the same answer.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<ControlPlane, String>> = OnceLock::new();
        SHARED
            .get_or_init(|| Self::start().map_err(|failure| format!("{failure:#}")))
            .as_ref()
            .map_err(|failure| anyhow::anyhow!("{failure}"))
    }

    fn start_in(home: Home, without: &[&str]) -> Result<Self> {
        let authority = Authority::new()?;
        let keeper = Keeper::start(&home, &authority, without).context("the control plane did not start")?;
        Ok(Self { keeper, authority, home })
    }

    /// `https://127.0.0.1:PORT`.
    pub fn server(&self) -> &str {
        self.keeper.server()
    }

    /// The folder of its files: logs (`kube-apiserver.log`, …), the audit log, kubeconfigs.
    pub fn dir(&self) -> &Path {
        self.home.path()
    }

    /// The folder with the lists that the played `redis-cli` keeps (see `tests/controlplane/played-redis-cli`).
    pub fn lists(&self) -> PathBuf {
        played::lists(self.dir())
    }

    /// The administrator's kubeconfig file.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir().join("admin.kubeconfig")
    }

    /// Writes a kubeconfig file for a user with a client certificate.
    ///
    /// # Errors
    ///
    /// More than two groups, or the file cannot be written.
    pub fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> Result<PathBuf> {
        let path = self.dir().join(format!("{}.kubeconfig", user.replace([':', '/'], "_")));
        kubeconfig::write(&path, self.server(), &self.authority, user, groups)?;
        Ok(path)
    }

    /// A client of the administrator, for the runtime that calls.
    ///
    /// # Errors
    ///
    /// The kubeconfig cannot be used.
    pub async fn cluster(&self) -> Result<Cluster> {
        Cluster::connect(&self.kubeconfig()).await
    }

    /// Puts an object into the store past the API server, as an older one may have left it there. `place` is the plural
    /// and, for objects of a namespace, the namespace.
    ///
    /// # Errors
    ///
    /// The store does not take it.
    pub fn put_stored(&self, place: &str, name: &str, object: &serde_json::Value) -> Result<()> {
        store::put(self.keeper.store(), &format!("/registry/{place}/{name}"), object)
    }

    /// The processes' resident memory now, in bytes, by name.
    pub fn memory(&self) -> Vec<(&'static str, u64)> {
        self.keeper.memory()
    }

    /// The end of the audit log now: what is asked from here on comes after it.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn mark(&self) -> Result<Mark> {
        audit::mark(&self.dir().join(flags::AUDIT_LOG))
    }

    /// All that `user` asked of the API server since the mark, in order.
    ///
    /// # Errors
    ///
    /// The log cannot be read or does not become complete.
    pub async fn events_since(&self, mark: Mark, user: &str) -> Result<Vec<AuditEvent>> {
        let log = self.dir().join(flags::AUDIT_LOG);
        audit::events_since(&self.cluster().await?, &log, mark, user).await
    }

    /// What `user` asked to be changed since the mark, dry runs included: see [`AuditEvent::is_dry_run`].
    ///
    /// # Errors
    ///
    /// As [`events_since`](Self::events_since).
    pub async fn writes_since(&self, mark: Mark, user: &str) -> Result<Vec<AuditEvent>> {
        let mut events = self.events_since(mark, user).await?;
        events.retain(AuditEvent::is_write);
        Ok(events)
    }
}
