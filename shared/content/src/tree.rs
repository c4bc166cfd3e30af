//! The files of a configuration, in memory, and their digest.

use std::collections::{BTreeMap, BTreeSet};

use runcord_model::Digest;
use sha2::{Digest as _, Sha256};

use crate::rules::{FILE_BYTES, FILES, TREE_BYTES};
use crate::{ContentError, Rule};

/// Whether a file may be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// It is read only.
    No,
    /// It is a program or a script.
    Yes,
}

impl Runs {
    /// As git sees it: by its owner.
    pub fn of_mode(mode: u32) -> Self {
        if mode & 0o100 == 0 { Self::No } else { Self::Yes }
    }
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whether it may be run.
    pub runs: Runs,
    /// All of its bytes.
    pub content: Vec<u8>,
}

/// The files of one configuration, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    files: BTreeMap<String, Entry>,
    bytes: u64,
}

impl Tree {
    /// Puts a file where it belongs, in place of the one that was there.
    ///
    /// # Errors
    /// [`ContentError::Unfit`]: it is too large, or there are too many.
    pub fn put(&mut self, path: &str, runs: Runs, content: Vec<u8>) -> Result<(), ContentError> {
        let size = size_of(&content);
        if size > FILE_BYTES {
            return Err(ContentError::unfit(path, Rule::FileSize));
        }
        self.bytes = self.bytes.saturating_add(size);
        if let Some(before) = self.files.insert(path.to_owned(), Entry { runs, content }) {
            self.bytes = self.bytes.saturating_sub(size_of(&before.content));
        }
        if self.files.len() > FILES {
            return Err(ContentError::unfit(path, Rule::Count));
        }
        if self.bytes > TREE_BYTES {
            return Err(ContentError::unfit(path, Rule::TreeSize));
        }
        Ok(())
    }

    /// The file at this path.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.files.get(path)
    }

    /// All files with their paths, in order.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.files.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// Every folder that holds a file, those above before those below.
    pub fn folders(&self) -> BTreeSet<&str> {
        let above = |path: &'_ str| path.match_indices('/').map(|(at, _)| at).collect::<Vec<_>>();
        self.files.keys().flat_map(|path| above(path).into_iter().filter_map(|at| path.get(..at))).collect()
    }

    /// The digest of all paths, of what may be run, and of all contents. Every path is preceded by its length, so that
    /// nothing can move from one to the other.
    pub fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        hash.update(b"runcord configuration 1\n");
        hash.update((self.files.len() as u64).to_be_bytes());
        for (path, entry) in &self.files {
            hash.update((path.len() as u64).to_be_bytes());
            hash.update(path);
            hash.update(match entry.runs {
                Runs::No => [0],
                Runs::Yes => [1],
            });
            hash.update(Sha256::digest(&entry.content));
        }
        Digest::from_bytes(hash.finalize().into())
    }
}

fn size_of(content: &[u8]) -> u64 {
    u64::try_from(content.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, Runs, &str)]) -> Tree {
        let mut tree = Tree::default();
        for (path, runs, content) in files {
            tree.put(path, *runs, content.as_bytes().to_vec()).unwrap();
        }
        tree
    }

    #[test]
    fn a_digest_is_of_paths_modes_and_contents() {
        let one = tree(&[("a/b", Runs::No, "x"), ("c", Runs::No, "y")]);
        assert_eq!(one.digest(), tree(&[("c", Runs::No, "y"), ("a/b", Runs::No, "x")]).digest());
        for other in [
            tree(&[("a/b", Runs::Yes, "x"), ("c", Runs::No, "y")]),
            tree(&[("a/b", Runs::No, "y"), ("c", Runs::No, "x")]),
            tree(&[("a/b", Runs::No, "x"), ("d", Runs::No, "y")]),
            tree(&[("a/b", Runs::No, "x")]),
            tree(&[]),
        ] {
            assert_ne!(one.digest(), other.digest(), "{other:?}");
        }
    }

    #[test]
    fn it_is_bounded() {
        let mut tree = Tree::default();
        assert!(tree.put("large", Runs::No, vec![0; 4 << 20]).is_ok());
        assert!(matches!(
            tree.put("larger", Runs::No, vec![0; (4 << 20) + 1]),
            Err(ContentError::Unfit { rule: Rule::FileSize, .. })
        ));
        for again in 0..20 {
            tree.put("large", Runs::No, vec![again; 4 << 20]).unwrap();
        }
        for n in 1..16 {
            tree.put(&format!("large-{n}"), Runs::No, vec![0; 4 << 20]).unwrap();
        }
        let rule = |result| match result {
            Err(ContentError::Unfit { rule, .. }) => Some(rule),
            _ => None,
        };
        assert_eq!(rule(tree.put("a byte", Runs::No, vec![0])), Some(Rule::TreeSize));
        let mut tree = Tree::default();
        let many = (0..=FILES).map(|n| tree.put(&n.to_string(), Runs::No, Vec::new()));
        assert_eq!(many.filter_map(rule).collect::<Vec<_>>(), [Rule::Count]);
    }

    #[test]
    fn folders_are_those_above_files() {
        let tree = tree(&[("a/b/c", Runs::No, ""), ("a/d", Runs::No, ""), ("e", Runs::No, "")]);
        assert_eq!(tree.folders().into_iter().collect::<Vec<_>>(), ["a", "a/b"]);
    }
}
