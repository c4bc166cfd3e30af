//! The built command on a plan that waits for somebody: shown, signed here and elsewhere, refused, rejected.

use runcord_ledger::{Beside, Ledger};
use runcord_model::PlanId;
use runcord_runtime::clock;
use serde_json::{Value, json};

use crate::home::Home;
use crate::sample;

/// Keeps a plan that needs so many approvals in the home's ledger, asked for on behalf of `sponsor`.
fn waiting(home: &Home, sponsor: &str, approvers: u32) -> PlanId {
    let ledger = Ledger::open(&home.path("state/runcord"), clock::entropy().unwrap()).unwrap();
    let now = clock::now().unwrap();
    let plan = sample::waiting(ledger.installation(), clock::plan_id().unwrap(), sponsor, &now, approvers);
    ledger.keep_plan(&plan, &Beside::of(&json!({})).unwrap(), &now).unwrap();
    plan.body.plan_id
}

#[test]
fn a_plan_is_read_and_signed_once_by_each_person() {
    let home = Home::ready();
    let plan = waiting(&home, "bo", 2);
    assert_eq!(home.json(0, "plan list")["plans"][0]["state"], "waiting");
    let shown = home.page(0, &format!("plan show {plan}"));
    assert!(shown.starts_with("drain node n7 on prod-eu\n"), "{shown}");
    assert!(
        shown.contains("the disk is failing") && shown.contains(&format!("runcord approve {plan}")),
        "{shown}"
    );
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "a claim does not steer the terminal");

    home.json(2, &format!("approve {plan}"));
    let approved = home.json(0, &format!("approve {plan} --yes"));
    assert_eq!(approved["signed"], json!(["ana"]));
    assert_eq!(approved["still_needed"], json!([[{"count": 1, "group": "approvers"}]]));
    let again = home.json(1, &format!("approve {plan} --yes"));
    assert_eq!(again["error"]["code"], "approval_invalid", "{again}");
    assert_eq!(home.json(0, &format!("policy explain {plan}"))["then"]["outcome"], "needs_approval");
}

#[test]
fn the_sponsors_ordinary_key_does_not_count() {
    let home = Home::ready();
    let plan = waiting(&home, "ana", 1);
    let refused = home.json(1, &format!("approve {plan} --yes"));
    assert_eq!(refused["error"]["code"], "approval_invalid", "{refused}");
    assert_eq!(home.json(0, &format!("plan show {plan}"))["signed"], json!([]));
}

#[test]
fn a_key_of_nobody_and_a_borrowed_name_are_refused() {
    let home = Home::ready();
    let plan = waiting(&home, "bo", 1);
    home.keygen("eve");
    assert_eq!(home.json(1, &format!("approve {plan} --yes --key eve"))["error"]["code"], "refused");
    let borrowed = home.json(1, &format!("approve {plan} --yes --key eve --as ana"));
    assert_eq!(borrowed["error"]["code"], "approval_invalid", "{borrowed}");
    assert_eq!(home.json(0, &format!("plan show {plan}"))["signed"], json!([]));
}

#[test]
fn an_approval_is_carried_there_and_back() {
    let home = Home::ready();
    let plan = waiting(&home, "bo", 1);
    home.json(0, &format!("plan export {plan} --out plan.json"));
    home.json(0, "approve plan.json --yes --out approval.json");
    assert_eq!(
        home.json(0, &format!("plan show {plan}"))["signed"],
        json!([]),
        "not before it is brought in"
    );
    let imported = home.json(0, "approval import approval.json");
    assert_eq!((&imported["signed"], &imported["still_needed"]), (&json!(["ana"]), &json!([])));

    home.replace("plan.json", "the disk is failing", "the disk is well");
    assert_eq!(
        home.json(1, "approve plan.json --yes")["error"]["code"],
        "refused",
        "another claim, the old digest"
    );
    let other = waiting(&home, "bo", 1);
    home.replace("approval.json", plan.as_str(), other.as_str());
    assert_eq!(home.json(1, "approval import approval.json")["error"]["code"], "approval_invalid");
}

#[test]
fn a_rejection_ends_the_plan_and_is_recorded() {
    let home = Home::ready();
    let plan = waiting(&home, "bo", 1);
    home.json(2, &format!("reject {plan}"));
    assert_eq!(home.json(0, &format!("reject {plan} --reason mistaken"))["rejected_by"], "ana");
    assert_eq!(home.json(0, "plan list")["plans"][0]["state"], "rejected");
    home.json(1, &format!("approve {plan} --yes"));
    let records = home.json(0, "log list");
    let last = records["records"].as_array().unwrap().last().cloned().unwrap_or(Value::Null);
    assert_eq!(last["statement"]["predicate"]["reason"], "mistaken", "{last}");
}
