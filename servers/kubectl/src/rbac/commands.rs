//! The commands that may be run in containers, as part of the admission policy.
//!
//! RBAC says in which pods anything may be run, never what. The exec API passes admission as `CONNECT` with its options:
//! container, argv, standard input and terminal. So an account is held to the very words of the runbooks' files.

use serde_json::{Value, json};

use super::policy::{list, text};
use super::{Changes, Wanted};
use crate::permissions::{Bound, CommandBound, Fed, Purpose, Word};

/// What such a request is to the policy.
pub(super) const WHAT: &str = "CONNECT /pods/exec";

/// The commands among the bounds that the account may run: a planner's only those that look.
pub(super) fn permitted<'b>(
    bounds: impl Iterator<Item = &'b Bound>,
    wanted: &Wanted,
) -> Vec<&'b CommandBound> {
    let may = |command: &&CommandBound| match (wanted.changes, command.purpose) {
        (Changes::Real, _) | (Changes::DryRunOnly, Purpose::Looks) => true,
        (Changes::DryRunOnly, Purpose::Changes) => false,
    };
    let command = |bound: &'b Bound| {
        let Bound::Run(command) = bound else { return None };
        Some(command)
    };
    bounds.filter_map(command).filter(may).collect()
}

/// One of these commands, and where the runbooks may be used.
pub(super) fn validation(commands: &[&CommandBound], wanted: &Wanted) -> Option<Value> {
    if commands.is_empty() {
        return None;
    }
    let mut one: Vec<_> = commands.iter().map(|command| is(command)).collect();
    one.sort();
    one.dedup();
    let mut must = vec![format!("({})", one.join(" || "))];
    if !wanted.namespaces.is_empty() {
        let namespaces = wanted.namespaces.iter().map(ToString::to_string);
        must.push(format!("(request.namespace in {})", list(namespaces)));
    }
    Some(json!({
        "expression": format!("variables.what != {} || ({})", text(WHAT), must.join(" && ")),
        "message": "only the commands that the runbooks write out are run, in their containers and without a terminal",
    }))
}

/// Whether the options of the request are those of this command.
fn is(command: &CommandBound) -> String {
    let Some(container) = command.container.as_ref().filter(|_| !command.words.is_empty()) else {
        return "false".to_owned();
    };
    let mut must = vec![
        format!("object.?container.orValue('') == {}", text(container.as_str())),
        "!object.?tty.orValue(false)".to_owned(),
        match command.input {
            Fed::Nothing => "!object.?stdin.orValue(false)".to_owned(),
            Fed::Input => "object.?stdin.orValue(false)".to_owned(),
        },
        format!("object.?command.orValue([]).size() == {}", command.words.len()),
    ];
    must.extend(command.words.iter().enumerate().map(|(i, word)| match word {
        Word::Fixed(word) => format!("object.command[{i}] == {}", text(word)),
        Word::Value => format!("!object.command[{i}].startsWith('-')"),
        Word::Seconds => format!("object.command[{i}].matches('^[1-9][0-9]{{0,2}}$')"),
    }));
    format!("({})", must.join(" && "))
}
