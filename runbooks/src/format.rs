//! Formats of strings: closed grammars whose values may stand in a headline.

use schemars::JsonSchema;
use serde::Deserialize;

/// A named grammar of strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    /// RFC 1123 label: a-z, 0-9 and -, at most 63 characters.
    K8sName,
    /// RFC 1123 subdomain: labels with dots between them, at most 253 characters; nodes and most workloads.
    K8sSubdomain,
    /// A namespace: an RFC 1123 label.
    K8sNamespace,
    /// A container: an RFC 1123 label.
    K8sContainer,
    /// A label's value: letters, digits, -, _ and ., at most 63 characters, beginning and ending with a letter or digit.
    LabelValue,
}

impl Format {
    /// Whether `text` follows it.
    pub(crate) fn accepts(self, text: &str) -> bool {
        match self {
            Self::K8sName | Self::K8sNamespace | Self::K8sContainer => is_label(text),
            Self::K8sSubdomain => text.len() <= 253 && text.split('.').all(is_label_of_any_length),
            Self::LabelValue => text.len() <= 63 && is_label_value(text),
        }
    }

    /// The rule in words.
    pub(crate) fn rule(self) -> &'static str {
        match self {
            Self::K8sName | Self::K8sNamespace | Self::K8sContainer => {
                "must be an RFC 1123 label: a-z, 0-9 and -, beginning and ending with a letter or digit, at most 63 characters"
            }
            Self::K8sSubdomain => {
                "must be an RFC 1123 subdomain: a-z, 0-9, - and ., each part beginning and ending with a letter or digit, at most 253 characters"
            }
            Self::LabelValue => {
                "must be a label's value: letters, digits, -, _ and ., beginning and ending with a letter or digit, at most 63 characters"
            }
        }
    }

    /// The grammar as a JSON Schema pattern.
    pub(crate) fn pattern(self) -> &'static str {
        match self {
            Self::K8sName | Self::K8sNamespace | Self::K8sContainer => "^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$",
            Self::K8sSubdomain => "^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$",
            Self::LabelValue => "^[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?$",
        }
    }

    /// The longest text, in characters.
    pub(crate) fn max_length(self) -> usize {
        match self {
            Self::K8sName | Self::K8sNamespace | Self::K8sContainer | Self::LabelValue => 63,
            Self::K8sSubdomain => 253,
        }
    }
}

fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_label_of_any_length(text)
}

fn is_label_of_any_length(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(edge) && text.ends_with(edge) && text.chars().all(|c| edge(c) || c == '-')
}

fn is_label_value(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(edge)
        && text.ends_with(edge)
        && text.chars().all(|c| edge(c) || matches!(c, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Format; 5] = [
        Format::K8sName,
        Format::K8sSubdomain,
        Format::K8sNamespace,
        Format::K8sContainer,
        Format::LabelValue,
    ];

    #[test]
    fn what_a_shell_or_a_path_would_read_is_in_no_format() {
        for bad in [
            "",
            "-n",
            "--all",
            "a b",
            "a/b",
            "..",
            "a;b",
            "a\n",
            "${params.x}",
            "$(x)",
            "a\0",
            "*",
            "a,b",
            "a=b",
            "ä",
        ] {
            for format in ALL {
                assert!(!format.accepts(bad), "{format:?} {bad:?}");
            }
        }
        assert!(!Format::K8sName.accepts(&"a".repeat(64)) && Format::K8sSubdomain.accepts(&"a".repeat(64)));
        assert!(!Format::K8sSubdomain.accepts(&"a".repeat(254)));
    }

    proptest! {
        #[test]
        fn code_and_pattern_agree(text in "[-a-zA-Z0-9._]{0,70}|\\PC{0,8}") {
            for format in ALL {
                let matches = regex::Regex::new(format.pattern()).unwrap().is_match(&text);
                let fits = text.chars().count() <= format.max_length();
                prop_assert_eq!(format.accepts(&text), matches && fits, "{:?}", format);
            }
        }
    }
}
