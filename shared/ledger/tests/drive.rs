//! Driving a run, with the ledger opened again after each step.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Bed, at, beside, principal, run_id};
use runcord_flow::{ActKind, Command, End, Event, MACHINE, Settled, StopCause, Unstopped};
use runcord_ledger::{CordScope, DriveError, LedgerError, PermitRefused, RunLock};
use runcord_model::{RecordKind, RunState};
use serde_json::json;

const MUTATE: ActKind = ActKind::Mutate;

/// A claimed run whose machine asks for act 0.
fn asking(bed: &Bed, n: u8) -> RunLock {
    let lock = bed.claimed(n, &[MUTATE, MUTATE]);
    let (_, commands) = bed.ledger.feed(&lock, &Event::GuardHeld, &at(4)).unwrap();
    assert_eq!(commands, [Command::Mutate { act: 0 }]);
    lock
}

fn refused(bed: &Bed, lock: &RunLock, second: i64) -> PermitRefused {
    bed.ledger.permit(lock, 0, &at(second)).unwrap_err()
}

#[test]
fn a_run_goes_through_with_the_ledger_opened_again_at_each_step() {
    let mut bed = Bed::new();
    let lock = bed.claimed(1, &[MUTATE, ActKind::Await]);
    let mut feed = |event: Event| {
        bed.reopen();
        bed.ledger.feed(&lock, &event, &at(4)).unwrap().1
    };
    assert_eq!(feed(Event::GuardHeld), [Command::Mutate { act: 0 }]);
    bed.reopen();
    let permit = bed.ledger.permit(&lock, 0, &at(4)).unwrap();
    assert_eq!((permit.run(), permit.act(), permit.attempt(), permit.epoch()), (&run_id(1), 0, 1, 1));
    let mut feed = |event: Event| {
        bed.reopen();
        bed.ledger.feed(&lock, &event, &at(4)).unwrap().1
    };
    assert_eq!(feed(Event::Done { act: 0 }), [Command::Await { act: 1 }]);
    assert_eq!(feed(Event::Done { act: 1 }), [Command::Verify]);
    assert_eq!(feed(Event::Verified), [Command::Finish { end: End::Verified }]);
    bed.reopen();
    let record =
        bed.ledger.finish(&lock, json!({"outcome": 1}), &beside(json!({"view": 1})), &at(5)).unwrap();
    bed.reopen();
    let run = bed.ledger.run(&run_id(1)).unwrap().unwrap();
    assert_eq!(
        (run.state, run.view, run.outcome.as_ref()),
        (RunState::Verified, Some(beside(json!({"view": 1}))), Some(&record))
    );
    assert_eq!(record.kind, RecordKind::Outcome);
    assert_eq!(run.journal.len(), 7);
    assert_eq!(run.journal.iter().filter(|entry| entry.typed().is_none()).count(), 0);
    assert_eq!(bed.ledger.unended("cluster").unwrap(), []);
    assert!(!bed.dir.path().join(format!("state/runs/{}.reserve", run_id(1))).exists());
    assert_eq!(bed.ledger.check_chain().unwrap(), 3);
}

#[test]
fn a_run_has_one_worker() {
    let bed = Bed::new();
    let run = bed.begun(1, &[MUTATE]);
    let lock = bed.ledger.lock_run(&run).unwrap().unwrap();
    assert!(bed.again().lock_run(&run).unwrap().is_none());
    drop(lock);
    assert!(bed.again().lock_run(&run).unwrap().is_some());
}

#[test]
fn an_inherited_lock_is_free_only_when_the_child_is_gone() {
    let bed = Bed::new();
    let run = bed.begun(1, &[MUTATE]);
    let lock = bed.ledger.lock_run(&run).unwrap().unwrap();
    lock.let_children_inherit().unwrap();
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    drop(lock);
    assert!(bed.ledger.lock_run(&run).unwrap().is_none(), "the child holds it");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(bed.ledger.lock_run(&run).unwrap().is_some());
}

#[test]
fn what_was_in_flight_when_the_worker_died_is_looked_at() {
    let mut bed = Bed::new();
    let lock = asking(&bed, 1);
    bed.ledger.permit(&lock, 0, &at(5)).unwrap();
    drop(lock);
    bed.reopen();
    let lock = bed.ledger.lock_run(&run_id(1)).unwrap().unwrap();
    let (state, commands) = bed.ledger.claim(&lock, &at(6)).unwrap();
    assert_eq!((state.run_state(), commands), (RunState::Reconciling, vec![Command::Look { act: 0 }]));
    assert!(matches!(refused(&bed, &lock, 6), PermitRefused::OutOfPlace));
    let not_done = Event::Settled { act: 0, outcome: Settled::NotDone };
    bed.ledger.feed(&lock, &not_done, &at(6)).unwrap();
    bed.ledger.feed(&lock, &Event::GuardHeld, &at(6)).unwrap();
    let permit = bed.ledger.permit(&lock, 0, &at(6)).unwrap();
    assert_eq!((permit.attempt(), permit.epoch()), (2, 2));
}

