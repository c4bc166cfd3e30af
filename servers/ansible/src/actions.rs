//! The actions of this server, typed: what a filled-in step must be before Ansible is started.

use std::collections::{BTreeMap, BTreeSet};

use runcord_model::action::{BadStep, read_fields};
use runcord_model::bounds::Span;
use runcord_model::{Scopes, StepCall};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::names::{GroupName, HostName, LookId, PlaybookName, ShippedName, Tag, VariableName};

/// A typed step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Runs a declared playbook that changes hosts, batch by batch.
    RunPlaybook(Play),
    /// Runs what is declared as its way back, on the hosts that it changed.
    TakeBack(TakeBack),
    /// Runs a declared playbook that only reads, on all hosts at once.
    ReadPlaybook(Play),
}

/// `run_playbook`, `read_playbook`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Play {
    /// The playbook, as it is declared.
    pub playbook: PlaybookName,
    /// The playbook of the library that it has to be: what the runbook says it does. Any unless given.
    #[serde(default)]
    pub runs: Option<ShippedName>,
    /// The group that its hosts are in.
    pub group: GroupName,
    /// One host of that group; all of them unless given.
    #[serde(default)]
    pub host: Option<HostName>,
    /// The values of its variables.
    #[serde(default)]
    pub variables: BTreeMap<VariableName, Scalar>,
    /// The tags of the tasks that are to run; all of them unless given.
    #[serde(default)]
    pub tags: BTreeSet<Tag>,
    /// How long one batch may take; 30m unless given. Then it is interrupted.
    #[serde(default = "half_an_hour")]
    pub timeout: Span,
}

/// `take_back`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeBack {
    /// The playbook whose way back is meant, as it is declared.
    pub playbook: PlaybookName,
    /// The group that its hosts are in.
    pub group: GroupName,
    /// The look of the run that is taken back: it tells the hosts and the values.
    pub look: LookId,
    /// How long one batch may take; 30m unless given. Then it is interrupted.
    #[serde(default = "half_an_hour")]
    pub timeout: Span,
}

/// The value of a variable. It reaches Ansible marked as text that is no template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Scalar {
    /// True or false.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

impl Action {
    /// Reads a filled-in step.
    ///
    /// # Errors
    /// Names the field at fault and its rule, never the text that broke it.
    pub fn read(call: &StepCall) -> Result<Self, BadStep> {
        let with = &call.with;
        match call.action.as_str() {
            "run_playbook" => fields(with).map(Self::RunPlaybook),
            "take_back" => fields(with).map(Self::TakeBack),
            "read_playbook" => fields(with).map(Self::ReadPlaybook),
            _ => Err(BadStep { field: "action".to_owned(), rule: "not an action of ansible".to_owned() }),
        }
    }

    /// What the action names, before anything is looked at.
    pub fn scopes(&self) -> Scopes {
        Scopes {
            playbooks: [self.playbook().to_string()].into(),
            groups: [self.group().to_string()].into(),
            ..Scopes::default()
        }
    }

    /// The playbook as it is declared.
    pub fn playbook(&self) -> &PlaybookName {
        match self {
            Self::RunPlaybook(play) | Self::ReadPlaybook(play) => &play.playbook,
            Self::TakeBack(back) => &back.playbook,
        }
    }

    /// The group that the hosts are in.
    pub fn group(&self) -> &GroupName {
        match self {
            Self::RunPlaybook(play) | Self::ReadPlaybook(play) => &play.group,
            Self::TakeBack(back) => &back.group,
        }
    }

    /// How long one batch may take.
    pub fn timeout(&self) -> Span {
        match self {
            Self::RunPlaybook(play) | Self::ReadPlaybook(play) => play.timeout,
            Self::TakeBack(back) => back.timeout,
        }
    }
}

fn fields<T: DeserializeOwned + JsonSchema>(with: &Map<String, Value>) -> Result<T, BadStep> {
    read_fields(with, &probe_field, ("playbook", PLAYBOOK))
}

const PLAYBOOK: &str = "must be a declared playbook: a-z, 0-9, `-` and `_`, beginning with a letter";

/// Reads one field by itself; fields of one name have one type in all actions.
fn probe_field(name: &str, value: &Value) -> Result<(), String> {
    fn is<T: DeserializeOwned>(value: &Value, rule: &str) -> Result<(), String> {
        T::deserialize(value.clone()).map(|_| ()).map_err(|_| format!("must be {rule}"))
    }
    match name {
        "playbook" => is::<PlaybookName>(value, "").map_err(|_| PLAYBOOK.to_owned()),
        "group" => is::<GroupName>(value, "a declared group: letters, digits and `_`"),
        "runs" => is::<ShippedName>(value, "the name of a playbook of the library"),
        "host" => is::<HostName>(value, "one host: letters, digits, `-`, `_` and `.`"),
        "look" => is::<LookId>(value, "the look of a run: 32 hexadecimal digits"),
        "variables" => is::<BTreeMap<VariableName, Scalar>>(
            value,
            "variables by name, each a text, a whole number, true or false",
        ),
        "tags" => is::<BTreeSet<Tag>>(value, "a list of tags: letters, digits, `-` and `_`"),
        "timeout" => is::<Span>(value, "a duration from 1s to 24h such as `90s`, `15m` or `1h30m`"),
        _ => Err("must be of its type".to_owned()),
    }
}

fn half_an_hour() -> Span {
    Span::HALF_AN_HOUR
}
