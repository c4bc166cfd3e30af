//! Refusals in the words of this server. None holds text from the infrastructure but names that passed their grammar.

use runcord_content::ContentError;
use runcord_model::{Code, Refusal, text};
use serde_json::json;

/// Something about the playbook or its hosts stands in the way.
pub(crate) fn precondition(message: impl Into<String>, next: impl Into<String>) -> Refusal {
    Refusal::new(Code::PreconditionFailed, message, next)
}

/// What was asked is outside what the declaration of the playbook allows.
pub(crate) fn not_declared(message: impl Into<String>, next: impl Into<String>) -> Refusal {
    Refusal::new(Code::InvalidParams, message, next)
}

/// Ansible says no.
pub(crate) fn unusable(message: impl Into<String>, next: impl Into<String>) -> Refusal {
    Refusal::new(Code::TargetUnreachable, message, format!("Nothing was changed. {}", next.into()))
}

/// What this server needs is not there.
pub(crate) fn surroundings(message: impl Into<String>) -> Refusal {
    Refusal::new(
        Code::TargetUnreachable,
        message,
        "Nothing was changed. Mend what is missing; `runcord doctor` says what else is.",
    )
}

/// Something is wrong with this program.
pub(crate) fn internal(message: impl Into<String>) -> Refusal {
    Refusal::new(Code::Internal, message, "Nothing was changed. Report this as a fault of Runcord.")
}

/// The project, or what is stored of it, cannot be run with. The file is named in the details alone: its name is whatever
/// somebody gave it.
pub(crate) fn unfit(error: &ContentError) -> Refusal {
    match error {
        ContentError::Unfit { path, rule: _ } => precondition(
            format!("the project: {error}"),
            "Mend the file that details.path names, then plan again.",
        )
        .with_details(json!({"path": text::visible(path, 256)})),
        ContentError::NotStored => {
            precondition("what this was planned with is not kept any more", "Plan again.")
        }
        ContentError::Tampered => Refusal::new(
            Code::Internal,
            error.to_string(),
            "Nothing was changed. Find out who changed the state folder, remove what is kept there of the project, then plan again.",
        ),
        ContentError::State(cause) => {
            tracing::error!(%cause, "{error}");
            Refusal::new(
                Code::Internal,
                error.to_string(),
                "Nothing was changed. Look into the server's log, and at the state folder's owner, mode and space.",
            )
        }
    }
}
