//! The doubts that a plan leaves: none of them is passed over, but those that the declaration has reviewed.

use std::collections::BTreeSet;

use runcord_model::Refusal;
use serde_json::json;

use crate::modules::Module;
use crate::names::ModuleName;
use crate::planfile::reviewed;
use crate::seen::{Doubt, Planned};
use runcord_runtime::refusals::precondition;

/// So many names stand in one refusal.
const NAMED: usize = 5;

/// Refuses a plan with a doubt that nobody reviewed: of several kinds, the gravest.
pub(super) fn none_left(planned: &Planned, declared: &Module, module: &ModuleName) -> Result<(), Refusal> {
    let left: Vec<&Doubt> = planned.doubts.iter().filter(|doubt| !reviewed(doubt, declared)).collect();
    let Some(gravest) = left.iter().map(|doubt| Kind::of(doubt)).min() else { return Ok(()) };
    let named: BTreeSet<&str> =
        left.iter().filter(|doubt| Kind::of(doubt) == gravest).filter_map(|doubt| name(doubt)).collect();
    let (message, next) = gravest.in_words(module, &listed(&named));
    Err(precondition(message, next).with_details(json!({"doubts": left})))
}

/// What is doubted, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    NotWhole,
    UnknownPart,
    Deferred,
    ActionInvocation,
    RemoteModule,
    UndeclaredVariable,
    DataSource,
    Provisioner,
    Check,
}

impl Kind {
    fn of(doubt: &Doubt) -> Self {
        match doubt {
            Doubt::NotWhole => Self::NotWhole,
            Doubt::UnknownPart { .. } => Self::UnknownPart,
            Doubt::Deferred => Self::Deferred,
            Doubt::ActionInvocation => Self::ActionInvocation,
            Doubt::RemoteModule { .. } => Self::RemoteModule,
            Doubt::UndeclaredVariable { .. } => Self::UndeclaredVariable,
            Doubt::DataSource { .. } => Self::DataSource,
            Doubt::Provisioner { .. } => Self::Provisioner,
            // One that is put off is let through: were it not, it would be told as what it is, a check.
            Doubt::Check { .. } | Doubt::CheckPutOff { .. } => Self::Check,
        }
    }

    /// What is wrong, and what to do next.
    fn in_words(self, module: &ModuleName, named: &str) -> (String, &'static str) {
        match self {
            Self::NotWhole => (
                format!("the plan of root module {module} is not whole: the tool could not plan all of it"),
                "Plan it by hand to see what fails, mend the configuration, then plan again.",
            ),
            Self::UnknownPart => (
                format!(
                    "the plan of root module {module} holds what this version of Runcord does not know: {named}"
                ),
                "Use a version of the tool that the documentation names, or a newer Runcord.",
            ),
            Self::Deferred => (
                format!(
                    "a part of the plan of root module {module} is put off to a later plan, so nobody can tell what it will be"
                ),
                "Apply by hand what the rest depends on, then plan again.",
            ),
            Self::ActionInvocation => (
                format!("the plan of root module {module} invokes actions, whose effect no plan shows"),
                "Take the action triggers out of the configuration, or apply it by hand.",
            ),
            Self::RemoteModule => (
                format!("root module {module} calls modules from elsewhere: {named}"),
                "Copy them beside the root module, call them by `./` or `../`, and list the folders under `with` in modules.yaml.",
            ),
            Self::UndeclaredVariable => (
                format!("root module {module} has variables that are not declared: {named}"),
                "Declare each of them in modules.yaml, so that none gets its value from elsewhere.",
            ),
            Self::DataSource => (
                format!(
                    "root module {module} has data sources that start programs or ask servers, and nobody reviewed them: {named}"
                ),
                "Have them reviewed and listed under `runs_code` in modules.yaml, or take them out.",
            ),
            Self::Provisioner => (
                format!("root module {module} has provisioners that nobody reviewed: {named}"),
                "Have them reviewed and listed under `runs_code` in modules.yaml, or take them out.",
            ),
            Self::Check => (
                format!(
                    "checks of root module {module} fail, or cannot be told before it is applied: {named}"
                ),
                "Look at what the checks say, mend what they find, then plan again.",
            ),
        }
    }
}

/// What of a doubt passed a grammar when it was read.
fn name(doubt: &Doubt) -> Option<&str> {
    match doubt {
        Doubt::Provisioner { resource } | Doubt::DataSource { resource } => Some(resource),
        Doubt::RemoteModule { call } => Some(call),
        Doubt::UndeclaredVariable { name } => Some(name),
        Doubt::Check { address } | Doubt::CheckPutOff { address } => Some(address),
        Doubt::UnknownPart { path } => Some(path),
        Doubt::ActionInvocation | Doubt::Deferred | Doubt::NotWhole => None,
    }
}

fn listed(named: &BTreeSet<&str>) -> String {
    let first: Vec<_> = named.iter().take(NAMED).copied().collect();
    match named.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
