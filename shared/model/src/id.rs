//! Names and identifiers, each valid by construction.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text that does not follow the grammar of the name it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}: {rule}")]
pub struct BadName {
    /// What it should have been, such as `plan id`.
    pub kind: &'static str,
    /// The rule it broke, in words a person can follow.
    pub rule: &'static str,
}

/// Defines a string type whose only way in is `TryFrom<String>`, so that holding one is the proof of its grammar.
#[macro_export]
macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::id::BadName;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) { Ok(Self(text)) } else { Err($crate::id::BadName { kind: $kind, rule: $rule }) }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::id::BadName;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// 128 bits as 26 letters of base32 (RFC 4648, lower case, no padding).
fn letters(entropy: [u8; 16]) -> String {
    let number = u128::from_be_bytes(entropy);
    (0..26)
        .rev()
        .map(|i| {
            let five_bits = (number >> (5 * i)) & 31;
            char::from(ALPHABET.get(five_bits as usize).copied().unwrap_or(b'a'))
        })
        .collect()
}

fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        rest.len() == 26 && rest.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b))
    })
}

name_type!(
    /// The handle of a plan: `pln_` and 26 letters. Unguessable, but never a right: every use is bound to its principal.
    PlanId, "plan id", "`pln_` followed by 26 characters a-z2-7", |t| is_id(t, "pln_")
);
name_type!(
    /// The handle of a run: `run_` and 26 letters.
    RunId, "run id", "`run_` followed by 26 characters a-z2-7", |t| is_id(t, "run_")
);
name_type!(
    /// The name of a runbook and, with `plan_` before it, of its tool.
    RunbookName, "runbook name", "1 to 34 characters: a-z, 0-9 and _, beginning with a letter",
    |t| (1..=34).contains(&t.len())
        && t.starts_with(|c: char| c.is_ascii_lowercase())
        && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
);

impl PlanId {
    /// The id made of `entropy`, which must come from the system's random source.
    pub fn from_entropy(entropy: [u8; 16]) -> Self {
        Self(format!("pln_{}", letters(entropy)))
    }
}

impl RunId {
    /// The id made of `entropy`, which must come from the system's random source.
    pub fn from_entropy(entropy: [u8; 16]) -> Self {
        Self(format!("run_{}", letters(entropy)))
    }
}

/// A SHA-256 digest, written `sha256:` and 64 hexadecimal digits. Computed by `runcord-seal` only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// The digest whose 32 bytes are `bytes`.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        Self(format!("sha256:{hex}"))
    }

    /// The whole text, `sha256:…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve hexadecimal digits, enough for a person to tell two apart.
    pub fn short(&self) -> &str {
        self.0.get(7..19).unwrap_or(&self.0)
    }
}

impl TryFrom<String> for Digest {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        let hex = text.strip_prefix("sha256:").unwrap_or("");
        if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            Ok(Self(text))
        } else {
            Err(BadName { kind: "digest", rule: "`sha256:` followed by 64 lower-case hexadecimal digits" })
        }
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_their_own_grammar() {
        let id = PlanId::from_entropy([255; 16]);
        assert_eq!(id.as_str().parse::<PlanId>(), Ok(id.clone()));
        assert!(id.as_str().parse::<RunId>().is_err());
        assert_ne!(PlanId::from_entropy([0; 16]), PlanId::from_entropy([1; 16]));
    }

    #[test]
    fn names_refuse_what_a_tool_name_could_not_hold() {
        for bad in ["", "Drain", "drain-node", "1st", "_x", "drain node", "dräin", &"a".repeat(35)] {
            assert!(bad.parse::<RunbookName>().is_err(), "{bad}");
        }
        assert!("drain_node".parse::<RunbookName>().is_ok());
    }

    #[test]
    fn a_digest_survives_its_own_text() {
        let digest = Digest::from_bytes([0xab; 32]);
        assert_eq!(Digest::try_from(digest.as_str().to_owned()), Ok(digest.clone()));
        assert!(Digest::try_from("sha256:AB".to_owned()).is_err());
    }
}
