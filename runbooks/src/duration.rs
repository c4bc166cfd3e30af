//! Durations as Go writes them: `15m`, `1h30m`, `90s`, `250ms`.

/// What a duration looks like, in words a person can follow.
pub(crate) const RULE: &str = "must be a duration such as 90s, 15m or 1h30m";

/// The same as a JSON Schema pattern (with `minLength: 2`, since every part may be missing).
pub(crate) const PATTERN: &str = "^(?:[0-9]{1,9}h)?(?:[0-9]{1,9}m)?(?:[0-9]{1,9}s)?(?:[0-9]{1,9}ms)?$";

const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Milliseconds of `text`; none when it is not a duration. Each unit at most once, the larger before the
/// smaller, at most nine digits each.
pub fn parse_ms(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0u64;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at_checked(letters)?;
        let (_, ms) = units.find(|(name, _)| *name == unit)?;
        if !(1..=9).contains(&number.len()) {
            return None;
        }
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*ms)?)?;
        rest = after;
    }
    if text.is_empty() { None } else { Some(total) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn go_style() {
        assert_eq!(parse_ms("15m"), Some(900_000));
        assert_eq!(parse_ms("1h30m"), Some(5_400_000));
        assert_eq!(parse_ms("1s250ms"), Some(1250));
        assert_eq!(parse_ms("0s"), Some(0));
        for bad in ["", "15", "m", "1m1h", "1m1m", "-1m", "1.5h", "1 m", "1d", "1m\n", "9999999999h", "１m"]
        {
            assert_eq!(parse_ms(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_agrees_with_the_pattern(text in "\\PC{0,12}|([0-9]{1,10}(h|m|s|ms)){1,4}") {
            let pattern = regex::Regex::new(PATTERN).unwrap();
            prop_assert_eq!(parse_ms(&text).is_some(), pattern.is_match(&text) && text.len() >= 2);
        }
    }
}
