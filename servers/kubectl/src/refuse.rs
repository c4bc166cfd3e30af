//! Refusals in the words of this server. None holds text from the infrastructure but names that passed their grammar.

use runcord_model::{Code, Refusal};
pub(crate) use runcord_runtime::refusals::{internal, precondition};

/// The cluster does not answer, or not as the API says.
pub(crate) fn unreachable(message: impl Into<String>) -> Refusal {
    Refusal::new(
        Code::TargetUnreachable,
        message,
        "Nothing was changed. Try again once the API server answers; `runcord doctor` says what is missing.",
    )
}
