//! The part of a step that must be *equal* at apply.
//!
//! For a plan: all that it rests on (configuration, providers, tool, state), the saved file, and every change with its
//! fingerprint. For a lock: its id. A plan of the same is found again in the same saved file, so what was approved is what
//! is applied, byte by byte.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::act::{Act, ApplySaved, BreakLock};
use crate::names;
use crate::seen::{Found, Look, Planned, ResourceChange, Seen};

/// The canonical effect of the acts of one step.
pub(crate) fn canonical(acts: &[Act], seen: &Seen) -> Value {
    let each = |act: &Act| match act {
        Act::Apply(apply) => of_apply(apply, seen),
        Act::Unlock(unlock) => of_unlock(unlock),
    };
    Value::Array(acts.iter().map(each).collect())
}

fn of_apply(apply: &ApplySaved, seen: &Seen) -> Value {
    // Without the plan that the act carries there is nothing to compare: never equal to one that has it.
    let Some((_, planned)) = plan_of(apply, seen) else { return json!({"plan": Value::Null}) };
    json!({
        "module": apply.module, "declared": apply.declared, "workspace": apply.workspace,
        "rests_on": planned.rests_on, "saved": planned.saved, "outputs": planned.outputs,
        "changes": by_address(&planned.changes),
    })
}

fn of_unlock(unlock: &BreakLock) -> Value {
    json!({
        "module": unlock.module, "declared": unlock.declared, "workspace": unlock.workspace,
        "configuration": unlock.configuration, "lock": unlock.lock, "lineage": unlock.lineage,
    })
}

/// The look that an act came from, with its plan: the one of the same saved file.
pub(crate) fn plan_of<'s>(apply: &ApplySaved, seen: &'s Seen) -> Option<(&'s Look, &'s Planned)> {
    seen.looks.iter().find_map(|look| match &look.found {
        Found::Planned(planned)
            if look.module == apply.module
                && look.workspace == apply.workspace
                && planned.saved == apply.saved
                && planned.rests_on == apply.rests_on =>
        {
            Some((look, planned.as_ref()))
        }
        Found::Planned(_) | Found::Lock { .. } => None,
    })
}

/// Every change, under its address as it may be shown, so that a difference names the instance.
fn by_address(changes: &[ResourceChange]) -> Value {
    let mut by: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for change in changes {
        let of_it = json!({"deed": change.deed, "fingerprint": change.fingerprint});
        by.entry(names::shown(&change.address)).or_default().push(of_it);
    }
    json!(by)
}
