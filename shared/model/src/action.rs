//! Actions: the typed operations that a server knows and that runbooks are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, schema_for};
use serde::de::DeserializeOwned;
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
    /// The schema of its `with`.
    pub with: Schema,
    /// The schema of what it returns when it only looks; `false` for an action that mutates.
    pub output: Schema,
    /// The observation variables that its probe fills, and that CEL in a runbook using it may name.
    pub observes: &'static [&'static str],
}

impl ActionSpec {
    /// An action that mutates, whose `with` is a `W`.
    pub fn mutating<W: JsonSchema>(
        name: &'static str,
        doc: &'static str,
        observes: &'static [&'static str],
    ) -> Self {
        let output = Schema::made_by(|| Value::Bool(false));
        Self { name, doc, effect: EffectKind::Mutating, with: Schema::of::<W>(), output, observes }
    }

    /// An action that only looks, whose `with` is a `W` and which returns an `O`.
    pub fn reading<W: JsonSchema, O: JsonSchema>(
        name: &'static str,
        doc: &'static str,
        observes: &'static [&'static str],
    ) -> Self {
        let (with, output) = (Schema::of::<W>(), Schema::of::<O>());
        Self { name, doc, effect: EffectKind::ReadOnly, with, output, observes }
    }
}

/// A JSON Schema 2020-12, made when it is asked for: those of all actions together are large, and of little use once the
/// runbooks are loaded.
#[derive(Clone)]
pub struct Schema(Arc<dyn Fn() -> Value + Send + Sync>);

impl Schema {
    /// That of a type.
    pub fn of<T: JsonSchema>() -> Self {
        Self::made_by(|| schema_for!(T).to_value())
    }

    /// What this makes, the same each time.
    pub fn made_by(make: impl Fn() -> Value + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    /// The schema itself.
    pub fn to_value(&self) -> Value {
        self.0()
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Schema")
    }
}

/// All that a server can do and see, as data: what a runbook is checked against when it is loaded.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// The server's name in `spec.server`, such as `kubectl`.
    pub server: &'static str,
    /// Its actions.
    pub actions: Vec<ActionSpec>,
    /// The schema of the observation: an object with one property for each observation variable.
    pub observation: Schema,
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

/// Reads the fields of an action. A null counts as left out, so that an optional parameter can fill a field.
///
/// `alone` reads one field by itself, for a field of one name has one type in all actions of a server; `otherwise` is
/// the field and the rule to name where each is right by itself.
///
/// # Errors
/// Names the field at fault and its rule, never the text that broke it.
pub fn read_fields<T: DeserializeOwned + JsonSchema>(
    with: &Map<String, Value>,
    alone: &dyn Fn(&str, &Value) -> Result<(), String>,
    otherwise: (&str, &str),
) -> Result<T, BadStep> {
    let given: Map<_, _> =
        with.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect();
    serde_json::from_value(Value::Object(given.clone()))
        .map_err(|_| blame(&given, &schemars::schema_for!(T).to_value(), alone, otherwise))
}

/// Finds the field that a schema refuses. Serde's own message is not used: it repeats the refused text.
fn blame(
    given: &Map<String, Value>,
    schema: &Value,
    alone: &dyn Fn(&str, &Value) -> Result<(), String>,
    otherwise: (&str, &str),
) -> BadStep {
    let empty = Map::new();
    let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let bad = |field: &str, rule: &str| BadStep { field: field.to_owned(), rule: rule.to_owned() };
    if let Some(unknown) = given.keys().find(|key| !known.contains_key(*key)) {
        return bad(unknown, "not a field of this action");
    }
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    if let Some(missing) = required.filter_map(Value::as_str).find(|key| !given.contains_key(*key)) {
        return bad(missing, "missing");
    }
    let wrong = given.iter().find_map(|(name, value)| Some((name, alone(name, value).err()?)));
    wrong.map_or_else(|| bad(otherwise.0, otherwise.1), |(name, rule)| bad(name, &rule))
}

/// What a call names, known before any I/O; and, once planned, what it touches. Policy judges both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scopes {
    /// Namespaces.
    pub namespaces: BTreeSet<String>,
    /// Nodes.
    pub nodes: BTreeSet<String>,
    /// Root modules.
    #[serde(default)]
    pub modules: BTreeSet<String>,
    /// Playbooks, as they are declared.
    #[serde(default)]
    pub playbooks: BTreeSet<String>,
    /// Groups of hosts.
    #[serde(default)]
    pub groups: BTreeSet<String>,
}

impl Scopes {
    /// Both together.
    #[must_use]
    pub fn union(mut self, other: Self) -> Self {
        self.namespaces.extend(other.namespaces);
        self.nodes.extend(other.nodes);
        self.modules.extend(other.modules);
        self.playbooks.extend(other.playbooks);
        self.groups.extend(other.groups);
        self
    }
}
