//! Beginning a run.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use common::{Bed, at, authority, begin, beside, plan_id, principal, run_id, start};
use runcord_flow::ActKind;
use runcord_ledger::{BeginError, CordScope, Ledger, PlanStatus, Start};
use runcord_model::{RecordKind, RunState};
use runcord_seal::digest;
use serde_json::json;

/// Nothing of a refused beginning may be left.
fn nothing_left(bed: &Bed, n: u8) {
    assert_eq!(bed.ledger.plan(&plan_id(n)).unwrap().unwrap().status, PlanStatus::Open);
    assert!(bed.ledger.run(&run_id(n)).unwrap().is_none());
    let intents = bed.ledger.records(0, 100).unwrap();
    assert!(intents.iter().all(|record| record.kind != RecordKind::Intent));
    assert!(!bed.dir.path().join(format!("state/runs/{}.reserve", run_id(n))).exists());
}

#[test]
fn beginning_spends_the_plan_and_records_the_intent() {
    let mut bed = Bed::new();
    let plan = bed.plan(1);
    let begun = begin(&bed.ledger, &plan, start(1, &[ActKind::Mutate])).unwrap();
    bed.reopen();
    assert_eq!(bed.ledger.plan(&plan_id(1)).unwrap().unwrap().status, PlanStatus::Spent(run_id(1)));
    let run = bed.ledger.run(&run_id(1)).unwrap().unwrap();
    assert_eq!((run.state, run.epoch, run.outcome), (RunState::Applying, 0, None));
    assert_eq!((&run.intent, &run.intent.statement), (&begun.record, &json!({"intent": 1})));
    assert_eq!(run.journal.len(), 1);
    assert_eq!(bed.ledger.unended("cluster").unwrap(), [run_id(1)]);
    assert_eq!(bed.ledger.unended("elsewhere").unwrap(), []);
    assert!(bed.dir.path().join(format!("state/runs/{}.reserve", run_id(1))).exists());
}

#[test]
fn a_plan_is_spent_once() {
    let bed = Bed::new();
    let plan = bed.plan(1);
    begin(&bed.ledger, &plan, start(1, &[])).unwrap();
    let second = begin(&bed.ledger, &plan, start(2, &[])).unwrap_err();
    assert!(matches!(second, BeginError::Spent(run) if run == run_id(1)));
}

#[test]
fn of_many_that_apply_one_plan_at_once_exactly_one_begins() {
    let bed = Bed::new();
    let plan = bed.plan(1);
    let handles: Vec<Ledger> = (0..6).map(|_| bed.again()).collect();
    let began = std::thread::scope(|scope| {
        let threads: Vec<_> = handles
            .iter()
            .zip(1u8..)
            .map(|(ledger, n)| {
                let plan = &plan;
                scope.spawn(move || begin(ledger, plan, start(n, &[])))
            })
            .collect();
        let results: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        for result in &results {
            assert!(matches!(result, Ok(_) | Err(BeginError::Spent(_))), "{result:?}");
        }
        results.iter().filter(|result| result.is_ok()).count()
    });
    assert_eq!(began, 1);
    assert_eq!(bed.ledger.unended("cluster").unwrap().len(), 1);
}

#[test]
fn nothing_begins_while_the_cord_is_pulled() {
    for scope in [CordScope::Everything, CordScope::Principal(principal("claude"))] {
        let bed = Bed::new();
        let plan = bed.plan(1);
        bed.ledger.pull(&scope, "sam", "enough", &at(2)).unwrap();
        let error = begin(&bed.ledger, &plan, start(1, &[])).unwrap_err();
        assert!(matches!(error, BeginError::CordPulled { ref by, .. } if by == "sam"), "{error}");
        nothing_left(&bed, 1);
        bed.ledger.reset("ana", "looked into it", &at(2)).unwrap();
        begin(&bed.ledger, &plan, start(1, &[])).unwrap();
    }
}

#[test]
fn anothers_pull_does_not_stop_this_principal() {
    let bed = Bed::new();
    let plan = bed.plan(1);
    bed.ledger.pull(&CordScope::Principal(principal("other")), "other", "mine", &at(2)).unwrap();
    begin(&bed.ledger, &plan, start(1, &[])).unwrap();
}

#[test]
fn a_ledger_without_its_cord_guards_nothing_and_begins_nothing() {
    let bed = Bed::new();
    let plan = bed.plan(1);
    bed.database().execute("DELETE FROM cord", []).unwrap();
    assert!(matches!(begin(&bed.ledger, &plan, start(1, &[])).unwrap_err(), BeginError::Ledger(_)));
}

#[test]
fn nothing_begins_outside_the_authority_in_force() {
    let bed = Bed::bare();
    let plan = bed.plan(1);
    let none = begin(&bed.ledger, &plan, start(1, &[])).unwrap_err();
    assert!(matches!(none, BeginError::NotInAuthority { in_force: None }));
    bed.ledger.put_authority(&authority(), "s", &[], "ana", &at(1)).unwrap();
    let other = Start { authority: digest(b"other"), ..start(1, &[]) };
    let other = begin(&bed.ledger, &plan, other).unwrap_err();
    assert!(matches!(other, BeginError::NotInAuthority { in_force: Some(digest) } if digest == authority()));
    nothing_left(&bed, 1);
}

#[test]
fn nothing_begins_on_a_clock_that_was_set_back() {
    let bed = Bed::new();
    let plan = bed.plan(1);
    bed.ledger.pull(&CordScope::Principal(principal("other")), "x", "later", &at(10)).unwrap();
    assert!(bed.ledger.check_clock(&at(8)).unwrap().is_ok(), "two seconds are let pass");
    let behind = bed.ledger.check_clock(&at(7)).unwrap().unwrap_err();
    assert_eq!((behind.newest, bed.ledger.newest_utc().unwrap()), (at(10).utc, Some(at(10).utc)));
    let error = begin(&bed.ledger, &plan, start(1, &[])).unwrap_err();
    assert!(matches!(error, BeginError::ClockBehind(_)), "{error}");
    nothing_left(&bed, 1);
}

#[test]
fn only_so_many_runs_of_a_key_are_unended_at_once() {
    let bed = Bed::new();
    let keyed = |n: u8, key: &str| Start { concurrency: Some((key.into(), 1)), ..start(n, &[]) };
    let plans: Vec<_> = (1..=4).map(|n| bed.plan(n)).collect();
    let [one, two, three, four] = plans.as_slice() else { panic!("four plans") };
    begin(&bed.ledger, one, keyed(1, "cluster")).unwrap();
    let busy = begin(&bed.ledger, two, keyed(2, "cluster")).unwrap_err();
    assert!(matches!(busy, BeginError::Busy { running } if running == [run_id(1)]));
    begin(&bed.ledger, three, keyed(3, "another key")).unwrap();
    begin(&bed.ledger, four, start(4, &[])).unwrap();

    let lock = bed.ledger.lock_run(&run_id(1)).unwrap().unwrap();
    bed.ledger.claim(&lock, &at(3)).unwrap();
    bed.ledger.feed(&lock, &runcord_flow::Event::Verified, &at(3)).unwrap();
    bed.ledger.finish(&lock, json!({}), &beside(json!({})), &at(3)).unwrap();
    begin(&bed.ledger, two, keyed(2, "cluster")).unwrap();
}
