//! Plans and approvals.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{Bed, approval, at, begin, beside, plan_id, principal, run_id, start, warrant};
use runcord_ledger::{BeginError, KeepApprovalError, LedgerError, PlanFilter, PlanStatus};
use runcord_model::approval::Verdict;
use runcord_seal::digest;
use serde_json::json;

#[test]
fn a_plan_is_read_back_as_it_was_written() {
    let mut bed = Bed::new();
    let plan = bed.plan(1);
    bed.reopen();
    let kept = bed.ledger.plan(&plan_id(1)).unwrap().unwrap();
    assert_eq!((kept.plan, kept.extras, kept.made), (plan, beside(json!({"seen": 1})), at(1)));
    assert_eq!(kept.status, PlanStatus::Open);
    assert!(bed.ledger.plan(&plan_id(9)).unwrap().is_none());
}

#[test]
fn a_plan_without_its_own_digest_is_not_kept() {
    let bed = Bed::new();
    let fine = bed.plan_of(1, "claude");
    let mut wrong_body = fine.clone();
    wrong_body.body.reason = "something else".into();
    let mut wrong_effect = fine.clone();
    wrong_effect.effect_digest = digest(b"x");
    let mut wrong_headline = fine.clone();
    wrong_headline.headline = "drain node test-1 on t".into();
    let mut elsewhere = fine;
    elsewhere.body.installation = "ins_elsewhere".into();
    elsewhere.digest = runcord_seal::digest_of(&elsewhere.signed()).unwrap();
    for plan in [wrong_body, wrong_effect, wrong_headline, elsewhere] {
        let error = bed.ledger.keep_plan(&plan, &beside(json!(null)), &at(1)).unwrap_err();
        assert!(matches!(error, LedgerError::NotItsDigest), "{error}");
    }
}

#[test]
fn a_plan_changed_behind_the_ledgers_back_is_not_read() {
    let bed = Bed::new();
    bed.plan(1);
    let database = bed.database();
    let sql = "UPDATE plans SET plan = replace(plan, 'because', 'for fun')";
    assert!(database.execute(sql, []).is_err(), "the trigger refuses");
    database.execute_batch("DROP TRIGGER plans_are_frozen").unwrap();
    database.execute(sql, []).unwrap();
    assert!(matches!(bed.ledger.plan(&plan_id(1)).unwrap_err(), LedgerError::NotItsDigest));
}

#[test]
fn plans_are_listed_newest_first_and_by_principal() {
    let bed = Bed::new();
    for n in 1..=3 {
        bed.plan(n);
    }
    let other = bed.plan_of(4, "other");
    bed.ledger.keep_plan(&other, &beside(json!(null)), &at(1)).unwrap();
    let ids = |filter: PlanFilter| {
        let plans = bed.ledger.plans(&filter).unwrap();
        plans.into_iter().map(|kept| kept.plan.body.plan_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(PlanFilter { limit: 2, ..PlanFilter::default() }), [plan_id(4), plan_id(3)]);
    let claudes = PlanFilter { principal: Some(principal("claude")), ..PlanFilter::default() };
    assert_eq!(ids(claudes), [plan_id(3), plan_id(2), plan_id(1)]);
    let elsewhere = PlanFilter { target: Some("elsewhere".into()), ..PlanFilter::default() };
    assert_eq!(ids(elsewhere), []);
}

#[test]
fn a_person_signs_a_plan_once() {
    let mut bed = Bed::new();
    let plan = bed.plan(1);
    let (verified, statement) = approval(&plan, "ana", Verdict::Approve);
    bed.ledger.keep_approval(&verified, &statement, "sig", &at(2)).unwrap();
    bed.reopen();
    let again = bed.ledger.keep_approval(&verified, &statement, "sig", &at(2)).unwrap_err();
    assert!(matches!(again, KeepApprovalError::AlreadySigned(_)), "{again}");
    let kept = bed.ledger.approvals(&plan_id(1)).unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!((&kept[0].statement, kept[0].verdict), (&statement, Verdict::Approve));
}

#[test]
fn an_approval_must_be_for_the_plans_digest_and_its_statement_the_verified_one() {
    let bed = Bed::new();
    let mut plan = bed.plan(1);
    let (verified, _) = approval(&plan, "ana", Verdict::Approve);
    let error = bed.ledger.keep_approval(&verified, "{}", "sig", &at(2)).unwrap_err();
    assert!(matches!(error, KeepApprovalError::OtherStatement));
    plan.digest = digest(b"another");
    let (verified, statement) = approval(&plan, "ana", Verdict::Approve);
    let error = bed.ledger.keep_approval(&verified, &statement, "sig", &at(2)).unwrap_err();
    assert!(matches!(error, KeepApprovalError::OtherPlan));
}

#[test]
fn a_rejection_ends_the_plan() {
    let mut bed = Bed::new();
    let plan = bed.plan(1);
    let (no, statement) = approval(&plan, "ana", Verdict::Reject);
    bed.ledger.keep_approval(&no, &statement, "sig", &at(2)).unwrap();
    bed.reopen();
    let by = "ana".parse().unwrap();
    assert_eq!(bed.ledger.plan(&plan_id(1)).unwrap().unwrap().status, PlanStatus::Rejected { by });
    let (yes, statement) = approval(&plan, "bob", Verdict::Approve);
    let late = bed.ledger.keep_approval(&yes, &statement, "sig", &at(2)).unwrap_err();
    assert!(matches!(late, KeepApprovalError::NotOpen(_)), "{late}");
    assert!(matches!(begin(&bed.ledger, &plan, start(1, &[])).unwrap_err(), BeginError::NotOpen(_)));
}

#[test]
fn a_void_plan_stays_void_and_a_spent_one_spent() {
    let bed = Bed::new();
    let plan = bed.plan(1);
    bed.ledger.void_plan(&plan_id(1), "its runbook changed", &at(2)).unwrap();
    bed.ledger.void_plan(&plan_id(1), "another reason", &at(2)).unwrap();
    let status = bed.ledger.plan(&plan_id(1)).unwrap().unwrap().status;
    assert_eq!(status, PlanStatus::Void { reason: "its runbook changed".into() });
    assert!(matches!(begin(&bed.ledger, &plan, start(1, &[])).unwrap_err(), BeginError::NotOpen(_)));

    bed.begun(2, &[]);
    bed.ledger.void_plan(&plan_id(2), "late", &at(3)).unwrap();
    assert_eq!(bed.ledger.plan(&plan_id(2)).unwrap().unwrap().status, PlanStatus::Spent(run_id(2)));
}

#[test]
fn a_warrant_counts_only_approvals_that_the_ledger_keeps() {
    let bed = Bed::new();
    let plan = bed.plan(1);
    let (verified, statement) = approval(&plan, "ana", Verdict::Approve);
    let unkept = warrant(&plan, std::slice::from_ref(&verified));
    let error = bed.ledger.begin(unkept, start(1, &[]), &at(2)).unwrap_err();
    assert!(matches!(error, BeginError::NotSigned(_)), "{error}");
    bed.ledger.keep_approval(&verified, &statement, "sig", &at(2)).unwrap();
    bed.ledger.begin(warrant(&plan, &[verified]), start(1, &[]), &at(2)).unwrap();
}

#[test]
fn a_warrant_for_another_digest_of_the_same_id_begins_nothing() {
    let bed = Bed::new();
    let mut other = bed.plan(1);
    other.digest = digest(b"other");
    let error = begin(&bed.ledger, &other, start(1, &[])).unwrap_err();
    assert!(matches!(error, BeginError::OtherPlan(_)), "{error}");
}
