//! Reading files of a folder, from open folder to open folder, so that nothing that is exchanged on the way for a link
//! leads elsewhere.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{Dir, Mode, OFlags};

use crate::disk::{self, Kind};
use crate::rules::{DEPTH, FILE_BYTES, FILES};
use crate::{ContentError, Entry, Names, Rule, Runs, Tree, Verdict};

/// All files below `root`.
///
/// # Errors
/// [`ContentError::Unfit`]: one of them breaks a rule.
pub fn read_all(root: &Path, names: Names<'_>) -> Result<Tree, ContentError> {
    let mut walk = Walk::by(Rules::New(names));
    walk.folder(&start(root)?, "")?;
    Ok(walk.tree)
}

/// The files of some folders below `root`, by their paths from there.
///
/// # Errors
/// [`ContentError::Unfit`]: one of them is not there or is reached over a link, or a file in one breaks a rule.
pub fn read_folders(root: &Path, folders: &[&str], names: Names<'_>) -> Result<Tree, ContentError> {
    let root = start(root)?;
    let mut walk = Walk::by(Rules::New(names));
    for folder in folders {
        walk.folder(&descend(&root, folder)?, folder)?;
    }
    Ok(walk.tree)
}

/// One file in a folder below `root`, where there is one, whatever is said of its name.
///
/// # Errors
/// [`ContentError::Unfit`]: the folder is not there, or what is there in place of the file breaks a rule.
pub fn read_file(root: &Path, folder: &str, name: &str) -> Result<Option<Entry>, ContentError> {
    let opened = descend(&start(root)?, folder)?;
    let path = format!("{folder}/{name}");
    match disk::kind(&opened, name) {
        Ok(Kind::File) => take(&opened, name, &path).map(|(entry, _)| Some(entry)),
        Ok(Kind::Link) => Err(ContentError::unfit(&path, Rule::Link)),
        Ok(Kind::Folder | Kind::Special) => Err(ContentError::unfit(&path, Rule::Special)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(_) => Err(ContentError::unfit(&path, Rule::Unreadable)),
    }
}

/// All files of a stored configuration. Whatever else is in its folder, or may be written or read by others, shows that it
/// was changed.
pub(crate) fn stored(folder: &Path) -> Result<Tree, ContentError> {
    let opened = match open_root(folder) {
        Ok(opened) => opened,
        Err(Rule::Missing) => return Err(ContentError::NotStored),
        Err(_) => return Err(ContentError::Tampered),
    };
    let mut walk = Walk::by(Rules::Stored);
    walk.sealed(&opened)?;
    walk.folder(&opened, "").map_err(|_| ContentError::Tampered)?;
    let only_those_of_files = walk.folders.iter().map(String::as_str).eq(walk.tree.folders());
    if only_those_of_files { Ok(walk.tree) } else { Err(ContentError::Tampered) }
}

/// By which rules files are read.
enum Rules<'a> {
    /// They are to become a configuration.
    New(Names<'a>),
    /// They are one: read-only, ours alone.
    Stored,
}

struct Walk<'a> {
    rules: Rules<'a>,
    tree: Tree,
    /// Every folder that was gone into.
    folders: BTreeSet<String>,
}

impl<'a> Walk<'a> {
    fn by(rules: Rules<'a>) -> Self {
        Self { rules, tree: Tree::default(), folders: BTreeSet::new() }
    }

    fn folder(&mut self, folder: &OwnedFd, path: &str) -> Result<(), ContentError> {
        if path.split('/').count() > DEPTH {
            return Err(ContentError::unfit(path, Rule::Depth));
        }
        for name in names(folder, path)? {
            let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            self.entry(folder, &name, &below)?;
        }
        Ok(())
    }

