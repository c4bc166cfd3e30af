//! Saved plan files, each under the key of the question that it answers: the same question asked again finds the file that
//! was approved, and not another one that only says the same.
//!
//! Secrets may be in one, so it goes when the last plan that it belongs to expires: until when it is kept is its time of
//! modification.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use runcord_content::disk;
use runcord_model::refusal::Code;
use runcord_model::{Digest, Refusal};

use crate::seen::Saved;

/// The largest plan file.
const LARGEST: u64 = 256 << 20;
/// How long a file is kept at least from when it was asked for: until the plan that it is made for is there, or the worker
/// that applies it has begun.
const AT_LEAST: Duration = Duration::from_secs(10 * 60);

/// The saved plans of one installation.
#[derive(Debug, Clone)]
pub struct SavedPlans {
    folder: PathBuf,
}

/// Why there is no saved plan.
#[derive(Debug, thiserror::Error)]
enum SavedError {
    /// Swept away, or never there.
    #[error("the saved plan is not there any more")]
    Gone,
    /// Its bytes, its owner or its mode.
    #[error("the saved plan is not what it was")]
    Tampered,
    /// More than any plan needs.
    #[error("the saved plan is larger than 256 MB")]
    TooLarge,
    /// The state folder.
    #[error("the saved plans in the state folder cannot be read or written")]
    State(#[from] io::Error),
}

impl SavedPlans {
    /// Those in this state folder. Nothing is read or made yet.
    pub fn new(state: &Path) -> Self {
        Self { folder: state.join("terraform").join("saved") }
    }

    /// Keeps a copy of a plan file under a key. Where there is one already, that one stays, and its digest is returned: what
    /// is shown to people is then to be read from that one ([`Self::open`]).
    ///
    /// # Errors
    /// The file is too large, or the state folder cannot be used.
    pub async fn keep(&self, key: &Digest, file: &Path) -> Result<Saved, Refusal> {
        let (plans, key, file) = (self.clone(), key.clone(), file.to_owned());
        blocking(move || plans.keep_now(&key, &file)).await
    }

    /// The path of a saved plan that still is what its digest says.
    ///
    /// # Errors
    /// It is not there any more, or is not what it was.
    pub async fn open(&self, key: &Digest, saved: &Saved) -> Result<PathBuf, Refusal> {
        let (plans, key, saved) = (self.clone(), key.clone(), saved.clone());
        blocking(move || plans.open_now(&key, &saved)).await
    }

    /// The same for whoever knows its digest only.
    ///
    /// # Errors
    /// There is none that is what the digest says.
    pub async fn find(&self, saved: &Saved) -> Result<PathBuf, Refusal> {
        let (plans, saved) = (self.clone(), saved.clone());
        blocking(move || plans.find_now(&saved)).await
    }

    /// Keeps one until then, where it would go before.
    ///
    /// # Errors
    /// There is none that is what the digest says.
    pub async fn keep_until(&self, saved: &Saved, until: SystemTime) -> Result<(), Refusal> {
        let (plans, saved) = (self.clone(), saved.clone());
        blocking(move || Ok(last(&plans.found(&saved)?.1, until)?)).await
    }

    /// Removes those whose time is over.
    ///
    /// # Errors
    /// One of them cannot be removed.
    pub async fn sweep(&self) -> io::Result<()> {
        let plans = self.clone();
        tokio::task::spawn_blocking(move || plans.sweep_at(SystemTime::now()))
            .await
            .map_err(io::Error::other)?
    }

    fn sweep_at(&self, now: SystemTime) -> io::Result<()> {
        disk::sweep(&self.folder, |name, until| {
            // What is being written has the time of its writing.
            let until = if disk::is_unfinished(name) { until + AT_LEAST } else { until };
            until < now
        })
    }

    fn place(&self, key: &Digest) -> PathBuf {
        self.folder.join(format!("{}.tfplan", disk::hex(key)))
    }

    fn keep_now(&self, key: &Digest, file: &Path) -> Result<Saved, SavedError> {
        disk::private_folder(&self.folder)?;
        let place = self.place(key);
        if let Some(saved) = there(&place)? {
            return Ok(saved);
        }
        let (fresh, to) = disk::fresh(&self.folder)?;
        let linked = copy(file, to).and_then(|()| Ok(fs::hard_link(&fresh, &place)?));
        fs::remove_file(&fresh)?;
        match linked {
            // Another process may have been first.
            Err(SavedError::State(error)) if error.kind() == ErrorKind::AlreadyExists => {}
            other => other?,
        }
        disk::sync_folder(&self.folder)?;
        there(&place)?.ok_or(SavedError::Gone)
    }

