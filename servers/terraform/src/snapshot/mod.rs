//! Configurations of root modules: the declared folders, from the working tree, a commit or an earlier configuration, and two
//! files of ours that force the declared backend and values upon the module. How one is read, stored and compared is
//! `runcord-content`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use runcord_content::{ContentError, Names, Tree, disk, read_file, read_folders};
use runcord_model::{Digest, Refusal};

use crate::modules::Module;
use crate::names::{Commit, Directory, VariableName, WorkspaceName};

mod git;
mod ours;
mod rules;
#[cfg(test)]
mod tests;
mod unfit;

pub use unfit::SnapshotError;

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
    configurations: runcord_content::Store,
    data: PathBuf,
}

impl Store {
    /// Those in this state folder. Nothing is read or made yet.
    pub fn new(state: &Path) -> Self {
        let ours = state.join("terraform");
        let configurations = runcord_content::Store::new(ours.join("configurations"));
        Self { configurations, data: ours.join("data") }
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
                    let own = |path: &str| rules::verdict(path, &module.directory);
                    let folders: Vec<&str> = folders(&module).into_iter().map(Directory::as_str).collect();
                    let tree = read_folders(root.path(), &folders, Names::new(&own))?;
                    store.keep(tree, &root, &module, &set, LockFile::WithTheRest)
                })
                .await
            }
            Source::Commit(commit) => {
                let mut tree = git::commit_tree(root.path(), commit, &module).await?;
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
            let tree = store.configurations.open(&digest)?;
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
        self.configurations.sweep(in_use, now)?;
        self.configurations.sweep_beside(&self.data, in_use, now)
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
        let digest = self.configurations.store(&tree)?;
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
        let tree = self.configurations.open(digest)?;
        ours::fits(&tree, root.path(), module)?;
        self.configuration(digest.clone(), module, LockFile::WithTheRest)
    }

    fn configuration(
        &self,
        digest: Digest,
        module: &Module,
        lock_file: LockFile,
    ) -> Result<Configuration, SnapshotError> {
        disk::private_folder(&self.data).map_err(ContentError::State)?;
        let absolute = |path: &Path| std::path::absolute(path).map_err(ContentError::State);
        let directory = absolute(&self.configurations.place(&digest).join(module.directory.as_str()))?;
        let data = absolute(&self.data.join(disk::hex(&digest)))?;
        Ok(Configuration { digest, directory, data, lock_file })
    }
}

/// The module's own folder and those that it calls.
fn folders(module: &Module) -> Vec<&Directory> {
    std::iter::once(&module.directory).chain(&module.with).collect()
}

/// Puts today's lock file in the place of a commit's, where there is one.
fn keep_lock_file(tree: &mut Tree, root: &Root, module: &Module) -> Result<LockFile, SnapshotError> {
    let Some(todays) = read_file(root.path(), module.directory.as_str(), LOCK_FILE)? else {
        return Ok(LockFile::WithTheRest);
    };
    let path = format!("{}/{LOCK_FILE}", module.directory);
    if tree.get(&path).is_some_and(|before| before.content == todays.content) {
        return Ok(LockFile::WithTheRest);
    }
    tree.put(&path, todays.runs, todays.content)?;
    Ok(LockFile::Todays)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SnapshotError> + Send + 'static,
) -> Result<T, SnapshotError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(ContentError::State(io::Error::other(error)).into()))
}
