//! Bounded numbers of Kubernetes, valid by construction.

pub(crate) use runcord_model::bounds::seconds_of;
pub use runcord_model::bounds::{BadSpan, OutOfBounds, Span};
pub(crate) use runcord_model::{bounded, duration};

bounded!(
    /// How many replicas a workload is scaled to.
    Replicas, 0, 1000
);
bounded!(
    /// How many pods are evicted together.
    Batch, 1, 10
);
bounded!(
    /// How many of the newest log lines are read.
    Tail, 1, 1000
);

bounded!(
    /// The number under which a set of values of a Secret is kept.
    VersionNumber, 1, 1_000_000
);
bounded!(
    /// How many letters and digits a new random value has.
    ValueLength, 16, 128
);

impl VersionNumber {
    /// The first.
    pub const FIRST: Self = Self(1);

    /// The one before it; the first one stays.
    #[must_use]
    pub fn previous(self) -> Self {
        Self((self.0 - 1).max(1))
    }

    /// The one after it; the last one stays.
    #[must_use]
    pub fn next(self) -> Self {
        Self((self.0 + 1).min(1_000_000))
    }
}

impl std::fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Default for ValueLength {
    /// 190 bits: more than anybody can try.
    fn default() -> Self {
        Self(32)
    }
}

impl std::fmt::Display for ValueLength {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Batch {
    /// One pod at a time.
    pub const ONE: Self = Self(1);
}

impl Tail {
    /// A screenful or two.
    pub const DEFAULT: Self = Self(100);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold() {
        assert!(Batch::try_from(0).is_err() && Batch::try_from(11).is_err() && Batch::try_from(10).is_ok());
        assert!(
            Replicas::try_from(-1).is_err()
                && Replicas::try_from(1001).is_err()
                && Replicas::try_from(0).is_ok()
        );
        assert!(Tail::try_from(0).is_err() && Tail::try_from(1001).is_err());
        assert!(ValueLength::try_from(15).is_err() && ValueLength::try_from(129).is_err());
        assert!(ValueLength::try_from(16).is_ok() && ValueLength::try_from(128).is_ok());
        assert!(VersionNumber::try_from(0).is_err() && VersionNumber::try_from(1_000_001).is_err());
    }

    #[test]
    fn numbers_of_values_have_a_first_and_a_last() {
        let [first, second, last] = [1, 2, 1_000_000].map(|n| VersionNumber::try_from(n).unwrap());
        assert_eq!((first.next(), second.previous(), first.previous()), (second, first, first));
        assert_eq!(last.next(), last);
    }
}
