//! `next(state, event) → (state, commands)`.

use crate::state::Phase;
use crate::{
    ActKind, ActOutcome, ActProgress, Command, End, Event, MACHINE, STOPPED_BEFORE_VERIFIED, Settled, State,
    StopCause,
};

const SOMEBODY_ELSES: &str = "somebody else changed the same thing meanwhile";
const CANNOT_TELL: &str = "looking cannot tell whether it was done";
const FOREIGN: &str = "the run was begun by another version of the state machine";

/// The state after `event`, and what is to be done then. An event that makes no sense in `state`, and any
/// event after the end, leaves it as it is and gives no commands.
pub fn next(state: &State, event: &Event) -> (State, Vec<Command>) {
    let mut after = state.clone();
    match after.take(event) {
        Some(commands) => (after, commands),
        None => (state.clone(), Vec::new()),
    }
}

/// `None`: the event makes no sense here, and the half-changed state is thrown away.
type Step = Option<Vec<Command>>;

impl State {
    fn take(&mut self, event: &Event) -> Step {
        match event {
            Event::Begun { machine, acts } => self.begun(*machine, acts),
            Event::Claimed { epoch } => self.claimed(*epoch),
            Event::TakenUp { epoch } => self.taken_up(*epoch),
            Event::Permitted { act, attempt } => self.permitted(*act, *attempt),
            Event::Done { act } => self.done(*act),
            Event::Deferred { act, reason } => self.deferred(*act, reason),
            Event::Refused { act, reason } => self.refused(*act, reason),
            Event::Lost { act, reason } => self.lost(*act, reason),
            Event::Settled { act, outcome } => self.settled(*act, *outcome),
            Event::GuardHeld => (self.phase == Phase::Guarding).then(|| self.advance()),
            Event::GuardBroken { reason } => self.guard_broken(reason),
            Event::StopAsked { cause } => self.stop_asked(*cause),
            Event::Verified => (self.phase == Phase::Verifying).then(|| self.finish(End::Verified)),
            Event::NotVerified { reason } => (self.phase == Phase::Verifying)
                .then(|| self.finish(End::Unverified { reason: reason.clone() })),
        }
    }

    fn begun(&mut self, machine: u32, acts: &[ActKind]) -> Step {
        if self.phase != Phase::New {
            return None;
        }
        self.machine = machine;
        self.acts = acts
            .iter()
            .map(|kind| ActProgress { kind: *kind, outcome: ActOutcome::Pending, attempts: 0 })
            .collect();
        self.phase = if machine == MACHINE { Phase::Ready } else { Phase::Foreign { from: 0 } };
        Some(Vec::new())
    }

    fn claimed(&mut self, epoch: u64) -> Step {
        // A second claim is a taking-up: what was in flight must be looked at.
        if self.epoch != 0 { None } else { self.taken_up(epoch) }
    }

    fn taken_up(&mut self, epoch: u64) -> Step {
        if epoch <= self.epoch {
            return None;
        }
        self.epoch = epoch;
        match self.phase {
            Phase::New | Phase::Ended { .. } => None,
            Phase::InFlight { act } | Phase::Reconciling { act } => Some(self.look(act)),
            Phase::Foreign { from } => Some(self.look_foreign(from)),
            Phase::Ready
            | Phase::Guarding
            | Phase::Asking { .. }
            | Phase::Awaiting { .. }
            | Phase::Verifying => Some(self.go_on()),
        }
    }

    fn permitted(&mut self, act: usize, attempt: u32) -> Step {
        if self.asks() != Some((act, attempt)) {
            return None;
        }
        self.set(act, ActOutcome::Sent)?.attempts = attempt;
        self.phase = Phase::InFlight { act };
        Some(Vec::new())
    }

    fn done(&mut self, act: usize) -> Step {
        if self.phase == (Phase::Awaiting { act }) {
            self.set(act, ActOutcome::Done)?;
            return Some(self.go_on());
        }
        if self.phase != (Phase::InFlight { act }) {
            return None;
        }
        self.set(act, ActOutcome::Done)?;
        Some(match self.stop {
            Some(cause) => self.stop_now(cause),
            None => self.advance(),
        })
    }

    fn deferred(&mut self, act: usize, reason: &str) -> Step {
        if self.phase != (Phase::InFlight { act }) {
            return None;
        }
        self.set(act, ActOutcome::Deferred { reason: reason.to_owned() })?;
        if let Some(cause) = self.stop {
            return Some(self.stop_now(cause));
        }
        self.phase = Phase::Asking { act };
        Some(vec![Command::Pause { act }])
    }

    fn refused(&mut self, act: usize, reason: &str) -> Step {
        if self.phase != (Phase::InFlight { act }) && self.phase != (Phase::Awaiting { act }) {
            return None;
        }
        self.set(act, ActOutcome::Refused { reason: reason.to_owned() })?;
        Some(match self.stop {
            // It was told to stop while it lasted: that it did not come to its end is what was asked for.
            Some(cause) => self.stop_now(cause),
            None => self.finish(End::Failed { act, reason: reason.to_owned() }),
        })
    }

