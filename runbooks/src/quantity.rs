//! Quantities as Kubernetes writes them: `250m`, `1.5`, `2Gi`. Neither sign nor exponent, no part below a thousandth of a thousandth.

/// What a quantity looks like, in words a person can follow.
pub(crate) const RULE: &str = "must be a quantity such as 250m, 1.5 or 2Gi";

/// The same as a JSON Schema pattern.
pub(crate) const PATTERN: &str = "^[0-9]{1,12}(?:\\.[0-9]{1,3})?(?:m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$";

/// Suffixes with their value in thousandths.
const SUFFIXES: [(&str, i128); 14] = [
    ("", 1000),
    ("m", 1),
    ("k", 1_000_000),
    ("M", 1_000_000_000),
    ("G", 1_000_000_000_000),
    ("T", 1_000_000_000_000_000),
    ("P", 1_000_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000_000),
    ("Ki", 1000 << 10),
    ("Mi", 1000 << 20),
    ("Gi", 1000 << 30),
    ("Ti", 1000 << 40),
    ("Pi", 1000 << 50),
    ("Ei", 1000 << 60),
];

/// A quantity, comparable; none when `text` is not one. In millionths.
pub(crate) fn parse(text: &str) -> Option<i128> {
    let end = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let (number, suffix) = text.split_at_checked(end)?;
    let (_, scale) = SUFFIXES.iter().find(|(name, _)| *name == suffix)?;
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (number, ""),
    };
    if !(1..=12).contains(&whole.len()) || fraction.len() > 3 {
        return None;
    }
    let thousandths: i128 = format!("{whole}{fraction:0<3}").parse().ok()?;
    thousandths.checked_mul(*scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_kubernetes_orders_them() {
        let parsed = |text| parse(text).unwrap();
        assert!(parsed("250m") < parsed("1"));
        assert_eq!(parsed("1000m"), parsed("1"));
        assert_eq!(parsed("1.5Gi"), parsed("1536Mi"));
        assert!(parsed("1G") < parsed("1Gi"));
        for bad in ["", "Gi", "1e3", "-1", "+1", "1.", ".5", "1 Gi", "1gi", "1.2.3"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_agrees_with_the_pattern(text in "\\PC{0,12}|[0-9]{1,13}(\\.[0-9]{0,4})?[kMGTPEmi]{0,2}") {
            let pattern = regex::Regex::new(PATTERN).unwrap();
            prop_assert_eq!(parse(&text).is_some(), pattern.is_match(&text));
        }
    }
}
