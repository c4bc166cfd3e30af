//! How long a command may take inside its container.

use serde::{Deserialize, Serialize};

use crate::inline::inline_schema;
use crate::numbers::seconds_of;

/// A time of 1 second to 10 minutes, written as Go writes durations: `30s`, `5m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Limit(u32);

/// A text that is no such time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a duration from 1s to 10m such as `30s` or `5m`")]
pub struct BadLimit;

/// So many seconds at most. Whoever waits for a command waits with a run in flight that nothing can stop.
const MOST: u32 = 600;

impl Limit {
    /// Half a minute.
    pub const HALF_A_MINUTE: Self = Self(30);

    /// In seconds.
    pub fn seconds(self) -> u32 {
        self.0
    }
}

impl TryFrom<String> for Limit {
    type Error = BadLimit;
    fn try_from(text: String) -> Result<Self, BadLimit> {
        let seconds = seconds_of(&text).and_then(|seconds| u32::try_from(seconds).ok());
        seconds.filter(|seconds| (1..=MOST).contains(seconds)).map(Self).ok_or(BadLimit)
    }
}

impl From<Limit> for String {
    fn from(limit: Limit) -> String {
        limit.to_string()
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0 / 60, self.0 % 60) {
            (0, seconds) => write!(f, "{seconds}s"),
            (minutes, 0) => write!(f, "{minutes}m"),
            (minutes, seconds) => write!(f, "{minutes}m{seconds}s"),
        }
    }
}

inline_schema! {
    Limit: {"type": "string", "pattern": "^([0-9]{1,6}m)?([0-9]{1,6}s)?$", "minLength": 2};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold() {
        for (text, seconds, back) in [("1s", 1, "1s"), ("90s", 90, "1m30s"), ("10m", 600, "10m")] {
            let limit = Limit::try_from(text.to_owned()).unwrap();
            assert_eq!((limit.seconds(), limit.to_string().as_str()), (seconds, back));
        }
        for bad in ["", "0s", "601s", "10m1s", "1h", "30", "-1s", "1d"] {
            assert_eq!(Limit::try_from(bad.to_owned()), Err(BadLimit), "{bad}");
        }
    }
}
