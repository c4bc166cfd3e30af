//! Carries out the machine's commands and feeds back what happened. It makes no choices: what to do next comes from
//! [`runcord_flow`], leave to do it from the ledger.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use runcord_flow::{ActKind, Command, Event, Settled, StopCause};
use runcord_ledger::{Beside, KeptRun, Ledger, PermitRefused, RunLock};
use runcord_model::RecordKind;
use runcord_model::run::{Verification, VerifiedCheck};
use runcord_runbooks::{Check, Scene, Verdict};
use serde_json::json;

use super::{CORD_EVERY, Carried, WorkError};
use crate::material::Origin;
use crate::target::{Acted, Actions, Supervision, Target, Waited};
use crate::view::{Closing, Outline};
use crate::{clock, statement, view};

/// What a check says that holds.
const HOLDS: &str = "holds";
/// How often a wait looks at the target.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long to pause after *not now*, and between two looks at a target that does not answer.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a guard goes on asking a target that does not answer, before it counts as broken.
const GUARD_PATIENCE: Duration = Duration::from_secs(30);
/// How long to go on looking at a target that does not answer, before a person has to.
const RECONCILE_PATIENCE: Duration = Duration::from_secs(300);

/// The worker of one run, once its target is reached.
pub(super) struct Driver<'a, T: Target> {
    target: T,
    ledger: &'a Ledger,
    lock: &'a RunLock,
    carried: Carried<T::A>,
    verification: Verification,
    /// Since when the step at hand is waited for: its patience is for all of its acts together.
    since: Option<(usize, Instant)>,
}

impl<'a, T: Target> Driver<'a, T> {
    pub(super) fn new(target: T, ledger: &'a Ledger, lock: &'a RunLock, carried: Carried<T::A>) -> Self {
        // What the acts move away is still to be looked at by guard and verification, after a crash too.
        target.recall(&carried.material.before);
        Self { target, ledger, lock, carried, verification: Verification::not_reached(), since: None }
    }

