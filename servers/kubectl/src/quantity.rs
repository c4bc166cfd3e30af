//! Kubernetes quantities: `100m`, `1.5`, `64Mi`, `2e3`.
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::seen::Amounts;

impl Amounts {
    /// The amounts of a resource list. A quantity that cannot be read counts as more than any node has.
    pub fn of_requests(list: Option<&BTreeMap<String, Quantity>>) -> Self {
        Self::of(list, i64::MAX / 1024)
    }

    /// The amounts that a node offers. A quantity that cannot be read counts as nothing.
    pub fn of_offer(list: Option<&BTreeMap<String, Quantity>>) -> Self {
        Self::of(list, 0)
    }

    fn of(list: Option<&BTreeMap<String, Quantity>>, unreadable: i64) -> Self {
        let thousandths = |q: &Quantity| thousandths(&q.0).unwrap_or(unreadable);
        Self(list.into_iter().flatten().map(|(name, q)| (name.clone(), thousandths(q))).collect())
    }

    /// Adds `other` to it.
    pub fn add(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let sum = self.0.entry(name.clone()).or_default();
            *sum = sum.saturating_add(*amount);
        }
    }

    /// Takes `other` off it.
    pub fn subtract(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let left = self.0.entry(name.clone()).or_default();
            *left = left.saturating_sub(*amount);
        }
    }

    /// The larger of both, resource by resource.
    #[must_use]
    pub fn max(mut self, other: &Self) -> Self {
        for (name, amount) in &other.0 {
            let mine = self.0.entry(name.clone()).or_default();
            *mine = (*mine).max(*amount);
        }
        self
    }

    /// Whether `more` fits on top of `self` within `room`.
    pub fn leaves_room_for(&self, more: &Self, room: &Self) -> bool {
        let of = |amounts: &Self, name: &str| amounts.0.get(name).copied().unwrap_or(0);
        more.0
            .iter()
            .filter(|(_, amount)| **amount > 0)
            .all(|(name, amount)| of(self, name).saturating_add(*amount) <= of(room, name))
    }
}

/// The quantity in thousandths of its unit, rounded up.
fn thousandths(text: &str) -> Option<i64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '+' | '-')).unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(end)?;
    let factor = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024f64,
        "Mi" => 1024f64.powi(2),
        "Gi" => 1024f64.powi(3),
        "Ti" => 1024f64.powi(4),
        "Pi" => 1024f64.powi(5),
        "Ei" => 1024f64.powi(6),
        exponent => 10f64.powi(exponent.strip_prefix(['e', 'E'])?.parse::<i8>().ok()?.into()),
    };
    let number: f64 = number.parse().ok()?;
    let amount = number * factor * 1000.0;
    // A float holds whole numbers exactly up to 2^53: rounding up by less than one part in 2^52 is on the safe side.
    #[expect(clippy::cast_possible_truncation, reason = "saturates, which is more than any node has")]
    (amount.is_finite() && amount >= 0.0).then(|| (amount - 1e-6).ceil() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read() {
        for (text, expected) in [
            ("100m", 100),
            ("1", 1000),
            ("1.5", 1500),
            ("0", 0),
            ("1Ki", 1_024_000),
            ("64Mi", 67_108_864_000),
            ("2e3", 2_000_000),
            ("2E3", 2_000_000),
            ("1k", 1_000_000),
            ("1n", 1),
            ("100u", 1),
        ] {
            assert_eq!(thousandths(text), Some(expected), "{text}");
        }
        for bad in ["", "x", "1X", "-1", "1e999", "Mi", "--1"] {
            assert_eq!(thousandths(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_read_fits_nowhere() {
        let list = |text: &str| BTreeMap::from([("cpu".to_owned(), Quantity(text.to_owned()))]);
        let (asked, offered) = (Amounts::of_requests(Some(&list("?"))), Amounts::of_offer(Some(&list("64"))));
        assert!(!Amounts::default().leaves_room_for(&asked, &offered));
        let asked = Amounts::of_requests(Some(&list("1")));
        assert!(!Amounts::default().leaves_room_for(&asked, &Amounts::of_offer(Some(&list("?")))));
        assert!(Amounts::default().leaves_room_for(&asked, &offered));
    }
}
