//! Refusals in the words of this server. None holds text from hosts but names that passed their grammar.

use runcord_content::ContentError;
use runcord_model::{Code, Refusal, text};
pub(crate) use runcord_runtime::refusals::{internal, not_declared, precondition, surroundings, unusable};
use serde_json::json;

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
