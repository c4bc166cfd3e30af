//! What Ansible is given, as files of ours. Texts are marked as unsafe, which keeps them from being templates; that mark is
//! understood in a file that is JSON as a whole, and in no other (facts: one comment, and the Jinja in it runs).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::names::{HostName, VariableName};

/// Names of ours that the library's playbooks go by.
const SERIAL: &str = "runcord_serial";
const BECOME: &str = "runcord_become";
const SINCE: &str = "runcord_since";
const PLANNED: &str = "runcord_planned";

/// What is given beside the declared variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Around {
    /// How many hosts there are: all of them are one batch.
    pub(crate) hosts: usize,
    /// When it was looked, in seconds since 1970.
    pub(crate) planned: i64,
    /// When the run began.
    pub(crate) since: i64,
}

/// The file of variables.
pub(crate) fn variables(
    given: &BTreeMap<VariableName, Value>,
    privileged: Privileged,
    around: Around,
) -> Vec<u8> {
    let mut all: Map<String, Value> =
        given.iter().map(|(name, value)| (name.to_string(), unsafe_texts(value))).collect();
    all.insert(SERIAL.to_owned(), json!([around.hosts]));
    all.insert(BECOME.to_owned(), json!(privileged == Privileged::Yes));
    all.insert(SINCE.to_owned(), unsafe_text(&around.since.to_string()));
    all.insert(PLANNED.to_owned(), unsafe_text(&around.planned.to_string()));
    Value::Object(all).to_string().into_bytes()
}

/// Whether tasks run as root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Privileged {
    Yes,
    No,
}

/// The file of hosts, with what is pinned for each.
pub(crate) fn inventory(
    mut hosts: Value,
    pinned: &BTreeMap<HostName, BTreeMap<VariableName, Vec<String>>>,
) -> Vec<u8> {
    for (host, pins) in pinned {
        let variables = hosts.pointer_mut(&format!("/all/hosts/{host}")).and_then(Value::as_object_mut);
        let Some(variables) = variables else { continue };
        variables.extend(pins.iter().map(|(name, values)| (name.to_string(), unsafe_texts(&json!(values)))));
    }
    hosts.to_string().into_bytes()
}

/// A value with every text in it marked.
pub(crate) fn unsafe_texts(value: &Value) -> Value {
    match value {
        Value::String(text) => unsafe_text(text),
        Value::Array(items) => items.iter().map(unsafe_texts).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.clone(), unsafe_texts(field)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn unsafe_text(text: &str) -> Value {
    json!({"__ansible_unsafe": text})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_marked_and_the_file_is_json_as_a_whole() {
        let given = BTreeMap::from([
            ("service".parse().unwrap(), json!("{{ lookup('pipe', 'touch x') }}")),
            ("areas".parse().unwrap(), json!({"a": ["{{ x }}", 1, true]})),
        ]);
        let around = Around { hosts: 3, planned: 5, since: 7 };
        let written: Value = serde_json::from_slice(&variables(&given, Privileged::Yes, around)).unwrap();
        assert_eq!(
            written,
            json!({
                "service": {"__ansible_unsafe": "{{ lookup('pipe', 'touch x') }}"},
                "areas": {"a": [{"__ansible_unsafe": "{{ x }}"}, 1, true]},
                "runcord_serial": [3],
                "runcord_become": true,
                "runcord_since": {"__ansible_unsafe": "7"},
                "runcord_planned": {"__ansible_unsafe": "5"},
            })
        );
    }

    #[test]
    fn what_is_pinned_is_given_to_its_host_alone() {
        let hosts = json!({"all": {"hosts": {"web1.eu": {"x": 1}, "web2": {}}}});
        let pins = BTreeMap::from([("packages".parse().unwrap(), vec!["a=1".to_owned()])]);
        let pinned = BTreeMap::from([("web1.eu".parse().unwrap(), pins)]);
        let written: Value = serde_json::from_slice(&inventory(hosts, &pinned)).unwrap();
        assert_eq!(
            written["all"]["hosts"],
            json!({"web1.eu": {"x": 1, "packages": [{"__ansible_unsafe": "a=1"}]}, "web2": {}})
        );
    }
}