    fn lost(&mut self, act: usize, reason: &str) -> Step {
        if self.phase != (Phase::InFlight { act }) {
            return None;
        }
        self.set(act, ActOutcome::Lost { reason: reason.to_owned() })?;
        Some(self.look(act))
    }

    fn settled(&mut self, act: usize, outcome: Settled) -> Step {
        if self.phase == (Phase::Reconciling { act }) {
            return self.settled_ours(act, outcome);
        }
        if self.phase != (Phase::Foreign { from: act }) {
            return None;
        }
        self.set(act, as_outcome(outcome))?;
        Some(self.look_foreign(act.checked_add(1)?))
    }

    fn settled_ours(&mut self, act: usize, outcome: Settled) -> Step {
        let known = self.acts.get(act).and_then(|progress| progress.outcome.lost()).map(str::to_owned);
        self.set(act, as_outcome(outcome))?;
        // What is known of the lost answer may say where to look by hand.
        let unknown = |found: &str| {
            let reason = known.map_or_else(|| found.to_owned(), |known| format!("{known}; {found}"));
            End::Unknown { act, reason }
        };
        Some(match outcome {
            Settled::Done | Settled::NotDone => self.go_on(),
            Settled::SomebodyElses => self.finish(unknown(SOMEBODY_ELSES)),
            Settled::CannotTell => self.finish(unknown(CANNOT_TELL)),
        })
    }

    fn guard_broken(&mut self, reason: &str) -> Step {
        if self.phase != Phase::Guarding {
            return None;
        }
        let act = self.first_open()?;
        Some(self.finish(End::Failed { act, reason: reason.to_owned() }))
    }

    fn stop_asked(&mut self, cause: StopCause) -> Step {
        match self.phase {
            Phase::New | Phase::Ended { .. } | Phase::Foreign { .. } => None,
            Phase::InFlight { .. } | Phase::Reconciling { .. } => {
                // The first cause stays: it is the one that the record names.
                self.stop.is_none().then(|| self.stop = Some(cause)).map(|()| Vec::new())
            }
            Phase::Ready
            | Phase::Guarding
            | Phase::Asking { .. }
            | Phase::Awaiting { .. }
            | Phase::Verifying => Some(self.stop_now(cause)),
        }
    }

    /// Nothing is in flight, and the world may have moved: the guard is asked before the next act.
    fn go_on(&mut self) -> Vec<Command> {
        if let Some(cause) = self.stop {
            return self.stop_now(cause);
        }
        match self.first_open() {
            Some(_) => {
                self.phase = Phase::Guarding;
                vec![Command::Guard]
            }
            None => self.verify(),
        }
    }

    /// Nothing is in flight, and the guard need not be asked: the next act, or the verification.
    fn advance(&mut self) -> Vec<Command> {
        let open = self.first_open().and_then(|act| Some((act, self.acts.get(act)?.kind)));
        match open {
            Some((act, ActKind::Mutate)) => {
                self.phase = Phase::Asking { act };
                vec![Command::Mutate { act }]
            }
            Some((act, ActKind::Await)) => {
                self.phase = Phase::Awaiting { act };
                vec![Command::Await { act }]
            }
            None => self.verify(),
        }
    }

    fn verify(&mut self) -> Vec<Command> {
        self.phase = Phase::Verifying;
        vec![Command::Verify]
    }

    fn look(&mut self, act: usize) -> Vec<Command> {
        self.phase = Phase::Reconciling { act };
        vec![Command::Look { act }]
    }

    /// The journal of another version is not ours to read: every mutation is looked at, and a person decides.
    fn look_foreign(&mut self, from: usize) -> Vec<Command> {
        let rest = self.acts.iter().enumerate().skip(from);
        match rest.filter(|(_, act)| act.kind == ActKind::Mutate).map(|(act, _)| act).next() {
            Some(act) => {
                self.phase = Phase::Foreign { from: act };
                vec![Command::Look { act }]
            }
            None => {
                let act = self.first_open().unwrap_or(0);
                self.finish(End::Unknown { act, reason: FOREIGN.to_owned() })
            }
        }
    }

    /// Only where nothing is in flight.
    fn stop_now(&mut self, cause: StopCause) -> Vec<Command> {
        self.stop = Some(cause);
        match self.first_open() {
            Some(act) => self.finish(End::Stopped { cause, act }),
            None => self.finish(End::Unverified { reason: STOPPED_BEFORE_VERIFIED.to_owned() }),
        }
    }

    fn finish(&mut self, end: End) -> Vec<Command> {
        self.phase = Phase::Ended { end: end.clone() };
        vec![Command::Finish { end }]
    }

    fn set(&mut self, act: usize, outcome: ActOutcome) -> Option<&mut ActProgress> {
        let progress = self.acts.get_mut(act)?;
        progress.outcome = outcome;
        Some(progress)
    }
}

fn as_outcome(settled: Settled) -> ActOutcome {
    match settled {
        Settled::Done => ActOutcome::Done,
        Settled::NotDone => ActOutcome::NotDone,
        Settled::SomebodyElses => ActOutcome::SomebodyElses,
        Settled::CannotTell => ActOutcome::CannotTell,
    }
}
