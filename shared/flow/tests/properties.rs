//! Random events, crash and restart at every command: what must hold whatever happens.

#![allow(clippy::indexing_slicing, clippy::wildcard_enum_match_arm, reason = "a test")]

use proptest::prelude::*;
use runcord_flow::{ActKind, Command, End, Event, MACHINE, Settled, State, StopCause, next};

/// What the world answers to one command, and whether the worker dies before or after.
#[derive(Debug, Clone)]
enum Turn {
    /// The command is answered with the choice of that number.
    Answer(u8),
    /// The worker dies before it carries the command out.
    CrashBefore,
    /// The worker dies after the act was permitted and perhaps sent.
    CrashAfterPermit,
    /// A stop comes first.
    Stop(StopCause),
    /// An event out of the blue.
    Noise(Event),
}

fn any_act() -> impl Strategy<Value = ActKind> {
    prop_oneof![3 => Just(ActKind::Mutate), 1 => Just(ActKind::Await)]
}

fn any_settled() -> impl Strategy<Value = Settled> {
    prop_oneof![
        Just(Settled::Done),
        Just(Settled::NotDone),
        Just(Settled::SomebodyElses),
        Just(Settled::CannotTell)
    ]
}

fn any_cause() -> impl Strategy<Value = StopCause> {
    prop_oneof![
        Just(StopCause::Cord),
        Just(StopCause::CordUnreadable),
        Just(StopCause::Cancelled),
        Just(StopCause::DeadlinePassed),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    let act = 0usize..6;
    let reason = || String::from("because");
    prop_oneof![
        (0u32..3, proptest::collection::vec(any_act(), 0..3))
            .prop_map(|(machine, acts)| Event::Begun { machine, acts }),
        (0u64..4).prop_map(|epoch| Event::Claimed { epoch }),
        (0u64..8).prop_map(|epoch| Event::TakenUp { epoch }),
        (act.clone(), 0u32..4).prop_map(|(act, attempt)| Event::Permitted { act, attempt }),
        act.clone().prop_map(|act| Event::Done { act }),
        act.clone().prop_map(move |act| Event::Deferred { act, reason: reason() }),
        act.clone().prop_map(move |act| Event::Refused { act, reason: reason() }),
        act.clone().prop_map(move |act| Event::Lost { act, reason: reason() }),
        (act, any_settled()).prop_map(|(act, outcome)| Event::Settled { act, outcome }),
        Just(Event::GuardHeld),
        Just(Event::GuardBroken { reason: reason() }),
        any_cause().prop_map(|cause| Event::StopAsked { cause }),
        Just(Event::Verified),
        Just(Event::NotVerified { reason: reason() }),
    ]
}

fn any_turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        8 => any::<u8>().prop_map(Turn::Answer),
        2 => Just(Turn::CrashBefore),
        2 => Just(Turn::CrashAfterPermit),
        1 => any_cause().prop_map(Turn::Stop),
        4 => any_event().prop_map(Turn::Noise),
    ]
}

/// A driver and its journal; each event goes through [`World::feed`], which holds the invariants.
struct World {
    state: State,
    journal: Vec<Event>,
    commands: Vec<Command>,
}

impl World {
    fn feed(&mut self, event: Event) {
        let (after, commands) = next(&self.state, &event);
        if after == self.state {
            assert!(commands.is_empty(), "a command out of nothing: {event:?}");
            return;
        }
        self.hold(&event, &after, &commands);
        self.journal.push(event);
        self.state = after;
        self.commands = commands;
    }

    fn hold(&self, event: &Event, after: &State, commands: &[Command]) {
        assert!(self.state.end().is_none(), "past an end: {event:?}");
        match event {
            Event::Permitted { act, .. } => self.may_be_permitted(*act),
            Event::Done { act } => {
                assert_eq!(self.dones(*act), 0, "a second Done of act {act}");
                if after.acts()[*act].kind == ActKind::Mutate {
                    assert!(self.in_doubt(*act), "a mutation done without a permit: {act}");
                }
            }
            Event::Settled { act, .. } => assert!(self.in_doubt(*act), "nothing to settle: {act}"),
            _ => {}
        }
        let in_doubt = (0..after.acts().len()).any(|act| after.acts()[act].outcome.in_doubt());
        for command in commands {
            match command {
                Command::Mutate { act } | Command::Pause { act } => {
                    assert!(!in_doubt, "{command:?} while an act is in doubt");
                    assert_eq!(after.asks().map(|(asked, _)| asked), Some(*act));
                    assert!(after.stop().is_none(), "an act after a stop");
                }
                Command::Guard | Command::Verify | Command::Await { .. } => assert!(!in_doubt),
                Command::Look { act } => assert!(after.acts()[*act].outcome.in_doubt()),
                Command::Finish { end } => {
                    assert_eq!(after.end(), Some(end));
                    assert!(!in_doubt, "an end while an act is in doubt");
                    let all_done = after.first_open().is_none();
                    let says_done = matches!(end, End::Verified | End::Unverified { .. });
                    assert_eq!(says_done, all_done, "{end:?}");
                }
            }
        }
    }

