//! All that Ansible runs with, in one read-only folder that is named by its digest: the project, the library, our callback
//! plugin and our configuration. Nothing else is looked for anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use runcord_content::{ContentError, Names, Runs, Store, Tree, Verdict, disk, read_all};
use runcord_model::{Digest, Refusal};

use crate::library;
use crate::names::ProjectPath;
use crate::playbooks::Source;
use crate::refuse::unfit;

#[cfg(test)]
mod tests;

/// The parts of the folder.
const PROJECT: &str = "project";
const LIBRARY: &str = "library";
const CONFIG: &str = "ansible.cfg";
const PLUGIN: &str = "callback/runcord_events.py";

/// A stored content, compared with its digest just now.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) digest: Digest,
    /// Absolute.
    folder: PathBuf,
    tree: Tree,
}

/// The stored contents of one installation.
#[derive(Debug, Clone)]
pub(crate) struct Contents {
    store: Store,
}

impl Contents {
    /// Those in this folder. Nothing is read or made yet.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { store: Store::new(folder) }
    }

    /// The content with the project as it is now.
    pub(crate) async fn assemble(&self, project: &Path) -> Result<Content, Refusal> {
        let (store, project) = (self.store.clone(), project.to_owned());
        blocking(move || {
            let tree = tree(&project)?;
            let digest = store.store(&tree)?;
            content(&store, digest, tree)
        })
        .await
    }

    /// A content that was assembled before.
    pub(crate) async fn open(&self, digest: &Digest) -> Result<Content, Refusal> {
        let (store, digest) = (self.store.clone(), digest.clone());
        blocking(move || {
            let tree = store.open(&digest)?;
            content(&store, digest, tree)
        })
        .await
    }

    /// Lets a content count as asked for now: what runs in it may run for longer than one is kept otherwise.
    pub(crate) fn keep(&self, digest: &Digest) -> io::Result<()> {
        disk::set_modified(&File::open(self.store.place(digest))?, SystemTime::now())
    }

    /// Removes contents that nobody has asked for in a while.
    pub(crate) fn sweep(&self) -> io::Result<()> {
        self.store.sweep(&BTreeSet::new(), SystemTime::now())
    }
}

impl Content {
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join(CONFIG)
    }

    /// Where Ansible is started: paths of the project are relative to it.
    pub(crate) fn project(&self) -> PathBuf {
        self.folder.join(PROJECT)
    }

    /// The playbook's file.
    pub(crate) fn playbook(&self, source: &Source) -> PathBuf {
        match source {
            Source::Project(path) => self.folder.join(PROJECT).join(path.as_str()),
            Source::Shipped(name) => self.folder.join(LIBRARY).join(format!("{name}.yml")),
        }
    }

    /// A playbook's path below the files that it is vetted with, and those files; one that is no text as an empty one.
    pub(crate) fn to_vet(&self, source: &Source) -> (String, BTreeMap<String, String>) {
        let (part, path) = match source {
            Source::Project(path) => (PROJECT, path.to_string()),
            Source::Shipped(name) => (LIBRARY, format!("{name}.yml")),
        };
        let below = |path: &str| path.strip_prefix(part)?.strip_prefix('/').map(str::to_owned);
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).unwrap_or_default().to_owned();
        let files = self.tree.files().filter_map(|(path, entry)| Some((below(path)?, text(&entry.content))));
        (path, files.collect())
    }

    /// A file of the project.
    pub(crate) fn file(&self, path: &ProjectPath) -> Option<&[u8]> {
        self.tree.get(&format!("{PROJECT}/{path}")).map(|entry| entry.content.as_slice())
    }

    /// How an inventory comes by its hosts: a program or a plugin may be told them by anybody.
    pub(crate) fn hosts_from(&self, inventory: &ProjectPath) -> HostsFrom {
        let file = format!("{PROJECT}/{inventory}");
        let inside = format!("{file}/");
        let files: Vec<_> =
            self.tree.files().filter(|(path, _)| *path == file || path.starts_with(&inside)).collect();
        let asks = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            text.lines().any(|line| line.trim_start_matches(['"', '\'']).starts_with("plugin"))
        };
        if files.is_empty() {
            HostsFrom::Nowhere
        } else if files.iter().any(|(_, entry)| entry.runs == Runs::Yes || asks(&entry.content)) {
            HostsFrom::Elsewhere
        } else {
            HostsFrom::Files
        }
    }
}

/// How an inventory comes by its hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostsFrom {
    /// There is no such file.
    Nowhere,
    /// They stand in reviewed files.
    Files,
    /// Something else is asked.
    Elsewhere,
}

fn content(store: &Store, digest: Digest, tree: Tree) -> Result<Content, ContentError> {
    let folder = std::path::absolute(store.place(&digest)).map_err(ContentError::State)?;
    Ok(Content { digest, folder, tree })
}

fn tree(project: &Path) -> Result<Tree, ContentError> {
    let mut tree = Tree::default();
    for (path, entry) in read_all(project, Names::new(&verdict))?.files() {
        tree.put(&format!("{PROJECT}/{path}"), entry.runs, entry.content.clone())?;
    }
    for (name, text) in library::all() {
        tree.put(&format!("{LIBRARY}/{name}.yml"), Runs::No, text.into())?;
    }
    tree.put(PLUGIN, Runs::No, include_bytes!("runcord_events.py").to_vec())?;
    tree.put(CONFIG, Runs::No, include_bytes!("ansible.cfg").to_vec())?;
    Ok(tree)
}

/// What git and Ansible keep for themselves is left out, and so is a configuration of Ansible's that is not ours.
fn verdict(path: &str) -> Verdict {
    let left_out = |name: &str| {
        matches!(name, ".git" | ".ansible" | ".cache" | ".venv" | "venv" | "__pycache__" | "ansible.cfg")
            || name.ends_with(".retry")
    };
    if path.split('/').any(left_out) { Verdict::LeftOut } else { Verdict::Kept }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ContentError> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(ContentError::State(io::Error::other(error))))
        .map_err(|error| unfit(&error))
}

/// The digest of a file, in hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    disk::hex(&disk::digest_of(bytes)).to_owned()
}
