//! Why there is no configuration. Files are named by their path below the folder of all root modules, and only in the
//! details: a name is whatever somebody gave a file.

use std::io;

use runcord_exec::ExecError;
use runcord_model::refusal::Code;
use runcord_model::{Refusal, text};
use serde_json::json;

use crate::names::VariableName;

/// The rules that every file of a configuration keeps.
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
    /// It would change what is forced upon the module.
    #[error("an override file beside ours: write what it says into the files that it overrides")]
    Override,
    /// It would give other values than the declared ones.
    #[error("a file of values: declare them in modules.yaml")]
    Values,
    /// 4 MB.
    #[error("larger than 4 MB")]
    FileSize,
    /// 64 MB.
    #[error("the files of one configuration are larger than 64 MB together")]
    TreeSize,
    /// 5,000 files.
    #[error("one configuration has more than 5,000 files or folders")]
    Count,
    /// 32 folders.
    #[error("deeper than 32 folders")]
    Depth,
    /// Another repository's files.
    #[error("a submodule's files are not in the commit")]
    Submodule,
    /// A declared folder.
    #[error("there is no such folder")]
    Missing,
    /// Somebody else's.
    #[error("cannot be read")]
    Unreadable,
    /// It was changed while it was read.
    #[error("was changed while it was read")]
    Moving,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A file or folder breaks a rule.
    #[error("{rule}")]
    Unfit {
        /// Relative to the folder of all root modules.
        path: String,
        /// Which.
        rule: Rule,
    },
    /// A value that may not be set so.
    #[error("the variable {0} may not be set to this value")]
    Value(VariableName),
    /// A path of the local backend that is no text.
    #[error("the folder of all root modules has a name that is not UTF-8")]
    RootName,
    /// It is not a whole configuration any more.
    #[error("the stored configuration is not what it was")]
    Tampered,
    /// It was never stored, or has been swept away.
    #[error("there is no such stored configuration")]
    NotStored,
    /// The state was elsewhere then.
    #[error("this configuration is not of the module and the backend that are declared now")]
    OtherModule,
    /// There is no git on our PATH.
    #[error("git was not found")]
    NoGit,
    /// The folder of all root modules is in no repository that git will read.
    #[error("the folder of all root modules is in no git repository that may be read")]
    NoRepository,
    /// The commit is not one of those that the checked-out one came from.
    #[error("the commit is not in the history of what is checked out")]
    NoCommit,
    /// Git answered something that it should not.
    #[error("git's answer cannot be used")]
    Git,
    /// Git did not answer.
    #[error("git did not answer")]
    Exec(#[from] ExecError),
    /// The state folder.
    #[error("the configurations in the state folder cannot be read or written")]
    State(#[source] io::Error),
}

impl SnapshotError {
    pub(super) fn unfit(path: &str, rule: Rule) -> Self {
        Self::Unfit { path: path.to_owned(), rule }
    }

    fn code(&self) -> Code {
        match self {
            Self::Unfit { .. }
            | Self::RootName
            | Self::NotStored
            | Self::OtherModule
            | Self::NoGit
            | Self::NoRepository
            | Self::NoCommit => Code::PreconditionFailed,
            Self::Value(_) => Code::InvalidParams,
            Self::Tampered | Self::Git | Self::Exec(_) | Self::State(_) => Code::Internal,
        }
    }

    fn next(&self) -> &'static str {
        match self {
            Self::Unfit { .. } => "mend the file that details.path names, then plan again",
            Self::Value(_) => "ask for a value within the bounds that modules.yaml declares",
            Self::RootName => "give the folder another name",
            Self::Tampered => {
                "find out who changed the state folder, remove that configuration, then plan again"
            }
            Self::NotStored => "apply the configuration of a commit instead",
            Self::OtherModule => {
                "apply the configuration of a commit instead, or declare the module as it was"
            }
            Self::NoGit => "install git where the server runs",
            Self::NoRepository => "keep the root modules in a git repository that the server's user owns",
            Self::NoCommit => "name a commit in the history of what is checked out, by its full id",
            Self::Git | Self::Exec(_) => "look into the server's log, then plan again",
            Self::State(_) => "look into the server's log, and at the state folder's owner, mode and space",
        }
    }
}

impl From<SnapshotError> for Refusal {
    fn from(error: SnapshotError) -> Self {
        let refusal = Self::new(error.code(), error.to_string(), error.next());
        match &error {
            SnapshotError::Unfit { path, rule: _ } => {
                refusal.with_details(json!({"path": text::visible(path, 256)}))
            }
            SnapshotError::State(cause) => {
                tracing::error!(%cause, "{error}");
                refusal
            }
            SnapshotError::Exec(cause) => {
                tracing::error!(%cause, "{error}");
                refusal
            }
            SnapshotError::Value(_)
            | SnapshotError::RootName
            | SnapshotError::Tampered
            | SnapshotError::NotStored
            | SnapshotError::OtherModule
            | SnapshotError::NoGit
            | SnapshotError::NoRepository
            | SnapshotError::NoCommit
            | SnapshotError::Git => refusal,
        }
    }
}
