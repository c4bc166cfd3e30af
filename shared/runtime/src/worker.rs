//! The run's own process: carries out the machine's commands and feeds back what happened.
//!
//! It makes no choices: what to do next comes from [`runcord_flow`], leave to do it from the ledger. It outlives
//! the server that started it and the client that asked; the cord reaches it through the ledger.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use runcord_flow::{Command, Event, Settled, StopCause};
use runcord_ledger::{DriveError, KeptRun, Ledger, LedgerError, PermitRefused, RunLock};
use runcord_model::run::{Verification, VerifiedCheck};
use runcord_model::{RecordKind, Refusal, RunId};
use runcord_runbooks::{Filled, Runbook, Verdict};
use serde_json::json;

use crate::material::{Origin, RunMaterial};
use crate::target::{Acted, Actions, Target, Waited};
use crate::view::Closing;
use crate::{clock, entry, statement, view};

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
    /// The clock could not be read, or an outcome not written.
    #[error("the run cannot go on")]
    Surroundings(#[from] Refusal),
}

/// What a check says that holds.
const HOLDS: &str = "holds";
/// How long a worker waits for a lock that a reader may hold for a moment.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// How often a wait looks at the target, and how often it looks at the cord.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const CORD_EVERY: Duration = Duration::from_millis(50);
/// How long to pause after *not now*.
const PAUSE: Duration = Duration::from_secs(2);
/// How long to go on looking at a target that does not answer, before a person has to.
const RECONCILE_PATIENCE: Duration = Duration::from_secs(120);

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
pub async fn work_in<T: Target>(target: &T, state: &Path, run: &RunId) -> Result<(), WorkError> {
    let ledger = Ledger::open(state, clock::entropy()?)?;
    match work(target, &ledger, run).await {
        Err(WorkError::Held(run)) => {
            tracing::info!(%run, "another worker holds this run");
            Ok(())
        }
        other => other,
    }
}

/// Carries out one run to its end, or takes it up where a dead worker left it.
///
/// # Errors
/// When the run is held, missing or unreadable, or the ledger fails.
pub async fn work<T: Target>(target: &T, ledger: &Ledger, run: &RunId) -> Result<(), WorkError> {
    let lock = take_lock(ledger, run).await?;
    // A child that outlives us still holds the run: it is taken up only once that is gone too.
    lock.let_children_inherit()?;
    let kept = ledger.run(run)?.ok_or_else(|| WorkError::NoSuchRun(run.clone()))?;
    if kept.outcome.is_some() {
        return Ok(());
    }
    let material: RunMaterial<T::A> =
        serde_json::from_value(kept.extras.clone()).map_err(|_| WorkError::Unreadable(run.clone()))?;
    let (file, text) = &material.runbook;
    let runbook = match entry::one(file, text, &T::A::catalog()) {
        Ok(Some(entry)) => entry.runbook,
        Ok(None) | Err(_) => return Err(WorkError::Unreadable(run.clone())),
    };
    let filled = runbook.fill(&material.args).map_err(|_| WorkError::Unreadable(run.clone()))?;
    let (_, commands) = ledger.claim(&lock, &clock::now()?)?;
    let verification = Verification { outcome: "not_reached".to_owned(), checks: Vec::new() };
    let mut driver = Driver { target, ledger, lock, material, runbook, filled, verification, since: None };
    driver.drive(commands.into()).await
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

struct Driver<'a, T: Target> {
    target: &'a T,
    ledger: &'a Ledger,
    lock: RunLock,
    material: RunMaterial<T::A>,
    runbook: Runbook,
    filled: Filled,
    verification: Verification,
    /// Since when the step at hand is waited for: its patience is for all of its acts together.
    since: Option<(usize, Instant)>,
}

