//! Temporary files that may hold secrets: in a folder that is ours alone, gone when nobody needs them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use crate::disk;

/// How long a temporary file may be in use.
const KEPT: Duration = Duration::from_secs(60 * 60);

/// The temporary files of one installation's server.
#[derive(Debug, Clone)]
pub struct Scraps {
    folder: PathBuf,
    made: Arc<AtomicU32>,
}

/// A path for a file that is gone when this is dropped.
#[derive(Debug)]
pub struct Scrap(PathBuf);

impl Scraps {
    /// Those in this folder, which is made. Those of a process that was killed long ago go: secrets may be in them.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn make(folder: PathBuf) -> io::Result<Self> {
        disk::private_folder(&folder)?;
        forget(&folder, KEPT)?;
        Ok(Self { folder, made: Arc::default() })
    }

    /// A path that no other process and no earlier call has, with this ending. Secrets may be in the file: whoever writes it
    /// makes it 0600.
    pub fn scrap(&self, ending: &str) -> Scrap {
        Scrap(self.folder.join(format!("{}{ending}", self.name())))
    }

    /// A name that no other process and no earlier call has.
    pub fn name(&self) -> String {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        format!("{}-{}-{number}", since.as_millis(), std::process::id())
    }
}

impl Scrap {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scrap {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Removes the files in a folder that were not written to for so long.
///
/// # Errors
/// The folder cannot be read.
pub fn forget(folder: &Path, kept: Duration) -> io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let modified = entry.metadata().and_then(|meta| meta.modified());
        let age = modified.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        if age.is_some_and(|age| age > kept) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_with_its_scrap_and_an_old_one_when_the_next_process_begins() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("scraps");
        let scraps = Scraps::make(folder.clone()).unwrap();
        let (one, other) = (scraps.scrap(".json"), scraps.scrap(".json"));
        assert_ne!(one.path(), other.path());
        fs::write(one.path(), "x").unwrap();
        let old = folder.join("old");
        fs::write(&old, "x").unwrap();
        let opened = fs::File::options().write(true).open(&old).unwrap();
        disk::set_modified(&opened, SystemTime::now() - KEPT - Duration::from_secs(1)).unwrap();
        Scraps::make(folder).unwrap();
        assert!(!old.exists() && one.path().exists());
        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists());
    }
}
