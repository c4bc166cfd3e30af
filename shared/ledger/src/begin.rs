//! Beginning a run: one transaction that spends the warrant and records the intent, or nothing.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use runcord_flow::{ActKind, Event, MACHINE, State, Warrant, next};
use runcord_model::approval::Verdict;
use runcord_model::{Deadline, Digest, Moment, PersonName, PlanId, Record, RecordKind, RunId};
use rusqlite::{Transaction, params};
use rustix::fs::{FallocateFlags, fallocate};
use serde_json::Value;

use crate::cord::cord_for;
use crate::open::file;
use crate::plans::{KeptPlan, PlanStatus, approvals, end, plan};
use crate::store::{clock_behind, to_json, to_sql};
use crate::{Beside, ClockBehind, CordState, Ledger, LedgerError, authority, drive, records};

/// Room kept on the disk for the outcome of a run, in bytes: a full disk must not leave an intent without one.
const RESERVED: u64 = 1 << 20;

/// What a run begins with.
#[derive(Debug, Clone)]
pub struct Start {
    /// The run's new id.
    pub run: RunId,
    /// The kinds of its acts, in order.
    pub acts: Vec<ActKind>,
    /// The runtime's own data about it.
    pub extras: Beside,
    /// The runbook's timeout.
    pub deadline: Deadline,
    /// The in-toto statement of the intent.
    pub intent: Value,
    /// The runbook's concurrency: its key, and how many runs of that key may be unended on the target.
    pub concurrency: Option<(String, u32)>,
    /// The digest of the policy, people, approvers, runbooks and targets that the server holds.
    pub authority: Digest,
}

/// A run that has begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Begun {
    /// The record of its intent.
    pub record: Record,
}