    pub(super) async fn drive(&mut self, mut commands: VecDeque<Command>) -> Result<(), WorkError> {
        while let Some(command) = commands.pop_front() {
            let event = match command {
                Command::Guard => self.guard().await?,
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
            let (_, next) = self.ledger.feed(self.lock, &event, &clock::now()?)?;
            commands.extend(next);
        }
        Ok(())
    }

    /// Whether the runbook's guards hold. What cannot be looked at for a while does not hold.
    async fn guard(&self) -> Result<Event, WorkError> {
        let began = Instant::now();
        loop {
            let reason = match self.guard_once().await {
                Ok(event) => return Ok(event),
                Err(reason) if began.elapsed() >= GUARD_PATIENCE => return Ok(Event::GuardBroken { reason }),
                Err(reason) => reason,
            };
            tracing::warn!(run = %self.lock.run(), reason, "cannot look at the guard yet");
            if let Some(cause) = self.sleep(PAUSE).await? {
                return Ok(Event::StopAsked { cause });
            }
        }
    }

    async fn guard_once(&self) -> Result<Event, String> {
        if self.carried.material.origin != Origin::Steps || self.carried.runbook.guard().is_empty() {
            // Nothing to hold; but never act on a target that is no longer the one that was planned for.
            self.same_target().await?;
            return Ok(Event::GuardHeld);
        }
        let observed = T::A::observe(&self.probe().await?);
        let scene = Scene::new(&observed);
        for check in self.carried.runbook.guard() {
            if let Verdict::NotHeld { message } = check.evaluate(&scene, &self.carried.filled) {
                return Ok(Event::GuardBroken { reason: message });
            }
        }
        Ok(Event::GuardHeld)
    }

    async fn same_target(&self) -> Result<(), String> {
        match self.target.identity().await {
            Ok(identity) if identity == self.carried.material.identity => Ok(()),
            Ok(_) => Err("the target is not the one that was planned for".to_owned()),
            Err(refusal) => Err(refusal.message),
        }
    }

    async fn probe(&self) -> Result<<T::A as Actions>::Seen, String> {
        self.same_target().await?;
        let actions: Result<Vec<_>, _> =
            self.carried.material.steps.iter().map(|step| T::A::action(&step.call)).collect();
        let actions = actions.map_err(|e| e.to_string())?;
        self.target.probe(&actions).await.map_err(|refusal| refusal.message)
    }

    /// One mutation under one permit; none when another worker has taken the run up.
    async fn mutate(&mut self, act: usize) -> Result<Option<Event>, WorkError> {
        let Some(what) = self.carried.material.act(act).cloned() else {
            return Err(WorkError::Unreadable(self.lock.run().clone()));
        };
        if self.out_of_patience(act) {
            return Ok(Some(Event::StopAsked { cause: StopCause::DeadlinePassed }));
        }
        let permit = match self.ledger.permit(self.lock, act, &clock::now()?) {
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
        let supervision = Supervision::of(self.ledger, self.lock.run());
        let acted = self.target.apply(permit, &what, &supervision).await;
        if let Some(cause) = supervision.stopped() {
            // It was stopped while it lasted: what it says of itself now is what it came to until then.
            self.ledger.feed(self.lock, &Event::StopAsked { cause }, &clock::now()?)?;
        }
        Ok(Some(match acted {
            Acted::Done => Event::Done { act },
            Acted::Deferred { reason } => Event::Deferred { act, reason },
            Acted::Refused { reason } => Event::Refused { act, reason },
            Acted::Lost { reason } => Event::Lost { act, reason },
            Acted::Stopped { cause } => {
                // First that nothing is in flight: a worker that took the run up in between need not wonder. What the
                // machine would do then, the stop comes before.
                let unsent = Event::Deferred { act, reason: "it was not sent".to_owned() };
                self.ledger.feed(self.lock, &unsent, &clock::now()?)?;
                Event::StopAsked { cause }
            }
        }))
    }

    fn begin_step(&mut self, act: usize) {
        let step = self.carried.material.acts().nth(act).map(|(step, _)| step);
        if let Some(step) = step.filter(|step| self.since.is_none_or(|(which, _)| which != *step)) {
            self.since = Some((step, Instant::now()));
        }
    }

    /// Whether the time of the act's step is over. It begins with the step's first act.
    fn out_of_patience(&mut self, act: usize) -> bool {
        self.begin_step(act);
        let Some((_, began)) = self.since else { return true };
        self.carried.material.act(act).is_none_or(|what| began.elapsed() >= T::A::patience(what))
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
        let Some(what) = self.carried.material.act(act).cloned() else {
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
        let Some(what) = self.carried.material.act(act) else { return cannot_tell };
        let began = Instant::now();
        loop {
            match self.probe().await {
                Ok(now) => {
                    return Event::Settled {
                        act,
                        outcome: T::A::settle(what, &self.carried.material.before, &now),
                    };
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
        let window = self.carried.runbook.verify().iter().map(Check::within_ms).max().unwrap_or(0);
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
        if self.carried.material.origin == Origin::Steps {
            let observed = T::A::observe(&seen);
            let scene = Scene::new(&observed);
            checks.extend(self.carried.runbook.verify().iter().map(|check| {
                let (held, message) = match check.evaluate(&scene, &self.carried.filled) {
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
        let missing = self.carried.material.acts().map(|(_, act)| act).find(|act| {
            T::A::kind(act) == ActKind::Mutate && !T::A::in_place(act, &self.carried.material.before, seen)
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
            Ok(after) => T::A::diff(&self.carried.material.before, &after),
            // The outcome is recorded all the same; the verification says that nobody could look.
            Err(_) => Vec::new(),
        };
        let closing = Closing { diff, verification: self.verification.clone() };
        let kept = self.kept()?;
        let beside = Beside::of(&closing)?;
        let shown = view::closed(&kept, &Outline::of(&self.carried.material), closing);
        let facts = json!({
            "run_id": kept.id, "plan_id": kept.plan, "headline": self.carried.material.headline,
            "end": kept.flow.end(), "state": kept.state, "steps": shown.steps, "diff": shown.diff,
            "verification": shown.verification, "approvers": self.carried.material.approvers,
            "epoch": kept.epoch, "intent": kept.intent.digest,
        });
        let outcome =
            statement::of(RecordKind::Outcome, kept.plan.as_str(), &self.carried.material.plan_digest, facts);
        self.ledger.finish(self.lock, outcome, &beside, &clock::now()?)?;
        tracing::info!(run = %kept.id, "{}", shown.summary);
        Ok(())
    }

    fn kept(&self) -> Result<KeptRun, WorkError> {
        let run = self.lock.run();
        self.ledger.run(run)?.ok_or_else(|| WorkError::NoSuchRun(run.clone()))
    }
}
