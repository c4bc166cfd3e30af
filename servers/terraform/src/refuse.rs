//! Refusals in the words of this server. None holds anything that the tool printed, but names that passed their grammar.

use runcord_model::{Code, Refusal};

/// Something about the root module or its state stands in the way.
pub(crate) fn precondition(message: impl Into<String>, next: impl Into<String>) -> Refusal {
    Refusal::new(Code::PreconditionFailed, message, next)
}

/// What was asked is outside what the declaration of the root module allows.
pub(crate) fn not_declared(message: impl Into<String>, next: impl Into<String>) -> Refusal {
    Refusal::new(Code::InvalidParams, message, next)
}

/// Something is wrong with this program.
pub(crate) fn internal(message: impl Into<String>) -> Refusal {
    Refusal::new(Code::Internal, message, "Nothing was changed. Report this as a fault of Runcord.")
}
