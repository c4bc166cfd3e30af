//! Actions: the typed operations that a server knows and that runbooks are made of.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What carrying out an action does to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectKind {
    /// Changes the target: planned, judged, approved where needed, applied under a permit.
    Mutating,
    /// Only looks.
    ReadOnly,
    /// What it does cannot be told beforehand: judged as mutating, and said to be undetermined.
    Undetermined,
}

/// One action as a server declares it.
#[derive(Debug, Clone)]
pub struct ActionSpec {
    /// Its name in runbooks.
    pub name: &'static str,
    /// One line that says what it does.
    pub doc: &'static str,
    /// What it does to the target.
    pub effect: EffectKind,
    /// JSON Schema 2020-12 of its `with`.
    pub with: Value,
    /// JSON Schema 2020-12 of what it returns when it only looks; `false` for an action that mutates.
    pub output: Value,
    /// The observation variables that its probe fills, and that CEL in a runbook using it may name.
    pub observes: &'static [&'static str],
}

/// All that a server can do and see, as data: what a runbook is checked against when it is loaded.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// The server's name in `spec.server`, such as `kubectl`.
    pub server: &'static str,
    /// Its actions.
    pub actions: Vec<ActionSpec>,
    /// JSON Schema of the observation: an object with one property for each observation variable.
    pub observation: Value,
    /// A complete sample observation, on which CEL is evaluated once when a runbook is loaded.
    pub sample: Value,
    /// Reads a filled-in step into the server's own typed action, and says what it would touch.
    pub check: fn(&StepCall) -> Result<Scopes, BadStep>,
}

impl Catalog {
    /// The action of that name.
    pub fn action(&self, name: &str) -> Option<&ActionSpec> {
        self.actions.iter().find(|action| action.name == name)
    }
}

/// A step whose parameters are filled in, not yet typed by its server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepCall {
    /// The step's id in the runbook.
    pub id: String,
    /// The action's name.
    pub action: String,
    /// The action's fields.
    pub with: Map<String, Value>,
}

/// An action as a runbook's file uses it, before anybody calls: with the values that a field can take where the file
/// alone tells them (written out, or an enumeration).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The action's name.
    pub action: String,
    /// Field and values; a field that a caller fills freely is not there. In a list or an object, null stands for each
    /// part that a caller fills.
    pub fields: BTreeMap<String, Vec<Value>>,
}

impl Use {
    /// The one text that a field can only have.
    pub fn fixed(&self, field: &str) -> Option<&str> {
        match self.fields.get(field)?.as_slice() {
            [only] => only.as_str(),
            _ => None,
        }
    }
}

/// A step that its server cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {rule}")]
pub struct BadStep {
    /// The field of `with` at fault, or the action's name.
    pub field: String,
    /// The rule it broke, in words a person can follow; holds none of the refused text.
    pub rule: String,
}

/// What a call names, known before any I/O; and, once planned, what it touches. Policy judges both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scopes {
    /// Namespaces.
    pub namespaces: BTreeSet<String>,
    /// Nodes.
    pub nodes: BTreeSet<String>,
}

impl Scopes {
    /// Both together.
    #[must_use]
    pub fn union(mut self, other: Self) -> Self {
        self.namespaces.extend(other.namespaces);
        self.nodes.extend(other.nodes);
        self
    }
}
