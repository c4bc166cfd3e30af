//! The YAML suites beside this folder, run on the set that ships.

use runcord_model::Digest;
use runcord_policy::{CaseOutcome, Policies, run_suite, shipped};

fn run(file: &str, text: &str) {
    let policies = Policies::check(shipped(Digest::from_bytes([7; 32]))).unwrap();
    let results = run_suite(&policies, file, text).unwrap();
    let failed: Vec<_> = results
        .iter()
        .filter_map(|case| match &case.outcome {
            CaseOutcome::Held => None,
            CaseOutcome::Failed { why } => Some(format!("{file}:{}: {}: {why}", case.line, case.name)),
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(!results.is_empty());
}

#[test]
fn the_table_holds_in_every_cell() {
    run("table.yaml", include_str!("../table.yaml"));
}

#[test]
fn the_table_for_terraform_holds_in_every_cell() {
    run("terraform.yaml", include_str!("../terraform.yaml"));
}

#[test]
fn what_a_runbook_does_decides_whatever_its_name() {
    run("actions.yaml", include_str!("../actions.yaml"));
}

#[test]
fn who_may_ask_and_approve() {
    run("who.yaml", include_str!("../who.yaml"));
}

#[test]
fn as_shipped_nobody_can_approve() {
    run("nobody.yaml", include_str!("../nobody.yaml"));
}

#[test]
fn a_suite_that_is_wrong_says_where() {
    let policies = Policies::check(shipped(Digest::from_bytes([7; 32]))).unwrap();
    let wrong = |text: &str| run_suite(&policies, "t.yaml", text).unwrap_err().to_string();
    assert!(wrong("cases: [{name: a, expect: allow, blast: {podz: 1}}]").contains("no measure `podz`"));
    assert!(wrong("cases:\n  - {name: a, expects: allow}").starts_with("t.yaml:2:"));
    let failed = run_suite(&policies, "t.yaml", "cases:\n  - {name: a, expect: deny}").unwrap();
    assert_eq!(failed[0].line, 2);
    assert!(matches!(failed[0].outcome, CaseOutcome::Failed { .. }));
}
