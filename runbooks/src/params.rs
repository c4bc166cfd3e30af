//! The parameters of a runbook, and the one way from a caller's arguments to [`Filled`].

use runcord_model::EffectKind;
use serde_json::{Map, Value, json};

use crate::hygiene::is_plain;
use crate::kind::Kind;

/// The argument in which an agent says why; the tool's own, never a parameter.
pub(crate) const REASON: &str = "reason";
/// The argument in which it names an incident.
pub(crate) const INCIDENT: &str = "incident";
const REASON_MAX: usize = 500;
const INCIDENT_MAX: usize = 64;

/// An argument that was refused. Holds nothing of the refused value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{param}: {rule}")]
pub struct BadParam {
    /// The argument's name.
    pub param: String,
    /// The rule it broke, in words a person can follow.
    pub rule: String,
}

impl BadParam {
    pub(crate) fn new(param: &str, rule: impl Into<String>) -> Self {
        Self { param: param.to_owned(), rule: rule.into() }
    }
}

/// One declared parameter.
#[derive(Debug, Clone)]
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) kind: Kind,
    pub(crate) presence: Presence,
}

/// What happens when a parameter is not given.
#[derive(Debug, Clone)]
pub(crate) enum Presence {
    /// The call is refused.
    Required,
    /// It is this.
    Default(Value),
    /// It is absent, and the fields that it would fill are left out.
    Optional,
}

/// Arguments that passed: the only way to one is [`crate::Runbook::fill`].
#[derive(Debug, Clone, PartialEq)]
pub struct Filled {
    params: Map<String, Value>,
    reason: String,
    incident: Option<String>,
}

impl Filled {
    /// The parameters, defaults applied.
    pub fn params(&self) -> &Map<String, Value> {
        &self.params
    }

    /// What the agent claims to do it for; empty for a read-only runbook.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The incident it names.
    pub fn incident(&self) -> Option<&str> {
        self.incident.as_deref()
    }

    /// The arguments that give the same again: what a plan is filled from when it is applied.
    pub fn to_args(&self) -> Map<String, Value> {
        let mut args = self.params.clone();
        if !self.reason.is_empty() {
            args.insert(REASON.to_owned(), json!(self.reason));
        }
        if let Some(incident) = &self.incident {
            args.insert(INCIDENT.to_owned(), json!(incident));
        }
        args
    }

    /// Values that a runbook is tried with when it is loaded.
    pub(crate) fn sample(params: Map<String, Value>) -> Self {
        Self { params, reason: "sample".to_owned(), incident: None }
    }
}

/// The parameters of one runbook, in the order of its file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(pub(crate) Vec<Param>);

impl Params {
    pub(crate) fn get(&self, name: &str) -> Option<&Param> {
        self.0.iter().find(|param| param.name == name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|param| param.name.as_str())
    }

    /// Validates a caller's arguments.
    pub(crate) fn fill(&self, args: &Map<String, Value>, effect: EffectKind) -> Result<Filled, BadParam> {
        args.keys().try_for_each(|key| self.known(key, effect))?;
        let mut params = Map::new();
        for param in &self.0 {
            match (args.get(&param.name), &param.presence) {
                (Some(given), _) => {
                    param.kind.check(given).map_err(|rule| BadParam::new(&param.name, rule))?;
                    params.insert(param.name.clone(), normal(&param.kind, given));
                }
                (None, Presence::Default(value)) => {
                    params.insert(param.name.clone(), normal(&param.kind, value));
                }
                (None, Presence::Required) => return Err(BadParam::new(&param.name, "is required")),
                (None, Presence::Optional) => {}
            }
        }
        let (reason, incident) = match effect {
            EffectKind::ReadOnly => (String::new(), None),
            EffectKind::Mutating | EffectKind::Undetermined => (reason(args)?, incident(args)?),
        };
        Ok(Filled { params, reason, incident })
    }

