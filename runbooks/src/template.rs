//! `${params.x}` and `${before.x.y}`: what stands in a field until it is filled.
//!
//! Filling is done once, on parsed templates: text that a value brings along is never read as a template again.

use serde_json::{Map, Value};

use crate::params::Params;

/// What a placeholder names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Root {
    /// A parameter.
    Params,
    /// The observation before the run.
    Before,
}

/// One `${root.path}` and where it stands in its text, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placeholder {
    pub(crate) root: Root,
    pub(crate) path: Vec<String>,
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

impl Placeholder {
    /// The parameter it names, if it names one.
    pub(crate) fn param(&self) -> Option<&str> {
        match (&self.root, self.path.as_slice()) {
            (Root::Params, [name]) => Some(name),
            (Root::Params | Root::Before, _) => None,
        }
    }

    /// Looks its value up.
    pub(crate) fn find<'v>(&self, values: &Values<'v>) -> Option<&'v Value> {
        match self.root {
            Root::Params => values.params.get(self.path.first()?),
            Root::Before => {
                let mut path = self.path.iter();
                let first = values.before?.get(path.next()?)?;
                path.try_fold(first, |value, key| value.get(key))
            }
        }
    }
}

/// What placeholders are filled from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values<'v> {
    pub(crate) params: &'v Map<String, Value>,
    pub(crate) before: Option<&'v Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Hole(Placeholder),
}

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

/// Why a text is no template, and where, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadTemplate {
    pub(crate) offset: usize,
    pub(crate) len: usize,
    pub(crate) message: &'static str,
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, BadTemplate> {
        let mut parts = Vec::new();
        let (mut offset, mut rest) = (0, text);
        while let Some((before, after)) = rest.split_once("${") {
            let start = offset + before.len();
            let fault = |len, message| BadTemplate { offset: start, len, message };
            let (inner, tail) = after.split_once('}').ok_or(fault(2, "`${` without `}`"))?;
            let len = inner.len() + 3;
            let (root, path) = reference(inner)
                .ok_or(fault(len, "a placeholder is `${params.name}` or, in `undo`, `${before.name}`"))?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Hole(Placeholder { root, path, offset: start, len }));
            (offset, rest) = (start + len, tail);
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// Its placeholders, in order.
    pub(crate) fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.0.iter().filter_map(|part| match part {
            Part::Hole(hole) => Some(hole),
            Part::Text(_) => None,
        })
    }

    /// The one placeholder that is the whole text.
    pub(crate) fn whole(&self) -> Option<&Placeholder> {
        match self.0.as_slice() {
            [Part::Hole(hole)] => Some(hole),
            _ => None,
        }
    }

    /// The text, filled; none when a value is missing or cannot stand within a text.
    pub(crate) fn text(&self, values: &Values<'_>) -> Option<String> {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => Some(text.clone()),
                Part::Hole(hole) => hole.find(values).and_then(in_text),
            })
            .collect()
    }
}

fn reference(inner: &str) -> Option<(Root, Vec<String>)> {
    let mut segments = inner.split('.');
    let root = match segments.next()? {
        "params" => Root::Params,
        "before" => Root::Before,
        _ => return None,
    };
    let path: Vec<String> = segments.map(str::to_owned).collect();
    let word = |s: &String| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let depth = match root {
        Root::Params => path.len() == 1,
        Root::Before => !path.is_empty(),
    };
    (depth && path.iter().all(word)).then_some((root, path))
}

fn in_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A field of a step: a value whose texts may hold placeholders.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Field {
    Fixed(Value),
    Text(Template),
    List(Vec<Field>),
    Object(Vec<(String, Field)>),
}

/// A field whose placeholder has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfilled;

