//! Before and after.

use runcord_model::text::visible;
use runcord_model::{Change, ChangeKind};
use serde_json::{Value, json};

use super::acts::QueueAct;
use super::seen::{Found, QueueSeen};

/// The longest command shown, in bytes: the longest that there is, with every character of it written out.
const COMMAND: usize = 16 * 1024;

/// What one act would change. The whole command is shown, each element in quotes of its own: it is what is approved.
pub(crate) fn planned(act: &QueueAct) -> Change {
    match act {
        QueueAct::Purge(it) => {
            let command = visible(&json!(it.purge.shown().texts()).to_string(), COMMAND);
            Change {
                object: format!("queue in {}", it.question.at),
                change: ChangeKind::Run,
                before: json!({"size": it.size}),
                after: json!({"size": 0}),
                text: format!("size: {} → 0, by {command}", it.size),
            }
        }
    }
}

/// How much there was and is. It is said of an unchanged queue too: whoever has to decide what became of a purge needs
/// both numbers.
pub(crate) fn observed(before: &QueueSeen, after: &QueueSeen) -> Vec<Change> {
    let told = |found: &Found| match found {
        Found::Told { size, .. } => Some(*size),
        Found::Nowhere(_) | Found::Silent { .. } => None,
    };
    let in_words = |size: &Option<_>| size.map_or_else(|| "not known".to_owned(), |size| format!("{size}"));
    let one = |(question, was): &(_, Found)| {
        let question: &super::seen::Question = question;
        let (was, is) = (told(was), after.found(question).and_then(told));
        Change {
            object: format!("queue in {}", question.at),
            change: ChangeKind::Update,
            before: json!({"size": was}),
            after: is.map_or(Value::Null, |is| json!({"size": is})),
            text: format!("size: {} → {}", in_words(&was), in_words(&is)),
        }
    };
    before.queues.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples::{purge, seen, told};
    use super::super::seen::Silence;
    use super::*;

    #[test]
    fn the_whole_command_is_shown_element_by_element() {
        let change = planned(&purge(12));
        assert_eq!(change.text, r#"size: 12 → 0, by ["redis-cli","-e","LTRIM","orders","1","0"]"#);
    }

    #[test]
    fn both_numbers_are_told_whatever_became_of_it() {
        let text = |found| observed(&seen(told(12)).queues, &seen(found).queues).remove(0).text;
        assert_eq!(text(told(0)), "size: 12 → 0");
        assert_eq!(text(told(12)), "size: 12 → 12");
        let silent = Found::Silent { uid: "u".parse().unwrap(), why: Silence::Lost };
        assert_eq!(text(silent), "size: 12 → not known");
    }
}
