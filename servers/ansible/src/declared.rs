//! What is declared of playbooks, read where it is needed: an edit counts from the next look on.

use std::collections::BTreeMap;

use runcord_model::Refusal;
use runcord_runtime::settings::Origin;
use serde_json::{Value, json};

use crate::actions::{Action, Play, Scalar};
use crate::content::{Content, hexadecimal};
use crate::names::VariableName;
use crate::playbooks::{FILE, Given, Playbook, Playbooks, Source, Variable};
use crate::refuse::{not_declared, precondition, surroundings};

/// The declared playbooks, as they are in the policy folder now.
pub(crate) fn playbooks(policy: &Origin) -> Result<Playbooks, Refusal> {
    Playbooks::parse(FILE, &policy.text(FILE)?).map_err(|problems| {
        for problem in &problems {
            tracing::error!("{problem}");
        }
        surroundings("playbooks.yaml in the policy folder is not valid; `runcord policy check` shows where")
    })
}

/// The declared playbook that a step is about, if the step keeps within it.
pub(crate) fn playbook(policy: &Origin, action: &Action) -> Result<Playbook, Refusal> {
    let name = action.playbook();
    let declared = playbooks(policy)?.playbooks.remove(name).ok_or_else(|| {
        precondition(
            format!("no playbook {name} is declared"),
            "Look which playbooks playbooks.yaml in the policy folder declares, or have the security team declare it.",
        )
    })?;
    if !declared.groups.contains(action.group()) {
        return Err(not_declared(
            format!("group: playbook {name} may not be run on hosts of {}", action.group()),
            format!("Name one of: {}.", listed(&declared.groups)),
        ));
    }
    match action {
        Action::RunPlaybook(play) => only(play, &declared, Reads::No)?,
        Action::ReadPlaybook(play) => only(play, &declared, Reads::Yes)?,
        Action::TakeBack(_) => {}
    }
    Ok(declared)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    Yes,
    No,
}

fn only(play: &Play, declared: &Playbook, reads: Reads) -> Result<(), Refusal> {
    let name = &play.playbook;
    let is = if declared.reads { Reads::Yes } else { Reads::No };
    if is != reads {
        let (does, takes) = match is {
            Reads::Yes => ("only reads", "a runbook that only looks"),
            Reads::No => ("changes hosts", "a runbook that plans"),
        };
        return Err(not_declared(format!("playbook: {name} {does}"), format!("It is for {takes}.")));
    }
    if let Some(shipped) = play.runs.as_ref()
        && declared.playbook != Source::Shipped(shipped.clone())
    {
        return Err(not_declared(
            format!("playbook: {name} does something else than this runbook says"),
            format!("Name a playbook that playbooks.yaml declares as `playbook: {{shipped: {shipped}}}`."),
        ));
    }
    if let Some(tag) = play.tags.iter().find(|tag| !declared.tags.contains(*tag)) {
        return Err(not_declared(
            format!("tags: {tag} may not be chosen of playbook {name}"),
            format!("Choose among: {}.", listed(&declared.tags)),
        ));
    }
    Ok(())
}

fn listed<T: ToString>(all: &std::collections::BTreeSet<T>) -> String {
    if all.is_empty() {
        "none".to_owned()
    } else {
        all.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// What Ansible is given of the variables that are the same for all hosts.
pub(crate) fn given(
    play: &Play,
    declared: &Playbook,
    content: &Content,
) -> Result<BTreeMap<VariableName, Value>, Refusal> {
    let asked = |variable: &Variable| variable.given() == Given::Asked;
    if let Some(name) = play.variables.keys().find(|name| !declared.variables.get(*name).is_some_and(asked)) {
        return Err(not_declared(
            format!("variables: {name} may not be given to playbook {}", play.playbook),
            "Leave it out, or have the security team declare what it may be in playbooks.yaml.",
        ));
    }
    let mut given = BTreeMap::new();
    for (name, variable) in &declared.variables {
        let value = match variable {
            Variable::Value(value) => value.clone(),
            Variable::File(path) => {
                file(content, path)?;
                json!(content.project().join(path.as_str()))
            }
            Variable::DigestOf(path) => json!(hexadecimal(file(content, path)?)),
            Variable::Enum(_) | Variable::String(_) | Variable::Integer(_) | Variable::Boolean => {
                let asked = play.variables.get(name).map(value);
                let asked = asked.filter(|value| variable.accepts(value)).ok_or_else(|| {
                    not_declared(
                        format!(
                            "variables: {name} is missing, or is not what playbook {} takes",
                            play.playbook
                        ),
                        "Look under `variables` in playbooks.yaml what it may be.",
                    )
                })?;
                as_taken(&declared.playbook, asked)
            }
            Variable::Pinned(_) => continue,
        };
        given.insert(name.clone(), value);
    }
    Ok(given)
}

fn file<'c>(content: &'c Content, path: &crate::names::ProjectPath) -> Result<&'c [u8], Refusal> {
    content.file(path).ok_or_else(|| {
        precondition(
            format!("the project has no file {path}, which playbooks.yaml names"),
            "Put it there, or mend playbooks.yaml.",
        )
    })
}

fn value(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Flag(flag) => json!(flag),
        Scalar::Number(number) => json!(number),
        Scalar::Text(text) => json!(text),
    }
}

/// The playbooks of the library take texts alone, and check them.
fn as_taken(playbook: &Source, value: Value) -> Value {
    match (playbook, value) {
        (Source::Shipped(_), Value::Number(number)) => json!(number.to_string()),
        (Source::Shipped(_) | Source::Project(_), value) => value,
    }
}
