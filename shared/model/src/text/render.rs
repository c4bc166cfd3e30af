//! Writes a text out with everything in it visible, within its bounds.

use std::ops::Range;

use super::invisible::is_invisible;
use super::{LONGEST_LINE, SMALLEST_LIMIT};

/// Whether the result may have more than one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// Newline and tab are kept.
    Many,
    /// They are written out.
    One,
}

/// Writes `text` with `secrets` (ascending, apart from one another) redacted, in at most `limit` bytes.
pub(super) fn render(text: &str, secrets: &[Range<usize>], limit: usize, lines: Lines) -> String {
    let mut page = Page::new(limit);
    let mut secrets = secrets.iter().peekable();
    let (mut at, mut rest) = (0, text);
    while let Some(c) = rest.chars().next() {
        let secret = secrets.next_if(|secret| secret.start <= at);
        let step = secret.map_or(c.len_utf8(), |secret| secret.end.saturating_sub(at).max(c.len_utf8()));
        let following = rest.get(step..).unwrap_or_default();
        let written = match secret {
            Some(_) => page.add("‹redacted›"),
            None => write_char(&mut page, c, following, lines),
        };
        if written == Room::None {
            return page.cut(text.len());
        }
        (at, rest) = (at + step, following);
        page.read(at);
    }
    if page.end_line() == Room::None { page.cut(text.len()) } else { page.text }
}

fn write_char(page: &mut Page, c: char, following: &str, lines: Lines) -> Room {
    match (c, lines) {
        ('\r', Lines::Many) if following.starts_with('\n') => Room::Left,
        ('\n', Lines::Many) => page.newline(),
        ('\t', Lines::Many) => page.add("\t"),
        ('‹' | '›', _) => page.add(&code_point(c)),
        (c, _) if is_invisible(c) => page.add(&code_point(c)),
        (c, _) => page.add(c.encode_utf8(&mut [0; 4])),
    }
}

fn code_point(c: char) -> String {
    format!("‹U+{:04X}›", u32::from(c))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    Left,
    None,
}

/// What is written so far, and where to go back to when there is no room left.
struct Page {
    text: String,
    limit: usize,
    /// (length of `text`, bytes read) at the last place where the final mark still fits.
    fallback: (usize, usize),
    line: usize,
    cut_from_line: usize,
}

/// `‹cut: 18446744073709551615 bytes›` and a little more.
const MARK: usize = 40;

impl Page {
    fn new(limit: usize) -> Self {
        let limit = limit.max(SMALLEST_LIMIT);
        Self { text: String::new(), limit, fallback: (0, 0), line: 0, cut_from_line: 0 }
    }

    /// Adds one piece whole, or not at all when its line is full.
    fn add(&mut self, piece: &str) -> Room {
        let wide = piece.chars().count();
        if self.cut_from_line > 0 || self.line + wide > LONGEST_LINE {
            self.cut_from_line += 1;
            return Room::Left;
        }
        self.line += wide;
        self.push(piece)
    }

    fn newline(&mut self) -> Room {
        if self.end_line() == Room::None {
            return Room::None;
        }
        self.line = 0;
        self.push("\n")
    }

    fn end_line(&mut self) -> Room {
        match std::mem::take(&mut self.cut_from_line) {
            0 => Room::Left,
            n => self.push(&format!("‹line cut: {n} characters›")),
        }
    }

    fn push(&mut self, piece: &str) -> Room {
        if self.text.len() + piece.len() > self.limit {
            return Room::None;
        }
        self.text.push_str(piece);
        Room::Left
    }

    /// Notes that the first `bytes` of the text have been dealt with.
    fn read(&mut self, bytes: usize) {
        if self.cut_from_line == 0 && self.text.len() + MARK <= self.limit {
            self.fallback = (self.text.len(), bytes);
        }
    }

    fn cut(mut self, bytes: usize) -> String {
        let (length, read) = self.fallback;
        self.text.truncate(length);
        self.text.push_str(&format!("‹cut: {} bytes›", bytes.saturating_sub(read)));
        self.text
    }
}
