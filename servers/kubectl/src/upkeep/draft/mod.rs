//! What carrying out an action means, decided before anything is done.

mod cron_job;
mod jobs;
mod pod;
mod roll_back;
mod service;

use runcord_model::Refusal;
use runcord_runtime::target::{Draft, Fixed};

use super::fields::UpkeepAction;
use crate::KubectlActions;
use crate::seen::Seen;

pub(crate) use jobs::left_alone;
pub(crate) use service::proved_gone;

/// Drafts one action.
///
/// # Errors
/// `precondition_failed` when the cluster is not in a state in which the action makes sense.
pub(crate) fn draft(
    action: &UpkeepAction,
    seen: &Seen,
    fixed: &Fixed,
) -> Result<Draft<KubectlActions>, Refusal> {
    match action {
        UpkeepAction::RollBack(it) => roll_back::roll_back(it, seen, fixed),
        UpkeepAction::EvictPod(it) => pod::evict(it, seen),
        UpkeepAction::SuspendCronJob(it) => cron_job::suspend(it, seen, fixed),
        UpkeepAction::CleanJobs(it) => jobs::clean(it, seen, fixed),
        UpkeepAction::ReleaseNode(it) => service::release(it, seen, fixed),
        UpkeepAction::ReclaimNode(it) => service::reclaim(it, seen, fixed),
    }
}

#[cfg(test)]
mod tests;
