//! What a variable of a playbook may be.

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Source;
use crate::names::ProjectPath;

/// One variable that a playbook takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variable {
    /// This value, whatever a runbook asks for: a scalar, or a list or mapping of scalars.
    Value(Value),
    /// One of these texts.
    Enum(Vec<String>),
    /// A text.
    String(Text),
    /// A whole number.
    Integer(Bounds),
    /// True or false.
    Boolean,
    /// The place of a file of the project, where Ansible runs.
    File(ProjectPath),
    /// The SHA-256 of a file of the project, in hexadecimal digits.
    DigestOf(ProjectPath),
    /// What each host reports when the run is planned; from then on it is that.
    Pinned(Pinned),
}

/// What hosts report when a run is planned: names with versions, as a list of `NAME=VERSION`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// The playbook that asks them, and only reads. It is given the other variables.
    pub by: Source,
    /// The fields of its report, names with versions each: of a name, the version of the first field counts that has it.
    pub fields: Vec<String>,
}

/// What a playbook is given of a variable, by who knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// The declaration.
    Declared,
    /// Whoever asks, within what is declared.
    Asked,
    /// The hosts.
    Hosts,
}

/// The grammar of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// A regular expression that the whole of it matches, from `^` to `$`.
    pub pattern: String,
    /// The most bytes it has.
    pub max_length: u16,
}

/// The bounds of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// The smallest.
    pub minimum: i64,
    /// The largest.
    pub maximum: i64,
}

impl Variable {
    /// Whether a runbook may give it this value. One that is fixed may not be given at all.
    pub fn accepts(&self, value: &Value) -> bool {
        match self {
            Self::Value(_) | Self::File(_) | Self::DigestOf(_) | Self::Pinned(_) => false,
            Self::Enum(values) => value.as_str().is_some_and(|text| values.iter().any(|one| one == text)),
            Self::String(grammar) => value.as_str().is_some_and(|text| grammar.holds(text)),
            Self::Integer(bounds) => {
                value.as_i64().is_some_and(|number| (bounds.minimum..=bounds.maximum).contains(&number))
            }
            Self::Boolean => value.is_boolean(),
        }
    }

    /// Who gives its value.
    pub fn given(&self) -> Given {
        match self {
            Self::Value(_) | Self::File(_) | Self::DigestOf(_) => Given::Declared,
            Self::Enum(_) | Self::String(_) | Self::Integer(_) | Self::Boolean => Given::Asked,
            Self::Pinned(_) => Given::Hosts,
        }
    }
}

impl Text {
    /// Whether a text follows it. None follows a pattern that cannot be read.
    pub fn holds(&self, text: &str) -> bool {
        text.len() <= usize::from(self.max_length)
            && !text.contains('\n')
            && Regex::new(&self.pattern).is_ok_and(|pattern| pattern.is_match(text))
    }
}
