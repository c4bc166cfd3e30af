//! The top level of a plan's JSON, read from a stream: each resource by itself, and nothing kept that is not needed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use runcord_runtime::mask::Mask;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::change::{self, Origin, RawChange};
use super::configuration::Configuration;
use super::secrets::Secrets;
use super::state::PriorState;
use super::{Reading, Unreadable};
use crate::modules::Module;
use crate::names::{self, Address};
use crate::seen::Doubt;

/// A plan as far as it was read. Sensitive values are still in it: it is neither shown nor kept.
pub(super) struct Document<'m> {
    mask: &'m Mask,
    changes: Vec<RawChange>,
    drift: Vec<RawChange>,
    outputs: BTreeSet<String>,
    variables: BTreeMap<String, Value>,
    instances: i64,
    configuration: Option<Configuration>,
    doubts: BTreeSet<Doubt>,
    secrets: Secrets,
    /// Whether the tool says that the plan can be applied. It says no of a plan that changes nothing, too.
    applyable: Option<bool>,
}

/// Reads all of it.
pub(super) fn read<'de, 'm, D: Deserializer<'de>>(json: D, mask: &'m Mask) -> Result<Document<'m>, D::Error> {
    json.deserialize_map(TopLevel { mask })
}

struct TopLevel<'m> {
    mask: &'m Mask,
}

impl<'de, 'm> Visitor<'de> for TopLevel<'m> {
    type Value = Document<'m>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plan")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Document<'m>, M::Error> {
        let mut document = Document {
            mask: self.mask,
            changes: Vec::new(),
            drift: Vec::new(),
            outputs: BTreeSet::new(),
            variables: BTreeMap::new(),
            instances: 0,
            configuration: None,
            doubts: BTreeSet::new(),
            secrets: Secrets::default(),
            applyable: None,
        };
        let mut read = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            document.part(&key, &mut map)?;
            if !read.insert(key) {
                return Err(M::Error::custom("a key stands twice"));
            }
        }
        if !read.contains("format_version") {
            return Err(M::Error::custom("no plan says no format"));
        }
        Ok(document)
    }
}

