//! The types of parameters: what each accepts, in code, in words and as JSON Schema.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::format::Format;
use crate::hygiene::is_plain;
use crate::{duration, quantity};

/// The most characters of a text that nothing else bounds.
pub(crate) const FREE_TEXT_MAX: usize = 256;
/// The most items of any list.
pub(crate) const ITEMS_MAX: usize = 100;
/// A reference to a secret: a store, a colon, a path, and after `#` a key in it.
const SECRET_REF: &str =
    "^[a-z][a-z0-9-]{0,31}:[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,250})(?:#[A-Za-z0-9._-]{1,64})?$";

/// What a parameter may be.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Text(Text),
    Integer(Range<i64>),
    Number(Range<f64>),
    Boolean,
    Duration(Range<u64>),
    Quantity(Range<i128>),
    Array { items: Box<Kind>, min: usize, max: usize },
    SecretRef,
}

/// A text: lengths in characters.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) grammar: Grammar,
    pub(crate) min: usize,
    pub(crate) max: usize,
}

/// What a text is made of, besides having no control or invisible characters.
#[derive(Debug, Clone)]
pub(crate) enum Grammar {
    Free,
    Enum(Vec<String>),
    Pattern(Pattern),
    Format(Format),
}

/// A regular expression that the whole text matches, and a text that does.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    pub(crate) regex: regex::Regex,
    /// As JSON Schema has it.
    pub(crate) anchored: String,
    pub(crate) example: String,
}

impl Pattern {
    /// Compiles `pattern` alone first: one that only compiles between our anchors would break out of them.
    pub(crate) fn new(pattern: &str, example: String) -> Result<Self, regex::Error> {
        let mut known = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        let regex = match known.get(pattern) {
            Some(regex) => regex.clone(),
            None => {
                let build = |text: &str| regex::RegexBuilder::new(text).size_limit(1 << 18).build();
                build(pattern)?;
                let regex = build(&format!("\\A(?:{pattern})\\z"))?;
                if known.len() >= COMPILED_MOST {
                    known.clear();
                }
                known.insert(pattern.to_owned(), regex.clone());
                regex
            }
        };
        Ok(Self { regex, anchored: format!("^(?:{pattern})$"), example })
    }
}

/// Most parameters share a few patterns, such as that of a name, and each compiled one takes memory of its own to match with.
static COMPILED: LazyLock<Mutex<HashMap<String, regex::Regex>>> = LazyLock::new(Mutex::default);

/// More than a library has.
const COMPILED_MOST: usize = 256;

/// Bounds, both included, with the way the file writes them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Range<T> {
    pub(crate) min: Option<(T, Value)>,
    pub(crate) max: Option<(T, Value)>,
}

impl<T: PartialOrd> Range<T> {
    fn check(&self, value: &T) -> Result<(), String> {
        // What cannot be compared is refused.
        if let Some((min, shown)) = &self.min
            && value.partial_cmp(min).is_none_or(Ordering::is_lt)
        {
            return Err(format!("must be at least {}", bare(shown)));
        }
        if let Some((max, shown)) = &self.max
            && value.partial_cmp(max).is_none_or(Ordering::is_gt)
        {
            return Err(format!("must be at most {}", bare(shown)));
        }
        Ok(())
    }

    /// Whether no value fits.
    pub(crate) fn is_empty(&self) -> bool {
        matches!((&self.min, &self.max), (Some((min, _)), Some((max, _))) if min.partial_cmp(max).is_none_or(Ordering::is_gt))
    }

    fn samples(&self, usual: Value) -> Vec<Value> {
        let ends = [&self.min, &self.max];
        let ends: Vec<Value> = ends.into_iter().flatten().map(|(_, shown)| shown.clone()).collect();
        if ends.is_empty() { vec![usual] } else { ends }
    }