    fn entry(&mut self, folder: &OwnedFd, name: &str, path: &str) -> Result<(), ContentError> {
        match self.verdict(path) {
            Verdict::Kept => {}
            Verdict::LeftOut => return Ok(()),
            Verdict::Refused(rule) => return Err(ContentError::unfit(path, rule)),
        }
        match disk::kind(folder, name).map_err(|_| ContentError::unfit(path, Rule::Unreadable))? {
            Kind::File => {
                // A folder in another one that is declared too was read already.
                if self.tree.get(path).is_none() {
                    let (entry, meta) = take(folder, name, path)?;
                    self.sealed_file(&meta)?;
                    self.tree.put(path, entry.runs, entry.content)?;
                }
                Ok(())
            }
            Kind::Folder => {
                let opened = disk::open_folder(folder, name)
                    .map_err(|_| ContentError::unfit(path, Rule::Unreadable))?;
                self.folders.insert(path.to_owned());
                if self.folders.len() > FILES {
                    return Err(ContentError::unfit(path, Rule::Count));
                }
                self.sealed(&opened)?;
                self.folder(&opened, path)
            }
            Kind::Link => Err(ContentError::unfit(path, Rule::Link)),
            Kind::Special => Err(ContentError::unfit(path, Rule::Special)),
        }
    }

    /// What is stored was judged before: all of it counts.
    fn verdict(&self, path: &str) -> Verdict {
        match self.rules {
            Rules::New(names) => names.verdict(path),
            Rules::Stored => Verdict::Kept,
        }
    }

    /// A file that is stored is read-only, ours, and has no other name by which it could be written to.
    fn sealed_file(&self, meta: &Metadata) -> Result<(), ContentError> {
        match self.rules {
            Rules::New(_) => Ok(()),
            Rules::Stored => {
                let mode = meta.permissions().mode() & 0o7777;
                let sealed = matches!(mode, 0o400 | 0o500) && ours(meta.uid()) && meta.nlink() == 1;
                if sealed { Ok(()) } else { Err(ContentError::Tampered) }
            }
        }
    }

    /// A folder that is stored is read-only and ours.
    fn sealed(&self, folder: &OwnedFd) -> Result<(), ContentError> {
        match self.rules {
            Rules::New(_) => Ok(()),
            Rules::Stored => {
                let stat = rustix::fs::fstat(folder).map_err(|error| ContentError::State(error.into()))?;
                let sealed = matches!(stat.st_mode & 0o7777, 0o500 | 0o700) && ours(stat.st_uid);
                if sealed { Ok(()) } else { Err(ContentError::Tampered) }
            }
        }
    }
}

/// The names in a folder, in order. One that is not UTF-8 is no name of a configuration.
fn names(folder: &OwnedFd, path: &str) -> Result<Vec<String>, ContentError> {
    let unreadable = |_| ContentError::unfit(path, Rule::Unreadable);
    let mut found = Vec::new();
    for entry in Dir::read_from(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        match entry.file_name().to_str() {
            Ok("." | "..") => {}
            Ok(name) => found.push(name.to_owned()),
            Err(_) => return Err(ContentError::unfit(path, Rule::Name)),
        }
        if found.len() > 2 * FILES {
            return Err(ContentError::unfit(path, Rule::Count));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// A file, and what is known of it besides.
fn take(folder: &OwnedFd, name: &str, path: &str) -> Result<(Entry, Metadata), ContentError> {
    let unreadable = |_| ContentError::unfit(path, Rule::Unreadable);
    let opened = disk::open_file(folder, name).map_err(unreadable)?;
    let meta = opened.metadata().map_err(unreadable)?;
    let content = disk::read(opened, FILE_BYTES).map_err(unreadable)?;
    let content = content.ok_or_else(|| ContentError::unfit(path, Rule::FileSize))?;
    if u64::try_from(content.len()).ok() != Some(meta.len()) {
        return Err(ContentError::unfit(path, Rule::Moving));
    }
    Ok((Entry { runs: Runs::of_mode(meta.permissions().mode()), content }, meta))
}

fn ours(owner: u32) -> bool {
    owner == rustix::process::geteuid().as_raw()
}

fn start(root: &Path) -> Result<OwnedFd, ContentError> {
    open_root(root).map_err(|rule| ContentError::unfit(".", rule))
}

/// The folder that the walk begins at is given by whoever started us: it may be reached over links.
fn open_root(path: &Path) -> Result<OwnedFd, Rule> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
        .map_err(|error| if error == rustix::io::Errno::NOENT { Rule::Missing } else { Rule::Unreadable })
}

/// Opens a folder below, part by part.
fn descend(root: &OwnedFd, path: &str) -> Result<OwnedFd, ContentError> {
    let unfit = |rule| ContentError::unfit(path, rule);
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

#[cfg(test)]
mod tests;
