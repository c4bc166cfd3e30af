//! The two commands of a queue, each a type of its own: the one that looks may be run by whoever reads, the one that
//! empties only against a permit that still stood when it was looked at last.

use runcord_runtime::target::Unstopped;
use serde::{Deserialize, Serialize};

use crate::exec::Argv;
use crate::inline::inline_schema;

/// A command that a reviewed file declares to only look. The only kind that anything runs without a permit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Preview(Argv);

/// A command that empties a queue. Its words are handed out against a permit only, after the last look at the cord.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Purge(Argv);

impl Preview {
    /// The texts of its elements, in order.
    pub fn words(&self) -> Vec<&str> {
        self.0.texts()
    }
}

impl Purge {
    /// What it would run, for people to read and for comparison.
    pub fn shown(&self) -> &Argv {
        &self.0
    }

    /// The texts of its elements, in order, to be run.
    pub fn words(&self, _unstopped: &Unstopped) -> Vec<&str> {
        self.0.texts()
    }
}

inline_schema! {
    Preview as Argv;
    Purge as Argv;
}