    fn bound(&self, schema: &mut Value) {
        for (key, end) in [("minimum", &self.min), ("maximum", &self.max)] {
            if let (Some((_, shown)), Some(object)) = (end, schema.as_object_mut()) {
                object.insert(key.to_owned(), shown.clone());
            }
        }
    }
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Kind {
    /// Whether `value` is one; else the rule it broke, which holds none of it.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        let text = || value.as_str().ok_or_else(|| format!("must be {}", self.noun()));
        match self {
            Self::Text(rule) => rule.check(text()?),
            Self::Integer(range) => range.check(&value.as_i64().ok_or("must be a whole number")?),
            Self::Number(range) => {
                range.check(&value.as_f64().filter(|n| n.is_finite()).ok_or("must be a number")?)
            }
            Self::Boolean => value.as_bool().map(|_| ()).ok_or_else(|| "must be true or false".to_owned()),
            Self::Duration(range) => range.check(&duration::parse_ms(text()?).ok_or(duration::RULE)?),
            Self::Quantity(range) => range.check(&quantity::parse(text()?).ok_or(quantity::RULE)?),
            Self::Array { items, min, max } => check_items(value, items, *min, *max),
            Self::SecretRef => {
                let matches =
                    regex::Regex::new(SECRET_REF).is_ok_and(|r| text().is_ok_and(|t| r.is_match(t)));
                matches.then_some(()).ok_or_else(|| {
                    "must be a reference to a secret, such as vault:shop/db#password, never its value"
                        .to_owned()
                })
            }
        }
    }

    /// Whether its values are of a closed grammar, so that they may stand in a headline or within a text.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Text(rule) => match rule.grammar {
                Grammar::Free => false,
                Grammar::Enum(_) | Grammar::Pattern(_) | Grammar::Format(_) => true,
            },
            Self::Integer(_) | Self::Number(_) | Self::Boolean | Self::Duration(_) | Self::Quantity(_) => {
                true
            }
            Self::Array { .. } | Self::SecretRef => false,
        }
    }

    /// Values of it, the ends of its range among them: what a runbook is tried with when it is loaded.
    pub(crate) fn samples(&self) -> Vec<Value> {
        match self {
            Self::Text(rule) => rule.samples(),
            Self::Integer(range) => range.samples(json!(1)),
            Self::Number(range) => range.samples(json!(1.0)),
            Self::Boolean => vec![json!(true), json!(false)],
            Self::Duration(range) => range.samples(json!("1m")),
            Self::Quantity(range) => range.samples(json!("1")),
            Self::Array { items, min, max } => {
                let count = (*min).max(1).min(*max);
                items.samples().into_iter().map(|item| Value::Array(vec![item; count])).collect()
            }
            Self::SecretRef => vec![json!("vault:sample#key")],
        }
    }

    /// All its values, when it enumerates them.
    pub(crate) fn enumerated(&self) -> Option<Vec<Value>> {
        match self {
            Self::Text(Text { grammar: Grammar::Enum(values), .. }) => {
                Some(values.iter().map(|value| json!(value)).collect())
            }
            Self::Text(_)
            | Self::Integer(_)
            | Self::Number(_)
            | Self::Boolean
            | Self::Duration(_)
            | Self::Quantity(_)
            | Self::Array { .. }
            | Self::SecretRef => None,
        }
    }

    /// The same as JSON Schema 2020-12. What a schema cannot say (the range of a duration) is in the description.
    pub(crate) fn schema(&self) -> Value {
        match self {
            Self::Text(rule) => rule.schema(),
            Self::Integer(range) => {
                let mut schema = json!({"type": "integer"});
                range.bound(&mut schema);
                schema
            }
            Self::Number(range) => {
                let mut schema = json!({"type": "number"});
                range.bound(&mut schema);
                schema
            }
            Self::Boolean => json!({"type": "boolean"}),
            Self::Duration(_) => {
                json!({"type": "string", "pattern": duration::PATTERN, "minLength": 2, "maxLength": 44})
            }
            Self::Quantity(_) => json!({"type": "string", "pattern": quantity::PATTERN}),
            Self::Array { items, min, max } => {
                json!({"type": "array", "items": items.schema(), "minItems": min, "maxItems": max})
            }
            Self::SecretRef => json!({"type": "string", "pattern": SECRET_REF}),
        }
    }

    /// What a schema leaves unsaid, in words: the range of a duration or quantity.
    pub(crate) fn range_in_words(&self) -> Option<String> {
        let words = |min: Option<&Value>, max: Option<&Value>| match (min, max) {
            (Some(min), Some(max)) => Some(format!("{} to {}", bare(min), bare(max))),
            (Some(min), None) => Some(format!("at least {}", bare(min))),
            (None, Some(max)) => Some(format!("at most {}", bare(max))),
            (None, None) => None,
        };
        match self {
            Self::Duration(r) => words(r.min.as_ref().map(|m| &m.1), r.max.as_ref().map(|m| &m.1)),
            Self::Quantity(r) => words(r.min.as_ref().map(|m| &m.1), r.max.as_ref().map(|m| &m.1)),
            Self::Text(_) | Self::Integer(_) | Self::Number(_) | Self::Boolean => None,
            Self::Array { .. } | Self::SecretRef => None,
        }
    }

    fn noun(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Number(_) => "a number",
            Self::Boolean => "true or false",
            Self::Duration(_) => "a duration such as 15m",
            Self::Quantity(_) => "a quantity such as 2Gi",
            Self::Array { .. } => "a list",
            Self::SecretRef => "a reference to a secret",
        }
    }
}

