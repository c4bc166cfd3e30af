//! The rules of the machine, one by one.

use runcord_flow::{
    ActKind, ActOutcome, Command, End, Event, MACHINE, STOPPED_BEFORE_VERIFIED, Settled, State, StopCause,
    next,
};
use runcord_model::RunState;

const MUTATE: ActKind = ActKind::Mutate;
const AWAIT: ActKind = ActKind::Await;

/// The state after `events`, and the commands of the last one.
fn after(events: &[Event]) -> (State, Vec<Command>) {
    events.iter().fold((State::new(), Vec::new()), |(state, _), event| next(&state, event))
}

fn begun(acts: &[ActKind]) -> Vec<Event> {
    vec![Event::Begun { machine: MACHINE, acts: acts.to_vec() }, Event::Claimed { epoch: 1 }]
}

fn with(mut events: Vec<Event>, more: &[Event]) -> Vec<Event> {
    events.extend_from_slice(more);
    events
}

fn permitted(act: usize) -> Event {
    Event::Permitted { act, attempt: 1 }
}

/// One mutation, in flight.
fn in_flight() -> Vec<Event> {
    with(begun(&[MUTATE, MUTATE]), &[Event::GuardHeld, permitted(0)])
}

fn stopped(cause: StopCause, act: usize) -> Vec<Command> {
    vec![Command::Finish { end: End::Stopped { cause, act } }]
}

fn stop(cause: StopCause) -> Event {
    Event::StopAsked { cause }
}

#[test]
fn a_drain_goes_from_guard_to_verified() {
    let mut state = State::new();
    let acts = vec![MUTATE, MUTATE, AWAIT, MUTATE];
    let steps: &[(Event, &[Command])] = &[
        (Event::Begun { machine: MACHINE, acts }, &[]),
        (Event::Claimed { epoch: 1 }, &[Command::Guard]),
        (Event::GuardHeld, &[Command::Mutate { act: 0 }]),
        (permitted(0), &[]),
        (Event::Done { act: 0 }, &[Command::Mutate { act: 1 }]),
        (permitted(1), &[]),
        (Event::Deferred { act: 1, reason: "a budget".into() }, &[Command::Pause { act: 1 }]),
        (Event::Permitted { act: 1, attempt: 2 }, &[]),
        (Event::Done { act: 1 }, &[Command::Await { act: 2 }]),
        (Event::Done { act: 2 }, &[Command::Guard]),
        (Event::GuardHeld, &[Command::Mutate { act: 3 }]),
        (permitted(3), &[]),
        (Event::Done { act: 3 }, &[Command::Verify]),
        (Event::Verified, &[Command::Finish { end: End::Verified }]),
    ];
    for (event, expected) in steps {
        let (now, commands) = next(&state, event);
        assert_eq!(&commands, expected, "{event:?}");
        assert_ne!(now, state, "{event:?}");
        state = now;
    }
    assert_eq!(state.run_state(), RunState::Verified);
}

#[test]
fn an_act_counts_as_sent_only_once_it_is_permitted() {
    let asking = with(begun(&[MUTATE]), &[Event::GuardHeld]);
    for answer in [Event::Done { act: 0 }, Event::Lost { act: 0, reason: "x".into() }] {
        let (state, commands) = after(&with(asking.clone(), &[answer]));
        assert_eq!((state, commands), (after(&asking).0, vec![]));
    }
}

#[test]
fn a_permit_must_be_the_next_attempt_at_the_act_asked_for() {
    let asking = with(begun(&[MUTATE, MUTATE]), &[Event::GuardHeld]);
    let before = after(&asking).0;
    for wrong in [
        Event::Permitted { act: 1, attempt: 1 },
        Event::Permitted { act: 0, attempt: 2 },
        Event::Permitted { act: 9, attempt: 1 },
    ] {
        assert_eq!(next(&before, &wrong), (before.clone(), vec![]));
    }
    assert_eq!(before.asks(), Some((0, 1)));
}

#[test]
fn a_lost_answer_is_settled_by_looking_before_anything_else() {
    let lost = with(in_flight(), &[Event::Lost { act: 0, reason: "timeout".into() }]);
    let (state, commands) = after(&lost);
    assert_eq!(state.run_state(), RunState::Reconciling);
    assert_eq!(commands, [Command::Look { act: 0 }]);
    assert_eq!(next(&state, &Event::Permitted { act: 0, attempt: 2 }), (state.clone(), vec![]));

    let settle = |outcome| next(&state, &Event::Settled { act: 0, outcome });
    let (done, commands) = settle(Settled::Done);
    assert_eq!((commands, done.first_open()), (vec![Command::Guard], Some(1)));
    let (not_done, commands) = settle(Settled::NotDone);
    assert_eq!((commands, not_done.first_open()), (vec![Command::Guard], Some(0)));
    assert_eq!(next(&not_done, &Event::GuardHeld).0.asks(), Some((0, 2)));
    for outcome in [Settled::SomebodyElses, Settled::CannotTell] {
        let (unknown, commands) = settle(outcome);
        assert_eq!(unknown.run_state(), RunState::Unknown);
        let [Command::Finish { end: End::Unknown { reason, .. } }] = commands.as_slice() else {
            panic!("{commands:?}")
        };
        assert!(reason.starts_with("timeout; "), "what was known of it is still said: {reason}");
    }
}

#[test]
fn a_crash_in_flight_is_taken_up_by_looking() {
    let (state, commands) = after(&with(in_flight(), &[Event::TakenUp { epoch: 2 }]));
    assert_eq!(commands, [Command::Look { act: 0 }]);
    let again = next(&state, &Event::TakenUp { epoch: 3 });
    assert_eq!(again.1, [Command::Look { act: 0 }], "a crash while looking");
}

