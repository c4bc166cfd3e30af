//! The folder of one control plane, and the clearing away of those that a killed process left.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};

/// A folder that nobody else uses: its lock file is locked as long as this lives.
#[derive(Debug)]
pub(crate) struct Home {
    path: PathBuf,
    _lock: File,
}

impl Home {
    /// A new folder under the target folder; first removes those whose process is gone. The shared control plane of a
    /// test process is never dropped, so this is what clears it away.
    pub(crate) fn claim() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let root = target_dir().join("control-plane");
        fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
        for entry in fs::read_dir(&root)?.flatten() {
            if let Ok(Some(_free)) = lock(&entry.path()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self::at(&root.join(format!("{}-{count}", std::process::id())))
    }

    /// A given folder, emptied.
    pub(crate) fn at(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        let path = fs::canonicalize(path)?;
        let Some(lock) = lock(&path)? else { bail!("another control plane runs in {}", path.display()) };
        for entry in fs::read_dir(&path)? {
            let entry = entry?.path();
            match (entry.ends_with(LOCK), entry.is_dir()) {
                (true, _) => (),
                (false, true) => fs::remove_dir_all(&entry)?,
                (false, false) => fs::remove_file(&entry)?,
            }
        }
        // Private keys and certificates of administrators lie in it.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        Ok(Self { path, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

const LOCK: &str = "lock";

/// The build's target folder.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from)
}

/// `None` when somebody holds it.
fn lock(dir: &Path) -> Result<Option<File>> {
    let file = File::create(dir.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).context("cannot lock a control plane's folder"),
    }
}
