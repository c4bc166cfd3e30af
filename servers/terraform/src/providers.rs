//! Which binaries would run: the digests of the tool and of the providers that it was initialised with.
//!
//! The tool checks a provider against its lock file when it is initialised, not when it starts it; what is started is what
//! is read here. They are large (a tool of 90 MB, providers of several hundred), and every run has a process of its own, so
//! what was read is remembered between processes too, in the state folder beside what a plan rests on otherwise.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File, Metadata};
use std::io::{self, Error, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use runcord_content::disk;
use runcord_model::refusal::Code;
use runcord_model::{Digest, Refusal};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};


/// Folders in folders: host, namespace, type, version and platform, and room for what a provider brings along.
const DEPTH: usize = 16;
/// Files of all providers of one configuration.
const FILES: usize = 2_000;

/// What is remembered, in the state folder's folder of this server.
const FILE: &str = "binaries.json";
/// More than are ever in use; the others are read anew.
const REMEMBERED: usize = 500;
/// The largest file of them.
const LARGEST: u64 = 1 << 20;
/// A file that was written within twice this is not remembered: a second writing in the same tick of the clock that files
/// get their times from would leave the same times (a second, on the coarsest of them).
const SETTLED: Duration = Duration::from_secs(1);

/// Digests of binaries. A file is hashed once, however often it is asked for, as long as it stays the same file with the
/// same times.
#[derive(Debug, Clone)]
pub struct Binaries {
    folder: PathBuf,
    known: Arc<Mutex<HashMap<Mark, Digest>>>,
}

/// Which writing of which file. The time of the last change of any kind is in it, since that one cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Mark {
    fn of(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

impl Mark {
    /// Whether nothing can have happened to the file since without it showing here.
    fn is_settled(&self, now: SystemTime) -> bool {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let changed = Duration::from_secs(u64::try_from(self.changed.0).unwrap_or(u64::MAX));
        since.checked_sub(changed).is_some_and(|age| age >= SETTLED * 2)
    }
}

impl Binaries {
    /// With what is remembered in this state folder.
    pub fn of(state: &Path) -> Self {
        let folder = state.join("terraform");
        let known = remembered(&folder).unwrap_or_else(|error| {
            tracing::warn!(%error, "{FILE} in the state folder cannot be read: binaries are read anew");
            HashMap::new()
        });
        Self { folder, known: Arc::new(Mutex::new(known)) }
    }

    /// The digest of all provider binaries in the tool's data, with their paths. Without any, that of none.
    ///
    /// # Errors
    /// `internal`: one of them cannot be read, or is changing.
    pub async fn providers(&self, data: &Path) -> Result<Digest, Refusal> {
        let (known, folder) = (self.clone(), data.join("providers"));
        blocking(move || known.tree(&folder)).await
    }

    /// The digest of the tool's own binary.
    ///
    /// # Errors
    /// `internal`: it cannot be read, or is changing.
    pub async fn tool(&self, program: &Path) -> Result<Digest, Refusal> {
        let (known, program) = (self.clone(), program.to_owned());
        blocking(move || known.file(&program)).await
    }

    /// The names of the providers in the tool's data, such as `random`, whoever publishes them.
    ///
    /// # Errors
    /// `internal`: the data cannot be read.
    pub async fn names(&self, data: &Path) -> Result<BTreeSet<String>, Refusal> {
        let folder = data.join("providers");
        blocking(move || {
            let mut level = vec![folder];
            // host / namespace / name
            for _ in 0..3 {
                level = level.iter().map(|path| below(path)).collect::<io::Result<Vec<_>>>()?.concat();
            }
            let name = |path: &PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
            Ok(level.iter().filter_map(name).collect())
        })
        .await
    }

    fn tree(&self, folder: &Path) -> io::Result<Digest> {
        let mut files = BTreeMap::new();
        match fs::metadata(folder) {
            Ok(_) => self.gather(folder, "", 0, &mut files)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut hash = Sha256::new();
        hash.update(b"runcord providers 1\n");
        hash.update((files.len() as u64).to_be_bytes());
        for (path, digest) in files {
            hash.update((path.len() as u64).to_be_bytes());
            hash.update(path);
            hash.update(digest.as_str());
        }
        Ok(Digest::from_bytes(hash.finalize().into()))
    }

    /// Links are followed: the tool links a provider's folder to the mirror or cache that it is in, and starts it there.
    fn gather(
        &self,
        folder: &Path,
        prefix: &str,
        depth: usize,
        files: &mut BTreeMap<String, Digest>,
    ) -> io::Result<()> {
        if depth > DEPTH {
            return Err(Error::other("the providers' folders are too deep, or a link leads back"));
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry
                .file_name()
                .into_string()
                .map_err(|_| Error::other("a provider's file has no name in UTF-8"))?;
            let path = format!("{prefix}{name}");
            if fs::metadata(entry.path())?.is_dir() {
                self.gather(&entry.path(), &format!("{path}/"), depth + 1, files)?;
            } else {
                files.insert(path, self.file(&entry.path())?);
            }
            if files.len() > FILES {
                return Err(Error::other("the providers have too many files"));
            }
        }
        Ok(())
    }

    fn file(&self, path: &Path) -> io::Result<Digest> {
        // A pipe would be waited for.
        if !fs::metadata(path)?.is_file() {
            return Err(Error::other("a binary is not a file"));
        }
        let file = File::open(path)?;
        let mark = Mark::of(&file.metadata()?);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&mark).cloned();
        if let Some(digest) = known {
            return Ok(digest);
        }
        let digest = disk::digest(&file)?;
        if Mark::of(&file.metadata()?) != mark {
            return Err(Error::other("a binary was changed while it was read"));
        }
        if mark.is_settled(SystemTime::now()) {
            self.remember(mark, digest.clone());
        }
        Ok(digest)
    }

    /// Two processes that remember at once may forget what the other one learnt: it is read anew then.
    fn remember(&self, mark: Mark, digest: Digest) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(mark, digest);
        let entries: Vec<_> = known.iter().collect();
        let kept = disk::private_folder(&self.folder)
            .and_then(|()| disk::replace(&self.folder, FILE, &serde_json::to_vec(&entries)?));
        if let Err(error) = kept {
            tracing::warn!(%error, "{FILE} in the state folder cannot be written: binaries are read anew each time");
        }
    }
}