#[test]
fn a_crash_between_acts_goes_on_by_way_of_the_guard() {
    for events in [
        begun(&[MUTATE]),
        with(begun(&[MUTATE]), &[Event::GuardHeld]),
        with(in_flight(), &[Event::Deferred { act: 0, reason: "x".into() }]),
        with(begun(&[AWAIT, MUTATE]), &[Event::GuardHeld]),
    ] {
        assert_eq!(after(&with(events, &[Event::TakenUp { epoch: 2 }])).1, [Command::Guard]);
    }
    let verifying = with(begun(&[MUTATE]), &[Event::GuardHeld, permitted(0), Event::Done { act: 0 }]);
    assert_eq!(after(&with(verifying, &[Event::TakenUp { epoch: 2 }])).1, [Command::Verify]);
}

#[test]
fn an_epoch_only_rises() {
    let before = after(&in_flight()).0;
    for epoch in [0, 1] {
        assert_eq!(next(&before, &Event::TakenUp { epoch }), (before.clone(), vec![]));
    }
    assert_eq!(next(&before, &Event::Claimed { epoch: 2 }), (before.clone(), vec![]), "a second first claim");
}

#[test]
fn a_stop_between_acts_stops_at_once() {
    let cause = StopCause::Cord;
    for events in [
        begun(&[MUTATE]),
        with(begun(&[MUTATE]), &[Event::GuardHeld]),
        with(begun(&[AWAIT]), &[Event::GuardHeld]),
        with(in_flight(), &[Event::Deferred { act: 0, reason: "x".into() }]),
    ] {
        assert_eq!(after(&with(events, &[stop(cause)])).1, stopped(cause, 0));
    }
}

#[test]
fn a_stop_in_flight_is_honoured_at_the_outcome() {
    let cause = StopCause::Cancelled;
    let (state, commands) = after(&with(in_flight(), &[stop(cause)]));
    assert_eq!((commands, state.stop()), (vec![], Some(cause)));
    assert_eq!(next(&state, &stop(StopCause::Cord)).0.stop(), Some(cause), "the first cause stays");
    assert_eq!(next(&state, &Event::Done { act: 0 }).1, stopped(cause, 1));
    assert_eq!(next(&state, &Event::Deferred { act: 0, reason: "x".into() }).1, stopped(cause, 0));
    let interrupted = Event::Refused { act: 0, reason: "interrupted after 2 of 5 parts".into() };
    assert_eq!(next(&state, &interrupted).1, stopped(cause, 0), "what was asked for is no failure");
    let looking = next(&state, &Event::Lost { act: 0, reason: "x".into() }).0;
    assert_eq!(next(&looking, &Event::Settled { act: 0, outcome: Settled::NotDone }).1, stopped(cause, 0));
}

#[test]
fn a_stop_after_the_last_act_leaves_it_unverified() {
    let last = with(begun(&[MUTATE]), &[Event::GuardHeld, permitted(0)]);
    let expected = vec![Command::Finish { end: End::Unverified { reason: STOPPED_BEFORE_VERIFIED.into() } }];
    let cause = StopCause::DeadlinePassed;
    assert_eq!(after(&with(last.clone(), &[stop(cause), Event::Done { act: 0 }])).1, expected);
    assert_eq!(after(&with(last, &[Event::Done { act: 0 }, stop(cause)])).1, expected);
}

#[test]
fn refusals_and_broken_guards_fail_the_run() {
    let failed =
        |act, reason: &str| vec![Command::Finish { end: End::Failed { act, reason: reason.into() } }];
    assert_eq!(
        after(&with(in_flight(), &[Event::Refused { act: 0, reason: "no".into() }])).1,
        failed(0, "no")
    );
    let waiting = with(begun(&[AWAIT]), &[Event::GuardHeld]);
    assert_eq!(
        after(&with(waiting, &[Event::Refused { act: 0, reason: "never".into() }])).1,
        failed(0, "never")
    );
    assert_eq!(
        after(&with(begun(&[MUTATE]), &[Event::GuardBroken { reason: "low".into() }])).1,
        failed(0, "low")
    );
}

#[test]
fn a_run_without_acts_is_verified_only() {
    assert_eq!(after(&begun(&[])).1, [Command::Verify]);
}

#[test]
fn another_machines_run_is_looked_at_and_never_replayed() {
    let foreign = [
        Event::Begun { machine: MACHINE + 1, acts: vec![MUTATE, AWAIT, MUTATE] },
        Event::TakenUp { epoch: 7 },
    ];
    let (state, commands) = after(&foreign);
    assert_eq!((state.run_state(), commands), (RunState::Reconciling, vec![Command::Look { act: 0 }]));
    for ours in [Event::GuardHeld, permitted(0), Event::Done { act: 0 }, Event::Verified] {
        assert_eq!(next(&state, &ours), (state.clone(), vec![]));
    }
    let (state, commands) = next(&state, &Event::Settled { act: 0, outcome: Settled::Done });
    assert_eq!(commands, [Command::Look { act: 2 }], "a wait leaves nothing to look at");
    let (state, _) = next(&state, &Event::Settled { act: 2, outcome: Settled::Done });
    assert_eq!(state.run_state(), RunState::Unknown, "even when all was found done");
    assert_eq!(state.acts()[0].outcome, ActOutcome::Done);
}

#[test]
fn a_state_survives_being_written_down() {
    let (state, _) = after(&with(in_flight(), &[stop(StopCause::Cord)]));
    let text = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
}
