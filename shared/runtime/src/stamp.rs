//! Whether files are still as they were, without reading them.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::settings::{Origin, Settings};

/// So many folders within each other: one more than are read, and no loop of links is followed for ever.
const DEEPEST: usize = 4;

/// A file that changed this recently may change again without its times showing it.
const SETTLED: Duration = Duration::from_secs(2);

/// Every file and folder that policy and runbooks come from, and which writing of it. The time of the last change of any
/// kind is in it, which nobody can set: what is equal here has not been written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp(Vec<(PathBuf, Mark)>);

/// Device, inode, size, and the times of the last writing and of the last change.
type Mark = (u64, u64, u64, (i64, i64), (i64, i64));

impl Stamp {
    /// As things are now; none where they cannot be looked at, or were changed a moment ago.
    pub(crate) fn of(settings: &Settings) -> Option<Self> {
        let mut marks = Vec::new();
        for origin in [&settings.policy, &settings.runbooks] {
            if let Origin::Folder(folder) = origin {
                gather(folder, DEEPEST, &mut marks).ok()?;
            }
        }
        marks.sort();
        Some(Self(marks))
    }
}

/// Links are followed, as they are when the files are read; and looked at themselves, since they may be pointed elsewhere.
fn gather(path: &Path, deep: usize, marks: &mut Vec<(PathBuf, Mark)>) -> io::Result<()> {
    let meta = std::fs::metadata(path)?;
    marks.push((path.to_owned(), mark(&meta)?));
    if meta.is_dir() {
        let deeper = deep.checked_sub(1).ok_or_else(|| io::Error::other("deeper than is read"))?;
        for entry in std::fs::read_dir(path)? {
            let path = entry?.path();
            let link = std::fs::symlink_metadata(&path)?;
            if link.is_symlink() {
                marks.push((path.clone(), mark(&link)?));
            }
            gather(&path, deeper, marks)?;
        }
    }
    Ok(())
}

fn mark(meta: &Metadata) -> io::Result<Mark> {
    let changed = Duration::from_secs(u64::try_from(meta.ctime()).unwrap_or_default());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    if changed + SETTLED > now {
        return Err(io::Error::other("changed a moment ago"));
    }
    Ok((
        meta.dev(),
        meta.ino(),
        meta.size(),
        (meta.mtime(), meta.mtime_nsec()),
        (meta.ctime(), meta.ctime_nsec()),
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn settings(policy: &Path) -> Settings {
        Settings {
            runbooks: Origin::Shipped,
            optional_runbooks: Vec::new(),
            policy: Origin::Folder(policy.to_owned()),
            state: PathBuf::new(),
            config: PathBuf::new(),
            agent: "agent".to_owned().try_into().unwrap(),
            worker_environment: Vec::new(),
        }
    }

    #[test]
    fn any_change_is_seen_and_a_fresh_one_is_not_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.cedar");
        fs::write(&file, "one").unwrap();
        let settings = settings(folder.path());
        assert_eq!(Stamp::of(&settings), None, "it was written a moment ago");
        std::thread::sleep(SETTLED + Duration::from_millis(1100));
        let before = Stamp::of(&settings);
        assert!(before.is_some() && before == Stamp::of(&settings));
        let times = fs::metadata(&file).unwrap().modified().unwrap();
        fs::write(&file, "two").unwrap();
        fs::File::options().write(true).open(&file).unwrap().set_modified(times).unwrap();
        std::thread::sleep(SETTLED + Duration::from_millis(1100));
        let after = Stamp::of(&settings);
        assert!(after.is_some() && after != before, "though it has the size and the time that it had");
        fs::write(folder.path().join("b.cedar"), "").unwrap();
        assert_ne!(Stamp::of(&settings), after);
        std::os::unix::fs::symlink(".", folder.path().join("loop")).unwrap();
        assert_eq!(Stamp::of(&settings), None, "a loop has no end");
        assert_eq!(Stamp::of(&self::settings(Path::new("/nowhere/at-all"))), None);
    }
}
