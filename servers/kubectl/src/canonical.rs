//! The part of a step that must be *equal* at apply.
//!
//! For a patch: the object's uid and the field, before and after. For a drain: the node's uid, the owners of the evicted
//! pods, the pods without an owner by uid, and the set of disruption budgets. Names and numbers of owned pods are left
//! out: they may change, and what they cost is in the blast radius, which may only improve.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::act::{Act, Cause, Evict, Patch};

/// The canonical effect of the acts of one step.
pub(crate) fn canonical(acts: &[Act]) -> Value {
    let (mut patches, mut evictions) = (Vec::new(), Vec::new());
    let mut others: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for act in acts {
        match act {
            Act::Patch(patch) => patches.push(of_patch(patch)),
            Act::Evict(evict) => evictions.push(evict),
            Act::Upkeep(act) => others.entry("upkeep").or_default().extend(act.canonical()),
            Act::Secret(act) => others.entry("secrets").or_default().push(act.canonical()),
            Act::Volume(act) => others.entry("volumes").or_default().extend(act.canonical()),
            Act::Queue(act) => others.entry("queues").or_default().push(act.canonical()),
            Act::AwaitEvicted(_) | Act::AwaitRollout(_) => {}
        }
    }
    let drain = if evictions.is_empty() { Value::Null } else { of_evictions(&evictions) };
    let mut effect =
        Map::from_iter([("patches".to_owned(), Value::Array(patches)), ("drain".to_owned(), drain)]);
    effect.extend(others.into_iter().map(|(kind, acts)| (kind.to_owned(), Value::Array(acts))));
    Value::Object(effect)
}

fn of_patch(patch: &Patch) -> Value {
    json!({"object": patch.object.label(), "uid": patch.uid, "change": patch.touch})
}

fn of_evictions(evictions: &[&Evict]) -> Value {
    let nodes: BTreeSet<_> = evictions.iter().map(|e| (&e.node, &e.node_uid)).collect();
    let owners: BTreeSet<_> = evictions.iter().filter_map(|e| e.owner.as_ref()).collect();
    // A pod that was named is that pod and no other; of a drain's, only those that nobody makes anew.
    let fixed = |e: &&&Evict| e.owner.is_none() || e.cause == Cause::Named;
    let unowned: BTreeSet<_> = evictions.iter().filter(fixed).map(|e| &e.uid).collect();
    let budgets: BTreeSet<_> = evictions.iter().flat_map(|e| &e.budgets).map(|b| &b.uid).collect();
    json!({"nodes": nodes, "owners": owners, "unmanaged_pods": unowned, "budgets": budgets})
}
