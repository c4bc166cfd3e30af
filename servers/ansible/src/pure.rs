//! The pure half of this server, as the runtime takes it.

use std::sync::LazyLock;
use std::time::Duration;

use runcord_model::action::{BadStep, StepCall};
use runcord_model::{Catalog, Change, Refusal};
use runcord_runtime::target::{ActKind, Actions, Draft, Fixed, Measured, Settled};
use serde_json::Value;

use crate::act::RunBatch;
use crate::actions::Action;
use crate::names;
use crate::seen::Seen;
use crate::{canonical, catalog, diff, draft, measure, observe, settle};

/// The pure half.
#[derive(Debug, Clone, Copy)]
pub struct AnsibleActions;

/// How long verifying a batch may take, beside running it.
pub const VERIFYING: Duration = Duration::from_secs(600);

impl Actions for AnsibleActions {
    type Action = Action;
    type Seen = Seen;
    type Act = RunBatch;
    /// Nothing: the check run, which a probe makes, is all that Ansible can tell of an act.
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

    fn kind(_act: &RunBatch) -> ActKind {
        ActKind::Mutate
    }

    fn patience(act: &RunBatch) -> Duration {
        Duration::from_secs(act.timeout.seconds()).saturating_add(VERIFYING)
    }

    fn canonical(acts: &[RunBatch], seen: &Seen) -> Value {
        canonical::canonical(acts, seen)
    }

    fn measure(seen: &Seen, steps: &[Vec<RunBatch>], (): &()) -> Measured {
        measure::measure(seen, steps)
    }

    fn observe(seen: &Seen) -> Value {
        observe::observe(seen)
    }

    fn settle(act: &RunBatch, _before: &Seen, now: &Seen) -> Settled {
        settle::settle(act, now)
    }

    fn diff(before: &Seen, after: &Seen) -> Vec<Change> {
        diff::observed(before, after)
    }

    fn describe(act: &RunBatch) -> String {
        let verb = match act.action {
            Action::TakeBack(_) => "take back",
            Action::RunPlaybook(_) | Action::ReadPlaybook(_) => "run",
        };
        let (playbook, hosts) = (act.action.playbook(), names::listed(&act.hosts));
        format!("{verb} {playbook} on {hosts} (batch {} of {})", act.number, act.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{seen, seen_back};

    #[test]
    fn a_batch_is_described_by_its_hosts_and_not_by_all_of_them() {
        let acts = |seen: &Seen| draft::draft(&seen.looks[0].action, seen).unwrap().acts;
        let described: Vec<_> = acts(&seen()).iter().map(AnsibleActions::describe).collect();
        assert_eq!(
            described,
            ["run restart_web on web1 (batch 1 of 2)", "run restart_web on web2, web3, web4 (batch 2 of 2)"]
        );
        let back = acts(&seen_back());
        assert_eq!(AnsibleActions::describe(&back[0]), "take back restart_web on web1 (batch 1 of 2)");
        let mut many = acts(&seen()).remove(1);
        many.hosts = (0..9).map(|i| format!("h{i}").parse().unwrap()).collect();
        let says = "run restart_web on h0, h1, h2, h3, h4 and 4 more (batch 2 of 2)";
        assert_eq!(AnsibleActions::describe(&many), says);
    }

    #[test]
    fn there_is_time_to_verify_after_the_last_moment_of_a_batch() {
        let seen = seen();
        let act = draft::draft(&seen.looks[0].action, &seen).unwrap().acts.remove(0);
        assert_eq!(AnsibleActions::patience(&act), Duration::from_secs(30 * 60 + 10 * 60));
        assert_eq!(AnsibleActions::kind(&act), ActKind::Mutate);
    }
}
