//! Names that no two tests share.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

/// The name of a test's namespace, nodes and user: a word and a number of its own in this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BedName(String);

impl BedName {
    /// A name nobody else has: `word-1`, `word-2` and so on, over all words.
    pub fn new(word: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        Self(format!("{word}-{}", COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
