//! What holds whatever a plan says: nothing that the tool marks as sensitive is in what is kept of it, and nothing of a
//! change can change unnoticed.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Reading, read};
use crate::samples::{declared, mask};

/// Stands in every sensitive text.
const MARKER: &str = "ZqXj7";

/// A value with its marks. What is marked holds the marker; `hidden` says that a mark above this place hides it already.
fn marked(hidden: bool, depth: u32) -> BoxedStrategy<(Value, Value)> {
    let leaf = if hidden {
        prop_oneof![
            "[a-z]{0,4}".prop_map(|text| json!(format!("{text}{MARKER}{text}"))),
            "[a-z \\n\"]{0,300}".prop_map(|text| json!(format!("{MARKER}{text}"))),
        ]
        .prop_map(|value| (value, json!(true)))
        .boxed()
    } else {
        prop_oneof![
            any::<i64>().prop_map(|n| json!(n)),
            any::<bool>().prop_map(|b| json!(b)),
            Just(Value::Null),
            "[a-zA-Z \\n\"]{0,20}".prop_map(Value::from),
        ]
        .prop_map(|value| (value, json!(false)))
        .boxed()
    };
    if depth == 0 {
        return leaf;
    }
    let children = move |hidden| prop::collection::vec(("[a-z ]{1,6}", marked(hidden, depth - 1)), 0..4);
    let object = |of: Vec<(String, (Value, Value))>| {
        let of: Map<_, _> = of.into_iter().map(|(key, (value, mark))| (key, json!([value, mark]))).collect();
        let side =
            |i: usize| Value::Object(of.iter().map(|(key, both)| (key.clone(), both[i].clone())).collect());
        (side(0), side(1))
    };
    let list = |of: Vec<(String, (Value, Value))>| {
        let (values, marks): (Vec<_>, Vec<_>) = of.into_iter().map(|(_, both)| both).unzip();
        (Value::Array(values), Value::Array(marks))
    };
    prop_oneof![
        1 => leaf,
        2 => children(hidden).prop_map(object),
        1 => children(hidden).prop_map(list),
        // One mark for all below it.
        1 => children(true).prop_map(object).prop_map(|(value, _)| (value, json!(true))),
    ]
    .boxed()
}

/// All texts that stand somewhere in a value.
fn texts(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::String(_) => found.push(value.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn actions() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(["create"]),
        json!(["update"]),
        json!(["delete"]),
        json!(["delete", "create"]),
        json!(["forget"]),
        json!(["forget", "create"]),
        json!(["no-op"]),
        json!(["surprise"]),
    ])
}

fn unknown() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!({}),
        json!(true),
        json!(false),
        json!({"a": true}),
        json!([true]),
        json!("odd"),
    ])
}

prop_compose! {
    fn entry()(
        actions in actions(),
        (before, before_sensitive) in marked(false, 3),
        (after, after_sensitive) in marked(false, 3),
        unknown in unknown(),
    ) -> Value {
        json!({
            "address": "aws_instance.web", "mode": "managed", "type": "aws_instance", "name": "web",
            "provider_name": "registry.terraform.io/hashicorp/aws",
            "change": {
                "actions": actions, "before": before, "after": after, "after_unknown": unknown,
                "before_sensitive": before_sensitive, "after_sensitive": after_sensitive,
            }
        })
    }
}

fn reading(parts: Value) -> Reading {
    let mut plan = json!({"format_version": "1.2", "configuration": {"root_module": {}}});
    plan.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
    read(plan.to_string().as_bytes(), &declared(), &mask()).unwrap()
}

fn fingerprints(entry: &Value) -> Vec<String> {
    let read = reading(json!({"resource_changes": [entry]}));
    read.changes.into_iter().map(|change| change.fingerprint).collect()
}

