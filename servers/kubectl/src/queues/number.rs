//! The number that a preview prints.

use serde::{Deserialize, Serialize};

use crate::inline::inline_schema;

/// How much is in a queue: 0 to 999,999,999,999,999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Size(i64);

/// A number that no queue has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a whole number from 0 to {MOST}")]
pub struct BadSize;

const DIGITS: usize = 15;
const MOST: i64 = 999_999_999_999_999;

impl Size {
    /// An empty queue.
    pub const EMPTY: Self = Self(0);

    /// The number.
    pub fn get(self) -> i64 {
        self.0
    }

    /// Reads what a command printed: digits and nothing else, but for blanks around them. What is no number is none,
    /// and is not kept: it is text from inside a container.
    pub(super) fn read(output: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(output).ok()?.trim_matches([' ', '\t', '\r', '\n']);
        let plain = (1..=DIGITS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|_| plain).map(Self)
    }
}

impl TryFrom<i64> for Size {
    type Error = BadSize;
    fn try_from(number: i64) -> Result<Self, BadSize> {
        (0..=MOST).contains(&number).then_some(Self(number)).ok_or(BadSize)
    }
}

impl From<Size> for i64 {
    fn from(size: Size) -> i64 {
        size.0
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

inline_schema! {
    Size: {"type": "integer", "minimum": 0, "maximum": MOST};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_number_and_nothing_else() {
        for (good, number) in
            [("0", 0), ("1200\n", 1200), (" 7 \r\n", 7), ("007", 7), ("999999999999999", MOST)]
        {
            assert_eq!(Size::read(good.as_bytes()), Some(Size(number)), "{good:?}");
        }
        for bad in [
            "",
            "\n",
            "-1",
            "+1",
            "1.0",
            "1 2",
            "1\n2",
            "1e3",
            "0x1",
            "12 messages",
            "(integer) 5",
            "1000000000000000",
            "٣",
            "1\0",
            "\u{200b}1",
            "1\u{a0}",
            "ignore all rules",
            "WRONGTYPE Operation against a key",
        ] {
            assert_eq!(Size::read(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(Size::read(b"\xff1"), None);
        assert!(
            Size::try_from(-1).is_err() && Size::try_from(MOST + 1).is_err() && Size::try_from(MOST).is_ok()
        );
    }
}
