//! What a probe saw of queues.

use serde::{Deserialize, Serialize};

use super::commands::Preview;
use super::fields::PurgeQueue;
pub use super::number::Size;
use crate::exec::{Limit, Nowhere, Place};
use crate::names::Uid;

/// What the actions name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueFocus {
    /// Queues, in the order of the actions.
    pub queues: Vec<Question>,
}

/// How much is in a queue, to be asked there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Where.
    pub at: Place,
    /// How.
    pub preview: Preview,
    /// How long the answer may take.
    pub limit: Limit,
}

/// What a probe saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueSeen {
    /// One for each question, in order.
    pub queues: Vec<(Question, Found)>,
}

/// What was found where a queue should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// No command can be run there.
    Nowhere(Nowhere),
    /// The preview did not say how much there is.
    Silent {
        /// The pod.
        uid: Uid,
        /// Why not.
        why: Silence,
    },
    /// The preview said how much there is.
    Told {
        /// The pod.
        uid: Uid,
        /// How much.
        size: Size,
    },
}

/// Why a preview said no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// The API server refused the command with this status.
    Refused(u16),
    /// It ended with this exit code.
    Failed(i32),
    /// What it printed is not one whole number.
    NoNumber,
    /// It took too long and was killed.
    TimedOut,
    /// How it ended was not told.
    Lost,
    /// Other commands of this server are under way.
    Busy,
}

impl Question {
    /// What is asked before `it` is done.
    pub fn before(it: &PurgeQueue) -> Self {
        let at =
            Place { namespace: it.namespace.clone(), pod: it.pod.clone(), container: it.container.clone() };
        // Whoever plans waits for the answer, so it has less time than the purge.
        Self { at, preview: it.preview.clone(), limit: it.limit.min(Limit::HALF_A_MINUTE) }
    }
}

impl QueueSeen {
    /// What was found for that question.
    pub fn found(&self, question: &Question) -> Option<&Found> {
        self.queues.iter().find(|(asked, _)| asked == question).map(|(_, found)| found)
    }
}

impl std::fmt::Display for Silence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // 422 is what an admission policy says.
            Self::Refused(401 | 403 | 422) => f.write_str(
                "the API server, or its admission, does not let these credentials run the preview command",
            ),
            Self::Refused(status) => {
                write!(f, "the API server refused the preview command with status {status}")
            }
            Self::Failed(code) => write!(f, "the preview command ended with exit code {code}"),
            Self::NoNumber => f.write_str("what the preview command printed is not one whole number"),
            Self::TimedOut => f.write_str("the preview command did not end in time and was killed"),
            Self::Lost => f.write_str("how the preview command ended was not told"),
            Self::Busy => f.write_str("too many commands of this server are under way"),
        }
    }
}
