//! A plan that waits for approvals, for the tests within the crate and for those of the built command.

use runcord_model::plan::{PlanBody, RunbookRef};
use runcord_model::{
    BlastRadius, Coverage, Deadline, Decision, Digest, Effect, Environment, Moment, Needed, Outcome, Plan,
    PlanId, Principal, Target,
};
use runcord_runtime::page;
use serde_json::json;

/// A plan of the drain of a node that waits for so many approvers, and is what its digests say. What its requester
/// claims would steer a terminal.
pub(crate) fn waiting(
    installation: &str,
    plan_id: PlanId,
    sponsor: &str,
    made: &Moment,
    approvers: u32,
) -> Plan {
    let body = PlanBody {
        installation: installation.to_owned(),
        plan_id,
        principal: Principal { requester: "agent".parse().unwrap(), sponsor: sponsor.parse().unwrap() },
        target: Target { name: "prod-eu".into(), environment: Environment::Prod, identity: "k8s:x".into() },
        runbook: RunbookRef {
            name: "drain_node".parse().unwrap(),
            version: "1.0.0".into(),
            digest: Digest::from_bytes([1; 32]),
        },
        params: serde_json::Map::new(),
        reason: "the disk is failing \u{1b}[2J\u{202e}".into(),
        incident: None,
        deadline: Deadline::after(made.clone(), 3_600_000),
        policy: Digest::from_bytes([2; 32]),
        effect: Effect {
            equal: json!([{"step": "cordon", "action": "cordon", "with": {"node": "n7"}, "effect": {}}]),
        },
        blast_radius: BlastRadius::nothing(),
    };
    let needed = vec![vec![Needed { count: approvers, group: "approvers".into() }]];
    let mut plan = Plan {
        digest: Digest::from_bytes([0; 32]),
        effect_digest: Digest::from_bytes([0; 32]),
        headline: "drain node n7 on prod-eu".into(),
        steps: Vec::new(),
        diff: Vec::new(),
        coverage: Coverage::default(),
        decision: Decision { outcome: Outcome::NeedsApproval, approvals_needed: needed, reasons: Vec::new() },
        summary: String::new(),
        next: String::new(),
        body,
    };
    plan.summary = page::plan_summary(&plan.headline, &plan.body, &plan.decision, &[]);
    plan.effect_digest = runcord_seal::digest_of(&plan.body.effect.equal).unwrap();
    plan.digest = runcord_seal::digest_of(&plan.signed()).unwrap();
    plan
}