    fn open_now(&self, key: &Digest, saved: &Saved) -> Result<PathBuf, SavedError> {
        let place = self.place(key);
        match there(&place)? {
            Some(found) if found == *saved => Ok(place),
            Some(_) => Err(SavedError::Tampered),
            None => Err(SavedError::Gone),
        }
    }

    /// Only the one that is found counts as asked for.
    fn find_now(&self, saved: &Saved) -> Result<PathBuf, SavedError> {
        let (path, file) = self.found(saved)?;
        last(&file, SystemTime::now() + AT_LEAST)?;
        Ok(path)
    }

    fn found(&self, saved: &Saved) -> Result<(PathBuf, File), SavedError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(SavedError::Gone),
            Err(error) => return Err(error.into()),
        };
        for entry in entries {
            let path = entry?.path();
            let is_plan = path.extension().is_some_and(|end| end == "tfplan");
            // One that was tampered with is not the one that is wanted.
            let Some(file) = (if is_plan { ours(&path).unwrap_or_default() } else { None }) else { continue };
            if disk::digest(&file)? == saved.digest {
                return Ok((path, file));
            }
        }
        Err(SavedError::Gone)
    }
}

/// The plan at a place, which counts as asked for; none when there is none.
fn there(place: &Path) -> Result<Option<Saved>, SavedError> {
    let Some(file) = ours(place)? else { return Ok(None) };
    let digest = disk::digest(&file)?;
    last(&file, SystemTime::now() + AT_LEAST)?;
    Ok(Some(Saved { digest }))
}

/// Keeps a file at least until then.
fn last(file: &File, until: SystemTime) -> io::Result<()> {
    if file.metadata()?.modified()? < until { disk::set_modified(file, until) } else { Ok(()) }
}

/// The file at a place, where it is a file of ours alone.
fn ours(place: &Path) -> Result<Option<File>, SavedError> {
    use std::os::unix::fs::MetadataExt as _;
    let file = match disk::open_path(place) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(_) => return Err(SavedError::Tampered),
    };
    let meta = file.metadata()?;
    let closed = meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o7777 == 0o600;
    if closed { Ok(Some(file)) } else { Err(SavedError::Tampered) }
}

fn copy(from: &Path, mut to: File) -> Result<(), SavedError> {
    use std::io::Read as _;
    let copied = io::copy(&mut disk::open_path(from)?.take(LARGEST + 1), &mut to)?;
    if copied > LARGEST {
        return Err(SavedError::TooLarge);
    }
    Ok(to.sync_all()?)
}

impl From<SavedError> for Refusal {
    fn from(error: SavedError) -> Self {
        let (code, next) = match &error {
            SavedError::Gone => (Code::PlanDrifted, "plan again"),
            SavedError::Tampered => {
                (Code::PlanDrifted, "find out who changed the state folder, then plan again")
            }
            SavedError::TooLarge => (Code::PreconditionFailed, "divide the root module"),
            SavedError::State(cause) => {
                tracing::error!(%cause, "{error}");
                (
                    Code::Internal,
                    "look into the server's log, and at the state folder's owner, mode and space",
                )
            }
        };
        Self::new(code, error.to_string(), next)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SavedError> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.unwrap_or_else(|error| Err(SavedError::State(io::Error::other(error))))?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::time::Duration;

    use super::*;

    struct Bed {
        dir: tempfile::TempDir,
        plans: SavedPlans,
    }

    impl Bed {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let plans = SavedPlans::new(dir.path());
            Self { dir, plans }
        }

        async fn keep(&self, key: u8, text: &str) -> Saved {
            let file = self.dir.path().join("plan");
            fs::write(&file, text).unwrap();
            self.plans.keep(&self::key(key), &file).await.unwrap()
        }
    }

    fn key(of: u8) -> Digest {
        Digest::from_bytes([of; 32])
    }

    #[tokio::test]
    async fn the_first_one_stays() {
        let bed = Bed::new();
        let first = bed.keep(1, "first").await;
        assert_eq!(bed.keep(1, "second").await, first);
        let path = bed.plans.open(&key(1), &first).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        assert_eq!(bed.plans.find(&first).await.unwrap(), path);
        assert_ne!(bed.keep(2, "second").await, first);
        let names = fs::read_dir(bed.dir.path().join("terraform/saved")).unwrap();
        assert_eq!(names.count(), 2, "nothing unfinished stays");
    }

