//! The key of an installation's [`Mask`]: 32 random bytes in a file of their own in the state folder.
//!
//! What plans, runs and records keep of a pod template or a secret's value is a digest under this key, so whoever reads
//! the ledger without the file has nothing to try guesses on. It is made when it is first needed and stays: one that
//! others may read, or that holds no whole key, is refused and never replaced. Where the file is lost, a new one is made.
//! What an open plan compares under the old key then looks changed: the plan is refused as drifted (`plan_drifted`) and
//! can be made again, and a run under way writes nothing that it could not compare. So a copy of the state folder that is
//! to be used again holds this file too.

use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use runcord_model::Refusal;
pub use runcord_seal::Mask;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::refuse;

/// The file's name in the state folder.
pub const FILE: &str = "mask.key";

/// Where an installation's key is, and the mask once it was needed.
#[derive(Debug)]
pub struct MaskFile {
    state: PathBuf,
    mask: OnceLock<Mask>,
}

/// Why there is no mask.
#[derive(Debug, thiserror::Error)]
pub enum MaskError {
    /// The file cannot be read or made.
    #[error("{FILE} in the state folder cannot be read or made")]
    File(#[from] Error),
    /// Others may read it, or have put it there.
    #[error("{FILE} in the state folder is not a file of its owner's alone")]
    Exposed,
    /// It holds something else, or half a key.
    #[error("{FILE} in the state folder does not hold 32 bytes")]
    Size,
}

impl MaskFile {
    /// The one in this state folder. Nothing is read or made yet.
    pub fn of(state: &Path) -> Self {
        Self { state: state.to_owned(), mask: OnceLock::new() }
    }

    /// The mask; its key is made when there is none.
    ///
    /// # Errors
    /// `ledger_unavailable`: what would be kept unmasked is not kept at all.
    pub fn open(&self) -> Result<&Mask, Refusal> {
        if let Some(mask) = self.mask.get() {
            return Ok(mask);
        }
        let found = find_or_make(&self.state).map_err(|error| refuse::mask(&error))?;
        Ok(self.mask.get_or_init(|| found))
    }
}

/// The mask of the installation in this state folder; none while its key was never needed.
///
/// # Errors
/// The file is there and cannot be used.
pub fn find(state: &Path) -> Result<Option<Mask>, MaskError> {
    // Neither a link to somebody else's file is followed, nor a pipe waited for.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(state.join(FILE), flags, Mode::empty()) {
        Ok(file) => read(file.into()).map(Some),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(MaskError::File(error.into())),
    }
}

fn find_or_make(state: &Path) -> Result<Mask, MaskError> {
    if let Some(found) = find(state)? {
        return Ok(found);
    }
    make(state)?;
    // Read back: another process may have been first.
    find(state)?.ok_or_else(|| MaskError::File(ErrorKind::NotFound.into()))
}

fn read(file: File) -> Result<Mask, MaskError> {
    let meta = file.metadata()?;
    let us = rustix::process::geteuid().as_raw();
    if !meta.is_file() || !closed(meta.uid(), us, meta.mode()) {
        return Err(MaskError::Exposed);
    }
    let mut bytes = Vec::new();
    // One more than a key has, so that a longer file is noticed.
    file.take(33).read_to_end(&mut bytes)?;
    Ok(Mask::new(bytes.try_into().map_err(|_| MaskError::Size)?))
}

/// Whether a file is ours, and ours alone.
fn closed(owner: u32, us: u32, mode: u32) -> bool {
    owner == us && mode & 0o077 == 0
}

/// Writes a new key beside the place and links it there, so that nobody ever sees half of one, and of several processes
/// that find none, the first one's stands.
fn make(state: &Path) -> Result<(), MaskError> {
    let (key, name) = (random::<32>()?, random::<8>()?);
    let suffix: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    let fresh = state.join(format!("{FILE}.{suffix}"));
    let linked = write(&fresh, &key).and_then(|()| fs::hard_link(&fresh, state.join(FILE)));
    let removed = fs::remove_file(&fresh);
    match linked {
        Ok(()) => {
            tracing::info!("made {FILE}: what open plans compare under an earlier key counts as changed")
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.into()),
    }
    removed?;
    Ok(File::open(state)?.sync_all()?)
}

fn write(path: &Path, key: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(key)?;
    file.sync_all()
}

fn random<const N: usize>() -> Result<[u8; N], MaskError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::other("the system's random source cannot be read"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use serde_json::json;

    fn key(state: &Path) -> PathBuf {
        state.join(FILE)
    }

    fn names(state: &Path) -> Vec<String> {
        let entries = fs::read_dir(state).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_key_is_made_once_and_is_its_owners_alone() {
        let state = tempfile::tempdir().unwrap();
        assert!(find(state.path()).unwrap().is_none(), "looking makes none");
        let file = MaskFile::of(state.path());
        let digest = file.open().unwrap().digest(&json!("a"));
        let meta = key(state.path()).metadata().unwrap();
        assert_eq!((meta.permissions().mode() & 0o777, meta.len()), (0o600, 32));
        assert_eq!(names(state.path()), [FILE], "nothing is left beside it");
        let again = MaskFile::of(state.path());
        assert_eq!(again.open().unwrap().digest(&json!("a")), digest, "the next process has the same");
        let other = tempfile::tempdir().unwrap();
        let other = MaskFile::of(other.path());
        assert_ne!(other.open().unwrap().digest(&json!("a")), digest, "and another installation another");
    }

    #[test]
    fn processes_that_begin_together_have_one_key() {
        let state = tempfile::tempdir().unwrap();
        let digests: std::collections::BTreeSet<_> = std::thread::scope(|scope| {
            let begun: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| MaskFile::of(state.path()).open().unwrap().digest(&json!("a"))))
                .collect();
            begun.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(digests.len(), 1);
        assert_eq!(names(state.path()), [FILE]);
    }

    #[test]
    fn a_key_that_cannot_be_trusted_is_refused_and_stays() {
        let state = tempfile::tempdir().unwrap();
        for (mode, bytes, exposed) in
            [(0o640, 32, true), (0o604, 32, true), (0o600, 31, false), (0o600, 33, false), (0o600, 0, false)]
        {
            let _ = fs::remove_file(key(state.path()));
            fs::write(key(state.path()), vec![7; bytes]).unwrap();
            fs::set_permissions(key(state.path()), fs::Permissions::from_mode(mode)).unwrap();
            match find(state.path()) {
                Err(MaskError::Exposed) => assert!(exposed, "{mode:o} {bytes}"),
                Err(MaskError::Size) => assert!(!exposed, "{mode:o} {bytes}"),
                other => panic!("{mode:o} {bytes}: {other:?}"),
            }
            assert!(MaskFile::of(state.path()).open().is_err());
            assert_eq!(fs::read(key(state.path())).unwrap(), vec![7; bytes], "never replaced");
        }
    }

    #[test]
    fn a_key_that_somebody_else_put_there_is_refused() {
        assert!(closed(1000, 1000, 0o100600) && closed(1000, 1000, 0o100400));
        assert!(!closed(1001, 1000, 0o100600) && !closed(0, 1000, 0o100600));
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let state = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        MaskFile::of(elsewhere.path()).open().unwrap();
        std::os::unix::fs::symlink(key(elsewhere.path()), key(state.path())).unwrap();
        assert!(matches!(find(state.path()), Err(MaskError::File(_))), "a link");
        fs::remove_file(key(state.path())).unwrap();
        fs::DirBuilder::new().create(key(state.path())).unwrap();
        assert!(matches!(find(state.path()), Err(MaskError::Exposed)), "a folder");
    }
}
