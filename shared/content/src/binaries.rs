//! Which binaries would run: the digests of programs, and of folders of what they start or load.
//!
//! They are large (a tool of 90 MB, providers of several hundred) or many (the libraries of an interpreter), and every run has
//! a process of its own, so what was read is remembered between processes too. Links are followed: a tool links to where a
//! binary really is, and what is started is what a link leads to.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, Metadata};
use std::io::{self, Error, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use runcord_model::Digest;
use sha2::{Digest as _, Sha256};

use crate::disk;

/// Folders in folders; deeper, a link leads back.
const DEPTH: usize = 32;
/// Files and folders of one folder of binaries: an interpreter with all that is published for it has fewer.
const ENTRIES: usize = 200_000;

/// What is remembered.
const FILE: &str = "binaries.json";
/// More than are ever in use; the others are read anew.
const REMEMBERED: usize = 500;
/// The largest file of them.
const LARGEST: u64 = 1 << 20;
/// A smaller file is read as soon as it is looked up: only the folder that it is in is remembered.
const WORTH: u64 = 1 << 20;
/// A file that was written within twice this is not remembered: a second writing in the same tick of the clock that files
/// get their times from would leave the same times (a second, on the coarsest of them).
const SETTLED: Duration = Duration::from_secs(1);

/// Digests of binaries. A large file is hashed once, and a folder of many small ones too, however often they are asked for,
/// as long as they stay the same files with the same times.
#[derive(Debug, Clone)]
pub struct Binaries {
    folder: PathBuf,
    known: Arc<Mutex<HashMap<Digest, Digest>>>,
}

/// Which writing of which file. The time of the last change of any kind is in it, since that one cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// What the file's digest is remembered under.
    fn key(&self) -> Digest {
        let mut hash = Sha256::new();
        hash.update(b"runcord mark of a file 1\n");
        self.add_to(&mut hash);
        Digest::from_bytes(hash.finalize().into())
    }

    fn add_to(&self, hash: &mut Sha256) {
        for number in [self.device, self.inode, self.size] {
            hash.update(number.to_be_bytes());
        }
        for (seconds, nanoseconds) in [self.modified, self.changed] {
            hash.update(seconds.to_be_bytes());
            hash.update(nanoseconds.to_be_bytes());
        }
    }

    /// Whether nothing can have happened to the file since without it showing here.
    fn is_settled(&self, now: SystemTime) -> bool {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let changed = Duration::from_secs(u64::try_from(self.changed.0).unwrap_or(u64::MAX));
        since.checked_sub(changed).is_some_and(|age| age >= SETTLED * 2)
    }
}

/// The files of a folder, by path, as they were found.
#[derive(Debug, Default)]
struct Listing {
    files: BTreeMap<String, Mark>,
    entries: usize,
}

impl Listing {
    fn of(folder: &Path) -> io::Result<Self> {
        let mut listing = Self::default();
        match fs::metadata(folder) {
            Ok(_) => listing.gather(folder, "", 0)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(listing)
    }

    fn gather(&mut self, folder: &Path, prefix: &str, depth: usize) -> io::Result<()> {
        if depth > DEPTH {
            return Err(Error::other("the folders of binaries are too deep, or a link leads back"));
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().into_string();
            let name = name.map_err(|_| Error::other("a binary has no name in UTF-8"))?;
            self.entries += 1;
            if self.entries > ENTRIES {
                return Err(Error::other("there are too many binaries"));
            }
            let (path, meta) = (format!("{prefix}{name}"), fs::metadata(entry.path())?);
            if meta.is_dir() {
                self.gather(&entry.path(), &format!("{path}/"), depth + 1)?;
            } else {
                self.files.insert(path, mark_of_file(&meta)?);
            }
        }
        Ok(())
    }

    /// What the folder's digest is remembered under.
    fn key(&self) -> Digest {
        digest_by_path(b"runcord marks of a folder 1\n", &self.files, Mark::add_to)
    }

    fn is_settled(&self, now: SystemTime) -> bool {
        self.files.values().all(|mark| mark.is_settled(now))
    }
}

impl Binaries {
    /// With what is remembered in this folder.
    pub fn of(folder: PathBuf) -> Self {
        let known = remembered(&folder).unwrap_or_else(|error| {
            tracing::warn!(%error, "{FILE} in the state folder cannot be read: binaries are read anew");
            HashMap::new()
        });
        Self { folder, known: Arc::new(Mutex::new(known)) }
    }

    /// The digest of a file's bytes.
    ///
    /// # Errors
    /// It cannot be read, or is changing.
    pub fn file(&self, path: &Path) -> io::Result<Digest> {
        // A pipe would be waited for.
        let mark = mark_of_file(&fs::metadata(path)?)?;
        self.bytes(path, mark)
    }

