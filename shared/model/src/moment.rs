//! Time as data: the clock is read at the edge and comes in as a [`Moment`].

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One reading of both clocks: what the wall says, and how long this boot has lasted (suspend included).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Wall time, UTC.
    pub utc: Timestamp,
    /// Identity of this boot; boot times of different boots cannot be compared.
    pub boot_id: String,
    /// Milliseconds since boot.
    pub boot_ms: u64,
}

/// A time limit that counts from a moment and ends when *either* clock says so:
/// a clock set back or a suspended laptop revives nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// When it began to count.
    pub from: Moment,
    /// How long it lasts, in milliseconds.
    pub lasts_ms: u64,
}

impl Deadline {
    /// A deadline `lasts_ms` milliseconds after `from`.
    pub fn after(from: Moment, lasts_ms: u64) -> Self {
        Self { from, lasts_ms }
    }

    /// Whether it has passed at `now`. A wall clock that reads earlier than the start counts as passed
    /// once the boot differs, since then nothing else can be trusted.
    pub fn passed(&self, now: &Moment) -> bool {
        let lasts = i128::from(self.lasts_ms);
        let by_wall = i128::from(now.utc.as_millisecond()) - i128::from(self.from.utc.as_millisecond());
        if now.boot_id == self.from.boot_id {
            let by_boot = i128::from(now.boot_ms) - i128::from(self.from.boot_ms);
            by_boot < 0 || by_boot >= lasts || by_wall >= lasts
        } else {
            by_wall < 0 || by_wall >= lasts
        }
    }

    /// The wall time at which it passes.
    pub fn utc(&self) -> Timestamp {
        let at = self.from.utc.as_millisecond().saturating_add_unsigned(self.lasts_ms);
        Timestamp::from_millisecond(at).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(boot: &str, utc_s: i64, boot_ms: u64) -> Moment {
        Moment { utc: Timestamp::from_second(utc_s).unwrap(), boot_id: boot.to_owned(), boot_ms }
    }

    #[test]
    fn whichever_clock_ends_first_ends_it() {
        let deadline = Deadline::after(at("a", 1000, 500), 60_000);
        assert!(!deadline.passed(&at("a", 1059, 59_000)));
        assert!(deadline.passed(&at("a", 1060, 59_000)), "wall clock");
        assert!(deadline.passed(&at("a", 0, 60_500)), "boot clock, with the wall clock set back");
        assert!(deadline.passed(&at("a", 1001, 499)), "boot time never runs backwards");
    }

    #[test]
    fn another_boot_leaves_only_the_wall_clock() {
        let deadline = Deadline::after(at("a", 1000, 500), 60_000);
        assert!(!deadline.passed(&at("b", 1059, 999_999)));
        assert!(deadline.passed(&at("b", 1060, 0)));
        assert!(deadline.passed(&at("b", 999, 0)), "a wall clock behind the start proves nothing");
    }
}
