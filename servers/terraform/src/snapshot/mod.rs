//! Configurations: all that the tool runs in, in one read-only folder that is named by its digest. What was planned with
//! is what is applied with, whatever happens to the working tree meanwhile.
//!
//! A configuration is made of files that were read once, into memory, without following a link; it is written beside its
//! place and renamed, and read back and compared with its digest whenever it is used.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use runcord_content::disk;
use runcord_model::{Digest, Refusal};

use crate::modules::Module;
use crate::names::{Commit, VariableName, WorkspaceName};

mod git;
mod keep;
mod ours;
mod rules;
#[cfg(test)]
mod tests;
mod tree;
mod unfit;
mod walk;

use tree::Tree;
pub use unfit::{Rule, SnapshotError};

/// The versions of providers that the tool settled on.
const LOCK_FILE: &str = ".terraform.lock.hcl";

/// The folder of all root modules.
#[derive(Debug, Clone)]
pub struct Root(PathBuf);

impl Root {
    /// The one at this path, wherever links lead.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        let path = std::fs::canonicalize(path)?;
        if path.is_dir() { Ok(Self(path)) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    /// Absolute, without links.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// Where the files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// From the folder of all root modules, as it is.
    WorkingTree,
    /// From a commit that it came from.
    Commit(Commit),
    /// From a configuration that was assembled before.
    Earlier(Digest),
}

/// A stored configuration, compared with its digest just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// What it is, and the name of its folder.
    pub digest: Digest,
    /// Where the tool runs: absolute, the root module's folder.
    pub directory: PathBuf,
    /// The tool's own data, `TF_DATA_DIR`: not there before the tool was initialised.
    pub data: PathBuf,
    /// Where its lock file is from.
    pub lock_file: LockFile,
}

impl Configuration {
    /// The folder of all that is in it: the root module's folder and those that it calls.
    pub(crate) fn whole(&self, module: &Module) -> &Path {
        let deep = module.directory.as_str().split('/').count();
        self.directory.ancestors().nth(deep).unwrap_or(&self.directory)
    }

    /// The file that the state of a workspace is kept in; none where its backend is something else.
    pub(crate) fn state_file(&self, workspace: &WorkspaceName) -> Option<PathBuf> {
        ours::state_file(&self.directory, workspace)
    }

    /// Lets the tool write into the folder that it runs in, for as long as it applies. A state that its backend does not
    /// take is left there and nowhere else: in a folder that cannot be written it would be lost, while the tool says that
    /// it is kept (seen with terraform 1.5 and 1.11 and tofu 1.12). The files stay as they are.
    pub(crate) fn let_leave_state(&self) -> io::Result<Leaving> {
        disk::set_mode(&self.directory, 0o700)?;
        Ok(Leaving(self.directory.clone()))
    }
}

/// The folder may be written into until this is dropped.
#[derive(Debug)]
pub(crate) struct Leaving(PathBuf);

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Err(error) = disk::set_mode(&self.0, 0o500) {
            tracing::warn!(%error, "a configuration's folder stays writable to its owner");
        }
    }
}

/// Where the dependency lock file of a configuration is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockFile {
    /// From where the other files are.
    WithTheRest,
    /// From the working tree, though the other files are a commit's: a state that a newer provider wrote cannot be read by
    /// an older one.
    Todays,
}

/// The stored configurations of one installation.
#[derive(Debug, Clone)]
pub struct Store {
    configurations: PathBuf,
    data: PathBuf,
}

impl Store {
    /// Those in this state folder. Nothing is read or made yet.
    pub fn new(state: &Path) -> Self {
        let ours = state.join("terraform");
        Self { configurations: ours.join("configurations"), data: ours.join("data") }
    }

    /// The configuration of a module from a source, with these values in place of the declared ones. It is stored, and
    /// compared with its digest.
    ///
    /// # Errors
    /// A file or folder breaks a rule, a value is not allowed, the source is not there, or the state folder cannot be used.
    pub async fn assemble(
        &self,
        root: &Root,
        module: &Module,
        source: &Source,
        set: &BTreeMap<VariableName, i64>,
    ) -> Result<Configuration, Refusal> {
        Ok(self.assembled(root, module, source, set).await?)
    }

    async fn assembled(
        &self,
        root: &Root,
        module: &Module,
        source: &Source,
        set: &BTreeMap<VariableName, i64>,
    ) -> Result<Configuration, SnapshotError> {
        let (module, root, set) = (module.clone(), root.clone(), set.clone());
        match source {
            Source::WorkingTree => {
                let store = self.clone();
                blocking(move || {
                    let tree = walk::working_tree(root.path(), &folders(&module), &module.directory)?;
                    store.keep(tree, &root, &module, &set, LockFile::WithTheRest)
                })
                .await
            }
            Source::Commit(commit) => {
                let folders = folders(&module);
                let mut tree = git::commit_tree(root.path(), commit, &folders, &module.directory).await?;
                let (store, module) = (self.clone(), module.clone());
                blocking(move || {
                    let lock_file = keep_lock_file(&mut tree, &root, &module)?;
                    store.keep(tree, &root, &module, &set, lock_file)
                })
                .await
            }
            Source::Earlier(digest) => {
                let (store, digest) = (self.clone(), digest.clone());
                blocking(move || store.earlier(&digest, &root, &module, &set)).await
            }
        }
    }