    /// Never permitted again unless it was deferred or settled as not done.
    fn may_be_permitted(&self, act: usize) {
        let last = self.journal.iter().rev().find(|event| match event {
            Event::Permitted { act: of, .. }
            | Event::Done { act: of }
            | Event::Deferred { act: of, .. }
            | Event::Refused { act: of, .. }
            | Event::Lost { act: of, .. }
            | Event::Settled { act: of, .. } => *of == act,
            _ => false,
        });
        let fine = matches!(
            last,
            None | Some(Event::Deferred { .. } | Event::Settled { outcome: Settled::NotDone, .. })
        );
        assert!(fine, "act {act} permitted again after {last:?}");
    }

    fn in_doubt(&self, act: usize) -> bool {
        self.state.acts()[act].outcome.in_doubt()
    }

    fn dones(&self, act: usize) -> usize {
        let done = |event: &&Event| match event {
            Event::Done { act: of } | Event::Settled { act: of, outcome: Settled::Done } => *of == act,
            _ => false,
        };
        self.journal.iter().filter(done).count()
    }

    fn crash(&mut self) {
        // What the worker knew is gone; the journal is what is left.
        self.state = replay(&self.journal);
        self.feed(Event::TakenUp { epoch: self.state.epoch() + 1 });
    }

    fn turn(&mut self, turn: Turn) {
        let command = self.commands.first().cloned();
        match turn {
            Turn::Noise(event) => self.feed(event),
            Turn::Stop(cause) => self.feed(Event::StopAsked { cause }),
            Turn::CrashBefore => self.crash(),
            Turn::CrashAfterPermit => {
                if let Some((act, attempt)) = self.state.asks() {
                    self.feed(Event::Permitted { act, attempt });
                }
                self.crash();
            }
            Turn::Answer(choice) => {
                if let Some(command) = command {
                    self.answer(&command, choice);
                }
            }
        }
    }

    fn answer(&mut self, command: &Command, choice: u8) {
        let reason = String::from("because");
        match command {
            Command::Guard if choice.is_multiple_of(16) => self.feed(Event::GuardBroken { reason }),
            Command::Guard => self.feed(Event::GuardHeld),
            Command::Mutate { act } | Command::Pause { act } => {
                let act = *act;
                if let Some((asked, attempt)) = self.state.asks() {
                    self.feed(Event::Permitted { act: asked, attempt });
                }
                self.feed(match choice % 8 {
                    0 => Event::Refused { act, reason },
                    1 | 2 => Event::Deferred { act, reason },
                    3 => Event::Lost { act, reason },
                    _ => Event::Done { act },
                });
            }
            Command::Await { act } => self.feed(Event::Done { act: *act }),
            Command::Look { act } => {
                let outcome = match choice % 8 {
                    0 => Settled::SomebodyElses,
                    1 => Settled::CannotTell,
                    2..=4 => Settled::NotDone,
                    _ => Settled::Done,
                };
                self.feed(Event::Settled { act: *act, outcome });
            }
            Command::Verify if choice.is_multiple_of(2) => self.feed(Event::NotVerified { reason }),
            Command::Verify => self.feed(Event::Verified),
            Command::Finish { .. } => {}
        }
    }
}

fn replay(journal: &[Event]) -> State {
    journal.iter().fold(State::new(), |state, event| next(&state, event).0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_happens_the_invariants_hold(
        acts in proptest::collection::vec(any_act(), 0..5),
        turns in proptest::collection::vec(any_turn(), 0..60),
    ) {
        let mut world = World { state: State::new(), journal: Vec::new(), commands: Vec::new() };
        world.feed(Event::Begun { machine: MACHINE, acts });
        world.feed(Event::Claimed { epoch: 1 });
        for turn in turns {
            world.turn(turn);
        }
        prop_assert_eq!(replay(&world.journal), world.state);
    }

    #[test]
    fn left_alone_after_any_crash_a_run_ends(
        acts in proptest::collection::vec(any_act(), 0..5),
        turns in proptest::collection::vec(any_turn(), 0..30),
    ) {
        let mut world = World { state: State::new(), journal: Vec::new(), commands: Vec::new() };
        world.feed(Event::Begun { machine: MACHINE, acts });
        world.feed(Event::Claimed { epoch: 1 });
        for turn in turns {
            world.turn(turn);
        }
        world.crash();
        for _ in 0..40 {
            // 7: every answer is the good one.
            world.turn(Turn::Answer(7));
        }
        prop_assert!(world.state.end().is_some(), "stuck in {:?}", world.state);
    }

    #[test]
    fn no_text_makes_the_machine_panic(events in proptest::collection::vec(any_event(), 0..40)) {
        let state = replay(&events);
        let text = serde_json::to_string(&state).unwrap();
        prop_assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
    }
}
