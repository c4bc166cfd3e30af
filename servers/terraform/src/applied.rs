//! Which configuration was applied last, per module and workspace, with the state's mark after it. As long as the state is
//! still that one, applying that configuration again is the way back from what comes next.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use runcord_content::disk;
use runcord_model::Digest;
use serde::{Deserialize, Serialize};

use crate::names::{ModuleName, WorkspaceName};
use crate::seen::StateMark;

/// The file, in the state folder's folder of this server.
const FILE: &str = "applied.json";
/// Held while the file is read and written anew.
const LOCK: &str = "applied.lock";
/// More than any installation has.
const LARGEST: u64 = 16 << 20;

/// What was applied last, in one installation.
#[derive(Debug, Clone)]
pub struct Applied {
    folder: PathBuf,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Book {
    applied: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    module: ModuleName,
    workspace: WorkspaceName,
    configuration: Digest,
    /// The state as the apply left it.
    after: StateMark,
}

impl Entry {
    fn is_of(&self, module: &ModuleName, workspace: &WorkspaceName) -> bool {
        self.module == *module && self.workspace == *workspace
    }
}

impl Applied {
    /// In this state folder. Nothing is read or made yet.
    pub fn new(state: &Path) -> Self {
        Self { folder: state.join("terraform") }
    }

    /// Remembers what was applied just now. It is on the disk when this returns.
    ///
    /// # Errors
    /// The state folder cannot be used. The apply is done all the same; there is no way back from the next one.
    pub async fn remember(
        &self,
        module: &ModuleName,
        workspace: &WorkspaceName,
        configuration: &Digest,
        after: &StateMark,
    ) -> io::Result<()> {
        let applied = self.clone();
        let entry = Entry {
            module: module.clone(),
            workspace: workspace.clone(),
            configuration: configuration.clone(),
            after: after.clone(),
        };
        blocking(move || applied.remember_now(entry)).await
    }

    /// The configuration that was applied last, where the state is still the one that this left; none when nothing is known
    /// of it.
    pub async fn before(
        &self,
        module: &ModuleName,
        workspace: &WorkspaceName,
        now: &StateMark,
    ) -> Option<Digest> {
        let book = self.book().await;
        let entry = book.applied.into_iter().find(|entry| entry.is_of(module, workspace))?;
        (entry.after == *now).then_some(entry.configuration)
    }

    /// All configurations that are a way back: not to be swept away.
    pub async fn configurations(&self) -> BTreeSet<Digest> {
        self.book().await.applied.into_iter().map(|entry| entry.configuration).collect()
    }

    async fn book(&self) -> Book {
        let applied = self.clone();
        blocking(move || Ok(applied.read())).await.unwrap_or_default()
    }

    /// The file is only ever replaced whole, so reading needs no lock.
    fn read(&self) -> Book {
        let read = disk::open_path(&self.folder.join(FILE)).and_then(|file| disk::read(file, LARGEST));
        let bytes = match read {
            Ok(Some(bytes)) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Book::default(),
            Ok(None) | Err(_) => {
                tracing::warn!(
                    "{FILE} in the state folder cannot be read: there is no way back to what was applied"
                );
                return Book::default();
            }
        };
        serde_json::from_slice(&bytes).unwrap_or_else(|_| {
            tracing::warn!(
                "{FILE} in the state folder is not whole: there is no way back to what was applied"
            );
            Book::default()
        })
    }

    fn remember_now(&self, entry: Entry) -> io::Result<()> {
        disk::private_folder(&self.folder)?;
        let held = disk::lock(&self.folder.join(LOCK))?;
        let mut book = self.read();
        book.applied.retain(|before| !before.is_of(&entry.module, &entry.workspace));
        book.applied.push(entry);
        let text = serde_json::to_vec_pretty(&book)?;
        let written = disk::replace(&self.folder, FILE, &text);
        drop(held);
        written
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mark(lineage: &str, serial: u64) -> StateMark {
        StateMark { lineage: lineage.parse().unwrap(), serial }
    }

    fn digest(of: u8) -> Digest {
        Digest::from_bytes([of; 32])
    }

    fn names(module: &str, workspace: &str) -> (ModuleName, WorkspaceName) {
        (module.parse().unwrap(), workspace.parse().unwrap())
    }

    #[tokio::test]
    async fn what_was_applied_is_known_while_the_state_is_the_one_it_left() {
        let dir = tempfile::tempdir().unwrap();
        let applied = Applied::new(dir.path());
        let (net, blue) = names("net", "blue");
        assert_eq!(applied.before(&net, &blue, &mark("a", 1)).await, None);
        applied.remember(&net, &blue, &digest(1), &mark("a", 4)).await.unwrap();
        applied.remember(&net, &blue, &digest(2), &mark("a", 5)).await.unwrap();
        let (other, green) = names("other", "green");
        applied.remember(&other, &blue, &digest(3), &mark("b", 5)).await.unwrap();
        let again = Applied::new(dir.path());
        assert_eq!(again.before(&net, &blue, &mark("a", 5)).await, Some(digest(2)));
        for (serial, lineage) in [(4, "a"), (6, "a"), (5, "b"), (5, "")] {
            assert_eq!(again.before(&net, &blue, &mark(lineage, serial)).await, None, "{lineage} {serial}");
        }
        assert_eq!(again.before(&net, &green, &mark("a", 5)).await, None);
        assert_eq!(again.configurations().await, BTreeSet::from([digest(2), digest(3)]));
    }

    #[tokio::test]
    async fn nothing_is_readable_by_others_and_half_a_file_is_no_answer() {
        let dir = tempfile::tempdir().unwrap();
        let applied = Applied::new(dir.path());
        let (net, blue) = names("net", "blue");
        applied.remember(&net, &blue, &digest(1), &mark("a", 4)).await.unwrap();
        let folder = dir.path().join("terraform");
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{entry:?}");
        }
        std::fs::write(folder.join(FILE), "{\"applied\": [").unwrap();
        assert_eq!(applied.before(&net, &blue, &mark("a", 4)).await, None);
        applied.remember(&net, &blue, &digest(2), &mark("a", 5)).await.unwrap();
        assert_eq!(applied.before(&net, &blue, &mark("a", 5)).await, Some(digest(2)));
    }

    #[tokio::test]
    async fn several_that_remember_at_once_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let writers = (0..16).map(|n| {
            let applied = Applied::new(dir.path());
            tokio::spawn(async move {
                let (module, blue) = names(&format!("m{n}"), "blue");
                applied.remember(&module, &blue, &digest(n), &mark("a", 1)).await.unwrap();
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        assert_eq!(Applied::new(dir.path()).configurations().await.len(), 16);
    }
}
