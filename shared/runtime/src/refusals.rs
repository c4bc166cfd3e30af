//! Refusals that every server gives, in the same words. None holds text from the infrastructure but names that passed their
//! grammar.

use runcord_model::{Code, Refusal};

/// Something about the target stands in the way.
pub fn precondition(message: impl Into<String>, next: impl Into<String>) -> Refusal {
    Refusal::new(Code::PreconditionFailed, message, next)
}

/// What was asked is outside what a declaration of the policy folder allows.
pub fn not_declared(message: impl Into<String>, next: impl Into<String>) -> Refusal {
    Refusal::new(Code::InvalidParams, message, next)
}

/// The tool that a server drives says no.
pub fn unusable(message: impl Into<String>, next: impl Into<String>) -> Refusal {
    Refusal::new(Code::TargetUnreachable, message, format!("Nothing was changed. {}", next.into()))
}

/// What a server needs around it is not there.
pub fn surroundings(message: impl Into<String>) -> Refusal {
    Refusal::new(
        Code::TargetUnreachable,
        message,
        "Nothing was changed. Mend what is missing; `runcord doctor` says what else is.",
    )
}

/// Something is wrong with this program.
pub fn internal(message: impl Into<String>) -> Refusal {
    Refusal::new(Code::Internal, message, "Nothing was changed. Report this as a fault of Runcord.")
}
