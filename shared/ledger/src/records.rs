//! Records: append-only, each carrying the digest of the one before.

use runcord_model::record::Signature;
use runcord_model::{Digest, Moment, Record, RecordKind};
use runcord_seal::{Subject, digest, digest_of, statement};
use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde_json::{Map, Value, json};

use crate::store::{from_json, from_sql, to_json, to_sql};
use crate::{Ledger, LedgerError};

/// Why the chain of records does not hold.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// A record is not what was written, or not where it was.
    #[error("record {index} does not hold: {why}")]
    Broken {
        /// The first record at fault.
        index: u64,
        /// What does not hold.
        why: &'static str,
    },
    /// The ledger could not be read.
    #[error("the records could not be read")]
    Ledger(#[from] LedgerError),
}

impl Ledger {
    /// Appends a record of something that is no run's intent or outcome, such as a denial.
    pub fn record(&self, kind: RecordKind, statement: Value, now: &Moment) -> Result<Record, LedgerError> {
        self.write(now, |tx| append(tx, self.installation(), kind, statement, now))
    }

    /// At most `limit` records from `from` on, in order.
    pub fn records(&self, from: u64, limit: u32) -> Result<Vec<Record>, LedgerError> {
        self.read(|tx| {
            let mut query = tx.prepare(&format!("{SELECT} WHERE idx >= ?1 ORDER BY idx LIMIT ?2"))?;
            let rows = query.query_map(params![to_sql("records", from)?, limit], raw)?;
            rows.map(|row| record_of(row?)).collect()
        })
    }

    /// Checks every record from the first: its place, its digest, and that of the one before. Returns how many there are.
    pub fn check_chain(&self) -> Result<u64, ChainError> {
        self.read(|tx| {
            let length = walk(tx, self.installation())?;
            let last: Option<i64> = tx
                .query_row("SELECT max(coalesce(outcome, intent)) FROM runs", [], |row| row.get(0))
                .map_err(LedgerError::from)?;
            let known = last.map(|last| from_sql("runs", last)).transpose()?;
            match known {
                Some(known) if known >= length => {
                    Err(ChainError::Broken { index: length, why: "a run's record is missing" })
                }
                Some(_) | None => Ok(length),
            }
        })
    }
}

fn walk(tx: &Transaction<'_>, installation: &str) -> Result<u64, ChainError> {
    let database = |e: rusqlite::Error| ChainError::Ledger(e.into());
    let mut query = tx.prepare(&format!("{SELECT} ORDER BY idx")).map_err(database)?;
    let rows = query.query_map([], raw).map_err(database)?;
    let mut previous = digest(installation.as_bytes());
    let mut index = 0;
    for row in rows {
        let broken = |why| ChainError::Broken { index, why };
        let record = record_of(row.map_err(database)?).map_err(|_| broken("it cannot be read"))?;
        if record.index != index {
            return Err(broken("it is missing"));
        }
        if record.previous != previous {
            return Err(broken("it does not carry the digest of the one before"));
        }
        if own_digest(&record)? != record.digest {
            return Err(broken("its content does not have its digest"));
        }
        previous = record.digest;
        index += 1;
    }
    Ok(index)
}

/// Appends within the caller's transaction.
pub(crate) fn append(
    tx: &Transaction<'_>,
    installation: &str,
    kind: RecordKind,
    statement: Value,
    now: &Moment,
) -> Result<Record, LedgerError> {
    let newest = newest(tx)?;
    let (index, previous) = match newest {
        Some((index, digest)) => (index + 1, digest),
        None => (0, digest(installation.as_bytes())),
    };
    let mut record = Record {
        index,
        kind,
        at: now.clone(),
        statement,
        previous,
        digest: digest(b""),
        signature: Signature::Unsigned,
    };
    record.digest = own_digest(&record)?;
    tx.execute(
        "INSERT INTO records (idx, kind, at, statement, previous, digest, signature) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            to_sql("record", index)?,
            to_json("record", &record.kind)?,
            to_json("record", &record.at)?,
            to_json("statement", &record.statement)?,
            record.previous.as_str(),
            record.digest.as_str(),
            to_json("record", &record.signature)?,
        ],
    )?;
    Ok(record)
}

/// Appends a record of kind [`RecordKind::Control`] about the installation.
pub(crate) fn append_control(
    tx: &Transaction<'_>,
    installation: &str,
    predicate: Map<String, Value>,
    now: &Moment,
) -> Result<Record, LedgerError> {
    let digest = digest(installation.as_bytes());
    let said = statement(RecordKind::Control, Subject { name: installation, digest: &digest }, predicate);
    append(tx, installation, RecordKind::Control, said, now)
}

/// The record at that place.
pub(crate) fn at(tx: &Transaction<'_>, index: i64) -> Result<Record, LedgerError> {
    let row = tx.query_row(&format!("{SELECT} WHERE idx = ?1"), [index], raw).optional()?;
    record_of(row.ok_or(LedgerError::Corrupt { what: "record" })?)
}

fn newest(tx: &Transaction<'_>) -> Result<Option<(u64, Digest)>, LedgerError> {
    let row: Option<(i64, String)> = tx
        .query_row("SELECT idx, digest FROM records ORDER BY idx DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    row.map(|(index, digest)| Ok((from_sql("record", index)?, as_digest(digest)?))).transpose()
}

/// The digest of all that comes before it in a record.
fn own_digest(record: &Record) -> Result<Digest, LedgerError> {
    let Record { index, kind, at, statement, previous, digest: _, signature: _ } = record;
    digest_of(&json!({"index": index, "kind": kind, "at": at, "statement": statement, "previous": previous}))
        .map_err(|source| LedgerError::Unwritable { what: "record", source })
}

const SELECT: &str = "SELECT idx, kind, at, statement, previous, digest, signature FROM records";

type Raw = (i64, String, String, String, String, String, String);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
}

fn record_of((index, kind, at, statement, previous, digest, signature): Raw) -> Result<Record, LedgerError> {
    Ok(Record {
        index: from_sql("record", index)?,
        kind: from_json("record", &kind)?,
        at: from_json("record", &at)?,
        statement: from_json("record", &statement)?,
        previous: as_digest(previous)?,
        digest: as_digest(digest)?,
        signature: from_json("record", &signature)?,
    })
}

fn as_digest(text: String) -> Result<Digest, LedgerError> {
    Digest::try_from(text).map_err(|_| LedgerError::Corrupt { what: "record" })
}
