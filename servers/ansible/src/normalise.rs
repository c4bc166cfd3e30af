//! What varies in a difference though nothing has changed, as it is declared: left out before anything is compared.

use regex::Regex;
use serde_json::Value;

use crate::playbooks::Varies;
use crate::ran::Difference;

/// What stands in place of what varies.
const VARIES: &str = "(varies)";

/// What is left out.
#[derive(Debug, Clone, Default)]
pub struct Normalise {
    patterns: Vec<Regex>,
    orders: Vec<String>,
}

impl Normalise {
    /// As declared. What is no regular expression leaves nothing out; none such is declared.
    pub fn new(varies: &[Varies]) -> Self {
        let mut normalise = Self::default();
        for varies in varies {
            match varies {
                Varies::Pattern(pattern) => normalise.patterns.extend(Regex::new(pattern).ok()),
                Varies::Order(field) => normalise.orders.push(field.to_string()),
            }
        }
        normalise
    }

    /// A difference without what varies.
    pub fn difference(&self, one: Difference) -> Difference {
        Difference {
            before_header: self.text(one.before_header),
            before: self.text(one.before),
            after: self.text(one.after),
            prepared: self.text(one.prepared),
        }
    }

    fn text(&self, text: String) -> String {
        let text = if self.orders.is_empty() { text } else { self.ordered(text) };
        self.patterns.iter().fold(text, |text, pattern| pattern.replace_all(&text, VARIES).into_owned())
    }

    /// A value that is written as JSON, with its lists in one order.
    fn ordered(&self, text: String) -> String {
        let Ok(mut value) = serde_json::from_str::<Value>(&text) else { return text };
        self.sort(&mut value);
        value.to_string()
    }

    fn sort(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    self.sort(field);
                    if let Value::Array(items) = field
                        && self.orders.contains(name)
                    {
                        items.sort_by_cached_key(Value::to_string);
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.sort(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn difference(after: &str) -> Difference {
        Difference { after: after.to_owned(), ..Difference::default() }
    }

    #[test]
    fn what_is_declared_to_vary_is_left_out_and_nothing_else() {
        let stamp = Varies::Pattern("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z".to_owned());
        let order = Varies::Order("changed_files".parse().unwrap());
        let normalise = Normalise::new(&[stamp, order]);
        let one = |text: &str| normalise.difference(difference(text)).after;
        assert_eq!(one("made 2026-11-25T01:02:03Z"), one("made 2026-11-26T11:12:13Z"));
        assert_ne!(one("made 2026-11-25T01:02:03Z"), one("built 2026-11-25T01:02:03Z"));
        let listed = |files: [&str; 2]| one(&json!({"changed_files": files}).to_string());
        assert_eq!(listed(["a", "b"]), listed(["b", "a"]));
        let other = |files: [&str; 2]| one(&json!({"order": files}).to_string());
        assert_ne!(other(["a", "b"]), other(["b", "a"]));
    }
}
