//! The connection and how transactions are made on it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use runcord_model::Moment;
use runcord_seal::NotCanonical;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{ClockBehind, LedgerError};

/// How far the wall clock may be behind the newest entry: what two processes may differ in between reading
/// the clock and writing.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(2);

/// A handle on the ledger. Clones share one connection.
#[derive(Debug, Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    connection: Mutex<Connection>,
    dir: PathBuf,
    installation: String,
}

/// Which writing of the ledger was read. As long as it is equal, nothing was written: not by other processes
/// (<https://www.sqlite.org/pragma.html#pragma_data_version>), nor by this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writing {
    others: i64,
    ours: u64,
}

/// When what is written is on the disk (<https://www.sqlite.org/pragma.html#pragma_synchronous>, of a write-ahead log).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durability {
    /// When the commit returns.
    OnDisk,
    /// With the next commit that is.
    WithTheNext,
}

impl Durability {
    fn pragma(self) -> &'static str {
        match self {
            Self::OnDisk => "PRAGMA synchronous = FULL",
            Self::WithTheNext => "PRAGMA synchronous = NORMAL",
        }
    }
}

impl Ledger {
    pub(crate) fn new(connection: Connection, dir: &Path, installation: String) -> Self {
        let inner = Inner { connection: Mutex::new(connection), dir: dir.to_owned(), installation };
        Self { inner: Arc::new(inner) }
    }

    /// The random name that this ledger got when it was made: part of every plan's digest.
    pub fn installation(&self) -> &str {
        &self.inner.installation
    }

    /// How things are written now: cheap enough to ask every few milliseconds.
    pub fn writing(&self) -> Result<Writing, LedgerError> {
        let connection = self.connection();
        let others = connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        Ok(Writing { others, ours: connection.total_changes() })
    }

    /// The wall time of the newest entry, if there is one.
    pub fn newest_utc(&self) -> Result<Option<Timestamp>, LedgerError> {
        self.read(newest)
    }

    /// Refuses a wall clock that is more than two seconds behind the newest entry. Plans are not made and runs do
    /// not begin on such a clock.
    pub fn check_clock(&self, now: &Moment) -> Result<Result<(), ClockBehind>, LedgerError> {
        self.read(|tx| clock_behind(tx, now)).map(|behind| behind.map_or(Ok(()), Err))
    }

    pub(crate) fn runs_dir(&self) -> PathBuf {
        self.inner.dir.join("runs")
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic while it was held rolled its transaction back: the connection itself is sound.
        self.inner.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One transaction that writes; it happens as a whole or not at all, and is on the disk when this returns. Always
    /// IMMEDIATE: a deferred one that reads first is refused as soon as another process writes in between, whatever the
    /// busy timeout.
    pub(crate) fn write<T, E: From<LedgerError>>(
        &self,
        now: &Moment,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.write_as(Durability::OnDisk, now, work)
    }

    /// The same for what nobody has acted on yet: it is whole and seen by all processes when this returns, and on the
    /// disk with the next [`Self::write`], since that syncs the whole log. If the power fails in between, it never was.
    pub(crate) fn write_soon<T, E: From<LedgerError>>(
        &self,
        now: &Moment,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.write_as(Durability::WithTheNext, now, work)
    }

    fn write_as<T, E: From<LedgerError>>(
        &self,
        durability: Durability,
        now: &Moment,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.connection();
        // Set by each for itself, so that none goes by what another has left.
        connection.execute_batch(durability.pragma()).map_err(LedgerError::from)?;
        let tx = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(LedgerError::from)?;
        let done = work(&tx)?;
        let newest = now.utc.as_millisecond();
        tx.execute("UPDATE clock SET newest_ms = max(coalesce(newest_ms, ?1), ?1)", [newest])
            .map_err(LedgerError::from)?;
        tx.commit().map_err(LedgerError::from)?;
        Ok(done)
    }

    /// One transaction that only reads, so that all it reads is of one moment.
    pub(crate) fn read<T, E: From<LedgerError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.connection();
        let tx = connection.transaction().map_err(LedgerError::from)?;
        work(&tx)
    }
}

fn newest(tx: &Transaction<'_>) -> Result<Option<Timestamp>, LedgerError> {
    let newest: Option<Option<i64>> =
        tx.query_row("SELECT newest_ms FROM clock", [], |row| row.get(0)).optional()?;
    let corrupt = LedgerError::Corrupt { what: "clock" };
    match newest {
        Some(Some(ms)) => Timestamp::from_millisecond(ms).map(Some).map_err(|_| corrupt),
        Some(None) => Ok(None),
        None => Err(corrupt),
    }
}

pub(crate) fn clock_behind(tx: &Transaction<'_>, now: &Moment) -> Result<Option<ClockBehind>, LedgerError> {
    let newest = newest(tx)?;
    Ok(newest
        .filter(|newest| newest.duration_since(now.utc) > CLOCK_TOLERANCE)
        .map(|newest| ClockBehind { newest }))
}

/// The value as JSON, in the order of its fields.
pub(crate) fn to_json(what: &'static str, value: &impl Serialize) -> Result<String, LedgerError> {
    let unwritable = |source| LedgerError::Unwritable { what, source: NotCanonical::NotJson(source) };
    serde_json::to_string(value).map_err(unwritable)
}

/// The value back from its JSON.
pub(crate) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, LedgerError> {
    serde_json::from_str(text).map_err(|_| LedgerError::Corrupt { what })
}

/// SQLite's numbers are signed.
pub(crate) fn to_sql(what: &'static str, number: u64) -> Result<i64, LedgerError> {
    i64::try_from(number).map_err(|_| LedgerError::Corrupt { what })
}

pub(crate) fn from_sql(what: &'static str, number: i64) -> Result<u64, LedgerError> {
    u64::try_from(number).map_err(|_| LedgerError::Corrupt { what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_acted_on_is_on_the_disk_whatever_was_written_before() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&dir.path().join("state"), [0; 16]).unwrap();
        let now = Moment { utc: Timestamp::UNIX_EPOCH, boot_id: "boot".to_owned(), boot_ms: 0 };
        let level = |tx: &Transaction<'_>| -> Result<i64, LedgerError> {
            Ok(tx.query_row("PRAGMA synchronous", [], |row| row.get(0))?)
        };
        let (full, normal) = (2, 1);
        assert_eq!(ledger.write(&now, level).unwrap(), full);
        assert_eq!(ledger.write_soon(&now, level).unwrap(), normal);
        assert_eq!(ledger.write(&now, level).unwrap(), full);
    }
}
