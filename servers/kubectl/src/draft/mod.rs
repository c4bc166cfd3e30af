//! What carrying out an action means, decided before anything is done: a list of acts without choices left in it.

pub(crate) mod drain;
pub(crate) mod node;
pub(crate) mod rollout;

use runcord_model::Refusal;
use runcord_runtime::target::{Draft, Fixed};

use crate::KubectlActions;
use crate::actions::Action;
use crate::refuse::internal;
use crate::seen::Seen;

/// Drafts one action on what was seen, or on what the steps before it will leave behind.
///
/// # Errors
/// `precondition_failed` when the cluster is not in a state in which the action makes sense.
pub(crate) fn draft(action: &Action, seen: &Seen, fixed: &Fixed) -> Result<Draft<KubectlActions>, Refusal> {
    match action {
        Action::Cordon(on) => node::cordon(&on.node, seen, fixed),
        Action::Uncordon(on) => node::uncordon(&on.node, seen, fixed),
        Action::Drain(drain) => drain::drain(drain, seen),
        Action::Restart(restart) => rollout::restart(restart, seen, fixed),
        Action::RevertRestart(revert) => rollout::revert_restart(revert, seen, fixed),
        Action::Scale(scale) => rollout::scale(scale, seen, fixed),
        Action::WorkloadStatus(_)
        | Action::PodLogs(_)
        | Action::NodeStatus(_)
        | Action::RolloutHistory(_)
        | Action::RecentEvents(_)
        | Action::FindConsumers(_) => Err(internal("an action that only looks was asked for its acts")),
        Action::Secret(secret) => crate::secrets::draft::draft(secret, seen, fixed),
        Action::Upkeep(upkeep) => crate::upkeep::draft::draft(upkeep, seen, fixed),
        Action::Volume(volume) => crate::volumes::draft::draft(volume, seen, fixed),
        Action::Queue(queue) => crate::queues::draft::draft(queue, seen),
    }
}

#[cfg(test)]
mod tests;