    #[tokio::test]
    async fn nothing_is_readable_by_others() {
        let bed = Bed::new();
        let saved = bed.keep(1, "a secret").await;
        let path = bed.plans.open(&key(1), &saved).await.unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }

    #[tokio::test]
    async fn a_changed_byte_is_refused() {
        let bed = Bed::new();
        let saved = bed.keep(1, "first").await;
        let path = bed.plans.open(&key(1), &saved).await.unwrap();
        fs::write(&path, "fizst").unwrap();
        let refusal = bed.plans.open(&key(1), &saved).await.unwrap_err();
        assert!(refusal.message.contains("not what it was"), "{refusal:?}");
        assert!(bed.plans.find(&saved).await.is_err());
        assert!(!format!("{refusal:?}").contains(bed.dir.path().to_str().unwrap()));
    }

    #[tokio::test]
    async fn a_link_a_pipe_and_an_open_file_are_no_saved_plans() {
        let bed = Bed::new();
        let saved = bed.keep(1, "first").await;
        let path = bed.plans.open(&key(1), &saved).await.unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(bed.plans.open(&key(1), &saved).await.is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let moved = bed.dir.path().join("moved");
        fs::rename(&path, &moved).unwrap();
        symlink(&moved, &path).unwrap();
        assert!(bed.plans.open(&key(1), &saved).await.is_err());
        assert!(bed.plans.find(&saved).await.is_err());
        assert!(bed.plans.keep(&key(1), &moved).await.is_err(), "it is not written through the link");
        fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
        assert!(bed.plans.open(&key(1), &saved).await.is_err());
        fs::remove_file(&path).unwrap();
        let gone = bed.plans.open(&key(1), &saved).await.unwrap_err();
        assert!(gone.message.contains("not there any more"), "{gone:?}");
    }

    #[tokio::test]
    async fn of_several_at_once_one_stays() {
        let bed = Bed::new();
        let files = (0..8).map(|n| {
            let file = bed.dir.path().join(n.to_string());
            fs::write(&file, n.to_string()).unwrap();
            let plans = bed.plans.clone();
            tokio::spawn(async move { plans.keep(&key(1), &file).await.unwrap() })
        });
        let mut found = std::collections::BTreeSet::new();
        for kept in files.collect::<Vec<_>>() {
            found.insert(kept.await.unwrap().digest.to_string());
        }
        assert_eq!(found.len(), 1);
    }

    #[tokio::test]
    async fn one_goes_when_its_last_plan_expires() {
        let bed = Bed::new();
        let (now, minutes) = (SystemTime::now(), |minutes: u64| Duration::from_secs(minutes * 60));
        let (planned, unclaimed) = (bed.keep(1, "planned").await, bed.keep(2, "unclaimed").await);
        bed.plans.keep_until(&planned, now + minutes(30)).await.unwrap();
        bed.plans.keep_until(&planned, now + minutes(5)).await.unwrap();
        bed.plans.sweep_at(now + minutes(9)).unwrap();
        assert!(bed.plans.open(&key(2), &unclaimed).await.is_ok(), "its plan may still be being made");
        // Looking at it made it last.
        bed.plans.sweep_at(SystemTime::now() + minutes(11)).unwrap();
        assert!(bed.plans.find(&unclaimed).await.is_err());
        assert_eq!(bed.keep(1, "again").await, planned, "asking again does not shorten it");
        bed.plans.sweep_at(now + minutes(29)).unwrap();
        assert!(bed.plans.open(&key(1), &planned).await.is_ok());
        bed.plans.sweep_at(now + minutes(31)).unwrap();
        assert!(bed.plans.open(&key(1), &planned).await.is_err());
        let nobodys = Saved { digest: key(9) };
        assert!(bed.plans.keep_until(&nobodys, now).await.is_err(), "there is nothing to keep");
    }

    #[tokio::test]
    async fn what_is_being_written_is_left_alone_for_a_while() {
        let bed = Bed::new();
        let saved = bed.keep(1, "first").await;
        let folder = bed.plans.open(&key(1), &saved).await.unwrap().parent().unwrap().to_owned();
        let (half, _file) = disk::fresh(&folder).unwrap();
        bed.plans.sweep_at(SystemTime::now() + Duration::from_secs(60)).unwrap();
        assert!(half.exists());
        bed.plans.sweep_at(SystemTime::now() + AT_LEAST * 2).unwrap();
        assert!(!half.exists());
    }
}
