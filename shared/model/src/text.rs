//! Text that came out of the infrastructure, made harmless before anybody reads it.
//!
//! Whoever can write a log line can try to hide orders in it, to repaint the reader's screen, or to pass for
//! us. So what cannot be seen is written out (`‹U+202E›`), secrets become `‹redacted›`, what is cut says how
//! much, and our two brackets are never taken from the text itself.

mod assignment;
mod invisible;
mod render;
mod secrets;
mod skeleton;

use serde::Serialize;

/// The smallest limit that is honoured, in bytes: room for the mark that says how much was cut.
pub const SMALLEST_LIMIT: usize = 64;

/// The longest line that is shown, in characters.
pub const LONGEST_LINE: usize = 2_000;

/// Text from the infrastructure after cleaning: the only form in which it may leave the process, and only
/// under a field named `untrusted`. There is no way back to the raw text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Untrusted(String);

impl Untrusted {
    /// Cleans `text`: at most `limit` bytes (or [`SMALLEST_LIMIT`], if that is more), lines of at most
    /// [`LONGEST_LINE`] characters. Newline and tab are kept, secrets redacted, all else that cannot be seen is
    /// made visible. Pure, and linear in the length of `text`.
    pub fn clean(text: &str, limit: usize) -> Self {
        Self(render::render(text, &secrets::find(text), limit, render::Lines::Many))
    }

    /// The cleaned text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name or a value as it may stand in a diff: cleaned like [`Untrusted`], on one line, so newline and tab
/// are written out as well. At most `limit` bytes (or [`SMALLEST_LIMIT`], if that is more).
pub fn visible(text: &str, limit: usize) -> String {
    render::render(text, &secrets::find(text), limit, render::Lines::One)
}

#[cfg(test)]
mod tests;
