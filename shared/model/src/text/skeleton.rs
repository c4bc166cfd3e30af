//! A text without what no reader sees, so that a secret is found even where a colour or a zero-width
//! character stands in its middle; and the way back to places in the text itself.

use std::ops::Range;

use super::invisible::is_format_or_ignorable;

/// The text as secrets are looked for in it.
pub(super) struct Skeleton {
    text: String,
    /// Runs that were kept, as (start here, start in the original), ascending.
    runs: Vec<(usize, usize)>,
}

impl Skeleton {
    /// Leaves out colour sequences and invisible characters; other controls become a newline, which ends a
    /// value as the NUL between two environment variables does.
    pub(super) fn of(original: &str) -> Self {
        let mut skeleton = Self { text: String::with_capacity(original.len()), runs: Vec::new() };
        let (mut rest, mut at, mut broken) = (original, 0, true);
        while let Some(c) = rest.chars().next() {
            let skipped = left_out(rest, c);
            if skipped == 0 {
                if broken {
                    skeleton.runs.push((skeleton.text.len(), at));
                }
                // One byte for one byte: only ASCII controls may be replaced without moving what follows.
                skeleton.text.push(if c.is_ascii_control() && c != '\t' { '\n' } else { c });
            }
            broken = skipped != 0;
            let step = skipped.max(c.len_utf8());
            rest = rest.get(step..).unwrap_or_default();
            at += step;
        }
        skeleton
    }

    /// What is left.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where a part of the skeleton is in the original, with all that was left out inside it.
    pub(super) fn original(&self, part: &Range<usize>) -> Range<usize> {
        let last = part.end.saturating_sub(1).max(part.start);
        self.place(part.start)..self.place(last) + (part.end - last)
    }

    fn place(&self, here: usize) -> usize {
        let after = self.runs.partition_point(|(start, _)| *start <= here);
        let (start, original) =
            after.checked_sub(1).and_then(|i| self.runs.get(i)).copied().unwrap_or((0, 0));
        original + (here - start)
    }
}

/// How many bytes at the start of `rest` are left out.
fn left_out(rest: &str, first: char) -> usize {
    match first {
        '\u{1b}' if rest.as_bytes().get(1) == Some(&b'[') => control_sequence(rest, 2),
        '\u{1b}' => 1,
        '\u{9b}' => control_sequence(rest, first.len_utf8()),
        c if is_format_or_ignorable(c) => c.len_utf8(),
        c if c.is_control() && !c.is_ascii() => c.len_utf8(),
        _ => 0,
    }
}

/// The length of a CSI sequence whose parameters begin at `from` (ECMA-48, 5.4), or of its introducer alone.
fn control_sequence(rest: &str, from: usize) -> usize {
    let parameters = rest.bytes().skip(from).take_while(|b| (0x20..=0x3f).contains(b)).count();
    let end = from + parameters;
    match rest.as_bytes().get(end) {
        Some(0x40..=0x7e) => end + 1,
        _ => from,
    }
}