#[test]
fn no_act_is_permitted_once_the_cord_is_pulled() {
    for scope in [CordScope::Everything, CordScope::Principal(principal("claude"))] {
        let bed = Bed::new();
        let lock = asking(&bed, 1);
        assert_eq!(bed.ledger.stop_asked(&run_id(1), &at(4)).unwrap(), None);
        bed.again().pull(&scope, "sam", "enough", &at(5)).unwrap();
        assert!(matches!(refused(&bed, &lock, 5), PermitRefused::Stop(StopCause::Cord)));
        assert_eq!(bed.ledger.stop_asked(&run_id(1), &at(5)).unwrap(), Some(StopCause::Cord));
        let stop = Event::StopAsked { cause: StopCause::Cord };
        let (state, _) = bed.ledger.feed(&lock, &stop, &at(5)).unwrap();
        assert_eq!(state.run_state(), RunState::Stopped);
    }
}

#[test]
fn no_act_is_permitted_once_the_run_is_cancelled() {
    let bed = Bed::new();
    let lock = asking(&bed, 1);
    bed.again().ask_cancel(&run_id(1), "sam", &at(5)).unwrap();
    bed.again().ask_cancel(&run_id(1), "ana", &at(5)).unwrap();
    assert!(matches!(refused(&bed, &lock, 5), PermitRefused::Stop(StopCause::Cancelled)));
    let by = bed.ledger.run(&run_id(1)).unwrap().unwrap().cancelled_by;
    assert_eq!(by.as_deref(), Some("sam"), "the first to ask stays");
}

#[test]
fn no_act_is_permitted_after_the_deadline() {
    let bed = Bed::new();
    let lock = asking(&bed, 1);
    assert!(matches!(refused(&bed, &lock, 62), PermitRefused::Stop(StopCause::DeadlinePassed)));
    bed.ledger.permit(&lock, 0, &at(61)).unwrap();
}

#[test]
fn no_act_is_permitted_to_a_worker_whose_claim_is_old() {
    let bed = Bed::new();
    let run = bed.begun(1, &[MUTATE]);
    let lock = bed.ledger.lock_run(&run).unwrap().unwrap();
    assert!(matches!(refused(&bed, &lock, 3), PermitRefused::Epoch), "not claimed at all");
    bed.ledger.claim(&lock, &at(3)).unwrap();
    bed.ledger.feed(&lock, &Event::GuardHeld, &at(3)).unwrap();
    // As if another process had taken the run up in spite of the lock.
    bed.database().execute("UPDATE runs SET epoch = epoch + 1", []).unwrap();
    assert!(matches!(refused(&bed, &lock, 4), PermitRefused::Epoch));
    let fed = bed.ledger.feed(&lock, &Event::GuardHeld, &at(4)).unwrap_err();
    assert!(matches!(fed, DriveError::Epoch));
}

#[test]
fn an_act_is_permitted_once_and_only_when_asked_for() {
    let bed = Bed::new();
    let lock = asking(&bed, 1);
    assert!(matches!(bed.ledger.permit(&lock, 1, &at(4)).unwrap_err(), PermitRefused::OutOfPlace));
    bed.ledger.permit(&lock, 0, &at(4)).unwrap();
    assert!(matches!(refused(&bed, &lock, 4), PermitRefused::OutOfPlace));
}

/// What the last look at a permit that was given at 4 says at that second, after this change.
fn looked_again(second: i64, change: impl FnOnce(&Bed)) -> Result<Unstopped, PermitRefused> {
    let bed = Bed::new();
    let lock = asking(&bed, 1);
    let permit = bed.ledger.permit(&lock, 0, &at(4)).unwrap();
    change(&bed);
    bed.ledger.still_permitted(permit, &at(second))
}

#[test]
fn a_permit_stands_for_as_long_as_the_run_is_not_to_stop() {
    let unstopped = looked_again(61, |_| ()).unwrap();
    assert_eq!((unstopped.permit().run(), unstopped.permit().act()), (&run_id(1), 0));
    let stop = |second, change: fn(&Bed)| match looked_again(second, change) {
        Err(PermitRefused::Stop(cause)) => cause,
        other => panic!("{other:?}"),
    };
    for scope in [CordScope::Everything, CordScope::Principal(principal("claude"))] {
        let pulled = looked_again(5, |bed| {
            bed.again().pull(&scope, "ana", "smoke", &at(5)).unwrap();
        });
        assert!(matches!(pulled, Err(PermitRefused::Stop(StopCause::Cord))), "{pulled:?}");
    }
    let cancelled = stop(5, |bed| bed.again().ask_cancel(&run_id(1), "sam", &at(5)).unwrap());
    assert_eq!((cancelled, stop(62, |_| ())), (StopCause::Cancelled, StopCause::DeadlinePassed));
    let taken_up = looked_again(5, |bed| {
        bed.database().execute("UPDATE runs SET epoch = epoch + 1", []).unwrap();
    });
    assert!(matches!(taken_up, Err(PermitRefused::Epoch)), "{taken_up:?}");
}

