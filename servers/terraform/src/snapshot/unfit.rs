//! Why there is no configuration. Files are named by their path below the folder of all root modules, and only in the
//! details: a name is whatever somebody gave a file.

use runcord_content::{ContentError, Rule};
use runcord_exec::ExecError;
use runcord_model::refusal::Code;
use runcord_model::{Refusal, text};
use serde_json::json;

use crate::names::VariableName;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The files, or what is stored of them.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// A value that may not be set so.
    #[error("the variable {0} may not be set to this value")]
    Value(VariableName),
    /// A path of the local backend that is no text.
    #[error("the folder of all root modules has a name that is not UTF-8")]
    RootName,
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
}

impl SnapshotError {
    pub(super) fn unfit(path: &str, rule: Rule) -> Self {
        ContentError::unfit(path, rule).into()
    }

    fn code(&self) -> Code {
        match self {
            Self::Content(ContentError::Unfit { .. } | ContentError::NotStored)
            | Self::RootName
            | Self::OtherModule
            | Self::NoGit
            | Self::NoRepository
            | Self::NoCommit => Code::PreconditionFailed,
            Self::Value(_) => Code::InvalidParams,
            Self::Content(ContentError::Tampered | ContentError::State(_)) | Self::Git | Self::Exec(_) => {
                Code::Internal
            }
        }
    }

    fn next(&self) -> &'static str {
        match self {
            Self::Content(error) => next(error),
            Self::Value(_) => "ask for a value within the bounds that modules.yaml declares",
            Self::RootName => "give the folder another name",
            Self::OtherModule => {
                "apply the configuration of a commit instead, or declare the module as it was"
            }
            Self::NoGit => "install git where the server runs",
            Self::NoRepository => "keep the root modules in a git repository that the server's user owns",
            Self::NoCommit => "name a commit in the history of what is checked out, by its full id",
            Self::Git | Self::Exec(_) => "look into the server's log, then plan again",
        }
    }
}

fn next(error: &ContentError) -> &'static str {
    match error {
        ContentError::Unfit { .. } => "mend the file that details.path names, then plan again",
        ContentError::Tampered => {
            "find out who changed the state folder, remove that configuration, then plan again"
        }
        ContentError::NotStored => "apply the configuration of a commit instead",
        ContentError::State(_) => {
            "look into the server's log, and at the state folder's owner, mode and space"
        }
    }
}

impl From<SnapshotError> for Refusal {
    fn from(error: SnapshotError) -> Self {
        let refusal = Self::new(error.code(), error.to_string(), error.next());
        match &error {
            SnapshotError::Content(ContentError::Unfit { path, rule: _ }) => {
                refusal.with_details(json!({"path": text::visible(path, 256)}))
            }
            SnapshotError::Content(ContentError::State(cause)) => {
                tracing::error!(%cause, "{error}");
                refusal
            }
            SnapshotError::Exec(cause) => {
                tracing::error!(%cause, "{error}");
                refusal
            }
            SnapshotError::Content(ContentError::Tampered | ContentError::NotStored)
            | SnapshotError::Value(_)
            | SnapshotError::RootName
            | SnapshotError::OtherModule
            | SnapshotError::NoGit
            | SnapshotError::NoRepository
            | SnapshotError::NoCommit
            | SnapshotError::Git => refusal,
        }
    }
}
