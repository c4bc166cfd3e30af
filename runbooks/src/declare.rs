//! From a parameter as the file writes it to its [`Kind`], with a report for each fault.

use serde_json::Value;

use crate::faults::Faults;
use crate::file::{At, ParamRaw, TypeRaw};
use crate::kind::{FREE_TEXT_MAX, Grammar, ITEMS_MAX, Kind, Pattern, Range, Text};
use crate::report::Span;
use crate::{duration, quantity};

/// The kind that `raw` declares; none, and at least one report, when it declares none.
pub(crate) fn kind(raw: &At<ParamRaw>, faults: &mut Faults<'_>) -> Option<Kind> {
    let before = faults.count();
    refuse_foreign_keys(&raw.value, faults);
    let kind = match raw.value.r#type.value {
        TypeRaw::String => text(raw, faults).map(Kind::Text),
        TypeRaw::Integer => range(&raw.value, Value::as_i64, "a whole number", faults).map(Kind::Integer),
        TypeRaw::Number => range(&raw.value, Value::as_f64, "a number", faults).map(Kind::Number),
        TypeRaw::Boolean => Some(Kind::Boolean),
        TypeRaw::Duration => {
            let read = |v: &Value| v.as_str().and_then(duration::parse_ms);
            range(&raw.value, read, "a duration such as 15m", faults).map(Kind::Duration)
        }
        TypeRaw::Quantity => {
            let read = |v: &Value| v.as_str().and_then(quantity::parse);
            range(&raw.value, read, "a quantity such as 2Gi", faults).map(Kind::Quantity)
        }
        TypeRaw::Array => array(raw, faults),
        TypeRaw::SecretRef => Some(Kind::SecretRef),
    };
    let kind = kind?;
    for given in [&raw.value.default, &raw.value.example].into_iter().flatten() {
        if let Err(rule) = kind.check(&given.value) {
            faults.add(given.span, format!("this value is not of the parameter's own type: it {rule}"), None);
        }
    }
    (faults.count() == before).then_some(kind)
}

