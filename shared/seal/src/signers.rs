//! The `approvers` file: who may sign, with which key. A strict part of OpenSSH's `allowed_signers`.
//!
//! What OpenSSH would read in a wider sense (patterns, certificate authorities, local times) is refused, not
//! guessed: the whole file is refused with it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use runcord_model::PersonName;
use ssh_key::{Algorithm, PublicKey};

/// The people who may sign, and their keys.
#[derive(Debug, Clone, Default)]
pub struct Approvers {
    pub(crate) keys: Vec<AllowedKey>,
}

/// One line of the file.
#[derive(Debug, Clone)]
pub(crate) struct AllowedKey {
    pub(crate) person: PersonName,
    pub(crate) key: PublicKey,
    /// `None`: every namespace.
    namespaces: Option<BTreeSet<String>>,
    valid_after: Option<Timestamp>,
    valid_before: Option<Timestamp>,
}

/// A line of the approvers file that cannot be read. The file counts as a whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct BadSigners {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is not `person [options] keytype key`.
    #[error("expected `person [options] key-type key`")]
    Shape,
    /// Several people, a pattern, or a name that is none.
    #[error("expected one person by name, without patterns: 1 to 64 letters, digits, `.`, `_`, `-`, `@`")]
    Person,
    /// Keys stand for one person here, never for a certificate authority.
    #[error("`cert-authority` is not supported: list each person's key")]
    CertAuthority,
    /// An option that is unknown, or there twice.
    #[error("unknown or repeated option; known are namespaces, valid-after and valid-before")]
    Option,
    /// A namespace pattern.
    #[error("`namespaces` takes names, not patterns")]
    Namespaces,
    /// A time that is not UTC or not a time.
    #[error("expected a UTC time, YYYYMMDDZ or YYYYMMDDHHMM[SS]Z")]
    Time,
    /// The key cannot be read.
    #[error("the key cannot be read")]
    Key,
    /// The kind of key is not supported.
    #[error("keys of this kind are not supported; use ed25519, ed25519-sk, ecdsa-sk or ecdsa with P-256")]
    KeyKind,
    /// One key must not make two people.
    #[error("the same key stands for another person already")]
    SharedKey,
}

impl Approvers {
    /// Reads an `allowed_signers` file. Empty lines and lines beginning with `#` are skipped.
    pub fn parse(text: &str) -> Result<Self, BadSigners> {
        let mut keys: Vec<AllowedKey> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let bad = |fault| BadSigners { line: index + 1, fault };
            let key = allowed_key(line).map_err(bad)?;
            let same = |other: &&AllowedKey| other.key.key_data() == key.key.key_data();
            if keys.iter().find(same).is_some_and(|other| other.person != key.person) {
                return Err(bad(Fault::SharedKey));
            }
            keys.push(key);
        }
        Ok(Self { keys })
    }

    /// Everybody who may sign in some namespace at some time.
    pub fn people(&self) -> BTreeSet<PersonName> {
        self.keys.iter().map(|key| key.person.clone()).collect()
    }

    /// Everybody who may sign in `namespace` at `now`.
    pub fn people_for(&self, namespace: &str, now: Timestamp) -> BTreeSet<PersonName> {
        let able = |key: &&AllowedKey| key.signs_in(namespace) && key.valid_at(now);
        self.keys.iter().filter(able).map(|key| key.person.clone()).collect()
    }
}

impl AllowedKey {
    pub(crate) fn signs_in(&self, namespace: &str) -> bool {
        self.namespaces.as_ref().is_none_or(|names| names.contains(namespace))
    }

    pub(crate) fn valid_at(&self, now: Timestamp) -> bool {
        self.valid_after.is_none_or(|after| now >= after)
            && self.valid_before.is_none_or(|before| now < before)
    }
}

fn allowed_key(line: &str) -> Result<AllowedKey, Fault> {
    let (person, rest) = field(line).ok_or(Fault::Shape)?;
    let person: PersonName = person.parse().map_err(|_| Fault::Person)?;
    let (first, after_first) = field(rest).ok_or(Fault::Shape)?;
    let (options, kind, rest) = if first.parse::<Algorithm>().is_ok_and(|a| !matches!(a, Algorithm::Other(_)))
    {
        ("", first, after_first)
    } else {
        let (kind, rest) = field(after_first).ok_or(Fault::Shape)?;
        (first, kind, rest)
    };
    let (blob, _comment) = field(rest).ok_or(Fault::Shape)?;
    let mut allowed = AllowedKey {
        person,
        key: public_key(kind, blob)?,
        namespaces: None,
        valid_after: None,
        valid_before: None,
    };
    for option in split_outside_quotes(options, ',').into_iter().filter(|option| !option.is_empty()) {
        allowed.take(option)?;
    }
    Ok(allowed)
}

