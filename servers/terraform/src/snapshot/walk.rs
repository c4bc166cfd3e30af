//! Reading files of a folder, from open folder to open folder, so that nothing that is exchanged on the way for a link
//! leads elsewhere.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use runcord_content::disk::{self, Kind};
use rustix::fs::{Dir, Mode, OFlags};

use super::rules::{Verdict, verdict};
use super::tree::{DEPTH, FILE_BYTES, FILES, Runs, Tree};
use super::unfit::{Rule, SnapshotError};
use crate::names::Directory;

/// The files of some folders below `root`, by the rules for configurations. `own` is the root module's folder.
pub(super) fn working_tree(
    root: &Path,
    folders: &[&Directory],
    own: &Directory,
) -> Result<Tree, SnapshotError> {
    let root = open_root(root).map_err(|rule| SnapshotError::unfit(".", rule))?;
    let mut walk =
        Walk { rules: Rules::Configuration { own }, tree: Tree::default(), folders: BTreeSet::new() };
    for folder in folders {
        let opened = descend(&root, folder.as_str())?;
        walk.folder(&opened, folder.as_str())?;
    }
    Ok(walk.tree)
}

/// One file below `root`, where there is one; it keeps the rules too.
pub(super) fn one_file(
    root: &Path,
    folder: &Directory,
    name: &str,
) -> Result<Option<(Runs, Vec<u8>)>, SnapshotError> {
    let root = open_root(root).map_err(|rule| SnapshotError::unfit(".", rule))?;
    let folder_path = folder.as_str();
    let path = format!("{folder_path}/{name}");
    let opened = descend(&root, folder_path)?;
    match disk::kind(&opened, name) {
        Ok(Kind::File) => file(&opened, name, &path, &Rules::Configuration { own: folder }).map(Some),
        Ok(Kind::Link) => Err(SnapshotError::unfit(&path, Rule::Link)),
        Ok(Kind::Folder | Kind::Special) => Err(SnapshotError::unfit(&path, Rule::Special)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(_) => Err(SnapshotError::unfit(&path, Rule::Unreadable)),
    }
}

/// All files of a stored configuration. Whatever else is in its folder, or may be written or read by others, shows that it
/// was changed.
pub(super) fn stored(folder: &Path) -> Result<Tree, SnapshotError> {
    let opened = match open_root(folder) {
        Ok(opened) => opened,
        Err(Rule::Missing) => return Err(SnapshotError::NotStored),
        Err(_) => return Err(SnapshotError::Tampered),
    };
    let mut walk = Walk { rules: Rules::Stored, tree: Tree::default(), folders: BTreeSet::new() };
    walk.sealed(&opened)?;
    walk.folder(&opened, "").map_err(|_| SnapshotError::Tampered)?;
    let only_those_of_files = walk.folders.iter().map(String::as_str).eq(walk.tree.folders());
    if only_those_of_files { Ok(walk.tree) } else { Err(SnapshotError::Tampered) }
}

/// By which rules files are read.
enum Rules<'a> {
    /// They are to become a configuration.
    Configuration { own: &'a Directory },
    /// They are one: read-only, ours alone.
    Stored,
}

struct Walk<'a> {
    rules: Rules<'a>,
    tree: Tree,
    /// Every folder that was gone into.
    folders: BTreeSet<String>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &OwnedFd, path: &str) -> Result<(), SnapshotError> {
        if path.split('/').count() > DEPTH {
            return Err(SnapshotError::unfit(path, Rule::Depth));
        }
        for name in names(folder, path)? {
            let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            self.entry(folder, &name, &below)?;
        }
        Ok(())
    }

    fn entry(&mut self, folder: &OwnedFd, name: &str, path: &str) -> Result<(), SnapshotError> {
        if let Rules::Configuration { own } = self.rules {
            match verdict(path, own) {
                Verdict::Kept => {}
                Verdict::LeftOut => return Ok(()),
                Verdict::Refused(rule) => return Err(SnapshotError::unfit(path, rule)),
            }
        }
        match disk::kind(folder, name).map_err(|_| SnapshotError::unfit(path, Rule::Unreadable))? {
            Kind::File => {
                // A folder in another one that is declared too was read already.
                if self.tree.get(path).is_none() {
                    let (runs, content) = file(folder, name, path, &self.rules)?;
                    self.tree.put(path, runs, content)?;
                }
                Ok(())
            }
            Kind::Folder => {
                let opened = disk::open_folder(folder, name)
                    .map_err(|_| SnapshotError::unfit(path, Rule::Unreadable))?;
                self.folders.insert(path.to_owned());
                if self.folders.len() > FILES {
                    return Err(SnapshotError::unfit(path, Rule::Count));
                }
                self.sealed(&opened)?;
                self.folder(&opened, path)
            }
            Kind::Link => Err(SnapshotError::unfit(path, Rule::Link)),
            Kind::Special => Err(SnapshotError::unfit(path, Rule::Special)),
        }
    }

    /// A folder that is stored is read-only and ours.
    fn sealed(&self, folder: &OwnedFd) -> Result<(), SnapshotError> {
        match self.rules {
            Rules::Configuration { .. } => Ok(()),
            Rules::Stored => {
                let stat = rustix::fs::fstat(folder).map_err(|error| SnapshotError::State(error.into()))?;
                let sealed = matches!(stat.st_mode & 0o7777, 0o500 | 0o700) && ours(stat.st_uid);
                if sealed { Ok(()) } else { Err(SnapshotError::Tampered) }
            }
        }
    }
}

