//! Refusals in the words of this server. None holds text from hosts but names that passed their grammar.

use runcord_model::{Code, Refusal};

/// Something about the playbook, its inventory or its hosts stands in the way.
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
