//! Bounded numbers and ages, valid by construction.

use crate::numbers::{OutOfBounds, seconds_of};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The number of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Revision(i64);

/// How many Jobs are deleted at most: 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct JobCount(u32);

/// An age of 1 minute to a year, written as Go writes durations: `90m`, `24h`, `168h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Age(u64);

/// A text that is no age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a duration from 1m to 8760h such as `90m` or `24h`")]
pub struct BadAge;

const HIGHEST_REVISION: u32 = 1_000_000_000;
const MOST_JOBS: u32 = 100;
const YEAR: u64 = 8760 * 3600;

impl Revision {
    /// The number.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl JobCount {
    /// The number.
    pub fn get(self) -> usize {
        self.0 as usize
    }
}

impl Age {
    /// In seconds.
    pub fn seconds(self) -> u64 {
        self.0
    }
}

impl TryFrom<i64> for Revision {
    type Error = OutOfBounds;
    fn try_from(number: i64) -> Result<Self, OutOfBounds> {
        let known = (1..=i64::from(HIGHEST_REVISION)).contains(&number);
        if known { Ok(Self(number)) } else { Err(OutOfBounds { low: 1, high: HIGHEST_REVISION }) }
    }
}

impl From<Revision> for i64 {
    fn from(revision: Revision) -> i64 {
        revision.0
    }
}

impl TryFrom<i64> for JobCount {
    type Error = OutOfBounds;
    fn try_from(number: i64) -> Result<Self, OutOfBounds> {
        match u32::try_from(number) {
            Ok(n) if (1..=MOST_JOBS).contains(&n) => Ok(Self(n)),
            _ => Err(OutOfBounds { low: 1, high: MOST_JOBS }),
        }
    }
}

impl From<JobCount> for i64 {
    fn from(count: JobCount) -> i64 {
        i64::from(count.0)
    }
}

impl TryFrom<String> for Age {
    type Error = BadAge;
    fn try_from(text: String) -> Result<Self, BadAge> {
        seconds_of(&text).filter(|seconds| (60..=YEAR).contains(seconds)).map(Self).ok_or(BadAge)
    }
}

impl From<Age> for String {
    fn from(age: Age) -> String {
        age.to_string()
    }
}

impl std::fmt::Display for Age {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (seconds, unit) in [(self.0 / 3600, 'h'), (self.0 % 3600 / 60, 'm'), (self.0 % 60, 's')] {
            if seconds > 0 {
                write!(f, "{seconds}{unit}")?;
            }
        }
        Ok(())
    }
}

macro_rules! inline_schema {
    ($($name:ident: $schema:tt;)*) => {$(
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

inline_schema! {
    Revision: {"type": "integer", "minimum": 1, "maximum": 1_000_000_000};
    JobCount: {"type": "integer", "minimum": 1, "maximum": 100};
    Age: {"type": "string", "pattern": "^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$", "minLength": 2};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold() {
        for (text, seconds) in [("1m", 60), ("24h", 86_400), ("168h", 604_800), ("1h30m", 5400)] {
            let age = Age::try_from(text.to_owned()).unwrap();
            assert_eq!((age.seconds(), age.to_string().as_str()), (seconds, text));
        }
        for bad in ["", "0h", "59s", "8761h", "24", "-1h", "7d"] {
            assert_eq!(Age::try_from(bad.to_owned()), Err(BadAge), "{bad}");
        }
        assert!(JobCount::try_from(0).is_err() && JobCount::try_from(101).is_err());
        assert!(Revision::try_from(0).is_err() && Revision::try_from(7).is_ok_and(|r| r.get() == 7));
    }
}
