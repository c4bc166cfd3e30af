//! Where the secrets are: those known by their own shape here, those known by their name in [`assignment`], those known
//! by their value in [`known`](super::known).
//!
//! Taking too much is the lesser evil: a reader sees that something was redacted and can ask for it elsewhere.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::assignment;
use super::known::Known;
use super::skeleton::Skeleton;

/// Secrets with a shape of their own; the secret is the group `s`, or the whole match.
const SHAPES: &[&str] = &[
    // A PEM private key; without its end, all that follows. `(?s)` is not needed: the class takes newlines.
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?P<s>(?s:.)*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
    // The tail of one whose beginning is on an earlier page.
    r"(?P<s>(?:[A-Za-z0-9+/=]{16,}(?:[ \t\r\n]|\\[rn])+[A-Za-z0-9+/=]*(?:[ \t\r\n]|\\[rn])*)+)-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----",
    r"(?i-u:bearer)[ \t]+(?P<s>[A-Za-z0-9._~+/=\-]+)",
    r"(?i-u:basic)[ \t]+(?P<s>[A-Za-z0-9+/]{12,}={0,2})",
    // A JSON web token, signed or not.
    r"eyJ[A-Za-z0-9_\-]{6,}\.[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]*)*",
    // AWS access key ids and temporary ones.
    r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA|AROA|AIDA|AGPA|AIPA|ANPA|ANVA|ASCA)[A-Z0-9]{12,}",
    r"gh[a-z]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|gl[a-z]{2,6}-[A-Za-z0-9_\-]{16,}",
    r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9\-]{8,}|xapp-[A-Za-z0-9\-]{8,}|hooks\.slack\.com/(?:services|workflows)/(?P<s>[A-Za-z0-9/_+\-]+)",
    r"AIza[A-Za-z0-9_\-]{30,}|ya29\.[A-Za-z0-9_\-]{16,}|(?:sk|rk|pk)[_\-](?:[A-Za-z0-9]+[_\-])*[A-Za-z0-9_\-]{20,}",
    r"npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_\-]{30,}|hv[sbr]\.[A-Za-z0-9_\-]{16,}|dop_v1_[a-f0-9]{32,}|SG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}|AGE-SECRET-KEY-1[A-Z0-9]{16,}",
    // The password in scheme://user:password@host, up to the last @: passwords hold @ and / that nobody escaped.
    r#"[A-Za-z][A-Za-z0-9+.\-]*://[^ \t\r\n/?#:@"'<>]*:(?P<s>[^ \t\r\n"'<>]+)@"#,
];

static COMPILED: LazyLock<Option<Vec<Regex>>> =
    LazyLock::new(|| SHAPES.iter().map(|shape| Regex::new(shape).ok()).collect());

/// The secrets in `text`, those that are known among them, ascending and apart from one another. When the patterns
/// themselves are broken, everything is one.
///
/// A text with colours and invisible characters is looked through twice: without them, since they split a secret, and
/// as it is, since what only looks like their beginning takes a secret's first letter along.
pub(super) fn find(text: &str, known: &Known) -> Vec<Range<usize>> {
    let skeleton = Skeleton::of(text);
    let everything = || std::iter::once(0..text.len()).collect();
    let Some(found) = search(skeleton.text(), known) else { return everything() };
    let mut found: Vec<_> = merged(found).iter().map(|part| skeleton.original(part)).collect();
    if skeleton.text().len() < text.len() {
        let Some(as_it_is) = search(text, known) else { return everything() };
        found.extend(as_it_is);
    }
    merged(found)
}

/// The secrets in a text as it is, in no order; nothing when the patterns are broken.
fn search(text: &str, known: &Known) -> Option<Vec<Range<usize>>> {
    let mut found = assignment::values(text)?;
    for shape in COMPILED.as_ref()? {
        found.extend(shape.captures_iter(text).filter_map(|captures| {
            captures.name("s").or_else(|| captures.get(0)).map(|secret| secret.range())
        }));
    }
    found.extend(known.find(text));
    Some(found)
}

fn merged(mut parts: Vec<Range<usize>>) -> Vec<Range<usize>> {
    parts.retain(|part| !part.is_empty());
    parts.sort_by_key(|part| (part.start, part.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(parts.len());
    for part in parts {
        match merged.last_mut() {
            Some(last) if part.start <= last.end => last.end = last.end.max(part.end),
            _ => merged.push(part),
        }
    }
    merged
}
