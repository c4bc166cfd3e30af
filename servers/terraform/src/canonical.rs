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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::draft;
    use crate::samples::{change, digest, seen};
    use crate::seen::Deed;

    fn effect(seen: &Seen) -> Value {
        let acts = draft(&seen.looks[0].action, seen).unwrap().acts;
        canonical(&acts, seen)
    }

    fn before() -> Seen {
        seen(vec![change("aws_instance.node[0]", Deed::Replace), change("aws_subnet.a", Deed::Create)])
    }

    /// The same with something else in it.
    fn other(alter: impl Fn(&mut Look, &mut Planned)) -> Value {
        let mut seen = before();
        let mut look = seen.looks.remove(0);
        let Found::Planned(mut planned) = look.found.clone() else { unreachable!() };
        alter(&mut look, &mut planned);
        look.found = Found::Planned(planned);
        effect(&Seen { looks: vec![look] })
    }

    #[test]
    fn nothing_that_was_approved_changes_unnoticed() {
        let was = effect(&before());
        assert_eq!(was, effect(&before()));
        let others = [
            other(|_, planned| planned.rests_on.configuration = digest(9)),
            other(|_, planned| planned.rests_on.providers = digest(9)),
            other(|_, planned| planned.rests_on.tool = digest(9)),
            other(|_, planned| planned.rests_on.version = "terraform 1.12.0".into()),
            other(|_, planned| planned.rests_on.state.serial = 8),
            other(|_, planned| planned.rests_on.state.lineage = "other".parse().unwrap()),
            other(|_, planned| planned.saved.digest = digest(9)),
            other(|_, planned| planned.outputs = ["owner".to_owned()].into()),
            other(|_, planned| planned.changes[0].fingerprint = "hmac-sha256:other".into()),
            other(|_, planned| planned.changes[0].deed = Deed::Delete),
            other(|_, planned| planned.changes[0].address = "aws_instance.node[1]".into()),
            other(|_, planned| drop(planned.changes.pop())),
            other(|look, _| look.declared.environment = ["TOKEN".to_owned()].into()),
            other(|look, _| look.workspace = "other".parse().unwrap()),
        ];
        for (i, other) in others.iter().enumerate() {
            assert_ne!(other, &was, "{i}");
        }
    }

    #[test]
    fn what_may_differ_is_left_out() {
        let was = effect(&before());
        assert_eq!(other(|_, planned| planned.drifted = vec!["aws_subnet.b".parse().unwrap()]), was);
        assert_eq!(other(|_, planned| planned.applied_before = None), was);
        assert_eq!(other(|_, planned| planned.changes.reverse()), was);
    }

    #[test]
    fn a_difference_names_the_instance() {
        let planned = runcord_model::Effect { equal: effect(&before()) };
        let now = runcord_model::Effect {
            equal: other(|_, planned| planned.changes[1].fingerprint = "hmac-sha256:other".into()),
        };
        let places: Vec<_> = planned.differences(&now).into_iter().map(|(at, ..)| at).collect();
        assert_eq!(places, ["/0/changes/aws_subnet.a/0/fingerprint"]);
    }

    #[test]
    fn an_act_without_its_plan_is_never_equal_to_one_with_it() {
        let acts = draft(&before().looks[0].action, &before()).unwrap().acts;
        assert_ne!(canonical(&acts, &Seen::default()), effect(&before()));
    }
}
