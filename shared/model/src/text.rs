//! Text that came out of the infrastructure, made harmless before anybody reads it.
//!
//! Whoever can write a log line can try to hide orders in it, to repaint the reader's screen, or to pass for
//! us. So what cannot be seen is written out (`‹U+202E›`), secrets become `‹redacted›`, what is cut says how
//! much, and our two brackets are never taken from the text itself.

mod assignment;
mod invisible;
mod known;
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
    /// Cleans `text` of what looks like a secret: see [`Cleaner::clean`].
    pub fn clean(text: &str, limit: usize) -> Self {
        Cleaner::default().clean(text, limit)
    }

    /// The cleaned text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name or a value as it may stand in a diff, cleaned of what looks like a secret: see [`Cleaner::visible`].
pub fn visible(text: &str, limit: usize) -> String {
    Cleaner::default().visible(text, limit)
}

/// Makes text harmless. It finds secrets by their shape and by the names they are given to; beside these, the values
/// that it was told of.
#[derive(Default, Clone)]
pub struct Cleaner {
    known: known::Known,
}

/// Shows nothing of what it knows.
impl std::fmt::Debug for Cleaner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cleaner").finish_non_exhaustive()
    }
}

/// The longest secret value in which smaller secrets (the password in a URL) are looked for, in bytes.
const LOOKED_INTO: usize = 16 * 1024;

impl Cleaner {
    /// Takes in a value that is secret: it is redacted wherever it stands, as are its lines, and the secrets that it
    /// holds. One of fewer than six bytes is in every text, and is left alone.
    pub fn learn(&mut self, value: &str) {
        let value = value.trim();
        let within =
            if value.len() <= LOOKED_INTO { secrets::find(value, &known::Known::default()) } else { vec![] };
        self.known.learn(value, &within);
    }

    /// Cleans `text`: at most `limit` bytes (or [`SMALLEST_LIMIT`], if that is more), lines of at most
    /// [`LONGEST_LINE`] characters. Newline and tab are kept, secrets redacted, all else that cannot be seen is
    /// made visible. Pure, and linear in the length of `text`.
    pub fn clean(&self, text: &str, limit: usize) -> Untrusted {
        Untrusted(render::render(text, &secrets::find(text, &self.known), limit, render::Lines::Many))
    }

    /// Cleans a text of many lines, line by line: as many come out as there are between its newlines. A secret that
    /// goes over several lines is redacted in each of them.
    pub fn lines(&self, text: &str) -> Vec<String> {
        const LIMIT: usize = 4 * LONGEST_LINE + SMALLEST_LIMIT;
        let secrets = secrets::find(text, &self.known);
        let mut start = 0;
        text.split('\n')
            .map(|line| {
                let here = start..start + line.len();
                start = here.end + 1;
                let from = secrets.partition_point(|secret| secret.end <= here.start);
                let inside = secrets.iter().skip(from).take_while(|secret| secret.start < here.end);
                let inside: Vec<_> = inside
                    .map(|secret| {
                        secret.start.max(here.start) - here.start..secret.end.min(here.end) - here.start
                    })
                    .collect();
                render::render(line, &inside, LIMIT, render::Lines::Many)
            })
            .collect()
    }

    /// Cleans like [`clean`](Self::clean), on one line: newline and tab are written out as well.
    pub fn visible(&self, text: &str, limit: usize) -> String {
        render::render(text, &secrets::find(text, &self.known), limit, render::Lines::One)
    }
}

#[cfg(test)]
mod tests;