    fn known(&self, key: &str, effect: EffectKind) -> Result<(), BadParam> {
        let ours = effect != EffectKind::ReadOnly && (key == REASON || key == INCIDENT);
        if ours || self.get(key).is_some() {
            return Ok(());
        }
        // A key is the caller's text: only one that could be a parameter's name is repeated.
        let shown = if is_param_name(key) { key } else { "(an argument)" };
        let hint = crate::report::did_you_mean(key, self.names());
        Err(BadParam::new(
            shown,
            format!("is not a parameter of this runbook{}", hint.map_or(String::new(), |h| format!("; {h}"))),
        ))
    }

    /// JSON Schema 2020-12 of the tool's input.
    pub(crate) fn schema(&self, effect: EffectKind) -> Value {
        let mut properties: Map<String, Value> = Map::new();
        let mut required: Vec<&str> = Vec::new();
        for param in &self.0 {
            properties.insert(param.name.clone(), param.schema());
            if matches!(param.presence, Presence::Required) {
                required.push(&param.name);
            }
        }
        if effect != EffectKind::ReadOnly {
            properties.insert(REASON.to_owned(), json!({
                "type": "string", "minLength": 1, "maxLength": REASON_MAX,
                "description": "Why, in one line. Shown to approvers and in the record as what the agent claims.",
            }));
            properties.insert(
                INCIDENT.to_owned(),
                json!({
                    "type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$",
                    "description": "The id of the incident this is for, if there is one.",
                }),
            );
            required.push(REASON);
        }
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }
}

impl Param {
    fn schema(&self) -> Value {
        let mut schema = self.kind.schema();
        let range = self.kind.range_in_words();
        let description = match (&self.description, range) {
            (Some(text), Some(range)) => Some(format!("{text} ({range})")),
            (Some(text), None) => Some(text.clone()),
            (None, range) => range,
        };
        if let Some(object) = schema.as_object_mut() {
            object.extend(description.map(|text| ("description".to_owned(), json!(text))));
            if let Presence::Default(value) = &self.presence {
                object.insert("default".to_owned(), value.clone());
            }
        }
        schema
    }
}

/// Whether `text` can name a parameter: a-z, 0-9 and _, beginning with a letter, at most 40 characters.
pub(crate) fn is_param_name(text: &str) -> bool {
    text.len() <= 40
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// One value has one way to be written, so that a plan and its apply compare equal.
fn normal(kind: &Kind, value: &Value) -> Value {
    match (kind, value.as_f64()) {
        (Kind::Number(_), Some(number)) => json!(number),
        _ => value.clone(),
    }
}

fn reason(args: &Map<String, Value>) -> Result<String, BadParam> {
    let bad = |rule: String| BadParam::new(REASON, rule);
    let text = match args.get(REASON) {
        None => return Err(bad("is required: why, in one line".to_owned())),
        Some(value) => value.as_str().ok_or_else(|| bad("must be a text".to_owned()))?,
    };
    if text.trim().is_empty() || text.len() > 4 * REASON_MAX || text.chars().count() > REASON_MAX {
        return Err(bad(format!("must have 1 to {REASON_MAX} characters")));
    }
    if !text.chars().all(is_plain) {
        return Err(bad("must not hold line breaks, control or invisible characters".to_owned()));
    }
    Ok(text.to_owned())
}

fn incident(args: &Map<String, Value>) -> Result<Option<String>, BadParam> {
    let bad = || BadParam::new(INCIDENT, format!("must be 1 to {INCIDENT_MAX} letters, digits, -, _ or ."));
    let Some(value) = args.get(INCIDENT) else { return Ok(None) };
    let text = value.as_str().ok_or_else(bad)?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let fits = (1..=INCIDENT_MAX).contains(&text.len()) && text.bytes().all(allowed);
    if fits { Ok(Some(text.to_owned())) } else { Err(bad()) }
}
