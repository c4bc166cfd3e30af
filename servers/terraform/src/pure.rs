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
