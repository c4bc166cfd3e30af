//! The fields of these actions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::size::{GrowthPercent, Size};
use crate::names::{Namespace, ObjectName};
use crate::numbers::Span;

/// A typed step of these actions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "volume", rename_all = "snake_case")]
pub enum VolumeAction {
    /// Asks for a larger volume.
    GrowClaim(GrowClaim),
}

/// `grow_claim`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrowClaim {
    /// The namespace of the PersistentVolumeClaim.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// How large it should be.
    pub size: Size,
    /// The most that it may become at once, in percent of what it is now.
    pub at_most_percent: GrowthPercent,
    /// How long it may take until the volume has grown; 10m unless given.
    #[serde(default = "ten_minutes")]
    pub timeout: Span,
}

fn ten_minutes() -> Span {
    Span::TEN_MINUTES
}

impl VolumeAction {
    /// The namespace it names.
    pub fn namespace(&self) -> &Namespace {
        match self {
            Self::GrowClaim(it) => &it.namespace,
        }
    }
}
