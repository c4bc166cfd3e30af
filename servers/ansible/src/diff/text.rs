//! The difference that a module tells, as it is shown: cleaned, and cut where it is long.

use runcord_model::Untrusted;
use runcord_model::text::{Cleaner, visible};
use serde_json::{Value, json};

use crate::ran::Difference;

/// The most that is shown of one side of a difference, in bytes.
const SIDE: usize = 4 * 1024;
/// So many lines stand in the line of one change.
const IN_LINE: usize = 12;
/// The longest of them, in characters.
const LINE: usize = 160;

/// Both sides; null where there is nothing.
pub(super) fn sides(shown: &[Difference]) -> (Value, Value) {
    let side = |pick: fn(&Difference) -> &String| {
        let texts: Vec<&str> =
            shown.iter().map(|one| pick(one).as_str()).filter(|text| !text.is_empty()).collect();
        if texts.is_empty() { Value::Null } else { json!(Untrusted::clean(&texts.join("\n"), SIDE)) }
    };
    (side(|one| &one.before), side(|one| if one.prepared.is_empty() { &one.after } else { &one.prepared }))
}

/// `/etc/nginx.conf: - workers 2; + workers 4`; nothing where the module told no difference.
pub(super) fn in_line(shown: &[Difference]) -> Option<String> {
    let lines: Vec<String> = shown.iter().flat_map(lines).collect();
    let more = lines.len().saturating_sub(IN_LINE);
    let first: Vec<_> = lines.into_iter().take(IN_LINE).collect();
    match (first.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(first.join("; ")),
        (false, more) => Some(format!("{}; and {more} more lines", first.join("; "))),
    }
}

/// The lines of a difference that are on one side only.
fn lines(one: &Difference) -> Vec<String> {
    let what = cut(visible(one.before_header.trim(), SIDE));
    let named = |line: String| if what.is_empty() { line } else { format!("{what}: {line}") };
    let lines = if one.prepared.is_empty() {
        only_in_one(&one.before, &one.after)
    } else {
        cleaned(&one.prepared).into_iter().filter(|line| !line.trim().is_empty()).collect()
    };
    lines.into_iter().enumerate().map(|(i, line)| if i == 0 { named(line) } else { line }).collect()
}

/// What lies between the first line that differs and the last one, taken out and put in. Lines are compared as they are,
/// and shown cleaned: of a text, all of which is cleaned, for a secret may go over several lines.
fn only_in_one(before: &str, after: &str) -> Vec<String> {
    if before == after {
        return Vec::new();
    }
    let (a, b): (Vec<&str>, Vec<&str>) = (before.split('\n').collect(), after.split('\n').collect());
    let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let shorter = a.len().min(b.len()).saturating_sub(same);
    let tail = a.iter().rev().zip(b.iter().rev()).take(shorter).take_while(|(a, b)| a == b).count();
    let part = |text: &str, count: usize, sign: &str| -> Vec<String> {
        let between = if text.is_empty() { 0 } else { count.saturating_sub(same).saturating_sub(tail) };
        cleaned(text).into_iter().skip(same).take(between).map(|line| format!("{sign} {line}")).collect()
    };
    let mut lines = part(before, a.len(), "-");
    lines.extend(part(after, b.len(), "+"));
    lines
}

fn cleaned(text: &str) -> Vec<String> {
    Cleaner::default().lines(text).into_iter().map(cut).collect()
}

fn cut(line: String) -> String {
    if line.chars().count() <= LINE {
        return line;
    }
    line.chars().take(LINE).chain(['…']).collect()
}