#[test]
fn no_permit_stands_where_the_cord_cannot_be_read() {
    for broken in ["DELETE FROM cord", "UPDATE cord SET pull = 'no JSON'", "DROP TABLE cord"] {
        let looked = looked_again(5, |bed| bed.database().execute_batch(broken).unwrap());
        assert!(matches!(looked, Err(PermitRefused::Ledger(_))), "{broken}: {looked:?}");
    }
}

#[test]
fn only_the_ledger_writes_beginnings_claims_and_permits() {
    let bed = Bed::new();
    let lock = asking(&bed, 1);
    for event in [
        Event::Begun { machine: MACHINE, acts: vec![] },
        Event::Claimed { epoch: 9 },
        Event::TakenUp { epoch: 9 },
        Event::Permitted { act: 0, attempt: 1 },
    ] {
        assert!(matches!(bed.ledger.feed(&lock, &event, &at(4)).unwrap_err(), DriveError::NotYours));
    }
}

#[test]
fn an_event_that_makes_no_sense_leaves_no_trace() {
    let bed = Bed::new();
    let lock = asking(&bed, 1);
    let before = bed.ledger.run(&run_id(1)).unwrap().unwrap();
    let (_, commands) = bed.ledger.feed(&lock, &Event::Verified, &at(4)).unwrap();
    assert_eq!(commands, []);
    assert_eq!(bed.ledger.run(&run_id(1)).unwrap().unwrap(), before);
}

#[test]
fn a_run_is_finished_once_and_only_when_it_has_ended() {
    let mut bed = Bed::new();
    let lock = bed.claimed(1, &[]);
    let finish = |bed: &Bed, lock: &RunLock| bed.ledger.finish(lock, json!({}), &beside(json!({})), &at(5));
    assert!(matches!(finish(&bed, &lock).unwrap_err(), DriveError::NotEnded));
    bed.ledger.feed(&lock, &Event::Verified, &at(4)).unwrap();
    drop(lock);
    // The worker died between the end and its record.
    bed.reopen();
    assert_eq!(bed.ledger.unended("cluster").unwrap(), [run_id(1)]);
    let lock = bed.ledger.lock_run(&run_id(1)).unwrap().unwrap();
    let (_, commands) = bed.ledger.claim(&lock, &at(5)).unwrap();
    assert_eq!(commands, [Command::Finish { end: End::Verified }]);
    bed.ledger.note(&run_id(1), &beside(json!({"view": "almost"})), &at(5)).unwrap();
    finish(&bed, &lock).unwrap();
    assert!(matches!(finish(&bed, &lock).unwrap_err(), DriveError::Ledger(LedgerError::Over(_))));
    assert!(matches!(bed.ledger.claim(&lock, &at(6)).unwrap_err(), LedgerError::Over(_)));
    assert!(matches!(
        bed.ledger.note(&run_id(1), &beside(json!({})), &at(6)).unwrap_err(),
        LedgerError::Over(_)
    ));
    bed.ledger.ask_cancel(&run_id(1), "late", &at(6)).unwrap();
    assert_eq!(bed.ledger.run(&run_id(1)).unwrap().unwrap().cancelled_by, None);
}

#[test]
fn a_run_is_finished_only_by_its_newest_worker() {
    let bed = Bed::new();
    let lock = bed.claimed(1, &[]);
    bed.ledger.feed(&lock, &Event::Verified, &at(4)).unwrap();
    bed.database().execute("UPDATE runs SET epoch = epoch + 1", []).unwrap();
    let error = bed.ledger.finish(&lock, json!({}), &beside(json!({})), &at(5)).unwrap_err();
    assert!(matches!(error, DriveError::Epoch), "{error}");
}

#[test]
fn a_run_of_another_machine_version_is_looked_at_and_ends_unknown() {
    let bed = Bed::new();
    let run = bed.begun(1, &[MUTATE]);
    let sql = "UPDATE runs SET machine = 99, snapshot_machine = 99, snapshot = '{}', epoch = 5";
    bed.database().execute(sql, []).unwrap();
    let lock = bed.ledger.lock_run(&run).unwrap().unwrap();
    let (state, commands) = bed.ledger.claim(&lock, &at(3)).unwrap();
    assert_eq!((state.run_state(), commands), (RunState::Reconciling, vec![Command::Look { act: 0 }]));
    assert!(matches!(refused(&bed, &lock, 3), PermitRefused::OutOfPlace));
    let done = Event::Settled { act: 0, outcome: Settled::Done };
    let (state, _) = bed.ledger.feed(&lock, &done, &at(3)).unwrap();
    assert_eq!(state.run_state(), RunState::Unknown);
    bed.ledger.finish(&lock, json!({}), &beside(json!({})), &at(4)).unwrap();
}

#[test]
fn a_snapshot_that_the_journal_does_not_give_is_not_claimed() {
    let bed = Bed::new();
    let lock = asking(&bed, 1);
    drop(lock);
    bed.database()
        .execute("UPDATE runs SET snapshot = replace(snapshot, 'asking', 'in_flight')", [])
        .unwrap();
    let lock = bed.ledger.lock_run(&run_id(1)).unwrap().unwrap();
    assert!(matches!(bed.ledger.claim(&lock, &at(5)).unwrap_err(), LedgerError::Corrupt { what: "journal" }));
}
