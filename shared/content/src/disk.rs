//! Files that are written whole or not at all and that nobody else may read, and files that are opened with care: no link
//! is followed, nothing is waited for, nothing is larger than it may be.

use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, Error, ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use runcord_model::Digest;
use rustix::fs::{AtFlags, CWD, FileType, FlockOperation, Mode, OFlags};
use sha2::{Digest as _, Sha256};

/// The beginning of the names of what is not finished yet.
const UNFINISHED: &str = ".new-";

/// What stands at a name, without following a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file with content.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, wherever it leads.
    Link,
    /// A pipe, a socket, a device.
    Special,
}

/// What `name` in the folder `dir` is.
pub fn kind(dir: impl AsFd, name: &str) -> io::Result<Kind> {
    let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => Kind::Special,
    })
}

/// Opens the folder `name` in `dir`, where it is one and no link to one.
pub fn open_folder(dir: impl AsFd, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(dir, name, flags, Mode::empty())?)
}

/// Opens the file `name` in `dir` for reading, where it is one and no link to one.
pub fn open_file(dir: impl AsFd, name: &str) -> io::Result<File> {
    plain(rustix::fs::openat(dir, name, reading(), Mode::empty())?)
}

/// Opens the file at a path for reading, where it is one and no link to one.
pub fn open_path(path: &Path) -> io::Result<File> {
    plain(rustix::fs::openat(CWD, path, reading(), Mode::empty())?)
}

/// Neither is a link followed nor a pipe waited for.
fn reading() -> OFlags {
    OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC
}

fn plain(opened: OwnedFd) -> io::Result<File> {
    let file = File::from(opened);
    if file.metadata()?.is_file() { Ok(file) } else { Err(Error::other("not a file")) }
}

/// All bytes of a file; none when there are more than `most`.
pub fn read(file: File, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((u64::try_from(bytes.len()).unwrap_or(u64::MAX) <= most).then_some(bytes))
}

/// The digest of all that is left to read of a file.
pub fn digest(mut file: impl io::Read) -> io::Result<Digest> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = file.read(&mut buffer)?;
        match buffer.get(..read) {
            Some(new) if !new.is_empty() => hash.update(new),
            _ => return Ok(Digest::from_bytes(hash.finalize().into())),
        }
    }
}

/// The digits of a digest: a name for what it is the digest of.
pub fn hex(digest: &Digest) -> &str {
    digest.as_str().strip_prefix("sha256:").unwrap_or(digest.as_str())
}

/// Makes a folder and those above it that are missing, and makes sure that it is ours alone.
pub fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let meta = fs::symlink_metadata(path)?;
    let ours = meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw();
    if ours && meta.mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::PermissionDenied, "a folder of the state is not its owner's alone"))
    }
}

/// Whether this is the name of something unfinished.
pub fn is_unfinished(name: &str) -> bool {
    name.starts_with(UNFINISHED)
}

/// A name that nobody else uses, for something unfinished beside its place. Random, since processes that share a state
/// folder need not see each other's numbers.
pub fn unfinished(folder: &Path) -> io::Result<PathBuf> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(|_| Error::other("the system's random source cannot be read"))?;
    Ok(folder.join(format!("{UNFINISHED}{:016x}", u64::from_ne_bytes(bytes))))
}

/// A new file beside its place that only its owner may read.
pub fn fresh(folder: &Path) -> io::Result<(PathBuf, File)> {
    let path = unfinished(folder)?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    Ok((path, file))
}

/// Puts a file in the place of the one that is there, whole.
pub fn replace(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let (path, mut file) = fresh(folder)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&path, folder.join(name)));
    if let Err(error) = written {
        // The error that is told is the first one.
        let _ = fs::remove_file(&path);
        return Err(error);
    }
    sync_folder(folder)
}