impl Document<'_> {
    /// One part of the top level. The keys are those of terraform 1.5 to 1.15 and of OpenTofu 1.6 to 1.12.
    fn part<'de, M: MapAccess<'de>>(&mut self, key: &str, map: &mut M) -> Result<(), M::Error> {
        match key {
            "format_version" => {
                if !map.next_value::<String>()?.starts_with("1.") {
                    self.unknown("format_version");
                }
            }
            "terraform_version" | "timestamp" | "planned_values" | "relevant_attributes" => {
                map.next_value::<IgnoredAny>()?;
            }
            "variables" => self.variables = map.next_value()?,
            "resource_changes" => {
                map.next_value_seed(Each(|entry| self.resource(&entry, Origin::Planned)))?;
            }
            "resource_drift" => {
                map.next_value_seed(Each(|entry| self.resource(&entry, Origin::Drifted)))?;
            }
            "output_changes" => {
                for (name, output) in map.next_value::<BTreeMap<String, Map<String, Value>>>()? {
                    self.output(&name, &output);
                }
            }
            "prior_state" => {
                self.instances = map.next_value::<Option<PriorState>>()?.map_or(0, |s| s.instances())
            }
            "configuration" => self.configuration = Some(map.next_value()?),
            "checks" => map.next_value_seed(Each(|entry| self.check(&entry)))?,
            "errored" => self.whole_if(map.next_value()?, false),
            "complete" => self.whole_if(map.next_value()?, true),
            "applyable" => self.applyable = Some(map.next_value()?),
            "action_invocations" => self.none_of(Doubt::ActionInvocation, map)?,
            "deferred_changes" | "deferred_action_invocations" => self.none_of(Doubt::Deferred, map)?,
            other => {
                map.next_value::<IgnoredAny>()?;
                self.unknown(other);
            }
        }
        Ok(())
    }

    fn unknown(&mut self, key: &str) {
        self.doubts.insert(Doubt::UnknownPart { path: names::label(key) });
    }

    fn whole_if(&mut self, said: bool, whole: bool) {
        if said != whole {
            self.doubts.insert(Doubt::NotWhole);
        }
    }

    fn none_of<'de, M: MapAccess<'de>>(&mut self, doubt: Doubt, map: &mut M) -> Result<(), M::Error> {
        let mut any = false;
        map.next_value_seed(Each(|_| any = true))?;
        if any {
            self.doubts.insert(doubt);
        }
        Ok(())
    }

    fn resource(&mut self, entry: &Value, origin: Origin) {
        let read = change::read(entry, origin, self.mask, &mut self.secrets);
        self.doubts.extend(read.doubts);
        match origin {
            Origin::Planned => self.changes.extend(read.changes),
            Origin::Drifted => self.drift.extend(read.changes),
        }
    }

    fn output(&mut self, name: &str, output: &Map<String, Value>) {
        let name = names::label(name);
        if let Some(key) = output.keys().find(|key| !change::CHANGE.contains(&key.as_str())) {
            let path = format!("output_changes.{name}.{}", names::label(key));
            self.doubts.insert(Doubt::UnknownPart { path });
        }
        self.secrets.learn(output.get("before"), output.get("before_sensitive"));
        self.secrets.learn(output.get("after"), output.get("after_sensitive"));
        let actions = output.get("actions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if !matches!(actions, [only] if only == "no-op") {
            self.outputs.insert(name);
        }
    }

    /// Every check that did not pass, and every one that is put off.
    fn check(&mut self, check: &Value) {
        let address = check.pointer("/address/to_display").and_then(Value::as_str).unwrap_or_default();
        let address = names::path(address);
        match check.get("status").and_then(Value::as_str) {
            Some("pass") => {}
            Some("unknown") => {
                self.doubts.insert(Doubt::CheckPutOff { address });
            }
            Some(_) | None => {
                self.doubts.insert(Doubt::Check { address });
            }
        }
    }

    /// What is kept of it: cleaned, in order.
    pub(super) fn finish(mut self, declared: &Module) -> Result<Reading, Unreadable> {
        // Without it nobody can tell what runs code.
        let configuration = self.configuration.take().ok_or(Unreadable::NotAPlan)?;
        self.doubts.extend(configuration.doubts(declared));
        for (name, variable) in &self.variables {
            if configuration.is_sensitive(name) {
                self.secrets.learn(variable.get("value"), Some(&Value::Bool(true)));
            }
        }
        if self.applyable == Some(false) && !(self.changes.is_empty() && self.outputs.is_empty()) {
            self.doubts.insert(Doubt::NotWhole);
        }
        let secrets = self.secrets;
        let mut paths = secrets.paths();
        let mut finished = |raw: Vec<RawChange>| {
            let finish = |change: RawChange| change.finish(&secrets, &mut paths);
            let mut changes: Vec<_> = raw.into_iter().map(finish).collect();
            changes.sort_by(|a, b| (&a.address, a.deed).cmp(&(&b.address, b.deed)));
            changes
        };
        let (changes, drift) = (finished(self.changes), finished(self.drift));
        let mut drifted: Vec<Address> =
            drift.iter().filter_map(|change| names::shown(&change.address).parse().ok()).collect();
        drifted.dedup();
        Ok(Reading {
            changes,
            drift,
            drifted,
            outputs: self.outputs,
            instances: self.instances,
            doubts: self.doubts.into_iter().collect(),
        })
    }
}

/// Hands over the entries of a list one by one, so that never more than one of them is in memory. A null is an empty list.
struct Each<F>(F);

impl<'de, F: FnMut(Value)> DeserializeSeed<'de> for Each<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, F: FnMut(Value)> Visitor<'de> for Each<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(mut self, mut list: S) -> Result<(), S::Error> {
        while let Some(entry) = list.next_element()? {
            (self.0)(entry);
        }
        Ok(())
    }
}
