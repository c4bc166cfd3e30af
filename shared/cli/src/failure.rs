//! How a command ends when it does not do what it was asked.

use std::error::Error;

use miette::{Diagnostic, Report};
use runcord_ledger::LedgerError;
use runcord_model::{Code, Refusal};
use runcord_runtime::chain;
use runcord_runtime::library::LoadError;
use runcord_runtime::settings::SettingsError;
use serde_json::{Value, json};

/// How the process ends. The codes are a contract: scripts rest on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done: 0.
    Done,
    /// It was refused, or does not hold: 1.
    Refused,
    /// It was called wrongly: 2.
    Usage,
    /// The surroundings failed, such as no cluster or no store: 3.
    Surroundings,
}

impl Exit {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Surroundings => 3,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Usage => "usage",
            Self::Surroundings => "surroundings",
        }
    }
}

/// Why a command did not do what it was asked, with what to do next.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum Failure {
    /// A refusal of the closed set.
    #[error("{refusal}")]
    Refused {
        refusal: Box<Refusal>,
        #[help]
        next: String,
    },
    /// Files that cannot be used, each problem with its place.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Files(#[from] LoadError),
    /// A configuration that cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Settings(#[from] SettingsError),
    /// What only the command itself knows.
    #[error("{message}")]
    Said {
        exit: Exit,
        message: String,
        #[help]
        next: String,
        #[source]
        cause: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl Failure {
    /// It was called wrongly.
    pub(crate) fn usage(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Said { exit: Exit::Usage, message: message.into(), next: next.into(), cause: None }
    }

    /// It is refused, or does not hold.
    pub(crate) fn refused(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Said { exit: Exit::Refused, message: message.into(), next: next.into(), cause: None }
    }

    /// The surroundings failed.
    pub(crate) fn surroundings(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Said { exit: Exit::Surroundings, message: message.into(), next: next.into(), cause: None }
    }

    /// The same with what it came from; only where the command itself says it.
    #[must_use]
    pub(crate) fn because(mut self, error: impl Error + Send + Sync + 'static) -> Self {
        if let Self::Said { cause, .. } = &mut self {
            *cause = Some(Box::new(error));
        }
        self
    }

    /// How the process ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Refused { refusal, .. } => exit_of(refusal.code),
            Self::Files(_) => Exit::Refused,
            Self::Settings(error) => match error {
                SettingsError::Invalid { .. } => Exit::Refused,
                SettingsError::NoHome | SettingsError::Unreadable { .. } => Exit::Surroundings,
            },
            Self::Said { exit, .. } => *exit,
        }
    }

    /// The failure for programs.
    pub(crate) fn to_json(&self) -> Value {
        let next = self.help().map_or_else(
            || "mend what each problem says, then run it again".to_owned(),
            |help| help.to_string(),
        );
        let problems = |found: &[Report]| found.iter().map(problem).collect::<Vec<_>>();
        let (code, details) = match self {
            Self::Refused { refusal, .. } => (json!(refusal.code), refusal.details.clone()),
            Self::Files(error) => (json!("does_not_hold"), json!({"problems": problems(&error.problems)})),
            Self::Settings(_) | Self::Said { .. } => (json!(self.exit().word()), json!({})),
        };
        json!({"error": {"code": code, "message": chain(self), "next": next, "details": details}})
    }
}

/// One problem of a file for programs: message, place and hint, where they are known.
pub(crate) fn problem(report: &Report) -> Value {
    let at = report.source_code().zip(report.labels().and_then(|mut labels| labels.next())).and_then(
        |(text, label)| {
            let contents = text.read_span(label.inner(), 0, 0).ok()?;
            let file = contents.name().map(str::to_owned);
            Some(json!({"file": file, "line": contents.line() + 1, "column": contents.column() + 1}))
        },
    );
    json!({"message": chain(report.as_ref()), "at": at, "hint": report.help().map(|h| h.to_string())})
}

fn exit_of(code: Code) -> Exit {
    match code {
        Code::InvalidParams => Exit::Usage,
        Code::TargetUnreachable | Code::LedgerUnavailable | Code::SignerUnavailable | Code::Internal => {
            Exit::Surroundings
        }
        Code::UnknownRunbook
        | Code::PreconditionFailed
        | Code::PolicyDenied
        | Code::ApprovalRequired
        | Code::ApprovalInvalid
        | Code::PlanNotFound
        | Code::RunNotFound
        | Code::UndoUnavailable
        | Code::Busy
        | Code::PlanExpired
        | Code::PlanDrifted
        | Code::PlanSpent
        | Code::NotInAuthority
        | Code::CordPulled
        | Code::RateLimited
        | Code::BudgetExceeded
        | Code::StepFailed
        | Code::VerificationFailed
        | Code::OutcomeUnknown
        | Code::Cancelled => Exit::Refused,
    }
}

impl Failure {
    /// Files that cannot be used: `{what} cannot be used`.
    pub(crate) fn files(what: impl Into<String>, problems: Vec<Report>) -> Self {
        Self::Files(LoadError { what: what.into(), problems })
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { next: refusal.next.clone(), refusal: Box::new(refusal) }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::surroundings(
            "the ledger cannot be used",
            "run `runcord doctor`; it says how to mend the state folder",
        )
        .because(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_codes_are_the_contract() {
        let codes: Vec<_> =
            [Exit::Done, Exit::Refused, Exit::Usage, Exit::Surroundings].map(Exit::code).to_vec();
        assert_eq!(codes, [0, 1, 2, 3]);
        assert_eq!(exit_of(Code::PolicyDenied), Exit::Refused);
        assert_eq!(exit_of(Code::LedgerUnavailable), Exit::Surroundings);
        assert_eq!(exit_of(Code::InvalidParams), Exit::Usage);
    }

    #[test]
    fn a_refusal_keeps_its_code_and_what_to_do() {
        let failure = Failure::from(Refusal::new(Code::PlanNotFound, "no such plan", "list them"));
        assert_eq!(failure.exit(), Exit::Refused);
        assert_eq!(failure.to_json()["error"]["code"], "plan_not_found");
        assert_eq!(failure.to_json()["error"]["next"], "list them");
    }

    #[test]
    fn a_cause_is_said_once() {
        let failure =
            Failure::surroundings("cannot read it", "mend it").because(std::io::Error::other("disk gone"));
        assert_eq!(failure.to_json()["error"]["message"], "cannot read it: disk gone");
    }
}
