//! Objects without their `managedFields`.
//!
//! Nearly every object carries a list of who set which field, often longer than all the rest of it. Nothing here reads
//! it, and reading it is a good part of the work of a listing: so it is cut out before.

use std::borrow::Cow;

/// JSON escapes the quotes within a string, so this is a key wherever no backslash stands before it.
const KEY: &str = "\"managedFields\":";

/// The same JSON with every `managedFields` empty. Where it is written in a way that is not known, it stays.
pub(crate) fn lean(json: &str) -> Cow<'_, str> {
    let mut kept = String::new();
    let mut rest = json;
    while let Some((before, value)) = rest.split_once(KEY) {
        kept.push_str(before);
        kept.push_str(KEY);
        rest = match past_list(value) {
            Some(after) if !before.ends_with('\\') => {
                kept.push_str("[]");
                after
            }
            Some(_) | None => value,
        };
    }
    if kept.is_empty() {
        return Cow::Borrowed(json);
    }
    kept.push_str(rest);
    Cow::Owned(kept)
}

/// What follows the list that `json` begins with; nothing when it begins with none, or the list does not end.
fn past_list(json: &str) -> Option<&str> {
    if !json.starts_with('[') {
        return None;
    }
    let (mut depth, mut bytes) = (0_usize, json.bytes().enumerate());
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'[' => depth += 1,
            b']' if depth == 1 => return json.get(at + 1..),
            b']' => depth -= 1,
            b'"' => past_string(&mut bytes)?,
            _ => {}
        }
    }
    None
}

/// Goes to the end of a string whose first quote has been read.
fn past_string(bytes: &mut impl Iterator<Item = (usize, u8)>) -> Option<()> {
    loop {
        match bytes.next()?.1 {
            b'"' => return Some(()),
            b'\\' => drop(bytes.next()?),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn without(mut value: Value) -> Value {
        match &mut value {
            Value::Object(fields) => {
                for (name, field) in fields.iter_mut() {
                    let cut = name == "managedFields" && field.is_array();
                    *field = if cut { json!([]) } else { without(field.take()) };
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| *item = without(item.take())),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        value
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            Just("managedFields".to_owned()),
            Just("\"managedFields\":[".to_owned()),
            Just("\"managedFields".to_owned()),
            Just("]}\\\"[".to_owned()),
            any::<String>(),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            text.clone().prop_map(Value::from)
        ];
        leaf.prop_recursive(5, 40, 5, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec((text.clone(), inner), 0..5)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn everything_else_stays_as_it_is(value in any_json()) {
            let read: Value = serde_json::from_str(&lean(&value.to_string())).unwrap();
            prop_assert_eq!(read, without(value));
        }

        #[test]
        fn what_is_no_json_is_left_to_the_parser(text in any::<String>(), at in 0..40_usize) {
            let broken = format!("{{{KEY}[{}", text.chars().take(at).collect::<String>());
            let _ = lean(&broken);
            let whole = lean(&text);
            prop_assert_eq!(whole.as_ref(), text.as_str());
        }
    }

    #[test]
    fn an_object_without_it_is_not_copied() {
        assert!(matches!(lean(r#"{"metadata":{"name":"managedFields"}}"#), Cow::Borrowed(_)));
        assert_eq!(
            lean(r#"{"a":{"managedFields":[{"f:x]":{}}],"b":1}}"#),
            r#"{"a":{"managedFields":[],"b":1}}"#
        );
    }
}
