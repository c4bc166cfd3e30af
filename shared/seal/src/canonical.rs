//! Canonical JSON (RFC 8785), without the one trap that the standard leaves open.

use serde::Serialize;
use serde_json::Value;

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
    serde_json_canonicalizer::to_vec(&value).map_err(NotCanonical::NotJson)
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

    proptest! {
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
