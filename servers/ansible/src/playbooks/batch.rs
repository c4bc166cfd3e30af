//! How many hosts go together.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The size of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum Batch {
    /// So many hosts.
    Hosts(u32),
    /// This share of the hosts of the run, in percent, and at least one.
    Percent(u8),
}

impl Batch {
    /// How many of `hosts` go together; never none, so that a run has an end.
    pub fn of(self, hosts: usize) -> usize {
        let size = match self {
            Self::Hosts(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Self::Percent(share) => hosts.saturating_mul(usize::from(share)) / 100,
        };
        size.max(1)
    }
}

/// What is no size of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a size of a batch: a number from 1 to 10000, or a share such as \"25%\"")]
pub struct NoBatch;

impl TryFrom<Value> for Batch {
    type Error = NoBatch;

    fn try_from(written: Value) -> Result<Self, NoBatch> {
        match written {
            Value::Number(count) => {
                let count = count.as_u64().and_then(|count| u32::try_from(count).ok());
                count.filter(|count| (1..=10_000).contains(count)).map(Self::Hosts).ok_or(NoBatch)
            }
            Value::String(share) => {
                let share = share.strip_suffix('%').ok_or(NoBatch)?;
                let is_number = share.bytes().all(|b| b.is_ascii_digit());
                let share = share.parse().ok().filter(|share| is_number && (1..=100).contains(share));
                share.map(Self::Percent).ok_or(NoBatch)
            }
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(NoBatch),
        }
    }
}

impl From<Batch> for Value {
    fn from(batch: Batch) -> Self {
        match batch {
            Batch::Hosts(count) => count.into(),
            Batch::Percent(share) => format!("{share}%").into(),
        }
    }
}
