//! The policy engine as its callers see it, on the rules that ship and on rules that should not be.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers may"
)]

mod engine;
mod loading;
mod properties;
mod suites;

use jiff::Timestamp;
use runcord_model::{BlastRadius, Digest, EffectKind, Environment, Scopes, Target};
use runcord_policy::{Ask, Evidence, Policies, Problem, Source, shipped};

/// The shipped set with two approvers: ann and bob.
fn source() -> Source {
    let mut source = shipped(Digest::from_bytes([7; 32]));
    source.people.1 = source.people.1.replace(
        "people: {}",
        "people: {ann: {groups: [approvers, sre]}, bob: {groups: [approvers]}, dan: {groups: [security]}}",
    );
    source.approvers.1 = "ann ssh-ed25519 AAAA\nbob ssh-ed25519 AAAA\n".to_owned();
    source
}

/// The same with one more rule.
fn with_rule(rule: &str) -> Source {
    let mut source = source();
    source.rules.push(("90-extra.cedar".to_owned(), rule.to_owned()));
    source
}

/// The same with only these rules.
fn only_rules(rules: &str) -> Source {
    Source { rules: vec![("only.cedar".to_owned(), rules.to_owned())], ..source() }
}

fn load(source: Source) -> Policies {
    Policies::check(source).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn refused(source: Source) -> Vec<Problem> {
    Policies::check(source).expect_err("refused")
}

fn ask(policies: &Policies) -> Ask {
    Ask {
        principal: policies.principal("oncall", "agent").unwrap(),
        effect: EffectKind::Mutating,
        runbook: "drain_node".parse().unwrap(),
        actions: ["drain".to_owned()].into(),
        server: "kubectl".to_owned(),
        target: Target {
            name: "toy".to_owned(),
            environment: Environment::Prod,
            identity: "k8s:toy".to_owned(),
        },
        scopes: Scopes::default(),
        params: serde_json::Map::new(),
    }
}

fn evidence(blast: BlastRadius, signed: &[&str]) -> Evidence {
    Evidence {
        blast: blast.settled(),
        irreversible_cap: 0,
        signed: signed.iter().map(|name| name.parse().unwrap()).collect(),
        now: Timestamp::UNIX_EPOCH,
    }
}
