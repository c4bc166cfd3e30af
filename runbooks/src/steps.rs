//! Steps and the way back: each action known, each field its own, each value one that the field can take.

use runcord_model::{ActionSpec, Catalog};
use serde_json::{Map, Value};

use crate::about::{bad_template, hole_span, param_of};
use crate::cel::Type;
use crate::checker::Checker;
use crate::faults::Faults;
use crate::file::{At, Entries, StepRaw, UndoRaw};
use crate::holes::{Hole, holes};
use crate::params::Params;
use crate::report::{Span, nearest_or_all};
use crate::runbook::Step;
use crate::template::{Field, Placeholder, Root, Template, Values};

/// A step as both lists write it.
pub(crate) struct Written<'f> {
    id: String,
    id_span: Span,
    action: &'f At<String>,
    with: &'f Entries<At<Value>>,
}

impl Written<'_> {
    /// The action's name.
    pub(crate) fn action(&self) -> &str {
        &self.action.value
    }
}

/// The steps as written.
pub(crate) fn of_steps(steps: &[StepRaw]) -> Vec<Written<'_>> {
    let written = |s| {
        let StepRaw { id, action, with }: &StepRaw = s;
        Written { id: id.value.clone(), id_span: id.span, action, with }
    };
    steps.iter().map(written).collect()
}

/// The way back as written, each step named.
pub(crate) fn of_undo(steps: &[UndoRaw]) -> Vec<Written<'_>> {
    let id = |i: usize, s: &UndoRaw| s.id.as_ref().map_or(format!("undo_{}", i + 1), |id| id.value.clone());
    let span = |s: &UndoRaw| s.id.as_ref().map_or(s.action.span, |id| id.span);
    let written = |(i, s)| Written { id: id(i, s), id_span: span(s), action: &s.action, with: &s.with };
    steps.iter().enumerate().map(written).collect()
}

/// What `${before.…}` may name: nothing in steps, the observation in the way back.
pub(crate) enum Before<'o> {
    Nothing,
    Seen { observation: &'o Type, sample: &'o Value },
}

/// Checks the steps' shape: ids, actions, fields, placeholders. Gives each with its action.
pub(crate) fn read<'c>(
    written: &[Written<'_>],
    catalog: &'c Catalog,
    params: &Params,
    before: &Before<'_>,
    faults: &mut Faults<'_>,
) -> Vec<(Step, &'c ActionSpec)> {
    let mut seen = Vec::new();
    let mut read = Vec::new();
    for step in written {
        if !is_id(&step.id) {
            faults.add(
                step.id_span,
                "a step's id has 1 to 40 of a-z, 0-9, _ and -, beginning with a letter",
                None,
            );
        }
        if seen.contains(&&step.id) {
            faults.add(step.id_span, format!("two steps are called `{}`", step.id), None);
        }
        seen.push(&step.id);
        let Some(spec) = action(step, catalog, faults) else { continue };
        let schema = spec.with.to_value();
        refuse_wrong_fields(step, spec, &schema, faults);
        let schema = |key: &str| schema.get("properties").and_then(|p| p.get(key)).unwrap_or(&Value::Null);
        let with = step.with.0.iter().filter_map(|(key, value)| {
            Some((key.value.clone(), field(value, schema(&key.value), params, before, faults)?))
        });
        let with = with.collect();
        read.push((Step { id: step.id.clone(), action: step.action.value.clone(), with }, spec));
    }
    read
}

fn is_id(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
}

fn action<'c>(step: &Written<'_>, catalog: &'c Catalog, faults: &mut Faults<'_>) -> Option<&'c ActionSpec> {
    let found = catalog.action(&step.action.value);
    if found.is_none() {
        let known: Vec<&str> = catalog.actions.iter().map(|a| a.name).collect();
        let message = format!("{} has no action `{}`", catalog.server, step.action.value);
        faults.add(step.action.span, message, nearest_or_all(&step.action.value, &known));
    }
    found
}

fn refuse_wrong_fields(step: &Written<'_>, spec: &ActionSpec, schema: &Value, faults: &mut Faults<'_>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    let known: Vec<&str> = properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    for (key, _) in &step.with.0 {
        if !known.contains(&key.value.as_str()) {
            let message = format!("action `{}` has no field `{}`", spec.name, key.value);
            faults.add(key.span, message, nearest_or_all(&key.value, &known));
        }
    }
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if !step.with.0.iter().any(|(key, _)| key.value == name) {
            faults.add(step.action.span, format!("action `{}` needs the field `{name}`", spec.name), None);
        }
    }
}

