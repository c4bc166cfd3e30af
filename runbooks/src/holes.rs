//! Where a file may leave a hole for a parameter, as the server's schema of the field says.
//!
//! Most fields may be filled. Some must be read in the file as they will be carried out, such as the program that a step
//! starts: their schema says `"x-filled": "never"`. Others take a value as a whole and not a part of one
//! (`"x-filled": "whole"`), where a text around a value would give it another meaning.

use serde_json::Value;

use crate::template::Field;

/// The schema keyword.
const KEYWORD: &str = "x-filled";

/// What may be done with a text of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hole {
    /// It may hold placeholders, alone or within a text.
    Anywhere,
    /// It may be one placeholder.
    Whole,
    /// It is written out.
    Never,
}

/// One for each template of the field, in the order of [`Field::templates`].
pub(crate) fn holes(field: &Field, schema: &Value) -> Vec<Hole> {
    match field {
        Field::Fixed(_) => Vec::new(),
        Field::Text(_) => vec![of_text(schema)],
        Field::List(items) => {
            let of_items = inner(schema, |one| one.get("items"));
            items.iter().flat_map(|item| holes(item, of_items)).collect()
        }
        Field::Object(fields) => {
            let of_key = |key: &str| inner(schema, |one| one.get("properties")?.get(key));
            fields.iter().flat_map(|(key, field)| holes(field, of_key(key))).collect()
        }
    }
}

fn of_text(schema: &Value) -> Hole {
    let says = |one: &Value| one.get(KEYWORD).and_then(Value::as_str).map(str::to_owned);
    match branches(schema).find_map(says).as_deref() {
        Some("whole") => Hole::Whole,
        // A word that is not known holds as the strictest one.
        Some(_) => Hole::Never,
        None => Hole::Anywhere,
    }
}

/// What the schema, or one of its alternatives, says further in.
fn inner<'s>(schema: &'s Value, find: impl Fn(&'s Value) -> Option<&'s Value>) -> &'s Value {
    branches(schema).find_map(find).unwrap_or(&Value::Null)
}

fn branches(schema: &Value) -> impl Iterator<Item = &Value> {
    let of = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
    std::iter::once(schema).chain(of("anyOf")).chain(of("oneOf"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(field: Value, schema: &Value) -> Vec<Hole> {
        holes(&Field::parse(&field).unwrap(), schema)
    }

    #[test]
    fn the_schema_says_where_a_hole_may_be() {
        let word = json!({"anyOf": [
            {"type": "string", "x-filled": "never"},
            {"type": "object", "properties": {"value": {"type": "string", "x-filled": "whole"}}},
        ]});
        let list = json!({"type": "array", "items": word});
        let field = json!(["redis-cli", "${params.a}", {"value": "${params.b}"}, {"other": "${params.c}"}]);
        assert_eq!(of(field, &list), [Hole::Never, Hole::Whole, Hole::Anywhere]);
        assert_eq!(of(json!("${params.a}"), &json!({"type": "string"})), [Hole::Anywhere]);
        assert_eq!(of(json!("${params.a}"), &json!({"x-filled": "sometimes"})), [Hole::Never]);
        assert_eq!(of(json!("plain"), &json!({"x-filled": "never"})), []);
    }
}