/// Gives a file or folder this mode.
pub fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// The digest of these bytes.
pub fn digest_of(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

/// Makes the names in a folder last.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Sets a file's time of modification.
pub fn set_modified(file: &File, at: SystemTime) -> io::Result<()> {
    file.set_times(FileTimes::new().set_modified(at))
}

/// Waits until nobody else holds the lock at a path. It is given back when the file is dropped, or when the process ends.
pub fn lock(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

/// Removes the entries of a folder that are over, as their names and times of modification tell.
pub fn sweep(folder: &Path, is_over: impl Fn(&str, SystemTime) -> bool) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let meta = match fs::symlink_metadata(entry.path()) {
            Ok(meta) => meta,
            // Another process sweeps too.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let modified = meta.modified()?;
        if is_over(&entry.file_name().to_string_lossy(), modified) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file, or a folder and all that is in it, read-only folders too.
pub fn remove(path: &Path) -> io::Result<()> {
    let removed = if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir()) {
        unlock(path).and_then(|()| fs::remove_dir_all(path))
    } else {
        fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Lets its owner write to a folder and to those in it.
fn unlock(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            unlock(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_link_and_a_pipe_are_no_files() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "text").unwrap();
        symlink(at("file"), at("link")).unwrap();
        rustix::fs::mkfifoat(CWD, at("pipe"), Mode::RWXU).unwrap();
        let folder = File::open(dir.path()).unwrap();
        for (name, found) in
            [("file", Kind::File), ("link", Kind::Link), ("pipe", Kind::Special), (".", Kind::Folder)]
        {
            assert_eq!(kind(&folder, name).unwrap(), found, "{name}");
            assert_eq!(open_path(&at(name)).is_ok(), found == Kind::File, "{name}");
            assert_eq!(open_file(&folder, name).is_ok(), found == Kind::File, "{name}");
            assert_eq!(open_folder(&folder, name).is_ok(), found == Kind::Folder, "{name}");
        }
    }

    #[test]
    fn no_more_is_read_than_may_be() {
        let dir = tempfile::tempdir().unwrap();
        replace(dir.path(), "file", b"four").unwrap();
        let opened = || open_path(&dir.path().join("file")).unwrap();
        assert_eq!(read(opened(), 4).unwrap().as_deref(), Some(b"four".as_slice()));
        assert_eq!(read(opened(), 3).unwrap(), None);
        assert_eq!(digest(opened()).unwrap(), digest_of(b"four"));
    }

    #[test]
    fn what_replaces_is_its_owners_alone_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "old").unwrap();
        replace(dir.path(), "file", b"new").unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("file")).unwrap(), "new");
        assert_eq!(fs::metadata(dir.path().join("file")).unwrap().mode() & 0o7777, 0o600);
        fs::create_dir(dir.path().join("folder")).unwrap();
        assert!(replace(dir.path(), "folder", b"new").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing unfinished stays");
    }

    #[test]
    fn a_folder_that_others_may_use_is_not_private() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        private_folder(&folder).unwrap();
        private_folder(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o7777, 0o700);
        set_mode(&folder, 0o710).unwrap();
        assert!(private_folder(&folder).is_err());
        symlink(dir.path(), dir.path().join("link")).unwrap();
        assert!(private_folder(&dir.path().join("link")).is_err());
    }

    #[test]
    fn only_what_is_over_is_swept_away_read_only_folders_too() {
        let dir = tempfile::tempdir().unwrap();
        let (over, kept) = (dir.path().join("over"), dir.path().join("kept"));
        for folder in [&over, &kept] {
            fs::create_dir_all(folder.join("in it")).unwrap();
            set_mode(&folder.join("in it"), 0o500).unwrap();
            set_mode(folder, 0o500).unwrap();
        }
        sweep(dir.path(), |name, _| name == "over").unwrap();
        assert!(!over.exists() && kept.exists());
        let before = SystemTime::now() - Duration::from_secs(60);
        sweep(dir.path(), |_, modified| modified < before).unwrap();
        assert!(kept.exists(), "it was made just now");
        sweep(&dir.path().join("nowhere"), |_, _| true).unwrap();
    }
    #[test]
    fn a_lock_is_held_by_one_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = lock(&path).unwrap();
        let other = File::open(&path).unwrap();
        let tried = || rustix::fs::flock(&other, FlockOperation::NonBlockingLockExclusive);
        assert!(tried().is_err());
        drop(held);
        assert!(tried().is_ok());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    }
}