/// Why a run did not begin. Nothing was written, and the plan is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The plan was applied already.
    #[error("the plan is spent, by {0}")]
    Spent(RunId),
    /// The plan ended in another way.
    #[error("the plan is no longer open")]
    NotOpen(PlanStatus),
    /// The plan of that id has another digest than the warrant's.
    #[error("the warrant is for another plan than {0}")]
    OtherPlan(PlanId),
    /// The ledger keeps no such approval.
    #[error("the ledger keeps no approval of {0} for this plan")]
    NotSigned(PersonName),
    /// Too many runs of this kind are unended.
    #[error("as many runs as may run together are unended")]
    Busy {
        /// Which.
        running: Vec<RunId>,
    },
    /// The cord is pulled.
    #[error("the cord was pulled by {by}")]
    CordPulled {
        /// Who pulled.
        by: String,
        /// Why, in their words.
        reason: String,
        /// When.
        at: Moment,
    },
    /// The server holds another authority than the one in force, or there is none.
    #[error("the server's policy, people, approvers, runbooks and targets are not those in force")]
    NotInAuthority {
        /// The digest of the one in force, if there is one.
        in_force: Option<Digest>,
    },
    /// The clock was set back.
    #[error("the clock cannot be trusted")]
    ClockBehind(#[from] ClockBehind),
    /// The ledger could not answer.
    #[error("the run could not be written down")]
    Ledger(#[from] LedgerError),
}

impl Ledger {
    /// Spends the warrant: checks authority, cord, clock, plan, approvals and concurrency, then marks the plan spent, writes
    /// the run and its first journal entry, and records the intent, all in one transaction.
    pub fn begin(&self, warrant: Warrant, start: Start, now: &Moment) -> Result<Begun, BeginError> {
        self.reserve(&start.run)?;
        let begun = self.write(now, |tx| {
            let kept = plan(tx, self.installation(), warrant.plan_id())?
                .ok_or_else(|| LedgerError::NoPlan(warrant.plan_id().clone()))?;
            may_begin(tx, &warrant, &start, &kept, now)?;
            let record =
                records::append(tx, self.installation(), RecordKind::Intent, start.intent.clone(), now)?;
            end(tx, warrant.plan_id(), "spent", start.run.as_str())?;
            insert_run(tx, &start, &kept, record.index, now)?;
            Ok(Begun { record })
        });
        if begun.is_err() {
            self.free_reserve(&start.run);
        }
        begun
    }

    fn reserve(&self, run: &RunId) -> Result<(), LedgerError> {
        let unusable = |source| file("reserve", source);
        let mut options = OpenOptions::new();
        // New, so that a run of the same id could never give back the room of the first.
        let reserve = options.write(true).create_new(true).mode(0o600).open(self.reserve_path(run));
        let reserve = reserve.map_err(unusable)?;
        fallocate(&reserve, FallocateFlags::empty(), 0, RESERVED).map_err(|error| {
            self.free_reserve(run);
            unusable(error.into())
        })
    }

    /// Gives the room back. That it fails is no reason to stop: what it is for may still be written.
    pub(crate) fn free_reserve(&self, run: &RunId) {
        let _ = std::fs::remove_file(self.reserve_path(run));
    }

    fn reserve_path(&self, run: &RunId) -> PathBuf {
        self.runs_dir().join(format!("{run}.reserve"))
    }
}

fn may_begin(
    tx: &Transaction<'_>,
    warrant: &Warrant,
    start: &Start,
    kept: &KeptPlan,
    now: &Moment,
) -> Result<(), BeginError> {
    if let Some(behind) = clock_behind(tx, now)? {
        return Err(behind.into());
    }
    let in_force = authority::authority(tx)?.map(|authority| authority.digest);
    if in_force.as_ref() != Some(&start.authority) {
        return Err(BeginError::NotInAuthority { in_force });
    }
    if let CordState::Pulled { by, reason, at } = cord_for(tx, warrant.principal())? {
        return Err(BeginError::CordPulled { by, reason, at });
    }
    open_and_signed(tx, warrant, kept)?;
    let running = unended_with(tx, &kept.plan.body.target.identity, start)?;
    match start.concurrency {
        Some((_, max)) if running.len() >= max as usize => Err(BeginError::Busy { running }),
        Some(_) | None => Ok(()),
    }
}

fn open_and_signed(tx: &Transaction<'_>, warrant: &Warrant, kept: &KeptPlan) -> Result<(), BeginError> {
    match &kept.status {
        PlanStatus::Open => {}
        PlanStatus::Spent(run) => return Err(BeginError::Spent(run.clone())),
        PlanStatus::Rejected { .. } | PlanStatus::Void { .. } => {
            return Err(BeginError::NotOpen(kept.status.clone()));
        }
    }
    if &kept.plan.digest != warrant.plan_digest() {
        return Err(BeginError::OtherPlan(warrant.plan_id().clone()));
    }
    let kept = approvals(tx, warrant.plan_id())?;
    let signed = |person: &PersonName| {
        kept.iter().any(|approval| approval.approver == *person && approval.verdict == Verdict::Approve)
    };
    match warrant.approvers().iter().find(|person| !signed(person)) {
        Some(person) => Err(BeginError::NotSigned(person.clone())),
        None => Ok(()),
    }
}

fn unended_with(tx: &Transaction<'_>, target: &str, start: &Start) -> Result<Vec<RunId>, LedgerError> {
    let Some((key, _)) = &start.concurrency else { return Ok(Vec::new()) };
    let mut query = tx.prepare(
        "SELECT id FROM runs WHERE target = ?1 AND concurrency = ?2 AND outcome IS NULL ORDER BY seq",
    )?;
    let rows = query.query_map([target, key], |row| row.get::<_, String>(0))?;
    rows.map(|id| RunId::try_from(id?).map_err(|_| LedgerError::Corrupt { what: "run" })).collect()
}

fn insert_run(
    tx: &Transaction<'_>,
    start: &Start,
    kept: &KeptPlan,
    intent: u64,
    now: &Moment,
) -> Result<(), LedgerError> {
    let begun = Event::Begun { machine: MACHINE, acts: start.acts.clone() };
    let (state, _) = next(&State::new(), &begun);
    let body = &kept.plan.body;
    tx.execute(
        "INSERT INTO runs (id, plan_id, principal, target, concurrency, machine, acts, deadline, extras,
                           snapshot, snapshot_machine, intent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?6, ?11)",
        params![
            start.run.as_str(),
            body.plan_id.as_str(),
            to_json("principal", &body.principal)?,
            body.target.identity,
            start.concurrency.as_ref().map(|(key, _)| key),
            MACHINE,
            to_json("run", &start.acts)?,
            to_json("run", &start.deadline)?,
            start.extras.text(),
            to_json("run", &state)?,
            to_sql("run", intent)?,
        ],
    )?;
    drive::journal(tx, &start.run, 0, &begun, now)
}