/// Puts something else in the place of the `at`th leaf; empty lists and objects count as leaves.
fn spoil(value: &mut Value, at: &mut usize) -> bool {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            return fields.values_mut().any(|field| spoil(field, at));
        }
        Value::Array(items) if !items.is_empty() => return items.iter_mut().any(|item| spoil(item, at)),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {}
    }
    if *at > 0 {
        *at -= 1;
        return false;
    }
    *value = match &*value {
        Value::Bool(flag) => json!(!*flag),
        Value::String(text) => json!(format!("{text}.")),
        other @ (Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) => json!([other]),
    };
    true
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_sensitive_is_kept(entries in prop::collection::vec(entry(), 1..4), output in marked(false, 2)) {
        // Whatever is sensitive somewhere stands somewhere else as well, where nothing marks it.
        let mut leaked = Vec::new();
        entries.iter().for_each(|entry| texts(&entry["change"], &mut leaked));
        texts(&output.0, &mut leaked);
        let echo: Map<_, _> = leaked.into_iter().enumerate().map(|(i, text)| (format!("k{i}"), text)).collect();
        let mut echoing = json!({
            "address": "aws_instance.echo", "mode": "managed", "type": "aws_instance", "name": "echo",
            "provider_name": "registry.terraform.io/hashicorp/aws",
            "change": {
                "actions": ["create"], "before": null, "after_unknown": {},
                "before_sensitive": false, "after_sensitive": {},
            }
        });
        echoing["change"]["after"] = Value::Object(echo);
        let mut all = vec![echoing];
        all.extend(entries.clone());
        let output = json!({"o": {
            "actions": ["update"], "before": null, "after": output.0, "after_unknown": false,
            "before_sensitive": false, "after_sensitive": output.1,
        }});
        let read = reading(json!({"resource_changes": all, "resource_drift": entries, "output_changes": output}));
        let kept = serde_json::to_string(&read).unwrap();
        prop_assert!(!kept.contains(MARKER), "{kept}");
    }

    #[test]
    fn no_part_of_a_change_changes_unnoticed(entry in entry(), at in any::<prop::sample::Index>()) {
        prop_assume!(entry["change"]["actions"] != json!(["surprise"]));
        let was = fingerprints(&entry);
        prop_assert_eq!(&was, &fingerprints(&entry.clone()), "the same twice");
        let mut other = entry.clone();
        let mut at = at.index(12);
        if spoil(&mut other["change"]["before"], &mut at) || spoil(&mut other["change"]["after"], &mut at) || spoil(&mut other["change"]["after_unknown"], &mut at) {
            let now = fingerprints(&other);
            prop_assert!(was.iter().all(|one| !now.contains(one)));
        }
    }
}

#[test]
fn every_part_of_a_change_is_in_its_fingerprint() {
    let entry = json!({
        "address": "aws_instance.web", "previous_address": "aws_instance.old", "mode": "managed", "type": "aws_instance",
        "name": "web", "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": {
            "actions": ["update"], "before": {"a": 1}, "after": {"a": 2}, "after_unknown": {"b": true},
            "before_sensitive": {}, "after_sensitive": {}, "replace_paths": [["a"]], "importing": {"id": "i-1"},
        }
    });
    let was = fingerprints(&entry);
    assert_eq!(was.len(), 1);
    for (at, other) in [
        ("/address", json!("aws_instance.web2")),
        ("/previous_address", json!("aws_instance.older")),
        ("/provider_name", json!("registry.terraform.io/somebody/aws")),
        ("/type", json!("aws_instances")),
        ("/change/actions", json!(["delete", "create"])),
        ("/change/before/a", json!("1")),
        ("/change/after/a", json!(3)),
        ("/change/after_unknown", json!({})),
        ("/change/replace_paths", json!([["b"]])),
        ("/change/importing/id", json!("i-2")),
        ("/change/after_sensitive", json!({"a": true})),
    ] {
        let mut changed = entry.clone();
        *changed.pointer_mut(at).unwrap() = other;
        assert_ne!(fingerprints(&changed), was, "{at}");
    }
}
