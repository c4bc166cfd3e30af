//! Runs as they are kept, and as readers see them.

use runcord_flow::{ActKind, Event, MACHINE, State, next};
use runcord_model::{Deadline, Moment, PlanId, Principal, Record, RunId, RunState};
use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde_json::Value;

use crate::store::{from_json, from_sql};
use crate::{Beside, Ledger, LedgerError, RunLock, records};

/// A run as the ledger keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptRun {
    /// Its id.
    pub id: RunId,
    /// The plan that it applies.
    pub plan: PlanId,
    /// Whose it is.
    pub principal: Principal,
    /// The identity of its target.
    pub target: String,
    /// Where it is.
    pub state: RunState,
    /// The same, as the machine has it.
    pub flow: State,
    /// The epoch of its newest worker; 0 before the first.
    pub epoch: u64,
    /// The runbook's timeout.
    pub deadline: Deadline,
    /// Who asked it to stop, if somebody did.
    pub cancelled_by: Option<String>,
    /// The runtime's own data about it.
    pub extras: Beside,
    /// The newest view of it, as [`Ledger::note`] and [`Ledger::finish`] got it.
    pub view: Option<Beside>,
    /// What happened, in order.
    pub journal: Vec<Journalled>,
    /// The record of its intent.
    pub intent: Record,
    /// The record of its outcome; `None` until it is over.
    pub outcome: Option<Record>,
}

/// One entry of a run's journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Journalled {
    /// The epoch of the worker that wrote it; 0 for the run's beginning.
    pub epoch: u64,
    /// The event as JSON: another machine version may have written it.
    pub event: Value,
    /// When it was written.
    pub at: Moment,
}

impl Journalled {
    /// The event, if it is one of this version's.
    pub fn typed(&self) -> Option<Event> {
        serde_json::from_value(self.event.clone()).ok()
    }
}

/// Which runs to list.
#[derive(Debug, Clone)]
pub struct RunFilter {
    /// Only of this principal.
    pub principal: Option<Principal>,
    /// Only on the target of this identity.
    pub target: Option<String>,
    /// Only the application of this plan.
    pub plan: Option<PlanId>,
    /// At most so many, the newest first.
    pub limit: u32,
}

impl Default for RunFilter {
    fn default() -> Self {
        Self { principal: None, target: None, plan: None, limit: 50 }
    }
}

impl Ledger {
    /// The run of that id.
    pub fn run(&self, id: &RunId) -> Result<Option<KeptRun>, LedgerError> {
        self.read(|tx| row(tx, id)?.map(|row| row.kept(tx)).transpose())
    }

    /// Runs, the newest first.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<KeptRun>, LedgerError> {
        let principal =
            filter.principal.as_ref().map(|p| crate::store::to_json("principal", p)).transpose()?;
        let plan = filter.plan.as_ref().map(PlanId::as_str);
        self.read(|tx| {
            let mut query = tx.prepare(&format!(
                "{SELECT} WHERE (?1 IS NULL OR principal = ?1) AND (?2 IS NULL OR target = ?2)
                 AND (?3 IS NULL OR plan_id = ?3) ORDER BY seq DESC LIMIT ?4"
            ))?;
            let rows = query.query_map(params![principal, filter.target, plan, filter.limit], raw)?;
            rows.map(|raw| row_of(raw?)?.kept(tx)).collect()
        })
    }

    /// The runs on the target of that identity whose outcome is not recorded, the oldest first: what a server looks
    /// through for runs whose lock is free.
    pub fn unended(&self, target: &str) -> Result<Vec<RunId>, LedgerError> {
        self.read(|tx| {
            let mut query =
                tx.prepare("SELECT id FROM runs WHERE target = ?1 AND outcome IS NULL ORDER BY seq")?;
            let rows = query.query_map([target], |row| row.get::<_, String>(0))?;
            rows.map(|id| RunId::try_from(id?).map_err(|_| LedgerError::Corrupt { what: "run" })).collect()
        })
    }
}

/// A row of the table, without what is kept beside the run: that may be large, and a worker asks for the row many times a
/// second.
pub(crate) struct RunRow {
    pub(crate) id: RunId,
    pub(crate) principal: Principal,
    pub(crate) deadline: Deadline,
    pub(crate) epoch: u64,
    pub(crate) cancelled_by: Option<String>,
    pub(crate) outcome: Option<i64>,
    plan: PlanId,
    target: String,
    machine: u32,
    acts: Vec<ActKind>,
    snapshot: String,
    snapshot_machine: u32,
    intent: i64,
}

impl RunRow {
    /// The state after the newest journal entry. One that another machine version wrote is not read: the run is
    /// then as one that has just begun elsewhere, which the machine only looks at.
    pub(crate) fn state(&self) -> Result<State, LedgerError> {
        if self.snapshot_machine == MACHINE {
            return from_json("run", &self.snapshot);
        }
        // A snapshot of another version under a beginning of ours cannot be: then nothing is known.
        let machine = if self.machine == MACHINE { self.snapshot_machine } else { self.machine };
        Ok(next(&State::new(), &Event::Begun { machine, acts: self.acts.clone() }).0)
    }