/// What an earlier process remembered; nothing where there was none.
fn remembered(folder: &Path) -> io::Result<HashMap<Mark, Digest>> {
    let file = match disk::open_path(&folder.join(FILE)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(HashMap::new()),
        opened => opened?,
    };
    let text = disk::read(file, LARGEST)?.ok_or_else(|| Error::other("it is too large"))?;
    let entries: Vec<(Mark, Digest)> = serde_json::from_slice(&text)?;
    Ok(entries.into_iter().collect())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Error::other(error)));
    done.map_err(|cause| {
        tracing::error!(%cause, "binaries cannot be read");
        Refusal::new(
            Code::Internal,
            "the binaries of the tool and its providers cannot be read",
            "look into the server's log, and at who may read them, then plan again",
        )
    })
}

/// What is in a folder; nothing where there is none.
fn below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const PLUGIN: &str = "providers/registry.terraform.io/hashicorp/null/3.2.4/linux_amd64";

    /// A mirror with one provider, and the tool's data that links to it.
    fn linked() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let (mirror, plugin) = (dir.path().join("mirror"), dir.path().join(PLUGIN));
        fs::create_dir_all(&mirror).unwrap();
        fs::write(mirror.join("terraform-provider-null_v3.2.4_x5"), "binary").unwrap();
        fs::create_dir_all(plugin.parent().unwrap()).unwrap();
        symlink(&mirror, plugin).unwrap();
        dir
    }

    fn binary(dir: &tempfile::TempDir) -> std::path::PathBuf {
        dir.path().join("mirror/terraform-provider-null_v3.2.4_x5")
    }

    /// In a state folder that is nowhere: nothing is remembered between processes.
    fn forgetful() -> Binaries {
        Binaries::of(Path::new("/nowhere"))
    }

    /// Until what was written last is remembered.
    async fn settle() {
        tokio::time::sleep(SETTLED * 2 + Duration::from_millis(100)).await;
    }

    #[tokio::test]
    async fn what_a_link_leads_to_is_what_counts() {
        let (dir, binaries) = (linked(), forgetful());
        let first = binaries.providers(dir.path()).await.unwrap();
        assert_eq!(first, forgetful().providers(linked().path()).await.unwrap(), "wherever it is");
        fs::write(binary(&dir), "tamper").unwrap();
        assert_ne!(binaries.providers(dir.path()).await.unwrap(), first, "of the same size");
        fs::write(binary(&dir), "binary").unwrap();
        assert_eq!(binaries.providers(dir.path()).await.unwrap(), first);
        fs::write(dir.path().join("mirror/LICENSE"), "").unwrap();
        assert_ne!(binaries.providers(dir.path()).await.unwrap(), first, "one more file");
    }

    #[tokio::test]
    async fn a_time_that_was_set_back_hides_nothing() {
        let (dir, binaries) = (linked(), forgetful());
        let first = binaries.providers(dir.path()).await.unwrap();
        let modified = fs::metadata(binary(&dir)).unwrap().modified().unwrap();
        fs::write(binary(&dir), "tamper").unwrap();
        File::options().write(true).open(binary(&dir)).unwrap().set_modified(modified).unwrap();
        assert_ne!(binaries.providers(dir.path()).await.unwrap(), first);
    }

    #[tokio::test]
    async fn a_file_is_hashed_once_by_whatever_process() {
        let (dir, state) = (linked(), tempfile::tempdir().unwrap());
        settle().await;
        let first = Binaries::of(state.path()).providers(dir.path()).await.unwrap();
        let again = Binaries::of(state.path());
        let mark = Mark::of(&fs::metadata(binary(&dir)).unwrap());
        let planted = Digest::from_bytes([1; 32]);
        assert!(again.known.lock().unwrap().insert(mark, planted).is_some(), "it is remembered");
        assert_ne!(again.providers(dir.path()).await.unwrap(), first, "and what is remembered is used");
        fs::write(binary(&dir), "tamper").unwrap();
        let changed = Binaries::of(state.path()).providers(dir.path()).await.unwrap();
        assert_eq!(changed, forgetful().providers(dir.path()).await.unwrap(), "as long as it is the same");
    }

    #[tokio::test]
    async fn a_file_that_was_written_just_now_is_not_remembered() {
        let dir = linked();
        let mark = Mark::of(&fs::metadata(binary(&dir)).unwrap());
        let written = SystemTime::UNIX_EPOCH + Duration::from_secs(mark.changed.0.try_into().unwrap());
        assert!(!mark.is_settled(written + SETTLED), "its second was not over");
        assert!(mark.is_settled(written + SETTLED * 2));
        assert!(!mark.is_settled(written - SETTLED), "a clock that was set back tells nothing");
        let binaries = forgetful();
        binaries.providers(dir.path()).await.unwrap();
        assert!(binaries.known.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_cannot_be_read_back_is_read_anew() {
        let (dir, state) = (linked(), tempfile::tempdir().unwrap());
        settle().await;
        let first = Binaries::of(state.path()).providers(dir.path()).await.unwrap();
        let file = state.path().join("terraform").join(FILE);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
        fs::write(&file, "[[").unwrap();
        let again = Binaries::of(state.path());
        assert!(again.known.lock().unwrap().is_empty());
        assert_eq!(again.providers(dir.path()).await.unwrap(), first);
    }

    #[tokio::test]
    async fn no_providers_are_some_digest_and_a_dead_link_is_none() {
        let (dir, binaries) = (tempfile::tempdir().unwrap(), forgetful());
        let none = binaries.providers(dir.path()).await.unwrap();
        assert_ne!(none, binaries.providers(linked().path()).await.unwrap());
        let dead = linked();
        fs::remove_dir_all(dead.path().join("mirror")).unwrap();
        assert!(binaries.providers(dead.path()).await.is_err());
        let around = linked();
        symlink(around.path().join("providers"), around.path().join("mirror/back")).unwrap();
        assert!(binaries.providers(around.path()).await.is_err(), "it ends");
    }

    #[tokio::test]
    async fn the_tool_is_the_digest_of_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("terraform");
        fs::write(&program, "").unwrap();
        let known = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(forgetful().tool(&program).await.unwrap().as_str(), known);
        let refusal = forgetful().tool(&dir.path().join("none")).await.unwrap_err();
        assert!(!format!("{refusal:?}").contains(dir.path().to_str().unwrap()));
    }
}