impl Field {
    /// Reads a value of the file; a fault comes with the text it is in.
    pub(crate) fn parse(value: &Value) -> Result<Self, (String, BadTemplate)> {
        match value {
            Value::String(text) if text.contains("${") => {
                Template::parse(text).map(Self::Text).map_err(|bad| (text.clone(), bad))
            }
            Value::Array(items) => items.iter().map(Self::parse).collect::<Result<_, _>>().map(Self::List),
            Value::Object(fields) => fields
                .iter()
                .map(|(key, value)| Ok((key.clone(), Self::parse(value)?)))
                .collect::<Result<_, _>>()
                .map(Self::Object),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Ok(Self::Fixed(value.clone()))
            }
        }
    }

    /// Its templates, wherever they stand.
    pub(crate) fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Fixed(_) => Vec::new(),
            Self::Text(template) => vec![template],
            Self::List(items) => items.iter().flat_map(Self::templates).collect(),
            Self::Object(fields) => fields.iter().flat_map(|(_, field)| field.templates()).collect(),
        }
    }

    /// All values that it can take, where the file alone tells: written out, or a parameter's enumeration. A list or an
    /// object is told as far as it is written out, with null for what a caller fills.
    pub(crate) fn values(&self, params: &Params) -> Option<Vec<Value>> {
        match self {
            Self::Fixed(value) => Some(vec![value.clone()]),
            Self::Text(template) => params.get(template.whole()?.param()?)?.kind.enumerated(),
            Self::List(_) | Self::Object(_) => Some(vec![self.written()]),
        }
    }

    fn written(&self) -> Value {
        match self {
            Self::Fixed(value) => value.clone(),
            Self::Text(_) => Value::Null,
            Self::List(items) => items.iter().map(Self::written).collect(),
            Self::Object(fields) => {
                fields.iter().map(|(key, field)| (key.clone(), field.written())).collect()
            }
        }
    }

    /// Its value, filled: a placeholder that is the whole text keeps its value's type. None when that
    /// placeholder names a parameter that was not given: then the field is left out.
    pub(crate) fn fill(&self, values: &Values<'_>) -> Result<Option<Value>, Unfilled> {
        match self {
            Self::Fixed(value) => Ok(Some(value.clone())),
            Self::Text(template) => match template.whole() {
                Some(hole) => match (hole.find(values), &hole.root) {
                    (Some(value), _) => Ok(Some(value.clone())),
                    (None, Root::Params) => Ok(None),
                    (None, Root::Before) => Err(Unfilled),
                },
                None => template.text(values).map(|text| Some(Value::String(text))).ok_or(Unfilled),
            },
            Self::List(items) => {
                let items = items.iter().map(|item| item.fill(values)?.ok_or(Unfilled));
                items.collect::<Result<_, _>>().map(|items| Some(Value::Array(items)))
            }
            Self::Object(fields) => {
                let mut object = Map::new();
                for (key, field) in fields {
                    if let Some(value) = field.fill(values)? {
                        object.insert(key.clone(), value);
                    }
                }
                Ok(Some(Value::Object(object)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn params() -> Map<String, Value> {
        json!({"n": 3, "s": "${params.n}", "list": [1]}).as_object().unwrap().clone()
    }

    #[test]
    fn a_whole_placeholder_keeps_its_type_and_a_value_is_never_read_again() {
        let params = params();
        let values = Values { params: &params, before: None };
        let fill = |value: Value| Field::parse(&value).unwrap().fill(&values);
        assert_eq!(fill(json!("${params.n}")), Ok(Some(json!(3))));
        assert_eq!(fill(json!("x-${params.n}-${params.s}")), Ok(Some(json!("x-3-${params.n}"))));
        assert_eq!(fill(json!({"a": ["${params.list}"]})), Ok(Some(json!({"a": [[1]]}))));
        assert_eq!(fill(json!({"a": "${params.none}"})), Ok(Some(json!({}))), "left out");
        assert_eq!(fill(json!("x-${params.none}")), Err(Unfilled));
        assert_eq!(fill(json!("${before.w.n}")), Err(Unfilled), "a missing observation is a fault");
        assert_eq!(fill(json!("x-${params.list}")), Err(Unfilled));
    }

    #[test]
    fn what_is_no_placeholder_is_refused_with_its_place() {
        for (text, offset) in [
            ("a ${params.x", 2),
            ("${x}", 0),
            ("${params}", 0),
            ("${params.a.b}", 0),
            ("a${params. x}", 1),
            ("${env.HOME}", 0),
        ] {
            assert_eq!(Template::parse(text).unwrap_err().offset, offset, "{text}");
        }
        assert!(Template::parse("$5 {x} $x").unwrap().placeholders().next().is_none());
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_keeps_the_text(text in "([a-z${}. ]|\\$\\{params\\.[a-z]{1,3}\\}){0,20}") {
            if let Ok(template) = Template::parse(&text) {
                for hole in template.placeholders() {
                    let starts = text[hole.offset..hole.offset + hole.len].starts_with("${");
                    prop_assert!(starts);
                }
            }
        }
    }
}