    /// Checks that the journal, replayed, gives the snapshot.
    pub(crate) fn replays(&self, tx: &Transaction<'_>) -> Result<(), LedgerError> {
        if self.machine != MACHINE || self.snapshot_machine != MACHINE {
            return Ok(());
        }
        let mut state = State::new();
        for entry in journal(tx, &self.id)? {
            let event = entry.typed().ok_or(LedgerError::Corrupt { what: "journal" })?;
            state = next(&state, &event).0;
        }
        if state == self.state()? { Ok(()) } else { Err(LedgerError::Corrupt { what: "journal" }) }
    }

    /// Whether the lock's claim is the run's newest.
    pub(crate) fn is_claimed_by(&self, lock: &RunLock) -> bool {
        lock.epoch() != 0 && lock.epoch() == self.epoch
    }

    fn kept(self, tx: &Transaction<'_>) -> Result<KeptRun, LedgerError> {
        let flow = self.state()?;
        let (extras, view) = beside(tx, &self.id)?;
        Ok(KeptRun {
            state: flow.run_state(),
            flow,
            journal: journal(tx, &self.id)?,
            intent: records::at(tx, self.intent)?,
            outcome: self.outcome.map(|index| records::at(tx, index)).transpose()?,
            id: self.id,
            plan: self.plan,
            principal: self.principal,
            target: self.target,
            epoch: self.epoch,
            deadline: self.deadline,
            cancelled_by: self.cancelled_by,
            extras,
            view,
        })
    }
}

/// The run of that id.
pub(crate) fn row(tx: &Transaction<'_>, id: &RunId) -> Result<Option<RunRow>, LedgerError> {
    let raw = tx.query_row(&format!("{SELECT} WHERE id = ?1"), [id.as_str()], raw).optional()?;
    raw.map(row_of).transpose()
}

/// What was kept beside the run, and its newest view.
fn beside(tx: &Transaction<'_>, id: &RunId) -> Result<(Beside, Option<Beside>), LedgerError> {
    let row = tx.query_row("SELECT extras, view FROM runs WHERE id = ?1", [id.as_str()], |row| {
        Ok((row.get(0)?, row.get::<_, Option<String>>(1)?))
    })?;
    Ok((Beside::kept(row.0), row.1.map(Beside::kept)))
}

fn journal(tx: &Transaction<'_>, id: &RunId) -> Result<Vec<Journalled>, LedgerError> {
    let mut query = tx.prepare("SELECT epoch, event, at FROM journal WHERE run_id = ?1 ORDER BY seq")?;
    let rows = query.query_map([id.as_str()], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })?;
    rows.map(|row| {
        let (epoch, event, at) = row?;
        Ok(Journalled {
            epoch: from_sql("journal", epoch)?,
            event: from_json("journal", &event)?,
            at: from_json("journal", &at)?,
        })
    })
    .collect()
}

const SELECT: &str = "SELECT id, plan_id, principal, target, machine, acts, deadline, epoch, snapshot, \
                      snapshot_machine, cancelled_by, intent, outcome FROM runs";

/// The columns as SQLite gives them, not yet read.
struct Raw {
    texts: [String; 7],
    machine: u32,
    snapshot_machine: u32,
    epoch: i64,
    cancelled_by: Option<String>,
    intent: i64,
    outcome: Option<i64>,
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    let text = |column: &str| row.get::<_, String>(column);
    Ok(Raw {
        texts: [
            text("id")?,
            text("plan_id")?,
            text("principal")?,
            text("target")?,
            text("acts")?,
            text("deadline")?,
            text("snapshot")?,
        ],
        machine: row.get("machine")?,
        snapshot_machine: row.get("snapshot_machine")?,
        epoch: row.get("epoch")?,
        cancelled_by: row.get("cancelled_by")?,
        intent: row.get("intent")?,
        outcome: row.get("outcome")?,
    })
}

fn row_of(raw: Raw) -> Result<RunRow, LedgerError> {
    let corrupt = |_| LedgerError::Corrupt { what: "run" };
    let [id, plan, principal, target, acts, deadline, snapshot] = raw.texts;
    Ok(RunRow {
        id: RunId::try_from(id).map_err(corrupt)?,
        plan: PlanId::try_from(plan).map_err(corrupt)?,
        principal: from_json("run", &principal)?,
        target,
        machine: raw.machine,
        acts: from_json("run", &acts)?,
        deadline: from_json("run", &deadline)?,
        epoch: from_sql("run", raw.epoch)?,
        snapshot,
        snapshot_machine: raw.snapshot_machine,
        cancelled_by: raw.cancelled_by,
        intent: raw.intent,
        outcome: raw.outcome,
    })
}