    /// The digest of all files in a folder and those below it, with their paths. Without any, that of none.
    ///
    /// # Errors
    /// One of them cannot be read, is changing, or is no file.
    pub fn tree(&self, folder: &Path) -> io::Result<Digest> {
        let listing = Listing::of(folder)?;
        let key = listing.key();
        if let Some(digest) = self.recall(&key) {
            return Ok(digest);
        }
        let mut digests = BTreeMap::new();
        for (path, mark) in &listing.files {
            digests.insert(path.clone(), self.bytes(&folder.join(path), *mark)?);
        }
        let digest = digest_by_path(b"runcord binaries 1\n", &digests, |digest, hash| {
            hash.update(digest.as_str());
        });
        if listing.is_settled(SystemTime::now()) {
            self.remember(key, digest.clone());
        }
        Ok(digest)
    }

    /// The digest of the file that this is the mark of.
    fn bytes(&self, path: &Path, mark: Mark) -> io::Result<Digest> {
        let is_worth_it = mark.size >= WORTH;
        if let Some(digest) = is_worth_it.then(|| self.recall(&mark.key())).flatten() {
            return Ok(digest);
        }
        let file = File::open(path)?;
        let changed = || Error::other("a binary was changed while it was read");
        if Mark::of(&file.metadata()?) != mark {
            return Err(changed());
        }
        let digest = disk::digest(&file)?;
        if Mark::of(&file.metadata()?) != mark {
            return Err(changed());
        }
        if is_worth_it && mark.is_settled(SystemTime::now()) {
            self.remember(mark.key(), digest.clone());
        }
        Ok(digest)
    }

    fn recall(&self, key: &Digest) -> Option<Digest> {
        self.known().get(key).cloned()
    }

