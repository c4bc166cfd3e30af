//! Canonical JSON (RFC 8785), without the one trap that the standard leaves open.

use serde::Serialize;
use serde_json::{Map, Value};

/// The largest whole number that every JSON reader keeps: 2^53 - 1 (RFC 8785, section 3.2.2.3).
const LARGEST: u64 = 9_007_199_254_740_991;

/// A value that has no canonical form.
#[derive(Debug, thiserror::Error)]
pub enum NotCanonical {
    /// It is not JSON, such as a map whose keys are not text.
    #[error("the value cannot be written as JSON")]
    NotJson(#[source] serde_json::Error),
    /// RFC 8785 writes every number as a double: two large whole numbers would get one digest.
    #[error("a whole number is beyond 2^53 - 1 and would not keep its value")]
    TooLarge,
}

/// The one way to write `value` as JSON: sorted keys, no blanks, numbers as ECMAScript writes them.
pub fn canonical(value: &impl Serialize) -> Result<Vec<u8>, NotCanonical> {
    let value = serde_json::to_value(value).map_err(NotCanonical::NotJson)?;
    keeps_its_numbers(&value)?;
    let mut bytes = Vec::new();
    write(&value, &mut bytes).map_err(NotCanonical::NotJson)?;
    Ok(bytes)
}

/// Plans of thousands of changes are written so, several times each. `serde_json_canonicalizer` holds every object in several
/// copies and reads each key back, which takes ten times as long: it is asked only for what is hard, the fractions.
fn write(value: &Value, to: &mut Vec<u8>) -> serde_json::Result<()> {
    match value {
        Value::Object(fields) => write_object(fields, to),
        Value::Array(items) => {
            to.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    to.push(b',');
                }
                write(item, to)?;
            }
            to.push(b']');
            Ok(())
        }
        Value::Number(number) if number.is_f64() => serde_json_canonicalizer::to_writer(number, to),
        // Whole numbers that a double keeps, and texts, are written as everybody writes them.
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            serde_json::to_writer(to, value)
        }
    }
}

/// Keys in the order of their UTF-16 code units (RFC 8785, section 3.2.3).
fn write_object(fields: &Map<String, Value>, to: &mut Vec<u8>) -> serde_json::Result<()> {
    let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
    sorted.sort_unstable_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
    to.push(b'{');
    for (place, (key, below)) in sorted.into_iter().enumerate() {
        if place > 0 {
            to.push(b',');
        }
        serde_json::to_writer(&mut *to, key)?;
        to.push(b':');
        write(below, to)?;
    }
    to.push(b'}');
    Ok(())
}

fn keeps_its_numbers(value: &Value) -> Result<(), NotCanonical> {
    match value {
        Value::Number(number) => {
            let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if size.is_some_and(|size| size > LARGEST) { Err(NotCanonical::TooLarge) } else { Ok(()) }
        }
        Value::Array(items) => items.iter().try_for_each(keeps_its_numbers),
        Value::Object(fields) => fields.values().try_for_each(keeps_its_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn order_and_blanks_do_not_matter() {
        let value: Value = serde_json::from_str(r#" { "b" : [1.0, 1e21, "é\u000a"], "a" : null } "#).unwrap();
        assert_eq!(canonical(&value).unwrap(), "{\"a\":null,\"b\":[1,1e+21,\"é\\n\"]}".as_bytes());
    }

    #[test]
    fn a_number_that_would_lose_its_value_is_refused() {
        assert!(canonical(&json!({"n": LARGEST})).is_ok());
        assert!(canonical(&json!({"n": [LARGEST + 1]})).is_err());
        assert!(canonical(&json!(-9_007_199_254_740_992_i64)).is_err());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            (0..=LARGEST).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\\x00-\\x7f]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |below| {
            prop_oneof![
                proptest::collection::vec(below.clone(), 0..8).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), below, 0..8)
                    .prop_map(|fields| Value::Object(fields.into_iter().rev().collect())),
            ]
        })
    }

    #[test]
    fn keys_are_in_the_order_of_utf_16() {
        // The second begins with a surrogate, which is less than U+FB33: as UTF-8 and as code points they are the other way.
        let value =
            json!({"\u{fb33}": 1, "\u{1f600}": 2, "b": -0.0, "a": 1e-7, "ab": ["\u{7f}\u{1}/\\\"\u{8}"]});
        let known =
            "{\"a\":1e-7,\"ab\":[\"\u{7f}\\u0001/\\\\\\\"\\b\"],\"b\":0,\"\u{1f600}\":2,\"\u{fb33}\":1}";
        assert_eq!(String::from_utf8(canonical(&value).unwrap()).unwrap(), known);
    }

    proptest! {
        #[test]
        fn it_is_the_form_that_another_writer_gives(value in any_json()) {
            prop_assert_eq!(canonical(&value).unwrap(), serde_json_canonicalizer::to_vec(&value).unwrap());
        }

        #[test]
        fn what_is_read_back_is_written_the_same(
            fields in proptest::collection::btree_map(".*", (any::<i32>(), ".*"), 0..8),
        ) {
            let bytes = canonical(&fields).unwrap();
            let back: Value = serde_json::from_slice(&bytes).unwrap();
            prop_assert_eq!(canonical(&back).unwrap(), bytes);
        }
    }
}