/// The names in a folder, in order. One that is not UTF-8 is no name of a configuration.
fn names(folder: &OwnedFd, path: &str) -> Result<Vec<String>, SnapshotError> {
    let unreadable = |_| SnapshotError::unfit(path, Rule::Unreadable);
    let mut found = Vec::new();
    for entry in Dir::read_from(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        match entry.file_name().to_str() {
            Ok("." | "..") => {}
            Ok(name) => found.push(name.to_owned()),
            Err(_) => return Err(SnapshotError::unfit(path, Rule::Name)),
        }
        if found.len() > 2 * FILES {
            return Err(SnapshotError::unfit(path, Rule::Count));
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn file(
    folder: &OwnedFd,
    name: &str,
    path: &str,
    rules: &Rules<'_>,
) -> Result<(Runs, Vec<u8>), SnapshotError> {
    let unreadable = |_| SnapshotError::unfit(path, Rule::Unreadable);
    let opened = disk::open_file(folder, name).map_err(unreadable)?;
    let meta = opened.metadata().map_err(unreadable)?;
    let mode = meta.permissions().mode();
    match rules {
        Rules::Configuration { .. } => {}
        Rules::Stored => {
            if !matches!(mode & 0o7777, 0o400 | 0o500) || !ours(meta.uid()) || meta.nlink() != 1 {
                return Err(SnapshotError::Tampered);
            }
        }
    }
    let content = disk::read(opened, FILE_BYTES).map_err(unreadable)?;
    let content = content.ok_or_else(|| SnapshotError::unfit(path, Rule::FileSize))?;
    if u64::try_from(content.len()).ok() != Some(meta.len()) {
        return Err(SnapshotError::unfit(path, Rule::Moving));
    }
    Ok((Runs::of_mode(mode), content))
}

fn ours(owner: u32) -> bool {
    owner == rustix::process::geteuid().as_raw()
}

/// The folder that the walk begins at is given by whoever started us: it may be reached over links.
fn open_root(path: &Path) -> Result<OwnedFd, Rule> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
        .map_err(|error| if error == rustix::io::Errno::NOENT { Rule::Missing } else { Rule::Unreadable })
}

/// Opens a folder below, part by part.
fn descend(root: &OwnedFd, path: &str) -> Result<OwnedFd, SnapshotError> {
    let unfit = |rule| SnapshotError::unfit(path, rule);
    let mut at = root.as_fd().try_clone_to_owned().map_err(|_| unfit(Rule::Unreadable))?;
    for part in path.split('/') {
        at = match disk::kind(&at, part) {
            Ok(Kind::Folder) => disk::open_folder(&at, part).map_err(|_| unfit(Rule::Unreadable))?,
            Ok(Kind::Link) => return Err(unfit(Rule::Link)),
            Ok(Kind::File | Kind::Special) => return Err(unfit(Rule::Missing)),
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(unfit(Rule::Missing)),
            Err(_) => return Err(unfit(Rule::Unreadable)),
        };
    }
    Ok(at)
}
