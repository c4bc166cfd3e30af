//! One entry of `resource_changes` or `resource_drift`.

use runcord_runtime::mask::Mask;
use serde_json::{Map, Value};

use super::secrets::{Paths, Secrets};
use super::values::{RawShown, RawValue, SHOWN, Sides, changed};
use crate::names::{self, ResourceType};
use crate::seen::{Deed, Doubt, ResourceChange, Shown, ValueChange};

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// It would be done.
    Planned,
    /// It has happened in the world.
    Drifted,
}

/// The keys of an entry, in terraform 1.5 to 1.15 and OpenTofu 1.6 to 1.12.
const ENTRY: [&str; 12] = [
    "address",
    "previous_address",
    "module_address",
    "mode",
    "type",
    "name",
    "index",
    "provider_name",
    "deposed",
    "change",
    "action_reason",
    "index_unknown",
];

/// The keys of the change within.
pub(super) const CHANGE: [&str; 11] = [
    "actions",
    "before",
    "after",
    "after_unknown",
    "before_sensitive",
    "after_sensitive",
    "replace_paths",
    "importing",
    "generated_config",
    "before_identity",
    "after_identity",
];

/// The keys of what says that something is imported.
const IMPORTING: [&str; 3] = ["id", "identity", "unknown"];

/// A change with its values as they stand in the plan. Not cleaned yet: neither shown nor kept.
pub(super) struct RawChange {
    change: ResourceChange,
    values: Vec<RawValue>,
    more: usize,
}

impl RawChange {
    /// The change, with its values as far as they are shown.
    pub(super) fn finish(self, secrets: &Secrets, paths: &mut Paths<'_>) -> ResourceChange {
        let shown = |side: RawShown| match side {
            RawShown::Absent => Shown::Absent,
            RawShown::Value(value) => secrets.shown(value),
            RawShown::Hidden => Shown::Hidden,
            RawShown::Unknown => Shown::Unknown,
        };
        let mut values: Vec<_> = self
            .values
            .into_iter()
            .map(|value| ValueChange {
                path: paths.shown(&value.path),
                before: shown(value.before),
                after: shown(value.after),
            })
            .collect();
        if self.more > 0 {
            let path = format!("‹{} more than {SHOWN} values›", self.more);
            values.push(ValueChange { path, before: Shown::Hidden, after: Shown::Hidden });
        }
        ResourceChange { values, ..self.change }
    }
}

/// What was read of one entry. None of it where nothing changes; two changes where one instance is forgotten and another
/// one made in its place.
#[derive(Default)]
pub(super) struct Entry {
    pub(super) changes: Vec<RawChange>,
    pub(super) doubts: Vec<Doubt>,
}

/// Reads one entry, and takes in all that it marks as sensitive, whether it changes or not.
pub(super) fn read(entry: &Value, origin: Origin, mask: &Mask, secrets: &mut Secrets) -> Entry {
    let empty = Map::new();
    let fields = entry.as_object().unwrap_or(&empty);
    let change = fields.get("change").and_then(Value::as_object).unwrap_or(&empty);
    secrets.learn(change.get("before"), change.get("before_sensitive"));
    secrets.learn(change.get("after"), change.get("after_sensitive"));

    let address = text(fields, "address");
    let mut read = Entry::default();
    let mut doubt = |part: &str| {
        let path = format!("{}.{part}", names::path(address));
        read.doubts.push(Doubt::UnknownPart { path });
    };
    foreign(fields, &ENTRY).for_each(|key| doubt(&key));
    foreign(change, &CHANGE).for_each(|key| doubt(&format!("change.{key}")));
    let importing = match change.get("importing") {
        None | Some(Value::Null) => None,
        Some(importing) => Some(importing.as_object().unwrap_or(&empty)),
    };
    importing
        .into_iter()
        .flat_map(|it| foreign(it, &IMPORTING))
        .for_each(|key| doubt(&format!("importing.{key}")));

    let mode = text(fields, "mode");
    let Some(deeds) = deeds(mode, change.get("actions"), origin) else {
        doubt("actions");
        return read;
    };
    let kind = text(fields, "type").parse::<ResourceType>();
    let provider = Some(text(fields, "provider_name")).filter(|name| names::is_provider(name));
    let known = names::shown(address).parse::<names::Address>().is_ok();
    let (Ok(kind), Some(provider), true) = (kind, provider, known || deeds.is_empty()) else {
        doubt("address");
        return read;
    };
    if importing.and_then(|it| it.get("unknown")).is_some_and(|unknown| unknown != &Value::Bool(false)) {
        read.doubts.push(Doubt::Deferred);
    }
    let moved_from = fields.get("previous_address").and_then(Value::as_str).map(str::to_owned);
    let stays = moved_from.is_none() && importing.is_none();
    for deed in deeds.iter().filter(|deed| **deed != Deed::Keep || !stays) {
        let (values, more) = changed(&sides(change, *deed));
        let change = ResourceChange {
            address: address.to_owned(),
            moved_from: moved_from.clone(),
            kind: kind.clone(),
            provider: provider.to_owned(),
            deed: *deed,
            imported: importing.is_some(),
            values: Vec::new(),
            fingerprint: mask.digest(entry),
        };
        read.changes.push(RawChange { change, values, more });
    }
    read
}

/// What an entry's actions come to; none where they are not known. What is read while applying changes nothing.
fn deeds(mode: &str, actions: Option<&Value>, origin: Origin) -> Option<&'static [Deed]> {
    let actions: Option<Vec<_>> = actions?.as_array()?.iter().map(Value::as_str).collect();
    let gone: &[Deed] = match origin {
        Origin::Planned => &[Deed::Delete],
        // It is gone already: all that is left to do is to forget it.
        Origin::Drifted => &[Deed::Forget],
    };
    match (mode, actions?.as_slice()) {
        ("data", ["no-op"] | ["read"]) => Some(&[]),
        ("managed", ["no-op"]) => Some(&[Deed::Keep]),
        ("managed", ["create"]) => Some(&[Deed::Create]),
        ("managed", ["update"]) => Some(&[Deed::Update]),
        ("managed", ["delete"]) => Some(gone),
        ("managed", ["delete", "create"] | ["create", "delete"]) => Some(&[Deed::Replace]),
        ("managed", ["forget"]) => Some(&[Deed::Forget]),
        ("managed", ["forget", "create"] | ["create", "forget"]) => Some(&[Deed::Forget, Deed::Create]),
        _ => None,
    }
}

/// Both sides of a deed. Of what is forgotten and made anew, each deed has its own side.
fn sides<'v>(change: &'v Map<String, Value>, deed: Deed) -> Sides<'v> {
    let all = Sides {
        before: change.get("before"),
        after: change.get("after"),
        after_unknown: change.get("after_unknown"),
        before_sensitive: change.get("before_sensitive"),
        after_sensitive: change.get("after_sensitive"),
    };
    match deed {
        Deed::Create => Sides { before: None, ..all },
        Deed::Forget => Sides { after: None, after_unknown: None, ..all },
        Deed::Keep | Deed::Update | Deed::Delete | Deed::Replace => all,
    }
}

fn text<'v>(fields: &'v Map<String, Value>, key: &str) -> &'v str {
    fields.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn foreign(fields: &Map<String, Value>, known: &[&str]) -> impl Iterator<Item = String> {
    fields.keys().filter(|key| !known.contains(&key.as_str())).map(|key| names::label(key))
}
