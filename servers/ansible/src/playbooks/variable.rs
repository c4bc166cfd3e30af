//! What a variable of a playbook may be.

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
            Self::Value(_) => false,
            Self::Enum(values) => value.as_str().is_some_and(|text| values.iter().any(|one| one == text)),
            Self::String(grammar) => value.as_str().is_some_and(|text| grammar.holds(text)),
            Self::Integer(bounds) => {
                value.as_i64().is_some_and(|number| (bounds.minimum..=bounds.maximum).contains(&number))
            }
            Self::Boolean => value.is_boolean(),
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