impl<T: Target> Driver<'_, T> {
    async fn drive(&mut self, mut commands: VecDeque<Command>) -> Result<(), WorkError> {
        while let Some(command) = commands.pop_front() {
            let event = match command {
                Command::Guard => self.guard().await,
                Command::Mutate { act } => match self.mutate(act).await? {
                    Some(event) => event,
                    None => return Ok(()),
                },
                Command::Pause { act } => match self.pause(act).await? {
                    Some(stop) => stop,
                    None => {
                        commands.push_front(Command::Mutate { act });
                        continue;
                    }
                },
                Command::Await { act } => self.wait(act).await?,
                Command::Look { act } => self.look(act).await,
                Command::Verify => self.verify().await?,
                Command::Finish { .. } => {
                    self.finish().await?;
                    continue;
                }
            };
            tracing::info!(run = %self.lock.run(), event = ?event, "run");
            let (_, next) = self.ledger.feed(&self.lock, &event, &clock::now()?)?;
            commands.extend(next);
        }
        Ok(())
    }

    /// Whether the runbook's guards hold. What cannot be looked at does not hold.
    async fn guard(&self) -> Event {
        if self.material.origin != Origin::Steps || self.runbook.guard().is_empty() {
            // Nothing to hold; but never act on a target that is no longer the one that was planned for.
            return match self.same_target().await {
                Ok(()) => Event::GuardHeld,
                Err(reason) => Event::GuardBroken { reason },
            };
        }
        let seen = match self.probe().await {
            Ok(seen) => seen,
            Err(reason) => return Event::GuardBroken { reason },
        };
        let observed = T::A::observe(&seen);
        for check in self.runbook.guard() {
            if let Verdict::NotHeld { message } = check.evaluate(&observed, &self.filled) {
                return Event::GuardBroken { reason: message };
            }
        }
        Event::GuardHeld
    }

    async fn same_target(&self) -> Result<(), String> {
        match self.target.identity().await {
            Ok(identity) if identity == self.material.identity => Ok(()),
            Ok(_) => Err("the target is not the one that was planned for".to_owned()),
            Err(refusal) => Err(refusal.message),
        }
    }

    async fn probe(&self) -> Result<<T::A as Actions>::Seen, String> {
        self.same_target().await?;
        let actions: Result<Vec<_>, _> =
            self.material.steps.iter().map(|step| T::A::action(&step.call)).collect();
        let actions = actions.map_err(|e| e.to_string())?;
        self.target.probe(&actions).await.map_err(|refusal| refusal.message)
    }

    /// One mutation under one permit; none when another worker has taken the run up.
    async fn mutate(&mut self, act: usize) -> Result<Option<Event>, WorkError> {
        let Some(what) = self.material.act(act).cloned() else {
            return Err(WorkError::Unreadable(self.lock.run().clone()));
        };
        self.begin_step(act);
        let permit = match self.ledger.permit(&self.lock, act, &clock::now()?) {
            Ok(permit) => permit,
            Err(PermitRefused::Stop(cause)) => return Ok(Some(Event::StopAsked { cause })),
            Err(PermitRefused::Epoch) => {
                tracing::warn!(run = %self.lock.run(), "another worker has taken the run up");
                return Ok(None);
            }
            Err(PermitRefused::OutOfPlace) => return Err(WorkError::Unreadable(self.lock.run().clone())),
            Err(PermitRefused::Ledger(e)) => return Err(e.into()),
        };
        tracing::info!(run = %self.lock.run(), act, "{}", T::A::describe(&what));
        Ok(Some(match self.target.apply(permit, &what).await {
            Acted::Done => Event::Done { act },
            Acted::Deferred { reason } => Event::Deferred { act, reason },
            Acted::Refused { reason } => Event::Refused { act, reason },
            Acted::Lost { reason } => Event::Lost { act, reason },
        }))
    }

    fn begin_step(&mut self, act: usize) {
        let step = self.material.acts().nth(act).map(|(step, _)| step);
        if let Some(step) = step.filter(|step| self.since.is_none_or(|(which, _)| which != *step)) {
            self.since = Some((step, Instant::now()));
        }
    }

    /// Whether the time of the act's step is over. It begins with the step's first act.
    fn out_of_patience(&mut self, act: usize) -> bool {
        self.begin_step(act);
        let Some((_, began)) = self.since else { return true };
        self.material.act(act).is_none_or(|what| began.elapsed() >= T::A::patience(what))
    }

    /// Waits a moment before the same act is tried again; a stop when one is asked for or patience runs out.
    async fn pause(&mut self, act: usize) -> Result<Option<Event>, WorkError> {
        if self.out_of_patience(act) {
            return Ok(Some(Event::StopAsked { cause: StopCause::DeadlinePassed }));
        }
        Ok(self.sleep(PAUSE).await?.map(|cause| Event::StopAsked { cause }))
    }

    /// Sleeps, looking at the cord all the while; the cause when the run is to stop.
    async fn sleep(&self, length: Duration) -> Result<Option<StopCause>, WorkError> {
        let until = Instant::now() + length;
        loop {
            if let Some(cause) = self.ledger.stop_asked(self.lock.run(), &clock::now()?)? {
                return Ok(Some(cause));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            tokio::time::sleep(left.min(CORD_EVERY)).await;
        }
    }

    async fn wait(&mut self, act: usize) -> Result<Event, WorkError> {
        let Some(what) = self.material.act(act).cloned() else {
            return Err(WorkError::Unreadable(self.lock.run().clone()));
        };
        loop {
            match self.target.wait(&what).await {
                Waited::Done => return Ok(Event::Done { act }),
                Waited::Broken { reason } => return Ok(Event::Refused { act, reason }),
                Waited::NotYet { reason } if self.out_of_patience(act) => {
                    return Ok(Event::Refused { act, reason: format!("the time for it is over: {reason}") });
                }
                Waited::NotYet { .. } => {}
            }
            if let Some(cause) = self.sleep(LOOK_EVERY).await? {
                return Ok(Event::StopAsked { cause });
            }
        }
    }

    /// Looks whether an act whose answer was lost was done. Looking changes nothing, so it goes on for a while.
    async fn look(&self, act: usize) -> Event {
        let cannot_tell = Event::Settled { act, outcome: Settled::CannotTell };
        let Some(what) = self.material.act(act) else { return cannot_tell };
        let began = Instant::now();
        loop {
            match self.probe().await {
                Ok(now) => {
                    return Event::Settled { act, outcome: T::A::settle(what, &self.material.before, &now) };
                }
                Err(reason) => tracing::warn!(run = %self.lock.run(), reason, "cannot look yet"),
            }
            if began.elapsed() > RECONCILE_PATIENCE {
                return cannot_tell;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Looks until all that is verified holds, or its window is over.
    async fn verify(&mut self) -> Result<Event, WorkError> {
        let window = self.runbook.verify().iter().map(runcord_runbooks::Check::within_ms).max().unwrap_or(0);
        let window = Duration::from_millis(window);
        let began = Instant::now();
        loop {
            self.verification = self.verify_once().await;
            if self.verification.outcome == "held" {
                return Ok(Event::Verified);
            }
            if began.elapsed() >= window {
                let failed = self.verification.checks.iter().find(|check| !check.held);
                let reason =
                    failed.map_or_else(|| "the target cannot be looked at".to_owned(), |c| c.message.clone());
                return Ok(Event::NotVerified { reason });
            }
            if let Some(cause) = self.sleep(LOOK_EVERY).await? {
                return Ok(Event::StopAsked { cause });
            }
        }
    }

    async fn verify_once(&self) -> Verification {
        let seen = match self.probe().await {
            Ok(seen) => seen,
            Err(message) => {
                let check = VerifiedCheck { check: "the target answers".to_owned(), held: false, message };
                return Verification { outcome: "failed".to_owned(), checks: vec![check] };
            }
        };
        let mut checks = vec![self.effect_in_place(&seen)];
        if self.material.origin == Origin::Steps {
            let observed = T::A::observe(&seen);
            checks.extend(self.runbook.verify().iter().map(|check| {
                let (held, message) = match check.evaluate(&observed, &self.filled) {
                    Verdict::Held => (true, HOLDS.to_owned()),
                    Verdict::NotHeld { message } => (false, message),
                };
                VerifiedCheck { check: check.source().to_owned(), held, message }
            }));
        }
        let outcome = if checks.iter().all(|check| check.held) { "held" } else { "failed" };
        Verification { outcome: outcome.to_owned(), checks }
    }

    /// The check that every run gets: looking at the target, each mutation is seen to be done.
    fn effect_in_place(&self, seen: &<T::A as Actions>::Seen) -> VerifiedCheck {
        let missing = self.material.acts().map(|(_, act)| act).find(|act| {
            T::A::kind(act) == runcord_flow::ActKind::Mutate
                && T::A::settle(act, &self.material.before, seen) != Settled::Done
        });
        VerifiedCheck {
            check: "every act is seen to be done".to_owned(),
            held: missing.is_none(),
            message: missing.map_or_else(
                || HOLDS.to_owned(),
                |act| format!("not seen to be done: {}", T::A::describe(act)),
            ),
        }
    }

    async fn finish(&mut self) -> Result<(), WorkError> {
        let diff = match self.probe().await {
            Ok(after) => T::A::diff(&self.material.before, &after),
            // The outcome is recorded all the same; the verification says that nobody could look.
            Err(_) => Vec::new(),
        };
        let closing = Closing { diff, verification: self.verification.clone() };
        let kept = self.kept()?;
        let beside = serde_json::to_value(&closing).map_err(|_| WorkError::Unreadable(kept.id.clone()))?;
        let shown = view::of::<T::A>(&KeptRun { view: Some(beside.clone()), ..kept.clone() })?;
        let facts = json!({
            "run_id": kept.id, "plan_id": kept.plan, "headline": self.material.headline,
            "end": kept.flow.end(), "state": kept.state, "steps": shown.steps, "diff": shown.diff,
            "verification": shown.verification, "approvers": self.material.approvers,
            "epoch": kept.epoch, "intent": kept.intent.digest,
        });
        let outcome =
            statement::of(RecordKind::Outcome, kept.plan.as_str(), &self.material.plan_digest, facts);
        self.ledger.finish(&self.lock, outcome, &beside, &clock::now()?)?;
        tracing::info!(run = %kept.id, "{}", shown.summary);
        Ok(())
    }

    fn kept(&self) -> Result<KeptRun, WorkError> {
        let run = self.lock.run();
        self.ledger.run(run)?.ok_or_else(|| WorkError::NoSuchRun(run.clone()))
    }
}