    /// A stored configuration of a module.
    ///
    /// # Errors
    /// It is not there, is not the module's, or is not what it was.
    pub async fn open(&self, digest: &Digest, module: &Module) -> Result<Configuration, Refusal> {
        let (store, digest, module) = (self.clone(), digest.clone(), module.clone());
        let opened = blocking(move || {
            let tree = keep::open(&store.configurations, &digest)?;
            let inside = format!("{}/", module.directory);
            if !tree.files().any(|(path, _)| path.starts_with(&inside)) {
                return Err(SnapshotError::OtherModule);
            }
            store.configuration(digest, &module, LockFile::WithTheRest)
        });
        Ok(opened.await?)
    }

    /// Removes configurations, and the tool's data for them, that nobody has asked for in two hours and that are not in use:
    /// that no open plan or unfinished run rests on, and that none is the way back to.
    ///
    /// # Errors
    /// One of them cannot be removed.
    pub async fn sweep(&self, in_use: BTreeSet<Digest>) -> io::Result<()> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || store.sweep_at(&in_use, SystemTime::now()))
            .await
            .map_err(io::Error::other)?
    }

    fn sweep_at(&self, in_use: &BTreeSet<Digest>, now: SystemTime) -> io::Result<()> {
        let wanted = |name: &str| in_use.iter().any(|digest| disk::hex(digest) == name);
        let open = |name: &str| is_open(&self.configurations.join(name)).unwrap_or(true);
        // What is unfinished is open too, and nobody's.
        let kept = |name: &str| wanted(name) || !disk::is_unfinished(name) && open(name);
        let is_old = |modified| now.duration_since(modified).is_ok_and(|age| age > disk::KEPT);
        disk::sweep(&self.configurations, |name, modified| is_old(modified) && !kept(name))?;
        // Data goes with its configuration: what the tool does in it does not show in the folder's own time.
        let there = |name: &str| wanted(name) || self.configurations.join(name).exists();
        disk::sweep(&self.data, |name, modified| is_old(modified) && !there(name))
    }

    fn keep(
        &self,
        mut tree: Tree,
        root: &Root,
        module: &Module,
        set: &BTreeMap<VariableName, i64>,
        lock_file: LockFile,
    ) -> Result<Configuration, SnapshotError> {
        ours::add(&mut tree, root.path(), module, set)?;
        let digest = keep::store(&self.configurations, &tree)?;
        self.configuration(digest, module, lock_file)
    }

    /// As it was, values included: it is the way back from what was set since.
    fn earlier(
        &self,
        digest: &Digest,
        root: &Root,
        module: &Module,
        set: &BTreeMap<VariableName, i64>,
    ) -> Result<Configuration, SnapshotError> {
        if let Some(name) = set.keys().next() {
            return Err(SnapshotError::Value(name.clone()));
        }
        let tree = keep::open(&self.configurations, digest)?;
        ours::fits(&tree, root.path(), module)?;
        self.configuration(digest.clone(), module, LockFile::WithTheRest)
    }

    fn configuration(
        &self,
        digest: Digest,
        module: &Module,
        lock_file: LockFile,
    ) -> Result<Configuration, SnapshotError> {
        disk::private_folder(&self.data).map_err(SnapshotError::State)?;
        let absolute = |path: &Path| std::path::absolute(path).map_err(SnapshotError::State);
        let directory =
            absolute(&self.configurations.join(disk::hex(&digest)).join(module.directory.as_str()))?;
        let data = absolute(&self.data.join(disk::hex(&digest)))?;
        Ok(Configuration { digest, directory, data, lock_file })
    }
}

/// Whether a stored folder, or one in it, may be written to: the tool applies in it, however long that takes and whatever the
/// clock says, or was left in the middle of that, and the only copy of a state may be there.
fn is_open(folder: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    if std::fs::symlink_metadata(folder)?.permissions().mode() & 0o200 != 0 {
        return Ok(true);
    }
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && is_open(&entry.path())? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The module's own folder and those that it calls.
fn folders(module: &Module) -> Vec<&crate::names::Directory> {
    std::iter::once(&module.directory).chain(&module.with).collect()
}

/// Puts today's lock file in the place of a commit's, where there is one.
fn keep_lock_file(tree: &mut Tree, root: &Root, module: &Module) -> Result<LockFile, SnapshotError> {
    let Some((runs, content)) = walk::one_file(root.path(), &module.directory, LOCK_FILE)? else {
        return Ok(LockFile::WithTheRest);
    };
    let path = format!("{}/{LOCK_FILE}", module.directory);
    if tree.get(&path).is_some_and(|before| before.content == content) {
        return Ok(LockFile::WithTheRest);
    }
    tree.put(&path, runs, content)?;
    Ok(LockFile::Todays)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SnapshotError> + Send + 'static,
) -> Result<T, SnapshotError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(SnapshotError::State(io::Error::other(error))))
}
