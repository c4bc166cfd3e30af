//! What CEL in a runbook sees.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::seen::Found;
use crate::names::{ContainerName, Namespace, PodName};
use crate::seen::Seen;

/// The queue that the runbook names. It is not there while the preview says no number.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct QueueView {
    /// The pod's namespace.
    pub namespace: Namespace,
    /// The pod.
    pub pod: PodName,
    /// The container.
    pub container: ContainerName,
    /// How much is in the queue, as the preview command says.
    pub size: i64,
}

/// Puts the variables that were looked at.
pub(crate) fn observe(seen: &Seen, variables: &mut Map<String, Value>) {
    let Some(question) = seen.focus.queues.queues.first() else { return };
    let Some(Found::Told { size, .. }) = seen.queues.found(question) else { return };
    let view = QueueView {
        namespace: question.at.namespace.clone(),
        pod: question.at.pod.clone(),
        container: question.at.container.clone(),
        size: size.get(),
    };
    variables.insert("queue".to_owned(), json!(view));
}

/// One of each, for the catalog.
pub(crate) fn samples() -> [(&'static str, Value); 1] {
    [("queue", json!({"namespace": "shop", "pod": "redis-0", "container": "redis", "size": 12}))]
}

#[cfg(test)]
mod tests {
    use super::super::samples::{seen, told};
    use super::*;
    use crate::exec::Nowhere;

    #[test]
    fn a_queue_without_a_number_is_not_there() {
        let of = |seen: &Seen| {
            let mut variables = Map::new();
            observe(seen, &mut variables);
            variables
        };
        assert_eq!(of(&seen(told(7)))["queue"]["size"], 7);
        assert!(of(&seen(Found::Nowhere(Nowhere::NotReady))).is_empty());
    }
}
