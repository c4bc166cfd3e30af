//! The types that an expression's parts can have, read from the JSON Schema of the observation.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// What is known of a value before there is one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Type {
    /// Nothing.
    Any,
    Bool,
    Int,
    Double,
    Text,
    Null,
    List(Box<Type>),
    /// Fields with their types; of a field that may be missing, `has()` must ask first.
    Object(BTreeMap<String, Field>),
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub(crate) r#type: Type,
    pub(crate) always: Always,
}

/// Whether a field is always there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Always {
    Yes,
    /// `has()` must ask first.
    No,
}

impl Type {
    /// Reads a JSON Schema; `$ref` is followed within `root` (`#/$defs/…`), to a bounded depth.
    pub(crate) fn of(schema: &Value, root: &Value) -> Self {
        Self::read(schema, root, 16)
    }

    fn read(schema: &Value, root: &Value, depth: u8) -> Self {
        if depth == 0 {
            return Self::Any;
        }
        let read = |schema: &Value| Self::read(schema, root, depth - 1);
        if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
            return path.strip_prefix('#').and_then(|at| root.pointer(at)).map_or(Self::Any, read);
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("boolean") => Self::Bool,
            Some("integer") => Self::Int,
            Some("number") => Self::Double,
            Some("string") => Self::Text,
            Some("null") => Self::Null,
            Some("array") => Self::List(Box::new(schema.get("items").map_or(Self::Any, read))),
            Some("object") => match schema.get("properties").and_then(Value::as_object) {
                Some(properties) => {
                    let required = schema.get("required").and_then(Value::as_array);
                    // A schema that requires nothing does not tell: a field that is then missing is an error
                    // when the check is evaluated, and the check does not hold.
                    let always = |name: &str| match required {
                        Some(names) if !names.iter().any(|n| n == name) => Always::No,
                        Some(_) | None => Always::Yes,
                    };
                    let field = |(name, schema): (&String, &Value)| {
                        (name.clone(), Field { r#type: read(schema), always: always(name) })
                    };
                    Self::Object(properties.iter().map(field).collect())
                }
                None => Self::Any,
            },
            Some(_) | None => Self::Any,
        }
    }

    /// What a value is that is one or the other.
    pub(crate) fn either(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::List(a), Self::List(b)) => Self::List(Box::new(match (*a, *b) {
                // An empty literal list has items of no known type.
                (Self::Any, item) | (item, Self::Any) => item,
                (a, b) => a.either(b),
            })),
            _ => Self::Any,
        }
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Double)
    }

    /// Whether values of both can be equal or ordered at all.
    pub(crate) fn compares_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (a, b) if a.is_number() && b.is_number() => true,
            (Self::List(_), Self::List(_)) | (Self::Object(_), Self::Object(_)) => true,
            (a, b) => a == b,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "anything",
            Self::Bool => "a boolean",
            Self::Int => "an integer",
            Self::Double => "a number",
            Self::Text => "a string",
            Self::Null => "null",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        })
    }
}