fn refuse_foreign_keys(raw: &ParamRaw, faults: &mut Faults<'_>) {
    use TypeRaw::{Array, Duration, Integer, Number, Quantity, String};
    let text: &[TypeRaw] = &[String];
    let ranged: &[TypeRaw] = &[Integer, Number, Duration, Quantity];
    let listed: &[TypeRaw] = &[Array];
    let spans = [
        ("enum", raw.r#enum.as_ref().map(|v| v.span), text),
        ("pattern", raw.pattern.as_ref().map(|v| v.span), text),
        ("format", raw.format.as_ref().map(|v| v.span), text),
        ("minLength", raw.min_length.as_ref().map(|v| v.span), text),
        ("maxLength", raw.max_length.as_ref().map(|v| v.span), text),
        ("minimum", raw.minimum.as_ref().map(|v| v.span), ranged),
        ("maximum", raw.maximum.as_ref().map(|v| v.span), ranged),
        ("items", raw.items.as_ref().map(|v| v.span), listed),
        ("minItems", raw.min_items.as_ref().map(|v| v.span), listed),
        ("maxItems", raw.max_items.as_ref().map(|v| v.span), listed),
    ];
    for (key, span, types) in spans {
        if let Some(span) = span.filter(|_| !types.contains(&raw.r#type.value)) {
            faults.add(span, format!("`{key}` means nothing for this type"), None);
        }
    }
}

fn text(raw: &At<ParamRaw>, faults: &mut Faults<'_>) -> Option<Text> {
    let grammar = grammar(raw, faults)?;
    let most = match &grammar {
        Grammar::Free | Grammar::Pattern(_) => FREE_TEXT_MAX,
        Grammar::Enum(values) => values.iter().map(|v| v.chars().count()).max().unwrap_or(0),
        Grammar::Format(format) => format.max_length(),
    };
    let least = match &grammar {
        Grammar::Free | Grammar::Pattern(_) => 0,
        Grammar::Enum(_) | Grammar::Format(_) => 1,
    };
    let min = raw.value.min_length.as_ref().map_or(least, |v| v.value as usize);
    let max = match &raw.value.max_length {
        Some(given) if given.value > 4096 => {
            faults.add(given.span, "a text may have at most 4096 characters", None);
            return None;
        }
        Some(given) => given.value as usize,
        None => most.max(min),
    };
    if min > max {
        faults.add(raw.span, "no text fits: minLength is more than maxLength", None);
        return None;
    }
    Some(Text { grammar, min, max })
}

fn grammar(raw: &At<ParamRaw>, faults: &mut Faults<'_>) -> Option<Grammar> {
    let param = &raw.value;
    match (&param.r#enum, &param.pattern, &param.format) {
        (None, None, None) => Some(Grammar::Free),
        (Some(values), None, None) => enumeration(values, faults),
        (None, Some(text), None) => pattern(param, text, faults),
        (None, None, Some(format)) => Some(Grammar::Format(format.value)),
        _ => {
            faults.add(raw.span, "only one of `enum`, `pattern` and `format` may be given", None);
            None
        }
    }
}

fn enumeration(values: &At<Vec<String>>, faults: &mut Faults<'_>) -> Option<Grammar> {
    let closed = |v: &String| !v.is_empty() && v.chars().all(|c| c.is_ascii_graphic());
    if values.value.is_empty() || !values.value.iter().all(closed) {
        faults.add(
            values.span,
            "`enum` lists at least one value, each of visible ASCII without spaces",
            None,
        );
        return None;
    }
    Some(Grammar::Enum(values.value.clone()))
}

fn pattern(raw: &ParamRaw, text: &At<String>, faults: &mut Faults<'_>) -> Option<Grammar> {
    let example = raw.example.as_ref().or(raw.default.as_ref()).and_then(|v| v.value.as_str());
    let Some(example) = example else {
        let hint = "add `example: …`, which the runbook is tried with when it is loaded";
        faults.add(text.span, "a `pattern` needs an example or a default", Some(hint.into()));
        return None;
    };
    let pattern = match Pattern::new(&text.value, example.to_owned()) {
        Ok(pattern) => pattern,
        Err(error) => {
            let last = error.to_string().lines().last().unwrap_or("").trim().to_owned();
            faults.add(text.span, "not a regular expression that runs in linear time", Some(last));
            return None;
        }
    };
    // Clients read it too, by JSON Schema's rules: what only our dialect has would mean something else there.
    let foreign = text.value.replace("(?:", "(").contains("(?");
    if foreign || ["\\A", "\\z", "\\p", "\\P", "[[", "&&"].iter().any(|own| text.value.contains(own)) {
        let hint = "use literals, classes, plain groups `(?:…)`, alternatives and counts";
        faults.add(
            text.span,
            "JSON Schema does not read this regular expression as we do",
            Some(hint.into()),
        );
        return None;
    }
    Some(Grammar::Pattern(pattern))
}

fn array(raw: &At<ParamRaw>, faults: &mut Faults<'_>) -> Option<Kind> {
    let Some(items) = &raw.value.items else {
        faults.add(raw.span, "an array needs `items`", None);
        return None;
    };
    if items.value.r#type.value == TypeRaw::Array {
        faults.add(items.value.r#type.span, "an array of arrays is not supported", None);
        return None;
    }
    let items = kind(items, faults)?;
    let min = raw.value.min_items.as_ref().map_or(0, |v| v.value as usize);
    let max = raw.value.max_items.as_ref().map_or(ITEMS_MAX, |v| v.value as usize);
    if min > max || max > ITEMS_MAX {
        faults.add(raw.span, format!("minItems is at most maxItems, and that at most {ITEMS_MAX}"), None);
        return None;
    }
    Some(Kind::Array { items: Box::new(items), min, max })
}

fn range<T: PartialOrd>(
    raw: &ParamRaw,
    read: impl Fn(&Value) -> Option<T>,
    noun: &str,
    faults: &mut Faults<'_>,
) -> Option<Range<T>> {
    let before = faults.count();
    let mut end = |given: &Option<At<Value>>| {
        let given = given.as_ref()?;
        let bound = read(&given.value);
        if bound.is_none() {
            faults.add(given.span, format!("this bound must be {noun}"), None);
        }
        bound.map(|bound| (bound, given.value.clone()))
    };
    let range = Range { min: end(&raw.minimum), max: end(&raw.maximum) };
    if range.is_empty() {
        let span = raw.minimum.as_ref().map_or(Span::default(), |v| v.span);
        faults.add(span, "no value fits: the minimum is more than the maximum", None);
    }
    (faults.count() == before).then_some(range)
}
