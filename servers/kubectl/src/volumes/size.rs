//! Amounts of storage in whole bytes: what is asked for, and what an object of the cluster says.
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>

use serde::{Deserialize, Serialize};

use crate::inline::inline_schema;
use crate::numbers::bounded;

/// A size that is asked for: whole bytes, one at least. Written as Kubernetes does: `20Gi`, `500G`, `1.5Ti`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Size(i64);

/// A text that is no size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a whole number of bytes such as `20Gi`, `500G` or `1.5Ti`, one byte at least")]
pub struct BadSize;

/// An amount that an object of the cluster states, with the text in which it does. A part of a byte counts as a byte,
/// as it does to Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Storage {
    text: String,
    bytes: i64,
}

/// A text that is no amount of storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an amount of storage")]
pub struct BadStorage;

bounded!(
    /// How large a volume may become, in percent of what it is. Not above 1000: a size with a zero too many is always
    /// more than ten times as large.
    GrowthPercent, 101, 1000
);

/// A longer text is no quantity of the API server's.
const LONGEST: usize = 40;
const DECIMAL: [(&str, i64); 7] = [
    ("", 1),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000),
];
const BINARY: [(&str, i64); 6] =
    [("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("Ti", 1 << 40), ("Pi", 1 << 50), ("Ei", 1 << 60)];
const BELOW_ONE: [(&str, i64); 3] = [("m", 1_000), ("u", 1_000_000), ("n", 1_000_000_000)];

impl Size {
    /// So many bytes; none when there are none.
    pub fn of_bytes(bytes: i64) -> Option<Self> {
        (bytes > 0).then_some(Self(bytes))
    }

    /// In bytes.
    pub fn bytes(self) -> i64 {
        self.0
    }
}

impl Storage {
    /// In bytes.
    pub fn bytes(&self) -> i64 {
        self.bytes
    }

    /// As the object states it.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// So many bytes as a person reads them; none is `0`.
pub(crate) fn shown(bytes: i64) -> String {
    Size::of_bytes(bytes).map_or_else(|| "0".to_owned(), |size| size.to_string())
}

impl TryFrom<String> for Size {
    type Error = BadSize;
    fn try_from(text: String) -> Result<Self, BadSize> {
        let (over, under) = fraction(&text).ok_or(BadSize)?;
        let whole = (over % under == 0).then_some(over / under).ok_or(BadSize)?;
        i64::try_from(whole).ok().and_then(Self::of_bytes).ok_or(BadSize)
    }
}

impl From<Size> for String {
    fn from(size: Size) -> String {
        size.to_string()
    }
}

impl std::fmt::Display for Size {
    /// The canonical text: the largest unit of which it is a whole number, binary or decimal, whichever number is
    /// smaller. The API server keeps it as it is.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let units = DECIMAL.iter().chain(&BINARY).filter(|(_, unit)| self.0 % unit == 0);
        let (number, unit) =
            units.map(|(name, unit)| (self.0 / unit, *name)).min_by_key(|(n, _)| *n).unwrap_or((self.0, ""));
        write!(f, "{number}{unit}")
    }
}

impl TryFrom<String> for Storage {
    type Error = BadStorage;
    fn try_from(text: String) -> Result<Self, BadStorage> {
        let (over, under) = fraction(&text).ok_or(BadStorage)?;
        let whole = over / under + i128::from(over % under != 0);
        Ok(Self { bytes: i64::try_from(whole).map_err(|_| BadStorage)?, text })
    }
}

impl From<Size> for Storage {
    fn from(size: Size) -> Self {
        Self { text: size.to_string(), bytes: size.bytes() }
    }
}

impl From<Storage> for String {
    fn from(storage: Storage) -> String {
        storage.text
    }
}

impl std::fmt::Display for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// A quantity as a fraction of two whole numbers; none when it is not one, or is negative.
fn fraction(text: &str) -> Option<(i128, i128)> {
    if text.len() > LONGEST {
        return None;
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(end)?;
    let (whole, part) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (number, ""),
    };
    if whole.is_empty() {
        return None;
    }
    let digits: i128 = format!("{whole}{part}").parse().ok()?;
    let under = 10_i128.checked_pow(u32::try_from(part.len()).ok()?)?;
    let (up, down) = scale(suffix)?;
    Some((digits.checked_mul(up)?, under.checked_mul(down)?))
}

/// What a suffix multiplies and divides by.
fn scale(suffix: &str) -> Option<(i128, i128)> {
    let of =
        |units: &[(&str, i64)]| units.iter().find(|(name, _)| *name == suffix).map(|(_, n)| i128::from(*n));
    if let Some(up) = of(&DECIMAL).or_else(|| of(&BINARY)) {
        return Some((up, 1));
    }
    if let Some(down) = of(&BELOW_ONE) {
        return Some((1, down));
    }
    let power: i8 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let ten = 10_i128.checked_pow(power.unsigned_abs().into())?;
    Some(if power < 0 { (1, ten) } else { (ten, 1) })
}

inline_schema! {
    Size: {
        "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,3})?$",
        "minLength": 1, "maxLength": LONGEST,
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn size(text: &str) -> Result<Size, BadSize> {
        Size::try_from(text.to_owned())
    }

    #[test]
    fn sizes_are_exact_and_written_canonically() {
        for (text, bytes, back) in [
            ("20Gi", 20 << 30, "20Gi"),
            ("1024Mi", 1 << 30, "1Gi"),
            ("1.5Ti", 1536 << 30, "1536Gi"),
            ("500G", 500_000_000_000, "500G"),
            ("0.5Gi", 512 << 20, "512Mi"),
            ("1e3", 1000, "1k"),
            ("2E9", 2_000_000_000, "2G"),
            ("1E", 1_000_000_000_000_000_000, "1E"),
            ("1000m", 1, "1"),
            ("7Ei", 7 << 60, "7Ei"),
            ("9007199254740993", 9_007_199_254_740_993, "9007199254740993"),
        ] {
            let size = size(text).unwrap();
            assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, back), "{text}");
        }
    }

    #[test]
    fn a_part_of_a_byte_and_what_is_none_are_refused() {
        for bad in [
            "",
            "0",
            "0Gi",
            "1m",
            "1500m",
            "0.1",
            "1.5",
            "0.0001Ki",
            "Gi",
            "-1",
            "+1",
            "1 Gi",
            "1gi",
            "1.Gi",
            ".5Gi",
            "1..5Gi",
            "1.2.3Gi",
            "8Ei",
            "1e99",
            "1e",
            "--1",
            "20Gi\n",
            "٢Gi",
            &format!("{}1", "0".repeat(40)),
        ] {
            assert_eq!(size(bad), Err(BadSize), "{bad}");
        }
    }

    #[test]
    fn what_an_object_states_keeps_its_text_and_counts_a_part_of_a_byte_as_one() {
        for (text, bytes) in [("10Gi", 10 << 30), ("107374182400m", 107_374_183), ("0", 0), ("1e3", 1000)] {
            let storage = Storage::try_from(text.to_owned()).unwrap();
            assert_eq!((storage.bytes(), storage.to_string().as_str()), (bytes, text));
        }
        for bad in ["", "-1Gi", "ten", "1Gi IGNORE ALL", "8Ei"] {
            assert!(Storage::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        assert_eq!((shown(0), shown(3 << 30)), ("0".to_owned(), "3Gi".to_owned()));
    }

    #[test]
    fn growth_is_bounded_below_a_zero_too_many() {
        assert!(GrowthPercent::try_from(100).is_err() && GrowthPercent::try_from(1001).is_err());
        assert!(GrowthPercent::try_from(300).is_ok_and(|percent| percent.get() == 300));
    }

    proptest! {
        #[test]
        fn a_size_is_read_back_from_what_it_is_written_as(bytes in 1_i64..) {
            let written = Size::of_bytes(bytes).unwrap().to_string();
            prop_assert_eq!(size(&written).unwrap().bytes(), bytes);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,45}|[0-9]{1,40}(\\.[0-9]{0,20})?[kMGTPEminue0-9+-]{0,4}") {
            prop_assert!(size(&text).is_err() || Storage::try_from(text).is_ok());
        }
    }
}
