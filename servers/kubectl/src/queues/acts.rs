//! The acts on queues.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::commands::Purge;
use super::seen::{Question, Size};
use crate::exec::Limit;
use crate::names::{Namespace, Uid};

/// One mutation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "queue", rename_all = "snake_case")]
pub enum QueueAct {
    /// Empties a queue.
    Purge(PurgeAct),
}

/// Empties a queue, if it holds no more than it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeAct {
    /// What is asked once more right before, and where.
    pub question: Question,
    /// The pod's uid.
    pub uid: Uid,
    /// The command.
    pub purge: Purge,
    /// How long it may take.
    pub limit: Limit,
    /// How much was in the queue.
    pub size: Size,
}

/// How long the act may be put off, in seconds: only while other commands of this server are under way.
const PATIENCE: u64 = 60;

impl QueueAct {
    /// One line for a person.
    pub fn describe(&self) -> String {
        match self {
            Self::Purge(it) => {
                format!("run the purge command in {}, for {} entries at most", it.question.at, it.size)
            }
        }
    }

    /// How long it may be deferred, in seconds.
    pub fn patience_seconds(&self) -> u64 {
        match self {
            Self::Purge(_) => PATIENCE,
        }
    }

    /// What must be *equal* at apply: the pod itself, the container, and every word of both commands. The number may
    /// become smaller: it is in the blast radius.
    pub fn canonical(&self) -> Value {
        match self {
            Self::Purge(it) => {
                let at = &it.question.at;
                json!({
                    "purge": it.purge, "preview": it.question.preview, "limit": it.limit,
                    "namespace": at.namespace, "pod": at.pod, "uid": it.uid, "container": at.container,
                })
            }
        }
    }

    /// The namespace it touches.
    pub fn namespace(&self) -> &Namespace {
        match self {
            Self::Purge(it) => &it.question.at.namespace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::purge;
    use super::*;

    #[test]
    fn the_pod_and_every_word_are_fixed_and_the_number_is_not() {
        let act = purge(12);
        let canonical = act.canonical();
        assert_eq!(canonical["uid"], "pod-redis-0");
        assert_eq!(canonical["purge"], json!(["redis-cli", "-e", "LTRIM", {"value": "orders"}, "1", "0"]));
        assert_eq!(canonical["preview"], json!(["redis-cli", "-e", "LLEN", {"value": "orders"}]));
        assert_eq!(canonical, purge(7).canonical());
    }
}
