//! What a server acts on.

use serde::{Deserialize, Serialize};

/// How much care a target asks for. An unmapped target counts as production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Nobody is woken.
    Dev,
    /// Somebody may notice.
    Staging,
    /// Everybody notices.
    Prod,
}

impl Environment {
    /// The word used in policy, files and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Staging => "staging",
            Self::Prod => "prod",
        }
    }
}

/// The one cluster, workspace or inventory that a server acts on, frozen when the server starts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The name people use, from `targets.yaml`; for an unmapped target one made of its identity.
    pub name: String,
    /// How much care it asks for.
    pub environment: Environment,
    /// What it *is*, whatever it is called: for a cluster the uid of `kube-system` and the digest of its CA.
    pub identity: String,
}
