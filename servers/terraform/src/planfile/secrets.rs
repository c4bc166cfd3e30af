//! The sensitive values of a plan, and what is shown of a value that is not marked as one.
//!
//! The tool's own marks follow expressions, not values: an attribute that a provider fills from a sensitive one holds it
//! in clear, unmarked. So whatever is marked anywhere in the plan is taken out of everything that is shown.

use std::collections::{BTreeMap, BTreeSet};

use runcord_model::text::Cleaner;
use serde_json::Value;

use super::values::{Marks, Step};
use crate::seen::Shown;

/// The longest text that is shown of one value, in bytes.
const LONGEST: usize = 240;
/// The shortest text that is hidden where nothing marks it, in bytes: a shorter one is guessed at once, and `1` and `on`
/// are everywhere.
const SHORTEST: usize = 3;
/// The longest text of which anything is shown: nobody reads on in what is cut after so little of it.
const LOOKED_AT: usize = 64 * 1024;

/// Sensitive values. Neither shown nor kept.
#[derive(Default)]
pub(super) struct Secrets {
    cleaner: Cleaner,
    /// Texts and numbers in full, those among them that are too short to be looked for within others. Names of fields are
    /// none: what is secret is in their values.
    whole: BTreeSet<String>,
}

impl Secrets {
    /// Takes in all of a value that its marks call sensitive.
    pub(super) fn learn(&mut self, value: Option<&Value>, marks: Option<&Value>) {
        if let Some(value) = value {
            self.collect(value, Marks::of(value, marks));
        }
    }

    fn collect(&mut self, value: &Value, marks: Marks<'_>) {
        match value {
            Value::Object(fields) => {
                for (key, below) in fields {
                    self.collect(below, marks.key(key));
                }
            }
            Value::Array(items) => {
                for (index, below) in items.iter().enumerate() {
                    self.collect(below, marks.index(index));
                }
            }
            Value::String(text) if matches!(marks, Marks::Hidden) => self.take(text),
            Value::Number(number) if matches!(marks, Marks::Hidden) => self.take(&number.to_string()),
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Number(_) => {}
        }
    }

    fn take(&mut self, text: &str) {
        if text.len() >= SHORTEST && self.whole.insert(text.to_owned()) {
            self.cleaner.learn(text);
        }
    }

    /// A leaf as it may be shown.
    pub(super) fn shown(&self, leaf: Value) -> Shown {
        match leaf {
            Value::String(text) if self.whole.contains(&text) => Shown::Hidden,
            Value::String(text) if text.len() > LOOKED_AT => {
                Shown::Value(Value::from(format!("‹{} bytes›", text.len())))
            }
            Value::String(text) => Shown::Value(Value::from(self.cleaner.visible(&text, LONGEST))),
            Value::Number(number) if self.whole.contains(&number.to_string()) => Shown::Hidden,
            leaf @ (Value::Null | Value::Bool(_) | Value::Number(_)) => Shown::Value(leaf),
            // Leaves of these two are empty.
            Value::Array(_) => Shown::Value(Value::Array(Vec::new())),
            Value::Object(_) => Shown::Value(Value::Object(serde_json::Map::new())),
        }
    }

    /// Where leaves are, as it may be shown.
    pub(super) fn paths(&self) -> Paths<'_> {
        Paths { secrets: self, plain: BTreeMap::new() }
    }
}

/// Where leaves are, once all secrets are known. Thousands of instances have the same few keys: each is cleaned once.
pub(super) struct Paths<'s> {
    secrets: &'s Secrets,
    plain: BTreeMap<String, String>,
}

impl Paths<'_> {
    /// Where a leaf is, as it may be shown. A key of a map is text like any other.
    pub(super) fn shown(&mut self, steps: &[Step]) -> String {
        let mut path = String::new();
        for step in steps {
            match step {
                Step::Index(index) => path.push_str(&format!("[{index}]")),
                Step::Key(key) if self.secrets.whole.contains(key) => path.push_str("[‹redacted›]"),
                Step::Key(key) if is_plain(key) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(self.plain(key));
                }
                Step::Key(key) => {
                    path.push_str(&format!("[\"{}\"]", self.secrets.cleaner.visible(key, LONGEST)));
                }
            }
        }
        path
    }

    fn plain(&mut self, key: &str) -> &str {
        if !self.plain.contains_key(key) {
            self.plain.insert(key.to_owned(), self.secrets.cleaner.visible(key, LONGEST));
        }
        self.plain.get(key).map_or("‹redacted›", String::as_str)
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}
