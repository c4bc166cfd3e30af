//! Why there is no configuration.

use std::io;

use crate::Rule;

/// Why there is no configuration. Files are named by their path below where they come from, and never in the message: a
/// name is whatever somebody gave a file.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// A file or folder breaks a rule.
    #[error("{rule}")]
    Unfit {
        /// Relative to where the files come from.
        path: String,
        /// Which.
        rule: Rule,
    },
    /// It is not a whole configuration any more.
    #[error("the stored configuration is not what it was")]
    Tampered,
    /// It was never stored, or has been swept away.
    #[error("there is no such stored configuration")]
    NotStored,
    /// The state folder.
    #[error("the configurations in the state folder cannot be read or written")]
    State(#[source] io::Error),
}

impl ContentError {
    /// What is at `path` breaks this rule.
    pub fn unfit(path: &str, rule: Rule) -> Self {
        Self::Unfit { path: path.to_owned(), rule }
    }
}
