//! The cord: pulled, it stops what runs and refuses what would start. Only a person resets it.

use runcord_model::{Moment, Principal, Record};
use rusqlite::{OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::records::append_control;
use crate::store::{from_json, to_json};
use crate::{Ledger, LedgerError};

/// What a pull stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CordScope {
    /// Every run and plan.
    Everything,
    /// The runs and plans of one principal.
    Principal(Principal),
}

/// Whether the cord is pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CordState {
    /// Runs may begin and go on.
    Armed,
    /// Nothing may begin, and what runs stops.
    Pulled {
        /// Who pulled.
        by: String,
        /// Why, in their words.
        reason: String,
        /// When.
        at: Moment,
    },
}

#[derive(Serialize, Deserialize)]
struct Pull {
    by: String,
    reason: String,
    at: Moment,
}

impl Ledger {
    /// Whether the cord is pulled for everything.
    pub fn cord(&self) -> Result<CordState, LedgerError> {
        self.read(|tx| state_of(tx, &CordScope::Everything))
    }

    /// Whether the cord is pulled for this principal, by itself or with everything.
    pub fn cord_for(&self, principal: &Principal) -> Result<CordState, LedgerError> {
        self.read(|tx| cord_for(tx, principal))
    }

    /// Every scope that the cord is pulled for, everything first.
    pub fn pulled(&self) -> Result<Vec<(CordScope, CordState)>, LedgerError> {
        self.read(pulled)
    }

    /// Pulls the cord and records that. A scope that is pulled already stays as it was first pulled.
    pub fn pull(
        &self,
        scope: &CordScope,
        by: &str,
        reason: &str,
        now: &Moment,
    ) -> Result<Record, LedgerError> {
        let pull = Pull { by: by.to_owned(), reason: reason.to_owned(), at: now.clone() };
        self.write(now, |tx| {
            tx.execute(
                "INSERT INTO cord (scope, pull) VALUES (?1, ?2)
                 ON CONFLICT (scope) DO UPDATE SET pull = coalesce(cord.pull, excluded.pull)",
                params![key(scope)?, to_json("cord", &pull)?],
            )?;
            let predicate = control("cord_pulled", by, reason, json!(scope));
            append_control(tx, self.installation(), predicate, now)
        })
    }

    /// Arms the cord again, for every scope, and records that. Only for a person: no tool reaches this.
    pub fn reset(&self, by: &str, reason: &str, now: &Moment) -> Result<Record, LedgerError> {
        self.write(now, |tx| {
            tx.execute("UPDATE cord SET pull = NULL", [])?;
            let predicate = control("cord_reset", by, reason, json!("everything"));
            append_control(tx, self.installation(), predicate, now)
        })
    }
}

/// Pulled for everything, or for this principal.
pub(crate) fn cord_for(tx: &Transaction<'_>, principal: &Principal) -> Result<CordState, LedgerError> {
    match state_of(tx, &CordScope::Everything)? {
        CordState::Armed => state_of(tx, &CordScope::Principal(principal.clone())),
        pulled @ CordState::Pulled { .. } => Ok(pulled),
    }
}

fn state_of(tx: &Transaction<'_>, scope: &CordScope) -> Result<CordState, LedgerError> {
    let row: Option<Option<String>> =
        tx.query_row("SELECT pull FROM cord WHERE scope = ?1", [key(scope)?], |row| row.get(0)).optional()?;
    match (row, scope) {
        (Some(Some(pull)), _) => as_state(&pull),
        (Some(None), _) | (None, CordScope::Principal(_)) => Ok(CordState::Armed),
        // The row is there from the beginning: a ledger without it guards nothing.
        (None, CordScope::Everything) => Err(LedgerError::Corrupt { what: "cord" }),
    }
}

fn pulled(tx: &Transaction<'_>) -> Result<Vec<(CordScope, CordState)>, LedgerError> {
    let mut query =
        tx.prepare("SELECT scope, pull FROM cord WHERE pull IS NOT NULL ORDER BY scope <> '*', scope")?;
    let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    rows.map(|row| {
        let (scope, pull) = row?;
        let scope = match scope.as_str() {
            "*" => CordScope::Everything,
            principal => CordScope::Principal(from_json("cord", principal)?),
        };
        Ok((scope, as_state(&pull)?))
    })
    .collect()
}

fn as_state(pull: &str) -> Result<CordState, LedgerError> {
    let Pull { by, reason, at } = from_json("cord", pull)?;
    Ok(CordState::Pulled { by, reason, at })
}

fn key(scope: &CordScope) -> Result<String, LedgerError> {
    match scope {
        CordScope::Everything => Ok("*".to_owned()),
        CordScope::Principal(principal) => to_json("principal", principal),
    }
}

fn control(what: &str, by: &str, reason: &str, scope: Value) -> Map<String, Value> {
    let fields = [("control", json!(what)), ("by", json!(by)), ("reason", json!(reason)), ("scope", scope)];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