    /// Two processes that remember at once may forget what the other one learnt: it is read anew then.
    fn remember(&self, key: Digest, digest: Digest) {
        let mut known = self.known();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key, digest);
        let kept = disk::private_folder(&self.folder)
            .and_then(|()| disk::replace(&self.folder, FILE, &serde_json::to_vec(&*known)?));
        if let Err(error) = kept {
            tracing::warn!(%error, "{FILE} in the state folder cannot be written: binaries are read anew each time");
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Digest, Digest>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn mark_of_file(meta: &Metadata) -> io::Result<Mark> {
    if meta.is_file() { Ok(Mark::of(meta)) } else { Err(Error::other("a binary is not a file")) }
}

/// The digest of what is said of each file. Every path is preceded by its length, so that nothing can move from one to the
/// other.
fn digest_by_path<T>(kind: &[u8], files: &BTreeMap<String, T>, add: impl Fn(&T, &mut Sha256)) -> Digest {
    let mut hash = Sha256::new();
    hash.update(kind);
    hash.update((files.len() as u64).to_be_bytes());
    for (path, said) in files {
        hash.update((path.len() as u64).to_be_bytes());
        hash.update(path);
        add(said, &mut hash);
    }
    Digest::from_bytes(hash.finalize().into())
}

/// What an earlier process remembered; nothing where there was none.
fn remembered(folder: &Path) -> io::Result<HashMap<Digest, Digest>> {
    let file = match disk::open_path(&folder.join(FILE)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(HashMap::new()),
        opened => opened?,
    };
    let text = disk::read(file, LARGEST)?.ok_or_else(|| Error::other("it is too large"))?;
    Ok(serde_json::from_slice(&text)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::thread::sleep;

    use super::*;

    const PLUGIN: &str = "registry.example.org/vendor/null/3.2.4/linux_amd64";

    /// A mirror with one binary, and a folder that links to it.
    fn linked() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let (mirror, plugin) = (dir.path().join("mirror"), installed(&dir).join(PLUGIN));
        fs::create_dir_all(&mirror).unwrap();
        fs::write(mirror.join("null_v3.2.4_x5"), "binary").unwrap();
        fs::create_dir_all(plugin.parent().unwrap()).unwrap();
        symlink(&mirror, plugin).unwrap();
        dir
    }

    fn installed(dir: &tempfile::TempDir) -> PathBuf {
        dir.path().join("installed")
    }

    fn binary(dir: &tempfile::TempDir) -> PathBuf {
        dir.path().join("mirror/null_v3.2.4_x5")
    }

    /// In a folder that cannot be made: nothing is remembered between processes.
    fn forgetful() -> Binaries {
        Binaries::of(PathBuf::from("/dev/null/nowhere"))
    }

    fn in_state(state: &tempfile::TempDir) -> Binaries {
        Binaries::of(state.path().join("ours"))
    }

    /// Until what was written last is remembered.
    fn settle() {
        sleep(SETTLED * 2 + Duration::from_millis(100));
    }

    #[test]
    fn what_a_link_leads_to_is_what_counts() {
        let (dir, binaries) = (linked(), forgetful());
        let tree = || binaries.tree(&installed(&dir)).unwrap();
        let first = tree();
        assert_eq!(first, forgetful().tree(&installed(&linked())).unwrap(), "wherever it is");
        fs::write(binary(&dir), "tamper").unwrap();
        assert_ne!(tree(), first, "of the same size");
        fs::write(binary(&dir), "binary").unwrap();
        assert_eq!(tree(), first);
        fs::write(dir.path().join("mirror/LICENSE"), "").unwrap();
        assert_ne!(tree(), first, "one more file");
    }

    #[test]
    fn a_time_that_was_set_back_hides_nothing() {
        let dir = linked();
        settle();
        let binaries = forgetful();
        let first = binaries.tree(&installed(&dir)).unwrap();
        assert!(!binaries.known().is_empty());
        let modified = fs::metadata(binary(&dir)).unwrap().modified().unwrap();
        fs::write(binary(&dir), "tamper").unwrap();
        File::options().write(true).open(binary(&dir)).unwrap().set_modified(modified).unwrap();
        assert_ne!(binaries.tree(&installed(&dir)).unwrap(), first);
    }

    #[test]
    fn a_folder_is_hashed_once_by_whatever_process() {
        let (dir, state) = (linked(), tempfile::tempdir().unwrap());
        settle();
        let first = in_state(&state).tree(&installed(&dir)).unwrap();
        let again = in_state(&state);
        assert_eq!(
            again.known().values().collect::<Vec<_>>(),
            [&first],
            "small files are not remembered one by one"
        );
        again.known().values_mut().for_each(|known| *known = Digest::from_bytes([1; 32]));
        assert_ne!(again.tree(&installed(&dir)).unwrap(), first, "what is remembered is used");
        fs::write(binary(&dir), "tamper").unwrap();
        let changed = in_state(&state).tree(&installed(&dir)).unwrap();
        assert_eq!(changed, forgetful().tree(&installed(&dir)).unwrap(), "as long as it is the same");
    }

    #[test]
    fn a_large_file_is_hashed_once_in_whatever_folder_it_is() {
        let dir = linked();
        File::create(binary(&dir)).unwrap().set_len(WORTH).unwrap();
        settle();
        let binaries = forgetful();
        let first = binaries.file(&binary(&dir)).unwrap();
        let key = Mark::of(&fs::metadata(binary(&dir)).unwrap()).key();
        assert_eq!(binaries.recall(&key), Some(first));
        binaries.known().insert(key, Digest::from_bytes([1; 32]));
        let planted = binaries.tree(&installed(&dir)).unwrap();
        assert_ne!(planted, forgetful().tree(&installed(&dir)).unwrap(), "what is remembered is used");
        assert_eq!(binaries.file(&binary(&dir)).unwrap(), Digest::from_bytes([1; 32]));
    }

    #[test]
    fn a_file_that_was_written_just_now_is_not_remembered() {
        let dir = linked();
        let mark = Mark::of(&fs::metadata(binary(&dir)).unwrap());
        let written = SystemTime::UNIX_EPOCH + Duration::from_secs(mark.changed.0.try_into().unwrap());
        assert!(!mark.is_settled(written + SETTLED), "its second was not over");
        assert!(mark.is_settled(written + SETTLED * 2));
        assert!(!mark.is_settled(written - SETTLED), "a clock that was set back tells nothing");
        File::create(binary(&dir)).unwrap().set_len(WORTH).unwrap();
        let binaries = forgetful();
        binaries.tree(&installed(&dir)).unwrap();
        assert!(binaries.known().is_empty());
    }

    #[test]
    fn a_file_that_is_exchanged_after_it_was_listed_is_noticed() {
        let dir = linked();
        let listed = Mark::of(&fs::metadata(binary(&dir)).unwrap());
        assert!(forgetful().bytes(&binary(&dir), listed).is_ok());
        fs::write(binary(&dir), "tampered").unwrap();
        assert!(forgetful().bytes(&binary(&dir), listed).is_err());
    }

    #[test]
    fn what_cannot_be_read_back_is_read_anew() {
        let (dir, state) = (linked(), tempfile::tempdir().unwrap());
        settle();
        let first = in_state(&state).tree(&installed(&dir)).unwrap();
        let file = state.path().join("ours").join(FILE);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
        fs::write(&file, "[[").unwrap();
        let again = in_state(&state);
        assert!(again.known().is_empty());
        assert_eq!(again.tree(&installed(&dir)).unwrap(), first);
    }

    #[test]
    fn no_binaries_are_some_digest_and_a_dead_link_is_none() {
        let (dir, binaries) = (tempfile::tempdir().unwrap(), forgetful());
        let none = binaries.tree(&installed(&dir)).unwrap();
        assert_ne!(none, binaries.tree(&installed(&linked())).unwrap());
        let dead = linked();
        fs::remove_dir_all(dead.path().join("mirror")).unwrap();
        assert!(binaries.tree(&installed(&dead)).is_err());
        let around = linked();
        symlink(installed(&around), around.path().join("mirror/back")).unwrap();
        assert!(binaries.tree(&installed(&around)).is_err(), "it ends");
        let piped = linked();
        rustix::fs::mkfifoat(rustix::fs::CWD, piped.path().join("mirror/pipe"), rustix::fs::Mode::RWXU)
            .unwrap();
        assert!(binaries.tree(&installed(&piped)).is_err(), "it is not waited for");
    }

    #[test]
    fn a_file_is_the_digest_of_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("tool");
        fs::write(&program, "").unwrap();
        let known = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(forgetful().file(&program).unwrap().as_str(), known);
        assert!(forgetful().file(&dir.path().join("none")).is_err());
        assert!(forgetful().file(dir.path()).is_err(), "a folder");
    }
}
