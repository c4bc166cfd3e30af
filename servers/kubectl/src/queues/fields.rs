//! The fields of these actions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::commands::{Preview, Purge};
use super::number::Size;
use crate::exec::Limit;
use crate::names::{ContainerName, Namespace, PodName};

/// A typed step of these actions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "queue", rename_all = "snake_case")]
pub enum QueueAction {
    /// Empties a queue.
    Purge(PurgeQueue),
}

/// `purge_queue`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PurgeQueue {
    /// The pod's namespace.
    pub namespace: Namespace,
    /// The pod.
    pub pod: PodName,
    /// The container in which both commands run. Its image must have `timeout`, of coreutils or BusyBox.
    #[schemars(schema_with = "crate::exec::written_out_container")]
    pub container: ContainerName,
    /// The command that prints how much is in the queue, one whole number and nothing else. It must only look: it runs
    /// when planning, when applying and when verifying, without anybody's approval.
    pub preview: Preview,
    /// The command that empties the queue.
    pub purge: Purge,
    /// How long the purge may take inside the container before it is killed there; 30s unless given. A preview has as
    /// long, and 30s at most.
    #[serde(default = "half_a_minute")]
    pub limit: Limit,
    /// Refused when the queue holds more than this.
    #[serde(default)]
    pub size_at_most: Option<Size>,
}

fn half_a_minute() -> Limit {
    Limit::HALF_A_MINUTE
}

impl QueueAction {
    /// The namespace it names.
    pub fn namespace(&self) -> &Namespace {
        match self {
            Self::Purge(it) => &it.namespace,
        }
    }
}

#[cfg(test)]
mod tests {
    use runcord_model::Digest;
    use runcord_runbooks::Runbook;

    use super::super::samples::fields;
    use super::super::seen::Question;
    use super::*;
    use crate::catalog::catalog;

    /// What is wrong with the shipped file when one piece of it is another.
    fn said(piece: &str, by: &str) -> String {
        let (file, text) = runcord_runbooks::optional()[0];
        assert!(text.contains(piece), "{piece}");
        let checked = Runbook::parse(file, &text.replacen(piece, by, 1)).unwrap();
        let faults = checked.check(&catalog(), Digest::from_bytes([0; 32])).map(|_| ()).unwrap_err();
        faults.iter().map(|fault| fault.message().to_owned()).collect()
    }

    #[test]
    fn what_runs_and_where_is_written_out_in_the_file() {
        let never = "this is written out: no parameter fills it";
        assert_eq!(said("container: redis", "container: \"${params.pod}\""), never);
        assert_eq!(said("purge: [redis-cli, -e", "purge: [redis-cli, \"${params.queue}\""), never);
        assert_eq!(said("preview: [redis-cli, -e", "preview: [redis-cli, \"-${params.queue}\""), never);
        let whole = "a placeholder must be the whole value here";
        assert_eq!(said("LLEN, {value: \"${params.queue}\"}", "LLEN, {value: \"a-${params.queue}\"}"), whole);
    }

    #[test]
    fn a_file_that_starts_a_shell_does_not_load() {
        for argv in ["[sh, -c, x]", "[/usr/bin/env, redis-cli]", "[{value: \"${params.queue}\"}]", "[]"] {
            let said = said(
                "purge: [redis-cli, -e, LTRIM, {value: \"${params.queue}\"}, \"1\", \"0\"]",
                &format!("purge: {argv}"),
            );
            assert!(said.contains("cannot take this: purge"), "{argv}: {said}");
        }
    }

    #[test]
    fn a_preview_has_half_a_minute_at_most() {
        assert_eq!(Question::before(&fields()).limit, Limit::HALF_A_MINUTE);
        let short = PurgeQueue { limit: Limit::try_from("5s".to_owned()).unwrap(), ..fields() };
        assert_eq!(Question::before(&short).limit.seconds(), 5);
    }
}
