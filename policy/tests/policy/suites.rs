//! The YAML suites beside this folder, run on the set that ships.

use runcord_model::Digest;
use runcord_policy::{CaseOutcome, Policies, run_suite, shipped};

/// All of them, by name.
const SUITES: [(&str, &str); 6] = [
    ("table.yaml", include_str!("../table.yaml")),
    ("terraform.yaml", include_str!("../terraform.yaml")),
    ("ansible.yaml", include_str!("../ansible.yaml")),
    ("actions.yaml", include_str!("../actions.yaml")),
    ("who.yaml", include_str!("../who.yaml")),
    ("nobody.yaml", include_str!("../nobody.yaml")),
];

fn run(file: &str) {
    let (_, text) = SUITES.iter().find(|(name, _)| *name == file).unwrap();
    let policies = Policies::check(shipped(Digest::from_bytes([7; 32]))).unwrap();
    let failed = failures(&policies, file, text);
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn failures(policies: &Policies, file: &str, text: &str) -> Vec<String> {
    let results = run_suite(policies, file, text).unwrap();
    assert!(!results.is_empty());
    results
        .iter()
        .filter_map(|case| match &case.outcome {
            CaseOutcome::Held => None,
            CaseOutcome::Failed { why } => Some(format!("{file}:{}: {}: {why}", case.line, case.name)),
        })
        .collect()
}

#[test]
fn the_table_holds_in_every_cell() {
    run("table.yaml");
}

#[test]
fn the_table_for_terraform_holds_in_every_cell() {
    run("terraform.yaml");
}

#[test]
fn the_table_for_hosts_holds_in_every_cell() {
    run("ansible.yaml");
}

#[test]
fn what_a_runbook_does_decides_whatever_its_name() {
    run("actions.yaml");
}

#[test]
fn who_may_ask_and_approve() {
    run("who.yaml");
}

#[test]
fn as_shipped_nobody_can_approve() {
    run("nobody.yaml");
}

/// The text of a file of rules without the one of this id; each begins with its id.
fn without(text: &str, id: &str) -> Option<String> {
    let start = text.find(&format!("@id(\"{id}\")"))?;
    let length = text[start..].find(";\n")? + 1;
    Some(format!("{}{}", &text[..start], &text[start + length..]))
}

/// A suite without the cases that do not name the rule, each on a line of its own.
fn naming(suite: &str, id: &str) -> String {
    let kept = suite.lines().filter(|line| !line.starts_with("  - {") || line.contains(id));
    kept.map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_rule_that_were_gone_would_be_missed() {
    let set = shipped(Digest::from_bytes([7; 32]));
    for rule in Policies::check(set.clone()).unwrap().rules() {
        let mut less = set.clone();
        let (_, text) = less.rules.iter_mut().find(|(file, _)| *file == rule.file).unwrap();
        *text = without(text, &rule.id).unwrap();
        let less = Policies::check(less).unwrap();
        assert!(less.rules().iter().all(|left| left.id != rule.id));
        let missed = SUITES.iter().any(|(file, text)| {
            text.contains(&rule.id) && !failures(&less, file, &naming(text, &rule.id)).is_empty()
        });
        assert!(missed, "no case needs {}", rule.id);
    }
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
