//! Driving a run: every event is journalled before its commands are carried out, and every mutation asks first.

use runcord_flow::{Command, Event, MACHINE, Permit, State, StopCause, Unstopped, next};
use runcord_model::{Moment, Record, RecordKind, RunId};
use rusqlite::{Transaction, params};
use serde_json::Value;

use crate::cord::cord_for;
use crate::runs::{RunRow, row};
use crate::store::{to_json, to_sql};
use crate::{Beside, CordState, Ledger, LedgerError, RunLock, records};

/// Why an event was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The lock was not claimed, or another worker has claimed the run since.
    #[error("this worker's claim on the run is not the newest")]
    Epoch,
    /// Only the ledger itself journals beginnings, claims and permits.
    #[error("only the ledger writes this event")]
    NotYours,
    /// The run has not ended yet.
    #[error("the run has not ended")]
    NotEnded,
    /// The ledger could not answer.
    #[error("the event could not be journalled")]
    Ledger(#[from] LedgerError),
}

/// Why a mutation was not permitted, or is not any more. Nothing was journalled, and nothing may be sent.
#[derive(Debug, thiserror::Error)]
pub enum PermitRefused {
    /// The run is to stop: feed [`Event::StopAsked`] with this cause.
    #[error("{}", .0.as_str())]
    Stop(StopCause),
    /// The lock was not claimed, or another worker has claimed the run since.
    #[error("this worker's claim on the run is not the newest")]
    Epoch,
    /// The machine does not ask for this act now.
    #[error("the run does not ask for this act now")]
    OutOfPlace,
    /// The ledger could not answer.
    #[error("the act could not be journalled")]
    Ledger(#[from] LedgerError),
}

impl Ledger {
    /// Makes the holder of the lock the run's worker and raises the run's epoch, so that the claims before it count no
    /// more. Whatever was in flight is to be looked at. A run that has ended but has no outcome yet answers with
    /// [`Command::Finish`] again.
    pub fn claim(&self, lock: &RunLock, now: &Moment) -> Result<(State, Vec<Command>), LedgerError> {
        let (epoch, state, commands) = self.write(now, |tx| {
            let run = unended(tx, lock.run())?;
            run.replays(tx)?;
            let epoch = run.epoch.checked_add(1).ok_or(LedgerError::Corrupt { what: "run" })?;
            tx.execute(
                "UPDATE runs SET epoch = ?2 WHERE id = ?1",
                params![run.id.as_str(), to_sql("run", epoch)?],
            )?;
            let state = run.state()?;
            if let Some(end) = state.end() {
                let again = vec![Command::Finish { end: end.clone() }];
                return Ok::<_, LedgerError>((epoch, state, again));
            }
            // By the column and not by the state: a state that another machine version wrote is not ours to read.
            let event = if run.epoch == 0 { Event::Claimed { epoch } } else { Event::TakenUp { epoch } };
            let (state, commands) = take(tx, &run, epoch, &event, now)?;
            Ok((epoch, state, commands))
        })?;
        lock.claimed(epoch);
        Ok((state, commands))
    }

    /// Journals the event and gives what is to be done then. An event that makes no sense in the run's state is not
    /// journalled and gives no commands.
    pub fn feed(
        &self,
        lock: &RunLock,
        event: &Event,
        now: &Moment,
    ) -> Result<(State, Vec<Command>), DriveError> {
        if !is_drivers(event) {
            return Err(DriveError::NotYours);
        }
        self.write(now, |tx| {
            let run = unended(tx, lock.run())?;
            if !run.is_claimed_by(lock) {
                return Err(DriveError::Epoch);
            }
            Ok(take(tx, &run, run.epoch, event, now)?)
        })
    }

    /// Permits one attempt at one mutation: checks epoch, the machine's wish, cord, cancel and deadline, and journals
    /// the act as sent, in one transaction. Once this has returned, the act may have happened.
    pub fn permit(&self, lock: &RunLock, act: usize, now: &Moment) -> Result<Permit, PermitRefused> {
        self.write(now, |tx| {
            let run = unended(tx, lock.run())?;
            if !run.is_claimed_by(lock) {
                return Err(PermitRefused::Epoch);
            }
            if let Some(cause) = stop_cause(tx, &run, now)? {
                return Err(PermitRefused::Stop(cause));
            }
            let attempt = match run.state()?.asks() {
                Some((asked, attempt)) if asked == act => attempt,
                Some(_) | None => return Err(PermitRefused::OutOfPlace),
            };
            take(tx, &run, run.epoch, &Event::Permitted { act, attempt }, now)?;
            Ok(Permit::granted(run.id, act, attempt, run.epoch))
        })
    }

    /// Looks once more at epoch, cord, cancel and deadline, right before an act is sent that was slow to begin. Only looks:
    /// what is in flight stays so.
    pub fn still_permitted(&self, permit: Permit, now: &Moment) -> Result<Unstopped, PermitRefused> {
        self.read(|tx| {
            let run = unended(tx, permit.run())?;
            if run.epoch != permit.epoch() {
                return Err(PermitRefused::Epoch);
            }
            match stop_cause(tx, &run, now)? {
                Some(cause) => Err(PermitRefused::Stop(cause)),
                None => Ok(Unstopped::seen(permit)),
            }
        })
    }

