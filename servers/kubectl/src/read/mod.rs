//! The actions that only look. Text from inside workloads leaves only under `untrusted`.

mod logs;
mod status;

use runcord_model::Refusal;
use serde_json::Value;

use crate::actions::Action;
use crate::reader::Reader;
use crate::refuse::internal;

pub use logs::Logs;
pub use status::Status;

/// Carries out an action that only looks.
pub(crate) async fn read(reader: &Reader, action: &Action) -> Result<Value, Refusal> {
    let unwritable = |_| internal("a result could not be written down");
    match action {
        Action::WorkloadStatus(workload) => {
            serde_json::to_value(status::read(reader, workload).await?).map_err(unwritable)
        }
        Action::PodLogs(logs) => serde_json::to_value(logs::read(reader, logs).await?).map_err(unwritable),
        Action::Cordon(_)
        | Action::Uncordon(_)
        | Action::Drain(_)
        | Action::Restart(_)
        | Action::RevertRestart(_)
        | Action::Scale(_)
        | Action::Upkeep(_) => Err(internal("an action that mutates was asked for a reading")),
    }
}
