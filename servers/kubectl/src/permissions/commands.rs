//! The commands that an action runs in containers, for admission to hold: in which container, and word by word. Pure.

use runcord_model::action::Use;
use serde_json::Value;

use crate::exec::Limit;
use crate::names::ContainerName;

/// One command, as a runbook's file writes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommandBound {
    /// The container; without one, nothing is permitted.
    pub container: Option<ContainerName>,
    /// The whole argv, `timeout` included; without words, nothing is permitted.
    pub words: Vec<Word>,
    /// Whether it reads standard input.
    pub input: Fed,
    /// What it is run for.
    pub purpose: Purpose,
}

/// One element of an argv.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    /// Written out.
    Fixed(String),
    /// Filled by a parameter: anything that does not begin as an option does.
    Value,
    /// A number of seconds that a parameter fills.
    Seconds,
}

/// Whether a command reads standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fed {
    /// It has none.
    Nothing,
    /// It reads what it is given there.
    Input,
}

/// What a command is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// To look, as its file declares: also without anybody's approval.
    Looks,
    /// To change something.
    Changes,
}

/// The command in a field of a use: a list of words, each written out or `{value: …}`. What cannot be read permits
/// nothing.
pub(super) fn command(used: &Use, field: &str, fed: Fed, purpose: Purpose) -> CommandBound {
    let seconds = match used.fixed("limit").and_then(|text| Limit::try_from(text.to_owned()).ok()) {
        None => Word::Seconds,
        Some(limit) => {
            let limit = match purpose {
                Purpose::Looks => limit.min(Limit::HALF_A_MINUTE),
                Purpose::Changes => limit,
            };
            Word::Fixed(limit.seconds().to_string())
        }
    };
    let before = crate::exec::TIMEOUT.map(|word| Word::Fixed(word.to_owned()));
    let words = written(used, field).map(|words| before.into_iter().chain([seconds]).chain(words).collect());
    CommandBound {
        container: used.fixed("container").and_then(|name| name.parse().ok()),
        words: words.unwrap_or_default(),
        input: fed,
        purpose,
    }
}

fn written(used: &Use, field: &str) -> Option<Vec<Word>> {
    let [Value::Array(elements)] = used.fields.get(field)?.as_slice() else { return None };
    let word = |element: &Value| match element {
        Value::String(word) => Some(Word::Fixed(word.clone())),
        Value::Object(filled) => match filled.get("value")? {
            Value::Null => Some(Word::Value),
            Value::String(value) => Some(Word::Fixed(value.clone())),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    };
    elements.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(fields: Value, purpose: Purpose) -> Vec<Word> {
        let used = Use { action: "purge_queue".to_owned(), fields: serde_json::from_value(fields).unwrap() };
        command(&used, "preview", Fed::Nothing, purpose).words
    }

    #[test]
    fn a_command_is_bound_word_by_word_with_the_values_open() {
        let fixed = |word: &str| Word::Fixed(word.to_owned());
        let preview = json!([["redis-cli", "LLEN", {"value": null}]]);
        let long = json!({"preview": preview, "limit": ["2m"]});
        let [timeout, s, kill] = ["timeout", "-s", "KILL"].map(fixed);
        let rest = [fixed("redis-cli"), fixed("LLEN"), Word::Value];
        let with =
            |seconds| [vec![timeout.clone(), s.clone(), kill.clone(), seconds], rest.to_vec()].concat();
        assert_eq!(words(long.clone(), Purpose::Looks), with(fixed("30")), "as long as a preview has");
        assert_eq!(words(long, Purpose::Changes), with(fixed("120")));
        assert_eq!(words(json!({"preview": preview}), Purpose::Looks), with(Word::Seconds));
    }

    #[test]
    fn what_cannot_be_read_permits_nothing() {
        for preview in [json!([]), json!([null]), json!([["x", 1]]), json!([["x", null]]), json!([["x", {}]])]
        {
            assert!(words(json!({"preview": preview}), Purpose::Looks).is_empty(), "{preview}");
        }
        assert!(words(json!({}), Purpose::Looks).is_empty());
    }
}