    /// Whether the run is to stop, and why: for the driver to ask while it waits.
    pub fn stop_asked(&self, run: &RunId, now: &Moment) -> Result<Option<StopCause>, LedgerError> {
        self.read(|tx| stop_cause(tx, &row(tx, run)?.ok_or_else(|| LedgerError::NoRun(run.clone()))?, now))
    }

    /// Asks the run to stop. The first to ask stays; a run that is over stays as it is.
    pub fn ask_cancel(&self, run: &RunId, by: &str, now: &Moment) -> Result<(), LedgerError> {
        self.write(now, |tx| {
            let known = row(tx, run)?.ok_or_else(|| LedgerError::NoRun(run.clone()))?;
            tx.execute(
                "UPDATE runs SET cancelled_by = coalesce(cancelled_by, ?2) WHERE id = ?1 AND outcome IS NULL",
                [known.id.as_str(), by],
            )?;
            Ok(())
        })
    }

    /// Keeps the newest view of the run for its readers, until it is over.
    pub fn note(&self, run: &RunId, view: &Beside, now: &Moment) -> Result<(), LedgerError> {
        self.write(now, |tx| {
            let run = unended(tx, run)?;
            set_view(tx, &run.id, view)
        })
    }

    /// Records how the run ended, once, and keeps its last view. Only in an ended state, and only by its worker.
    pub fn finish(
        &self,
        lock: &RunLock,
        outcome: Value,
        view: &Beside,
        now: &Moment,
    ) -> Result<Record, DriveError> {
        self.write(now, |tx| {
            let run = unended(tx, lock.run())?;
            if !run.is_claimed_by(lock) {
                return Err(DriveError::Epoch);
            }
            if run.state()?.end().is_none() {
                return Err(DriveError::NotEnded);
            }
            // Given back first: on a full disk it is what the record is written to.
            self.free_reserve(&run.id);
            self.forget_told(&run.id);
            let record = records::append(tx, self.installation(), RecordKind::Outcome, outcome, now)?;
            // In one: each writes the whole row anew, with all that is kept in it.
            tx.execute(
                "UPDATE runs SET view = ?2, outcome = ?3 WHERE id = ?1",
                params![run.id.as_str(), view.text(), to_sql("record", record.index)?],
            )
            .map_err(LedgerError::from)?;
            Ok(record)
        })
    }
}

fn is_drivers(event: &Event) -> bool {
    match event {
        Event::Begun { .. } | Event::Claimed { .. } | Event::TakenUp { .. } | Event::Permitted { .. } => {
            false
        }
        Event::Done { .. }
        | Event::Deferred { .. }
        | Event::Refused { .. }
        | Event::Lost { .. }
        | Event::Settled { .. }
        | Event::GuardHeld
        | Event::GuardBroken { .. }
        | Event::StopAsked { .. }
        | Event::Verified
        | Event::NotVerified { .. } => true,
    }
}

fn unended(tx: &Transaction<'_>, id: &RunId) -> Result<RunRow, LedgerError> {
    let run = row(tx, id)?.ok_or_else(|| LedgerError::NoRun(id.clone()))?;
    if run.outcome.is_some() { Err(LedgerError::Over(id.clone())) } else { Ok(run) }
}

/// The next state, journalled with its event. An event that changes nothing leaves no trace.
fn take(
    tx: &Transaction<'_>,
    run: &RunRow,
    epoch: u64,
    event: &Event,
    now: &Moment,
) -> Result<(State, Vec<Command>), LedgerError> {
    let before = run.state()?;
    let (after, commands) = next(&before, event);
    if after == before {
        return Ok((after, commands));
    }
    journal(tx, &run.id, epoch, event, now)?;
    tx.execute(
        "UPDATE runs SET snapshot = ?2, snapshot_machine = ?3 WHERE id = ?1",
        params![run.id.as_str(), to_json("run", &after)?, MACHINE],
    )?;
    Ok((after, commands))
}

/// Appends to the run's journal.
pub(crate) fn journal(
    tx: &Transaction<'_>,
    run: &RunId,
    epoch: u64,
    event: &Event,
    now: &Moment,
) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO journal (run_id, seq, epoch, event, at)
         SELECT ?1, coalesce(max(seq) + 1, 0), ?2, ?3, ?4 FROM journal WHERE run_id = ?1",
        params![
            run.as_str(),
            to_sql("journal", epoch)?,
            to_json("journal", event)?,
            to_json("journal", now)?
        ],
    )?;
    Ok(())
}

fn stop_cause(tx: &Transaction<'_>, run: &RunRow, now: &Moment) -> Result<Option<StopCause>, LedgerError> {
    if let CordState::Pulled { .. } = cord_for(tx, &run.principal)? {
        return Ok(Some(StopCause::Cord));
    }
    if run.cancelled_by.is_some() {
        return Ok(Some(StopCause::Cancelled));
    }
    Ok(run.deadline.passed(now).then_some(StopCause::DeadlinePassed))
}

fn set_view(tx: &Transaction<'_>, run: &RunId, view: &Beside) -> Result<(), LedgerError> {
    tx.execute("UPDATE runs SET view = ?2 WHERE id = ?1", [run.as_str(), view.text()])?;
    Ok(())
}
