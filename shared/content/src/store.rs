//! Configurations on disk: one read-only folder each, named by its digest.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use runcord_model::Digest;

use crate::{ContentError, Entry, Runs, Tree, disk, walk};

/// How long a configuration that nobody has asked for is kept.
pub const KEPT: Duration = Duration::from_secs(2 * 60 * 60);

/// The stored configurations of one installation.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// Those in this folder. Nothing is read or made yet.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where a configuration is, or would be.
    pub fn place(&self, digest: &Digest) -> PathBuf {
        self.folder.join(disk::hex(digest))
    }

    /// Stores a configuration. One that is there already is not written again, but must be what it was.
    ///
    /// # Errors
    /// What is there already was changed, or the state folder cannot be used.
    pub fn store(&self, tree: &Tree) -> Result<Digest, ContentError> {
        let digest = tree.digest();
        let place = self.place(&digest);
        if !place.try_exists().map_err(ContentError::State)? {
            self.write(tree, &place).map_err(ContentError::State)?;
        }
        self.open(&digest)?;
        Ok(digest)
    }

    /// A stored configuration, read whole and found to be what its name says. It counts as asked for.
    ///
    /// # Errors
    /// It is not there, is not what it was, or the state folder cannot be used.
    pub fn open(&self, digest: &Digest) -> Result<Tree, ContentError> {
        let place = self.place(digest);
        match fs::symlink_metadata(&place) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(ContentError::Tampered),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ContentError::NotStored),
            Err(error) => return Err(ContentError::State(error)),
        }
        let tree = walk::stored(&place)?;
        if tree.digest() != *digest {
            return Err(ContentError::Tampered);
        }
        File::open(&place)
            .and_then(|opened| disk::set_modified(&opened, SystemTime::now()))
            .map_err(ContentError::State)?;
        Ok(tree)
    }

    /// Removes configurations that nobody has asked for in two hours and that are not in use.
    ///
    /// # Errors
    /// One of them cannot be removed.
    pub fn sweep(&self, in_use: &BTreeSet<Digest>, now: SystemTime) -> io::Result<()> {
        let open = |name: &str| is_open(&self.folder.join(name)).unwrap_or(true);
        // What is unfinished is open too, and nobody's.
        let kept = |name: &str| is_among(in_use, name) || !disk::is_unfinished(name) && open(name);
        disk::sweep(&self.folder, |name, modified| is_old(modified, now) && !kept(name))
    }

    /// Removes what is kept beside configurations, each under its configuration's name in `folder`, where it is as old, its
    /// configuration is gone, and it is not in use. What a tool does in it does not show in the folder's own time.
    ///
    /// # Errors
    /// One of them cannot be removed.
    pub fn sweep_beside(&self, folder: &Path, in_use: &BTreeSet<Digest>, now: SystemTime) -> io::Result<()> {
        let kept = |name: &str| is_among(in_use, name) || self.folder.join(name).exists();
        disk::sweep(folder, |name, modified| is_old(modified, now) && !kept(name))
    }

    fn write(&self, tree: &Tree, place: &Path) -> io::Result<()> {
        disk::private_folder(&self.folder)?;
        let fresh = disk::unfinished(&self.folder)?;
        let written = write(&fresh, tree).and_then(|()| put(&fresh, place));
        if let Err(error) = written {
            // The error that is told is the first one.
            let _ = disk::remove(&fresh);
            return Err(error);
        }
        disk::sync_folder(&self.folder)
    }
}

fn is_among(in_use: &BTreeSet<Digest>, name: &str) -> bool {
    in_use.iter().any(|digest| disk::hex(digest) == name)
}

fn is_old(modified: SystemTime, now: SystemTime) -> bool {
    now.duration_since(modified).is_ok_and(|age| age > KEPT)
}

/// Whether a stored folder, or one in it, may be written to: the tool applies in it, however long that takes and whatever the
/// clock says, or was left in the middle of that, and the only copy of what it left may be there.
fn is_open(folder: &Path) -> io::Result<bool> {
    if fs::symlink_metadata(folder)?.permissions().mode() & 0o200 != 0 {
        return Ok(true);
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && is_open(&entry.path())? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Gives the folder its name, unless another process was first: then what that one wrote stands.
fn put(fresh: &Path, place: &Path) -> io::Result<()> {
    match fs::rename(fresh, place) {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) =>
        {
            disk::remove(fresh)
        }
        renamed => renamed,
    }
}

fn write(fresh: &Path, tree: &Tree) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.mode(0o700).create(fresh)?;
    for folder in tree.folders() {
        builder.create(fresh.join(folder))?;
    }
    for (path, entry) in tree.files() {
        write_file(&fresh.join(path), entry)?;
    }
    for folder in tree.folders().into_iter().rev().map(|folder| fresh.join(folder)) {
        seal(&folder)?;
    }
    seal(fresh)
}

fn write_file(path: &Path, entry: &Entry) -> io::Result<()> {
    let mode = match entry.runs {
        Runs::No => 0o400,
        Runs::Yes => 0o500,
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&entry.content)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

fn seal(folder: &Path) -> io::Result<()> {
    let opened = File::open(folder)?;
    opened.set_permissions(Permissions::from_mode(0o500))?;
    opened.sync_all()
}

#[cfg(test)]
mod tests;
