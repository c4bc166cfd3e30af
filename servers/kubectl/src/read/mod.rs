//! The actions that only look. Text from inside workloads leaves only under `untrusted`.

mod consumers;
mod event;
mod events;
mod history;
mod logs;
mod node;
mod secrets;
mod status;

#[cfg(test)]
mod hostile;

use runcord_model::Refusal;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::actions::Action;
use crate::reader::Reader;
use crate::refuse::internal;

pub use consumers::Consumers;
pub use events::Events;
pub use history::History;
pub use logs::Logs;
pub use node::NodeStatus;
pub use secrets::Redaction;
pub use status::Status;

/// How many pods.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Counted {
    /// In all.
    pub total: usize,
    /// Ready.
    pub ready: usize,
}

/// Carries out an action that only looks.
pub(crate) async fn read(reader: &Reader, action: &Action) -> Result<Value, Refusal> {
    let unwritable = |_| internal("a result could not be written down");
    match action {
        Action::WorkloadStatus(workload) => {
            serde_json::to_value(status::read(reader, workload).await?).map_err(unwritable)
        }
        Action::PodLogs(logs) => serde_json::to_value(logs::read(reader, logs).await?).map_err(unwritable),
        Action::NodeStatus(on) => {
            serde_json::to_value(node::read(reader, &on.node).await?).map_err(unwritable)
        }
        Action::RolloutHistory(workload) => {
            serde_json::to_value(history::read(reader, workload).await?).map_err(unwritable)
        }
        Action::RecentEvents(events) => {
            serde_json::to_value(events::read(reader, events).await?).map_err(unwritable)
        }
        Action::FindConsumers(find) => {
            serde_json::to_value(consumers::read(reader, find).await?).map_err(unwritable)
        }
        Action::Cordon(_)
        | Action::Uncordon(_)
        | Action::Drain(_)
        | Action::Restart(_)
        | Action::RevertRestart(_)
        | Action::Scale(_)
        | Action::Upkeep(_)
        | Action::Secret(_)
        | Action::Volume(_)
        | Action::Queue(_) => Err(internal("an action that mutates was asked for a reading")),
    }
}

/// As many of `lines` as fit into so many bytes of JSON.
fn within<T: Serialize>(lines: Vec<T>, bytes: usize) -> Vec<T> {
    let mut sum = 0;
    let fits = |line: &T| {
        sum += serde_json::to_string(line).map_or(bytes, |text| text.len() + 1);
        sum <= bytes
    };
    lines.into_iter().take_while(fits).collect()
}