fn field(
    value: &At<Value>,
    schema: &Value,
    params: &Params,
    before: &Before<'_>,
    faults: &mut Faults<'_>,
) -> Option<Field> {
    let field = match Field::parse(&value.value) {
        Ok(field) => field,
        Err((text, bad)) => {
            bad_template(value.span, &text, &bad, faults);
            return None;
        }
    };
    let allowed = holes(&field, schema);
    for ((template, text), allowed) in field.templates().into_iter().zip(texts(&value.value)).zip(allowed) {
        for hole in template.placeholders() {
            let place = hole_span(faults.source, value.span, text, hole);
            refuse_hole(allowed, template, place, faults);
            check_hole(hole, template, place, params, before, faults);
        }
    }
    Some(field)
}

/// The texts with placeholders in a value, in the order of [`Field::templates`].
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) if text.contains("${") => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// What the server says must be read in the file, or taken whole.
fn refuse_hole(allowed: Hole, template: &Template, place: Span, faults: &mut Faults<'_>) {
    match allowed {
        Hole::Anywhere => {}
        Hole::Whole if template.whole().is_some() => {}
        Hole::Whole => faults.add(place, "a placeholder must be the whole value here", None),
        Hole::Never => {
            let hint = "what stands here decides what is carried out, so it is reviewed with the file";
            faults.add(place, "this is written out: no parameter fills it", Some(hint.into()));
        }
    }
}

fn check_hole(
    hole: &Placeholder,
    template: &Template,
    place: Span,
    params: &Params,
    before: &Before<'_>,
    faults: &mut Faults<'_>,
) {
    let whole = template.whole().is_some();
    match (&hole.root, before) {
        (Root::Before, Before::Seen { observation, .. }) => {
            if !whole {
                faults.add(place, "`${before.…}` must be the whole value", None);
            }
            check_before(&hole.path, observation, place, faults);
        }
        (Root::Before, Before::Nothing) | (Root::Params, _) => {
            let Some(param) = param_of(hole, place, params, faults) else { return };
            if !whole && !param.kind.is_closed() {
                let hint = format!(
                    "give `{}` a format, an enum or a pattern, or let it be the whole value",
                    param.name
                );
                faults.add(place, "free text cannot stand within a longer text", Some(hint));
            }
        }
    }
}

fn check_before(path: &[String], observation: &Type, place: Span, faults: &mut Faults<'_>) {
    let mut at = observation;
    for name in path {
        match at {
            Type::Object(fields) => match fields.get(name) {
                Some(field) => at = &field.r#type,
                None => {
                    let known: Vec<&str> = fields.keys().map(String::as_str).collect();
                    let message = format!("nothing called `{name}` is observed here");
                    return faults.add(place, message, nearest_or_all(name, &known));
                }
            },
            Type::Any => return,
            Type::Bool | Type::Int | Type::Double | Type::Text | Type::Null | Type::List(_) => {
                return faults.add(place, format!("{at} has no field `{name}`"), None);
            }
        }
    }
}

/// Fills the steps with sample values and lets the server read them: a field that cannot take what its parameter
/// allows is a fault now, not when the call comes.
pub(crate) fn try_out(
    written: &[Written<'_>],
    steps: &[(Step, &ActionSpec)],
    samples: &[Map<String, Value>],
    checker: &Checker<'_>,
    before: &Before<'_>,
    faults: &mut Faults<'_>,
) {
    let before = match before {
        Before::Nothing => None,
        Before::Seen { sample, .. } => Some(*sample),
    };
    for (written, (step, spec)) in written.iter().zip(steps) {
        let refused = samples.iter().find_map(|params| {
            let refusal = match step.fill(&Values { params, before }) {
                Ok(call) => checker.refused(spec, &call)?,
                Err(bad) => (bad.param, bad.rule),
            };
            Some((params, refusal))
        });
        if let Some((params, (field, rule))) = refused {
            let entry = written.with.0.iter().find(|(key, _)| key.value == field);
            let place = entry.map_or(written.action.span, |(_, value)| value.span);
            let tried =
                step.fill(&Values { params, before }).ok().and_then(|call| call.with.get(&field).cloned());
            let tried = tried.map_or("nothing".to_owned(), |value| value.to_string());
            faults.add(
                place,
                format!("action `{}` cannot take this: {field}: {rule}", spec.name),
                Some(format!("tried with {tried}, which the parameters allow")),
            );
        }
    }
}
