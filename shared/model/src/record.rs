//! The account of an intent, an outcome or a denial.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Digest, Moment};

/// What a record is an account of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// Written before the first act of a run, in the transaction that spends its warrant.
    Intent,
    /// How a run ended.
    Outcome,
    /// What policy refused.
    Denial,
    /// A pull or reset of the cord, or a change of authority.
    Control,
}

/// The one seam for signing. Until records are signed, they say so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// Not signed.
    Unsigned,
}

/// One entry of the ledger's append-only list, carrying the digest of the one before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its place, from 0.
    pub index: u64,
    /// What it is an account of.
    pub kind: RecordKind,
    /// When it was written.
    pub at: Moment,
    /// The in-toto statement.
    pub statement: Value,
    /// The digest of the entry before; of the installation's name for the first.
    pub previous: Digest,
    /// The digest of all the above, canonical.
    pub digest: Digest,
    /// Who vouches for it.
    pub signature: Signature,
}
