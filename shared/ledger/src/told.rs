//! How far an act that lasts is, told by a run's worker to whoever waits for it. Nothing hangs on it: it is no entry of the
//! ledger, in a file of its own beside the run's lock, and gone with it.

use std::path::PathBuf;

use runcord_model::RunId;
use serde::{Deserialize, Serialize};

use crate::open::file;
use crate::{Ledger, LedgerError};

/// So many parts of the act under way are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Parts done.
    pub done: u32,
    /// Of so many.
    pub of: u32,
}

impl Ledger {
    /// Tells how far the run's act is, in place of what was told before.
    pub fn tell(&self, run: &RunId, told: Told) -> Result<(), LedgerError> {
        let place = self.told_file(run);
        let fresh = place.with_extension("telling");
        let written = serde_json::to_vec(&told).map_err(std::io::Error::other);
        // Nobody ever reads half of it.
        written
            .and_then(|bytes| std::fs::write(&fresh, bytes))
            .and_then(|()| std::fs::rename(&fresh, &place))
            .map_err(|error| file("file of a run's progress", error))
    }

    /// What was told last of the run; none where nothing was, or it cannot be read.
    pub fn told(&self, run: &RunId) -> Option<Told> {
        serde_json::from_slice(&std::fs::read(self.told_file(run)).ok()?).ok()
    }

    /// Forgets what was told of a run that is over. A file that stays behind is not read any more.
    pub(crate) fn forget_told(&self, run: &RunId) {
        let _ = std::fs::remove_file(self.told_file(run));
    }

    fn told_file(&self, run: &RunId) -> PathBuf {
        self.runs_dir().join(format!("{run}.told"))
    }
}
