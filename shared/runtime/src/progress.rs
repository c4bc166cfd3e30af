//! Notes of progress on long work, for whoever listens.

use tokio::sync::mpsc::UnboundedSender;

/// One note of progress on long work.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgressNote {
    /// How much is done.
    pub done: f64,
    /// Of how much, where that is known.
    pub of: Option<f64>,
    /// In words.
    pub message: String,
}

/// Where notes of progress go.
#[derive(Debug, Clone)]
pub struct Progress(Option<UnboundedSender<ProgressNote>>);

impl Progress {
    /// To somebody who listens.
    pub fn to(sender: UnboundedSender<ProgressNote>) -> Self {
        Self(Some(sender))
    }

    /// To nobody.
    pub fn none() -> Self {
        Self(None)
    }

    /// Tells how far the work is; MCP asks that `done` grows from note to note.
    pub fn note(&self, done: f64, of: Option<f64>, message: impl Into<String>) {
        if let Some(sender) = &self.0 {
            // A listener that left is no reason to stop.
            let _ = sender.send(ProgressNote { done, of, message: message.into() });
        }
    }
}
