//! The pure half of this server, as the runtime takes it.

use std::sync::LazyLock;
use std::time::Duration;

use runcord_model::action::{BadStep, StepCall};
use runcord_model::{Catalog, Change, Refusal};
use runcord_runtime::target::{ActKind, Actions, Draft, Fixed, Measured, Settled};
use serde_json::Value;

use crate::act::Act;
use crate::actions::Action;
use crate::seen::Seen;
use crate::{canonical, catalog, diff, draft, measure, observe, settle};

/// The pure half.
#[derive(Debug, Clone, Copy)]
pub struct TerraformActions;

/// How long breaking a lock may take: one request to the backend.
const UNLOCK: Duration = Duration::from_secs(120);

impl Actions for TerraformActions {
    type Action = Action;
    type Seen = Seen;
    type Act = Act;
    /// Nothing: the tool's own plan, which a probe makes, is all that it can tell of an act.
    type DryRun = ();

    fn catalog() -> &'static Catalog {
        static CATALOG: LazyLock<Catalog> = LazyLock::new(catalog::catalog);
        &CATALOG
    }

    fn action(call: &StepCall) -> Result<Action, BadStep> {
        Action::read(call)
    }

    fn draft(action: &Action, seen: &Seen, _fixed: &Fixed) -> Result<Draft<Self>, Refusal> {
        draft::draft(action, seen)
    }

    fn kind(act: &Act) -> ActKind {
        match act {
            Act::Apply(_) | Act::Unlock(_) => ActKind::Mutate,
        }
    }

    fn patience(act: &Act) -> Duration {
        match act {
            Act::Apply(apply) => Duration::from_secs(apply.timeout.seconds()),
            Act::Unlock(_) => UNLOCK,
        }
    }

    fn canonical(acts: &[Act], seen: &Seen) -> Value {
        canonical::canonical(acts, seen)
    }

    fn measure(seen: &Seen, steps: &[Vec<Act>], (): &()) -> Measured {
        measure::measure(seen, steps)
    }

    fn observe(seen: &Seen) -> Value {
        observe::observe(seen)
    }

    fn settle(act: &Act, before: &Seen, now: &Seen) -> Settled {
        settle::settle(act, before, now)
    }

    fn in_place(act: &Act, before: &Seen, now: &Seen) -> bool {
        settle::in_place(act, before, now)
    }

    fn before(seen: Seen) -> Seen {
        seen.without_values()
    }

    fn diff(before: &Seen, after: &Seen) -> Vec<Change> {
        diff::observed(before, after)
    }

    fn describe(act: &Act) -> String {
        match act {
            Act::Apply(apply) => apply.summary.clone(),
            Act::Unlock(unlock) => format!("break lock {} of the state of {}", unlock.lock, unlock.module),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{change, seen};
    use crate::seen::Deed;

    #[test]
    fn what_a_run_keeps_tells_as_much_as_all_that_was_seen() {
        let instances =
            || vec![change("aws_instance.node", Deed::Replace), change("aws_subnet.a", Deed::Create)];
        let all = seen(instances());
        let kept = TerraformActions::before(all.clone());
        assert_ne!(kept, all, "the sample has values");
        assert_eq!(TerraformActions::observe(&kept), TerraformActions::observe(&all));
        let act = draft::draft(&all.looks[0].action, &all).unwrap().acts.remove(0);
        for left in [seen(instances()), seen(instances().split_off(1)), seen(vec![])] {
            let of = |before: &Seen| {
                (
                    TerraformActions::settle(&act, before, &left),
                    TerraformActions::in_place(&act, before, &left),
                    TerraformActions::diff(before, &left),
                )
            };
            assert_eq!(of(&kept), of(&all));
        }
    }
}
