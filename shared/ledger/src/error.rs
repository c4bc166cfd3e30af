//! What can be wrong with the ledger itself. Callers map every one of these to `ledger_unavailable`.

use jiff::Timestamp;
use runcord_model::{PlanId, RunId};
use runcord_seal::NotCanonical;

/// Why the ledger could not answer. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The directory or a file in it could not be used.
    #[error("the ledger's {what} could not be used")]
    File {
        /// Which.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// SQLite refused, or something written there was refused by one of the ledger's own triggers.
    #[error("the ledger's database refused")]
    Database(#[from] rusqlite::Error),
    /// SQLite below 3.51.3 can lose writes of several processes (its WAL-reset bug).
    #[error("the SQLite library is older than 3.51.3")]
    OldSqlite,
    /// Locks and shared memory do not hold on a network file system.
    #[error("the ledger's directory is on a network file system, or on one whose locks cannot be relied on")]
    NetworkFileSystem,
    /// Others can write to the directory, or read it.
    #[error("the ledger's directory must belong to this user and be closed to others (mode 0700)")]
    Exposed,
    /// A newer Runcord wrote it.
    #[error("the ledger has schema version {found}, newer than this program's {known}")]
    Newer {
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// What was read is not what was written.
    #[error("the ledger's {what} is not as it was written")]
    Corrupt {
        /// Which part.
        what: &'static str,
    },
    /// A value cannot be kept.
    #[error("the {what} cannot be written down")]
    Unwritable {
        /// Which value.
        what: &'static str,
        /// Why.
        #[source]
        source: NotCanonical,
    },
    /// A plan whose digests or installation are not its own.
    #[error("the plan's digests or installation are not its own")]
    NotItsDigest,
    /// No plan of that id.
    #[error("there is no plan {0}")]
    NoPlan(PlanId),
    /// No run of that id.
    #[error("there is no run {0}")]
    NoRun(RunId),
    /// The run is over.
    #[error("the run {0} is over")]
    Over(RunId),
}

/// The wall clock reads earlier than the ledger's newest entry: it was set back, and no time limit can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the wall clock is behind the ledger's newest entry, of {newest}")]
pub struct ClockBehind {
    /// When the newest entry was written.
    pub newest: Timestamp,
}
