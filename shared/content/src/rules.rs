//! The rules that every file of a configuration keeps.

use std::fmt;

use runcord_model::text;

/// The largest file.
pub const FILE_BYTES: u64 = 4 << 20;
/// All files together.
pub const TREE_BYTES: u64 = 64 << 20;
/// Files, and folders too.
pub const FILES: usize = 5_000;
/// Folders within folders.
pub const DEPTH: usize = 32;

/// A rule that a file or folder breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// A link leads to what the digest does not cover.
    #[error("a link is not followed: put the file itself there")]
    Link,
    /// A pipe, a socket or a device.
    #[error("neither a file nor a folder")]
    Special,
    /// Its name leaves the folder, or cannot be shown.
    #[error("its name is no plain relative path")]
    Name,
    /// [`FILE_BYTES`].
    #[error("larger than 4 MB")]
    FileSize,
    /// [`TREE_BYTES`].
    #[error("the files of one configuration are larger than 64 MB together")]
    TreeSize,
    /// [`FILES`].
    #[error("one configuration has more than 5,000 files or folders")]
    Count,
    /// [`DEPTH`].
    #[error("deeper than 32 folders")]
    Depth,
    /// A declared folder.
    #[error("there is no such folder")]
    Missing,
    /// Somebody else's.
    #[error("cannot be read")]
    Unreadable,
    /// It was changed while it was read.
    #[error("was changed while it was read")]
    Moving,
    /// A rule of one server's own, in its words.
    #[error("{0}")]
    Own(&'static str),
}

/// What becomes of a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is part of the configuration.
    Kept,
    /// It is not: the tool's own data, what git keeps.
    LeftOut,
    /// There is no configuration with it.
    Refused(Rule),
}

/// Which files belong to a configuration: decided by path alone, so that a working tree and a commit are judged alike. What
/// is asked is the server's own; no path that leaves the folder or cannot be shown ever comes to it.
#[derive(Clone, Copy)]
pub struct Names<'a>(&'a dyn Fn(&str) -> Verdict);

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

impl<'a> Names<'a> {
    /// As a server says of each path, which is relative to where its files are.
    pub fn new(own: &'a dyn Fn(&str) -> Verdict) -> Self {
        Self(own)
    }

    /// What becomes of the entry at `path`.
    pub fn verdict(self, path: &str) -> Verdict {
        if is_plain(path) { (self.0)(path) } else { Verdict::Refused(Rule::Name) }
    }
}

/// Whether a path is relative, without `..`, and can be shown.
fn is_plain(path: &str) -> bool {
    let part = |part: &str| (1..=255).contains(&part.len()) && part != "." && part != "..";
    path.len() <= 1024
        && path.split('/').all(part)
        && !path.chars().any(|c| c.is_control() || c == '\\' || c == '\u{feff}')
        && text::visible(path, 4096) == path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_below_and_can_be_shown() {
        let names = Names::new(&|_| Verdict::Kept);
        let long = "a".repeat(256);
        for path in
            ["", "/etc/passwd", "live/../x", "..", "live//x", "live/./x", "a\nb", "a\u{202e}b", "a\\b", &long]
        {
            assert_eq!(names.verdict(path), Verdict::Refused(Rule::Name), "{path:?}");
        }
        assert_eq!(names.verdict("live/net/Übersicht 1.tf"), Verdict::Kept);
    }

    #[test]
    fn a_server_says_the_rest() {
        let own = Rule::Own("not here");
        let says = |path: &str| if path == "a" { Verdict::LeftOut } else { Verdict::Refused(own) };
        let names = Names::new(&says);
        assert_eq!(names.verdict("a"), Verdict::LeftOut);
        assert_eq!(names.verdict("b"), Verdict::Refused(own));
        assert_eq!(own.to_string(), "not here");
    }
}
