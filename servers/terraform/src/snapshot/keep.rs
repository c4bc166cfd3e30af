//! Configurations on disk: one read-only folder each, named by its digest.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use runcord_content::disk;
use runcord_model::Digest;

use super::tree::{Entry, Runs, Tree};
use super::unfit::SnapshotError;
use super::walk;

/// Stores a configuration. One that is there already is not written again, but must be what it was.
pub(super) fn store(folder: &Path, tree: &Tree) -> Result<Digest, SnapshotError> {
    let digest = tree.digest();
    let place = folder.join(disk::hex(&digest));
    if !place.try_exists().map_err(SnapshotError::State)? {
        disk::private_folder(folder).map_err(SnapshotError::State)?;
        let fresh = disk::unfinished(folder).map_err(SnapshotError::State)?;
        let written = write(&fresh, tree).and_then(|()| put(&fresh, &place));
        if let Err(error) = written {
            // The error that is told is the first one.
            let _ = disk::remove(&fresh);
            return Err(SnapshotError::State(error));
        }
        disk::sync_folder(folder).map_err(SnapshotError::State)?;
    }
    open(folder, &digest)?;
    Ok(digest)
}

/// A stored configuration, read whole and found to be what its name says. It counts as asked for.
pub(super) fn open(folder: &Path, digest: &Digest) -> Result<Tree, SnapshotError> {
    let place = folder.join(disk::hex(digest));
    match fs::symlink_metadata(&place) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => return Err(SnapshotError::Tampered),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SnapshotError::NotStored),
        Err(error) => return Err(SnapshotError::State(error)),
    }
    let tree = walk::stored(&place)?;
    if tree.digest() != *digest {
        return Err(SnapshotError::Tampered);
    }
    File::open(&place)
        .and_then(|opened| disk::set_modified(&opened, SystemTime::now()))
        .map_err(SnapshotError::State)?;
    Ok(tree)
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