impl AllowedKey {
    fn take(&mut self, option: &str) -> Result<(), Fault> {
        if option.eq_ignore_ascii_case("cert-authority") {
            return Err(Fault::CertAuthority);
        }
        let (name, value) = option.split_once('=').ok_or(Fault::Option)?;
        let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
        match name.to_ascii_lowercase().as_str() {
            "namespaces" => once(&mut self.namespaces, namespaces(value)?),
            "valid-after" => once(&mut self.valid_after, utc(value)?),
            "valid-before" => once(&mut self.valid_before, utc(value)?),
            _ => Err(Fault::Option),
        }
    }
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Fault> {
    if slot.replace(value).is_some() { Err(Fault::Option) } else { Ok(()) }
}

fn public_key(kind: &str, blob: &str) -> Result<PublicKey, Fault> {
    match kind {
        "ssh-ed25519"
        | "sk-ssh-ed25519@openssh.com"
        | "ecdsa-sha2-nistp256"
        | "sk-ecdsa-sha2-nistp256@openssh.com" => {
            // Reads the kind once more from within the key, and refuses where the two differ.
            PublicKey::from_openssh(&format!("{kind} {blob}")).map_err(|_| Fault::Key)
        }
        _ => Err(Fault::KeyKind),
    }
}

fn namespaces(value: &str) -> Result<BTreeSet<String>, Fault> {
    let names: BTreeSet<String> = value.split(',').map(str::to_owned).collect();
    let plain = |name: &String| !name.is_empty() && !name.contains(['*', '?', '!', '"']);
    if names.iter().all(plain) { Ok(names) } else { Err(Fault::Namespaces) }
}

/// OpenSSH reads a time without `Z` in the local time zone: it would mean another thing on another machine.
fn utc(value: &str) -> Result<Timestamp, Fault> {
    let digits = value.strip_suffix('Z').ok_or(Fault::Time)?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::Time);
    }
    let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i16>().ok();
    let small = |range| number(range).and_then(|n| i8::try_from(n).ok());
    let read = || -> Option<Timestamp> {
        let (hour, minute, second) = match digits.len() {
            8 => (0, 0, 0),
            12 => (small(8..10)?, small(10..12)?, 0),
            14 => (small(8..10)?, small(10..12)?, small(12..14)?),
            _ => return None,
        };
        let date = DateTime::new(number(0..4)?, small(4..6)?, small(6..8)?, hour, minute, second, 0).ok()?;
        Some(TimeZone::UTC.to_zoned(date).ok()?.timestamp())
    };
    read().ok_or(Fault::Time)
}

/// The first field of `text` and what follows it; blanks within double quotes do not end a field.
fn field(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let mut quoted = false;
    let end = text
        .char_indices()
        .find(|(_, c)| {
            quoted ^= *c == '"';
            !quoted && c.is_ascii_whitespace()
        })
        .map_or(text.len(), |(at, _)| at);
    (end > 0).then(|| text.split_at(end))
}

fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(|c: char| {
        quoted ^= c == '"';
        !quoted && c == separator
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBZ1dsFkfVe7U7dCdAnXP4SyEnmwlOJBoxVRZ0B6sVXf";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn fault(line: &str) -> Fault {
        let error = Approvers::parse(&format!("# people\n\n{line}\n")).unwrap_err();
        assert_eq!(error.line, 3, "{line}");
        error.fault
    }

    #[test]
    fn options_say_for_what_and_when() {
        let options =
            r#"namespaces="runcord-approval,git",valid-after=20260101Z,valid-before="202602011200Z""#;
        let approvers = Approvers::parse(&format!("ana {options} {KEY} ana's laptop\nbob {OTHER}")).unwrap();
        let names = |namespace, now| {
            let people = approvers.people_for(namespace, at(now));
            people.iter().map(|p| p.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names("runcord-approval", "2026-01-01T00:00:00Z"), ["ana", "bob"]);
        assert_eq!(names("runcord-approval", "2025-12-31T23:59:59Z"), ["bob"]);
        assert_eq!(names("runcord-approval", "2026-02-01T12:00:00Z"), ["bob"]);
        assert_eq!(names("runcord-authority", "2026-01-15T00:00:00Z"), ["bob"]);
    }

    #[test]
    fn what_cannot_be_read_refuses_the_file() {
        assert_eq!(fault("ana"), Fault::Shape);
        assert_eq!(fault(&format!("ana,bob {KEY}")), Fault::Person);
        assert_eq!(fault(&format!("*@example {KEY}")), Fault::Person);
        assert_eq!(fault(&format!("ana cert-authority {KEY}")), Fault::CertAuthority);
        assert_eq!(fault(&format!("ana verify-required {KEY}")), Fault::Option);
        assert_eq!(fault(&format!("ana colour=red {KEY}")), Fault::Option);
        assert_eq!(fault(&format!("ana namespaces=a,namespaces=b {KEY}")), Fault::Option);
        assert_eq!(fault(&format!("ana namespaces=\"runcord-*\" {KEY}")), Fault::Namespaces);
        assert_eq!(fault(&format!("ana valid-before=20260101 {KEY}")), Fault::Time);
        assert_eq!(fault(&format!("ana valid-before=20261301Z {KEY}")), Fault::Time);
        assert_eq!(fault("ana ssh-ed25519 AAAA"), Fault::Key);
    }

    #[test]
    fn rsa_is_refused_with_a_word_of_what_to_use() {
        let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAwEAAQ==";
        assert_eq!(fault(&format!("ana {rsa}")), Fault::KeyKind);
    }

    #[test]
    fn one_key_is_one_person() {
        let text = format!("ana {KEY}\nbob {KEY}");
        assert_eq!(Approvers::parse(&text).unwrap_err(), BadSigners { line: 2, fault: Fault::SharedKey });
        assert!(Approvers::parse(&format!("ana {KEY}\nana namespaces=git {KEY}")).is_ok());
    }
}
