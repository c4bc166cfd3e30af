//! Bounded numbers and Go-style durations, valid by construction, and the JSON Schemas that stand where such a type is
//! used.

/// Gives each type the schema beside it, or that of the type which it is written as.
#[macro_export]
macro_rules! inline_schema {
    ($($name:ident: $schema:tt;)*) => {$(
        $crate::inline_schema!(@frame $name, _generator => schemars::json_schema!($schema));
    )*};
    ($($name:ident as $other:ident;)*) => {$(
        $crate::inline_schema!(@frame $name, generator => <$other as schemars::JsonSchema>::json_schema(generator));
    )*};
    (@frame $name:ident, $generator:ident => $schema:expr) => {
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema($generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $schema
            }
        }
    };
}

/// A whole number within bounds.
#[macro_export]
macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident, $low:literal, $high:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "i64", into = "i64")]
        pub struct $name(u32);

        impl $name {
            /// The number.
            pub fn get(self) -> u32 {
                self.0
            }
        }

        impl TryFrom<i64> for $name {
            type Error = $crate::bounds::OutOfBounds;
            fn try_from(number: i64) -> Result<Self, Self::Error> {
                match u32::try_from(number) {
                    Ok(n) if ($low..=$high).contains(&n) => Ok(Self(n)),
                    _ => Err($crate::bounds::OutOfBounds { low: $low, high: $high }),
                }
            }
        }

        impl From<$name> for i64 {
            fn from(number: $name) -> i64 {
                i64::from(number.0)
            }
        }

        $crate::inline_schema! {
            $name: {"type": "integer", "minimum": $low, "maximum": $high};
        }
    };
}

/// A duration within bounds, in seconds, written as Go does; `$bad` says the rule that others break.
#[macro_export]
macro_rules! duration {
    ($(#[$doc:meta])* $name:ident, $low:literal, $high:literal, $bad:ident, $rule:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(u64);

        #[doc = concat!("A text that is no `", stringify!($name), "`.")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
        #[error($rule)]
        pub struct $bad;

        impl $name {
            /// In seconds.
            pub fn seconds(self) -> u64 {
                self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $bad;
            fn try_from(text: String) -> Result<Self, $bad> {
                let seconds = $crate::bounds::seconds_of(&text);
                seconds.filter(|seconds| ($low..=$high).contains(seconds)).map(Self).ok_or($bad)
            }
        }

        impl From<$name> for String {
            fn from(duration: $name) -> String {
                duration.to_string()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::bounds::as_go(self.0))
            }
        }

        $crate::inline_schema! {
            $name: {"type": "string", "pattern": "^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$", "minLength": 2};
        }
    };
}

/// A number outside its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not between {low} and {high}")]
pub struct OutOfBounds {
    /// The smallest allowed.
    pub low: u32,
    /// The largest allowed.
    pub high: u32,
}

duration!(
    /// A duration of 1 second to 24 hours, written as Go does: `90s`, `15m`, `1h30m`.
    Span, 1, 86_400, BadSpan, "not a duration from 1s to 24h such as `90s`, `15m` or `1h30m`"
);

impl Span {
    /// Ten minutes: the default progress deadline of a Deployment.
    pub const TEN_MINUTES: Self = Self(600);
    /// Half an hour.
    pub const HALF_AN_HOUR: Self = Self(1800);
}

/// The seconds of a duration that Go would write with `h`, `m` and `s`, each at most once and in this order.
pub fn seconds_of(text: &str) -> Option<u64> {
    let (mut total, mut number, mut digits, mut unit_before) = (0u64, 0u64, 0usize, 4u8);
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            number = number * 10 + u64::from(digit);
            digits += 1;
            if digits > 6 {
                return None;
            }
            continue;
        }
        let (unit, seconds) = match c {
            'h' => (3, 3600),
            'm' => (2, 60),
            's' => (1, 1),
            _ => return None,
        };
        if digits == 0 || unit >= unit_before {
            return None;
        }
        total += number * seconds;
        (number, digits, unit_before) = (0, 0, unit);
    }
    (digits == 0).then_some(total)
}

/// So many seconds as Go writes a duration.
pub fn as_go(seconds: u64) -> String {
    let parts = [(seconds / 3600, 'h'), (seconds % 3600 / 60, 'm'), (seconds % 60, 's')];
    parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_write_as_go_does() {
        for (text, seconds, back) in
            [("90s", 90, "1m30s"), ("15m", 900, "15m"), ("1h30m", 5400, "1h30m"), ("24h", 86_400, "24h")]
        {
            let span = Span::try_from(text.to_owned()).unwrap();
            assert_eq!((span.seconds(), span.to_string().as_str()), (seconds, back));
        }
        for bad in ["", "0s", "15", "m", "1m1h", "1m1m", "1.5h", "-1m", "25h", "9999999s", "1d", " 1m"] {
            assert_eq!(Span::try_from(bad.to_owned()), Err(BadSpan), "{bad}");
        }
    }
}
