//! Bounded numbers and ages, valid by construction.

use crate::numbers::{bounded, duration};

bounded!(
    /// The number of a revision.
    Revision, 1, 1_000_000_000
);
bounded!(
    /// How many Jobs are deleted at most.
    JobCount, 1, 100
);
duration!(
    /// An age of 1 minute to a year, written as Go writes durations: `90m`, `24h`, `168h`.
    Age, 60, 31_536_000, BadAge, "not a duration from 1m to 8760h such as `90m` or `24h`"
);

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