fn check_items(value: &Value, items: &Kind, min: usize, max: usize) -> Result<(), String> {
    let list = value.as_array().ok_or("must be a list")?;
    if list.len() < min {
        return Err(format!("must have at least {min} items"));
    }
    if list.len() > max {
        return Err(format!("must have at most {max} items"));
    }
    list.iter()
        .enumerate()
        .try_for_each(|(i, item)| items.check(item).map_err(|rule| format!("item {i} {rule}")))
}

impl Text {
    fn check(&self, text: &str) -> Result<(), String> {
        // Bytes first: a huge text is not walked.
        if text.len() > self.max.saturating_mul(4) || text.chars().count() > self.max {
            return Err(format!("must have at most {} characters", self.max));
        }
        if !text.chars().all(is_plain) {
            return Err("must not hold line breaks, control or invisible characters".to_owned());
        }
        match &self.grammar {
            Grammar::Free => {}
            Grammar::Enum(values) if values.iter().any(|v| v == text) => {}
            Grammar::Enum(values) => return Err(format!("must be one of {}", values.join(", "))),
            Grammar::Pattern(pattern) if pattern.regex.is_match(text) => {}
            Grammar::Pattern(pattern) => return Err(format!("must match {}", pattern.anchored)),
            Grammar::Format(format) if format.accepts(text) => {}
            Grammar::Format(format) => return Err(format.rule().to_owned()),
        }
        if text.chars().count() < self.min {
            return Err(format!("must have at least {} characters", self.min));
        }
        Ok(())
    }

    fn samples(&self) -> Vec<Value> {
        match &self.grammar {
            Grammar::Enum(values) => values.iter().map(|v| json!(v)).collect(),
            Grammar::Pattern(pattern) => vec![json!(pattern.example)],
            Grammar::Free | Grammar::Format(_) => {
                let length = 6.max(self.min).min(self.max);
                vec![json!("sample".chars().cycle().take(length).collect::<String>())]
            }
        }
    }

    fn schema(&self) -> Value {
        let lengths = json!({"type": "string", "minLength": self.min, "maxLength": self.max});
        let (key, rule) = match &self.grammar {
            Grammar::Enum(values) => return json!({"type": "string", "enum": values}),
            Grammar::Free => return lengths,
            Grammar::Pattern(pattern) => ("pattern", pattern.anchored.as_str()),
            Grammar::Format(format) => ("pattern", format.pattern()),
        };
        let mut schema = lengths;
        if let Some(object) = schema.as_object_mut() {
            object.insert(key.to_owned(), json!(rule));
        }
        schema
    }
}
