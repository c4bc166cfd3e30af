//! The authority in force on this ledger, and the journal of reads.

use runcord_model::{Digest, Moment, Principal, Record, RunbookName};
use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::json;

use crate::records::append_control;
use crate::store::{from_json, to_json};
use crate::{Ledger, LedgerError};

/// The authority in force: what an approver's signature put there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAuthority {
    /// The digest of the set of policy, people, approvers, runbooks and targets.
    pub digest: Digest,
    /// What was signed.
    pub statement: String,
    /// The signatures over it, as OpenSSH writes them.
    pub signatures: Vec<String>,
    /// When it came in force.
    pub at: Moment,
}

impl Ledger {
    /// The authority in force; `None` before the first: then nothing is applied.
    pub fn authority(&self) -> Result<Option<KeptAuthority>, LedgerError> {
        self.read(authority)
    }

    /// Puts an authority in force and records that. The caller has verified the signatures.
    pub fn put_authority(
        &self,
        digest: &Digest,
        statement: &str,
        signatures: &[String],
        by: &str,
        now: &Moment,
    ) -> Result<Record, LedgerError> {
        self.write(now, |tx| {
            tx.execute(
                "INSERT INTO authority (digest, statement, signatures, at) VALUES (?1, ?2, ?3, ?4)",
                params![
                    digest.as_str(),
                    statement,
                    to_json("authority", &signatures)?,
                    to_json("authority", now)?
                ],
            )?;
            let fields = [("control", json!("authority")), ("by", json!(by)), ("authority", json!(digest))];
            let predicate = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            append_control(tx, self.installation(), predicate, now)
        })
    }

    /// Journals a read: who, which runbook, and the digest of the parameters.
    pub fn note_read(
        &self,
        principal: &Principal,
        runbook: &RunbookName,
        params: &Digest,
        now: &Moment,
    ) -> Result<(), LedgerError> {
        self.write(now, |tx| {
            tx.execute(
                "INSERT INTO reads (principal, runbook, params, at) VALUES (?1, ?2, ?3, ?4)",
                params![
                    to_json("principal", principal)?,
                    runbook.as_str(),
                    params.as_str(),
                    to_json("moment", now)?
                ],
            )?;
            Ok(())
        })
    }
}

pub(crate) fn authority(tx: &Transaction<'_>) -> Result<Option<KeptAuthority>, LedgerError> {
    let row: Option<(String, String, String, String)> = tx
        .query_row(
            "SELECT digest, statement, signatures, at FROM authority ORDER BY seq DESC LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .optional()?;
    row.map(|(digest, statement, signatures, at)| {
        Ok(KeptAuthority {
            digest: Digest::try_from(digest).map_err(|_| LedgerError::Corrupt { what: "authority" })?,
            statement,
            signatures: from_json("authority", &signatures)?,
            at: from_json("authority", &at)?,
        })
    })
    .transpose()
}
