//! All that this server can do and see, as data: what a runbook is checked against when it is loaded.

use runcord_model::action::{BadStep, Schema, Scopes, StepCall};
use runcord_model::{ActionSpec, Catalog};

use crate::actions::{Action, Play, TakeBack};
use crate::observe::{Observation, sample};
use crate::read::Answer;

const RUN: &[&str] = &["run", "checked", "verified", "hosts"];

/// The catalog.
pub(crate) fn catalog() -> Catalog {
    Catalog {
        server: "ansible",
        actions: vec![
            ActionSpec::mutating::<Play>(
                "run_playbook",
                "Runs a declared playbook on hosts of a group, batch by batch, each verified before the next begins.",
                RUN,
            ),
            ActionSpec::mutating::<TakeBack>(
                "take_back",
                "Runs what is declared as the way back of a playbook, on the hosts that a run of it changed.",
                RUN,
            ),
            ActionSpec::reading::<Play, Answer>(
                "read_playbook",
                "Runs a declared playbook that only reads, on hosts of a group, and shows what each reports.",
                &[],
            ),
        ],
        observation: Schema::of::<Observation>(),
        sample: sample(),
        check,
    }
}

fn check(call: &StepCall) -> Result<Scopes, BadStep> {
    Action::read(call).map(|action| action.scopes())
}

#[cfg(test)]
mod tests;
