//! Records, the cord, and what is appended only.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod common;

use common::{Bed, approval, at, principal};
use runcord_ledger::{ChainError, CordScope, CordState};
use runcord_model::RecordKind;
use runcord_model::approval::Verdict;
use runcord_seal::digest;
use serde_json::json;

fn denials(bed: &Bed, count: u32) {
    for n in 0..count {
        bed.ledger.record(RecordKind::Denial, json!({"denied": n, "share": 0.3}), &at(1)).unwrap();
    }
}

fn broken_at(bed: &Bed, sql: &str) -> (u64, &'static str) {
    let database = bed.database();
    assert!(database.execute_batch(sql).is_err(), "the trigger refuses: {sql}");
    database.execute_batch("DROP TRIGGER records_are_frozen; DROP TRIGGER records_stay;").unwrap();
    database.execute_batch(sql).unwrap();
    match bed.ledger.check_chain().unwrap_err() {
        ChainError::Broken { index, why } => (index, why),
        ChainError::Ledger(error) => panic!("{error}"),
    }
}

#[test]
fn each_record_carries_the_digest_of_the_one_before() {
    let bed = Bed::bare();
    denials(&bed, 3);
    let records = bed.ledger.records(0, 10).unwrap();
    assert_eq!(records[0].previous, digest(bed.ledger.installation().as_bytes()));
    assert_eq!(records[2].previous, records[1].digest);
    assert_eq!(records[1].index, 1);
    assert_eq!(bed.ledger.records(1, 1).unwrap(), [records[1].clone()]);
    assert_eq!(bed.ledger.check_chain().unwrap(), 3);
    assert_eq!(Bed::bare().ledger.check_chain().unwrap(), 0);
}

#[test]
fn a_changed_record_breaks_the_chain() {
    let bed = Bed::bare();
    denials(&bed, 3);
    let sql = r#"UPDATE records SET statement = '{"denied":9,"share":0.3}' WHERE idx = 1"#;
    assert_eq!(broken_at(&bed, sql), (1, "its content does not have its digest"));
}

#[test]
fn a_missing_record_breaks_the_chain() {
    let bed = Bed::bare();
    denials(&bed, 3);
    assert_eq!(broken_at(&bed, "DELETE FROM records WHERE idx = 1"), (1, "it is missing"));
}

#[test]
fn a_record_of_another_ledger_breaks_the_chain() {
    let bed = Bed::bare();
    denials(&bed, 1);
    let sql = format!("UPDATE records SET previous = '{}'", digest(b"elsewhere"));
    assert_eq!(broken_at(&bed, &sql), (0, "it does not carry the digest of the one before"));
}

#[test]
fn a_runs_record_cut_off_the_end_breaks_the_chain() {
    let bed = Bed::new();
    bed.begun(1, &[]);
    let (index, why) = broken_at(&bed, "PRAGMA foreign_keys = OFF; DELETE FROM records WHERE idx = 1");
    assert_eq!((index, why), (1, "a run's record is missing"));
}

#[test]
fn what_is_append_only_can_be_neither_changed_nor_deleted() {
    let bed = Bed::new();
    let plan = bed.plan(2);
    let (verified, statement) = approval(&plan, "ana", Verdict::Approve);
    bed.ledger.keep_approval(&verified, &statement, "sig", &at(1)).unwrap();
    bed.ledger.note_read(&principal("claude"), &"pod_logs".parse().unwrap(), &digest(b"{}"), &at(1)).unwrap();
    bed.begun(1, &[]);
    let database = bed.database();
    database.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    for (table, column) in [
        ("records", "at"),
        ("journal", "at"),
        ("approvals", "at"),
        ("authority", "at"),
        ("reads", "at"),
        ("plans", "made"),
    ] {
        assert!(database.execute(&format!("UPDATE {table} SET {column} = '{{}}'"), []).is_err(), "{table}");
        assert!(database.execute(&format!("DELETE FROM {table}"), []).is_err(), "{table}");
    }
    assert!(database.execute("DELETE FROM runs", []).is_err());
}

#[test]
fn the_cord_is_pulled_for_one_or_for_all_and_reset_for_all() {
    let mut bed = Bed::bare();
    let mine = principal("claude");
    let own = CordScope::Principal(mine.clone());
    bed.ledger.pull(&own, "claude for sam", "odd", &at(1)).unwrap();
    bed.reopen();
    assert_eq!(bed.ledger.cord().unwrap(), CordState::Armed);
    assert_eq!(bed.ledger.cord_for(&principal("other")).unwrap(), CordState::Armed);
    let pulled = |by: &str, reason: &str, second| CordState::Pulled {
        by: by.into(),
        reason: reason.into(),
        at: at(second),
    };
    assert_eq!(bed.ledger.cord_for(&mine).unwrap(), pulled("claude for sam", "odd", 1));

    let everything = CordScope::Everything;
    bed.ledger.pull(&everything, "sam", "stop", &at(2)).unwrap();
    bed.ledger.pull(&everything, "ana", "me too", &at(3)).unwrap();
    assert_eq!(bed.ledger.cord().unwrap(), pulled("sam", "stop", 2), "the first pull stays");
    let scopes: Vec<_> = bed.ledger.pulled().unwrap().into_iter().map(|(scope, _)| scope).collect();
    assert_eq!(scopes, [everything, own]);

    let record = bed.ledger.reset("ana", "all clear", &at(4)).unwrap();
    assert_eq!(record.statement["predicate"]["control"], "cord_reset");
    assert_eq!(
        (bed.ledger.cord().unwrap(), bed.ledger.cord_for(&mine).unwrap()),
        (CordState::Armed, CordState::Armed)
    );
    assert_eq!(bed.ledger.records(0, 10).unwrap().len(), 4, "every pull and reset is recorded");
}

#[test]
fn the_newest_authority_is_in_force() {
    let mut bed = Bed::new();
    bed.ledger.put_authority(&digest(b"second"), "s2", &["x".into(), "y".into()], "ana", &at(5)).unwrap();
    bed.reopen();
    let kept = bed.ledger.authority().unwrap().unwrap();
    assert_eq!((kept.digest, kept.statement.as_str(), kept.signatures.len()), (digest(b"second"), "s2", 2));
    assert_eq!(bed.ledger.records(0, 10).unwrap().len(), 2);
    assert!(Bed::bare().ledger.authority().unwrap().is_none());
}
