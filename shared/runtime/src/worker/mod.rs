//! The run's own process: takes the run's lock, reaches its target, and carries it out to its end.
//!
//! It outlives the server that started it and the client that asked; the cord reaches it through the ledger. Whatever
//! fails on the way, the run ends in a recorded state or stays for the next worker, never in between.

mod blind;
mod driver;

use std::path::Path;
use std::time::{Duration, Instant};

use runcord_flow::Command;
use runcord_ledger::{DriveError, KeptRun, Ledger, LedgerError, RunLock};
use runcord_model::{Refusal, RunId};
use runcord_runbooks::{Checker, Filled, Runbook};

use crate::material::RunMaterial;
use crate::target::{Actions, Target};
use crate::{clock, entry};

/// Why a worker gave up. The run stays as the ledger has it, for the next worker to reconcile.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// Another process holds the run.
    #[error("another process holds run {0}")]
    Held(RunId),
    /// There is no such run.
    #[error("there is no run {0}")]
    NoSuchRun(RunId),
    /// What was kept beside the run cannot be read.
    #[error("what was kept beside run {0} cannot be read")]
    Unreadable(RunId),
    /// The ledger failed: without it nothing may be done.
    #[error("the ledger cannot be used")]
    Ledger(#[from] LedgerError),
    /// An event was not taken, or an outcome not recorded.
    #[error("the ledger did not take what happened")]
    Drive(#[from] DriveError),
    /// The clock could not be read.
    #[error("the run cannot go on")]
    Surroundings(#[from] Refusal),
}

/// How long a worker waits for a lock that a reader may hold for a moment.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// How often a worker that waits looks at the cord.
pub(crate) const CORD_EVERY: Duration = Duration::from_millis(50);
/// How long a worker tries to reach its target, and how often.
const REACH_PATIENCE: Duration = Duration::from_secs(300);
const REACH_EVERY: Duration = Duration::from_secs(2);

/// Leaves the session of the server that started us: neither the client's terminal nor its death reaches the run.
/// To be called first thing by a worker.
pub fn leave_session() {
    if let Err(error) = runcord_exec::own_session() {
        // Started by hand as the leader of a group: it has a session that nobody's client owns.
        tracing::debug!(%error, "this process keeps its session");
    }
}

/// As [`work`], with the ledger in `state`; a run that somebody else carries out is as it should be.
///
/// # Errors
/// As [`work`].
pub async fn work_in<T: Target>(
    connect: impl AsyncFn() -> Result<T, Refusal>,
    state: &Path,
    run: &RunId,
) -> Result<(), WorkError> {
    let ledger = Ledger::open(state, clock::entropy()?)?;
    match work(connect, &ledger, run).await {
        Err(WorkError::Held(run)) => {
            tracing::info!(%run, "another worker holds this run");
            Ok(())
        }
        other => other,
    }
}

/// Carries out one run to its end, or takes it up where a dead worker left it. The run is held before its target is
/// reached, so that one worker at a time waits for a target that does not answer.
///
/// # Errors
/// When the run is held or missing, or the ledger fails.
pub async fn work<T: Target>(
    connect: impl AsyncFn() -> Result<T, Refusal>,
    ledger: &Ledger,
    run: &RunId,
) -> Result<(), WorkError> {
    let lock = take_lock(ledger, run).await?;
    // A child that outlives us still holds the run: it is taken up only once that is gone too.
    lock.let_children_inherit()?;
    let kept = ledger.run(run)?.ok_or_else(|| WorkError::NoSuchRun(run.clone()))?;
    if kept.outcome.is_some() {
        return Ok(());
    }
    let (_, commands) = ledger.claim(&lock, &clock::now()?)?;
    let Some(carried) = Carried::<T::A>::of(&kept) else {
        let reason = "what was kept beside the run cannot be read by this version";
        return blind::end(ledger, &lock, commands.into(), reason);
    };
    match reach(connect, ledger, &lock, &carried, &commands).await? {
        Ok(target) => driver::Driver::new(target, ledger, &lock, carried).drive(commands.into()).await,
        Err(reason) => blind::end(ledger, &lock, commands.into(), &reason),
    }
}

/// What a run carries with it, read back.
struct Carried<A: Actions> {
    material: RunMaterial<A>,
    runbook: Runbook,
    filled: Filled,
}

impl<A: Actions> Carried<A> {
    /// None when this version cannot read it: an upgrade may have changed what actions are.
    fn of(kept: &KeptRun) -> Option<Self> {
        let material: RunMaterial<A> = kept.extras.read().ok()?;
        let (file, text) = &material.runbook;
        let runbook = entry::one(file, text, &Checker::quick(A::catalog())).ok()??.runbook;
        let filled = runbook.fill(&material.args).ok()?;
        Some(Self { material, runbook, filled })
    }
}

async fn take_lock(ledger: &Ledger, run: &RunId) -> Result<RunLock, WorkError> {
    let began = Instant::now();
    loop {
        if let Some(lock) = ledger.lock_run(run)? {
            return Ok(lock);
        }
        if began.elapsed() > LOCK_PATIENCE {
            return Err(WorkError::Held(run.clone()));
        }
        tokio::time::sleep(CORD_EVERY).await;
    }
}

/// The run's target, or why it cannot be reached. Looks at the cord all the while; an act in doubt has to be looked
/// at whatever the cord says.
async fn reach<T: Target>(
    connect: impl AsyncFn() -> Result<T, Refusal>,
    ledger: &Ledger,
    lock: &RunLock,
    carried: &Carried<T::A>,
    commands: &[Command],
) -> Result<Result<T, String>, WorkError> {
    let in_doubt = commands.iter().any(|command| matches!(command, Command::Look { .. }));
    let began = Instant::now();
    loop {
        let reason = match reach_once(&connect, &carried.material.identity).await {
            Ok(target) => return Ok(Ok(target)),
            Err(reason) => reason,
        };
        let stopped = !in_doubt && ledger.stop_asked(lock.run(), &clock::now()?)?.is_some();
        if stopped || began.elapsed() > REACH_PATIENCE {
            return Ok(Err(reason));
        }
        tracing::warn!(run = %lock.run(), reason, "the target is not reached yet");
        tokio::time::sleep(REACH_EVERY).await;
    }
}

async fn reach_once<T: Target>(
    connect: &impl AsyncFn() -> Result<T, Refusal>,
    identity: &str,
) -> Result<T, String> {
    let target = connect().await.map_err(|refusal| refusal.message)?;
    match target.identity().await {
        Ok(found) if found == identity => Ok(target),
        Ok(_) => Err("the target is not the one that was planned for".to_owned()),
        Err(refusal) => Err(refusal.message),
    }
}
