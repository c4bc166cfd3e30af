//! Refusals in the words of this server. None holds text from the infrastructure but names that passed their grammar.

use runcord_model::{Code, Refusal};

/// Something about the cluster stands in the way.
pub(crate) fn precondition(message: impl Into<String>, next: impl Into<String>) -> Refusal {
    Refusal::new(Code::PreconditionFailed, message, next)
}

/// The cluster does not answer, or not as the API says.
pub(crate) fn unreachable(message: impl Into<String>) -> Refusal {
    Refusal::new(
        Code::TargetUnreachable,
        message,
        "Nothing was changed. Try again once the API server answers; `runcord doctor` says what is missing.",
    )
}

/// Something is wrong with this program.
pub(crate) fn internal(message: impl Into<String>) -> Refusal {
    Refusal::new(Code::Internal, message, "Nothing was changed. Report this as a fault of Runcord.")
}
