//! The proofs of a run: none can be copied, written down, or rebuilt by a replay.

use std::collections::BTreeSet;

use runcord_model::approval::Verdict;
use runcord_model::proof::{Allowed, KeyKind, VerifiedApproval};
use runcord_model::{
    BlastRadius, Deadline, Digest, Effect, Moment, PersonName, Plan, PlanId, Principal, RunId,
};

/// What was found when the plan was probed and drafted again, at apply.
#[derive(Debug, Clone, Copy)]
pub struct Fresh<'a> {
    /// The effect as drafted now.
    pub effect: &'a Effect,
    /// The blast radius as measured now.
    pub blast_radius: &'a BlastRadius,
    /// Until when the plan lives: its own deadline, or the one that its last signature set.
    pub until: &'a Deadline,
    /// Now.
    pub now: &'a Moment,
}

/// Why no warrant was minted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwarranted {
    /// The judgement is of another plan.
    #[error("policy judged another plan")]
    OtherPlanJudged,
    /// The plan was made, and shown to its approvers, under another policy set.
    #[error("the plan was made under another policy set")]
    OtherPolicy,
    /// The approval is of another plan.
    #[error("the approval of {0} is for another plan")]
    OtherPlanApproved(PersonName),
    /// The person said no.
    #[error("{0} rejected the plan")]
    Rejected(PersonName),
    /// The approval has run out.
    #[error("the approval of {0} has expired")]
    ApprovalExpired(PersonName),
    /// An approval counts once.
    #[error("the approval of {0} is there twice")]
    ApprovedTwice(PersonName),
    /// The sponsor may approve its own agent's plan only with a security key that was touched.
    #[error("{0} is the sponsor and signed without a security key")]
    SponsorsOrdinaryKey(PersonName),
    /// The plan has run out.
    #[error("the plan has expired")]
    Expired,
    /// The canonical effect is not what was planned.
    #[error("the effect is not what was planned")]
    Drifted,
    /// The blast radius has become worse.
    #[error("the blast radius is worse than planned")]
    Worse,
}

/// Proof that a plan was allowed, approved as policy asked, and still means what it meant.
/// [`Warrant::mint`] is the only way to one, and the ledger's `begin` consumes it.
///
/// ```compile_fail
/// fn twice(warrant: runcord_flow::Warrant) -> (runcord_flow::Warrant, runcord_flow::Warrant) {
///     (warrant.clone(), warrant)
/// }
/// ```
#[derive(Debug)]
pub struct Warrant {
    plan_id: PlanId,
    plan_digest: Digest,
    policy: Digest,
    principal: Principal,
    approvers: Vec<PersonName>,
}

impl Warrant {
    /// A warrant for `plan`, from the judgement, the approvals it was given with, and the second look.
    pub fn mint(
        allowed: Allowed,
        approvals: &[VerifiedApproval],
        plan: &Plan,
        fresh: Fresh<'_>,
    ) -> Result<Self, Unwarranted> {
        if allowed.plan() != &plan.digest {
            return Err(Unwarranted::OtherPlanJudged);
        }
        if allowed.policy() != &plan.body.policy {
            return Err(Unwarranted::OtherPolicy);
        }
        let mut approvers = BTreeSet::new();
        for approval in approvals {
            counts(approval, plan, fresh.now)?;
            let person = approval.approval().approver.clone();
            if !approvers.insert(person.clone()) {
                return Err(Unwarranted::ApprovedTwice(person));
            }
        }
        still_true(plan, fresh)?;
        Ok(Self {
            plan_id: plan.body.plan_id.clone(),
            plan_digest: plan.digest.clone(),
            policy: allowed.policy().clone(),
            principal: plan.body.principal.clone(),
            approvers: approvers.into_iter().collect(),
        })
    }

    /// The plan it is for.
    pub fn plan_id(&self) -> &PlanId {
        &self.plan_id
    }

    /// The digest of that plan.
    pub fn plan_digest(&self) -> &Digest {
        &self.plan_digest
    }

    /// The policy set that allowed it.
    pub fn policy(&self) -> &Digest {
        &self.policy
    }

    /// Who asked, and on whose behalf.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Who approved, each once, in order of name.
    pub fn approvers(&self) -> &[PersonName] {
        &self.approvers
    }
}

fn counts(verified: &VerifiedApproval, plan: &Plan, now: &Moment) -> Result<(), Unwarranted> {
    let approval = verified.approval();
    let person = || approval.approver.clone();
    if approval.plan_digest != plan.digest || approval.plan_id != plan.body.plan_id {
        return Err(Unwarranted::OtherPlanApproved(person()));
    }
    if approval.verdict != Verdict::Approve {
        return Err(Unwarranted::Rejected(person()));
    }
    if now.utc >= approval.expires {
        return Err(Unwarranted::ApprovalExpired(person()));
    }
    if approval.approver == plan.body.principal.sponsor && verified.key() != KeyKind::SecurityKeyTouched {
        return Err(Unwarranted::SponsorsOrdinaryKey(person()));
    }
    Ok(())
}

fn still_true(plan: &Plan, fresh: Fresh<'_>) -> Result<(), Unwarranted> {
    if fresh.until.passed(fresh.now) {
        return Err(Unwarranted::Expired);
    }
    if &plan.body.effect != fresh.effect {
        return Err(Unwarranted::Drifted);
    }
    if !fresh.blast_radius.worse_than(&plan.body.blast_radius).is_empty() {
        return Err(Unwarranted::Worse);
    }
    Ok(())
}

/// Permission for one attempt at one mutation. The mutating call takes it by value.
///
/// ```compile_fail
/// fn twice(permit: runcord_flow::Permit) -> (runcord_flow::Permit, runcord_flow::Permit) {
///     (permit.clone(), permit)
/// }
/// ```
#[derive(Debug)]
pub struct Permit {
    run: RunId,
    act: usize,
    attempt: u32,
    epoch: u64,
}

impl Permit {
    /// Only for the ledger, which has journalled the act by then. A test reads the sources and holds that.
    pub fn granted(run: RunId, act: usize, attempt: u32, epoch: u64) -> Self {
        Self { run, act, attempt, epoch }
    }

    /// The run.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// The act, from 0.
    pub fn act(&self) -> usize {
        self.act
    }

    /// The attempt at it, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The epoch of the worker it was given to.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}

/// Proof that the run was not to stop when its ledger was looked at once more, after the permit in it was given. What is
/// slow to begin and cannot be taken back is sent against this, and not against the permit alone.
///
/// ```compile_fail
/// fn twice(unstopped: runcord_flow::Unstopped) -> (runcord_flow::Unstopped, runcord_flow::Unstopped) {
///     (unstopped.clone(), unstopped)
/// }
/// ```
#[derive(Debug)]
pub struct Unstopped {
    permit: Permit,
}

impl Unstopped {
    /// Only for the ledger, which has looked. A test reads the sources and holds that.
    pub fn seen(permit: Permit) -> Self {
        Self { permit }
    }

    /// The permit, which is spent with this.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }
}

#[cfg(test)]
mod tests {
    use runcord_model::{
        Approval, Coverage, Decision, Environment, Measure, Outcome, PlanBody, RunbookRef, Target,
    };
    use serde_json::{Map, json};

    use super::*;

    fn digest(byte: u8) -> Digest {
        Digest::from_bytes([byte; 32])
    }

    fn at(second: i64) -> Moment {
        let utc = jiff::Timestamp::from_second(second).unwrap();
        Moment { utc, boot_id: "boot".into(), boot_ms: u64::try_from(second).unwrap() * 1000 }
    }

    fn decision(outcome: Outcome) -> Decision {
        Decision { outcome, approvals_needed: vec![], reasons: vec![] }
    }

    fn allowed(plan: u8, policy: u8) -> Allowed {
        Allowed::pronounced(&digest(plan), &digest(policy), &decision(Outcome::Allow)).unwrap()
    }

    fn plan() -> Plan {
        let name = |text: &str| text.parse().unwrap();
        let body = PlanBody {
            installation: "here".into(),
            plan_id: PlanId::from_entropy([1; 16]),
            principal: Principal { requester: name_of("claude"), sponsor: name("sam") },
            target: Target { name: "t".into(), environment: Environment::Prod, identity: "i".into() },
            runbook: RunbookRef {
                name: "drain_node".parse().unwrap(),
                version: "1.0.0".into(),
                digest: digest(9),
            },
            params: Map::new(),
            reason: "because".into(),
            incident: None,
            deadline: Deadline::after(at(1000), 600_000),
            policy: digest(2),
            effect: Effect { equal: json!([{"uid": "u"}]) },
            blast_radius: BlastRadius::nothing(),
        };
        Plan {
            body,
            digest: digest(1),
            effect_digest: digest(3),
            headline: "drain node n7 on t".into(),
            steps: vec![],
            diff: vec![],
            coverage: Coverage::default(),
            decision: decision(Outcome::NeedsApproval),
            summary: String::new(),
            next: String::new(),
        }
    }

    fn name_of(text: &str) -> runcord_model::AgentName {
        text.parse().unwrap()
    }

    fn approval(person: &str, verdict: Verdict, plan: u8, key: KeyKind) -> VerifiedApproval {
        let approval = Approval {
            plan_id: PlanId::from_entropy([1; 16]),
            plan_digest: digest(plan),
            verdict,
            approver: person.parse().unwrap(),
            shown: digest(7),
            at: at(1010).utc,
            expires: at(1500).utc,
        };
        VerifiedApproval::attested(approval, key)
    }

    fn yes(person: &str) -> VerifiedApproval {
        approval(person, Verdict::Approve, 1, KeyKind::Ordinary)
    }

    fn mint_at(second: i64, approvals: &[VerifiedApproval]) -> Result<Warrant, Unwarranted> {
        let plan = plan();
        let (effect, blast_radius) = (&plan.body.effect, &plan.body.blast_radius);
        let now = at(second);
        let fresh = Fresh { effect, blast_radius, until: &plan.body.deadline, now: &now };
        Warrant::mint(allowed(1, 2), approvals, &plan, fresh)
    }

    fn mint(approvals: &[VerifiedApproval]) -> Unwarranted {
        mint_at(1020, approvals).unwrap_err()
    }

    #[test]
    fn a_warrant_names_its_plan_and_its_approvers() {
        let warrant = mint_at(1020, &[yes("bob"), yes("ana")]).unwrap();
        let names: Vec<_> = warrant.approvers().iter().map(PersonName::as_str).collect();
        assert_eq!(names, ["ana", "bob"]);
        assert_eq!((warrant.plan_digest(), warrant.policy()), (&digest(1), &digest(2)));
    }

    #[test]
    fn the_judgement_must_be_of_this_plan_under_its_policy() {
        let plan = plan();
        let now = at(1020);
        let (effect, blast_radius) = (&plan.body.effect, &plan.body.blast_radius);
        let fresh = Fresh { effect, blast_radius, until: &plan.body.deadline, now: &now };
        let other =
            |plan_digest, policy| Warrant::mint(allowed(plan_digest, policy), &[], &plan, fresh).unwrap_err();
        assert_eq!(other(5, 2), Unwarranted::OtherPlanJudged);
        assert_eq!(other(1, 5), Unwarranted::OtherPolicy);
    }

    #[test]
    fn every_approval_must_be_a_yes_to_this_plan() {
        let ana: PersonName = "ana".parse().unwrap();
        let ordinary = KeyKind::Ordinary;
        assert_eq!(
            mint(&[approval("ana", Verdict::Approve, 5, ordinary)]),
            Unwarranted::OtherPlanApproved(ana.clone())
        );
        assert_eq!(
            mint(&[approval("ana", Verdict::Reject, 1, ordinary)]),
            Unwarranted::Rejected(ana.clone())
        );
        assert_eq!(mint(&[yes("ana"), yes("ana")]), Unwarranted::ApprovedTwice(ana.clone()));
        assert_eq!(mint_at(1500, &[yes("ana")]).unwrap_err(), Unwarranted::ApprovalExpired(ana));
    }

    #[test]
    fn a_sponsor_needs_a_security_key() {
        assert_eq!(mint(&[yes("sam")]), Unwarranted::SponsorsOrdinaryKey("sam".parse().unwrap()));
        let touched = approval("sam", Verdict::Approve, 1, KeyKind::SecurityKeyTouched);
        assert!(mint_at(1020, &[touched]).is_ok());
    }

    #[test]
    fn what_was_approved_must_still_be_true() {
        assert_eq!(mint_at(1600, &[]).unwrap_err(), Unwarranted::Expired);
        let plan = plan();
        let now = at(1020);
        let moved = Effect { equal: json!([{"uid": "other"}]) };
        let worse = BlastRadius { pods_lost: Measure::Known(1), ..BlastRadius::nothing() };
        let fresh =
            |effect, blast_radius| Fresh { effect, blast_radius, until: &plan.body.deadline, now: &now };
        let mint = |fresh| Warrant::mint(allowed(1, 2), &[], &plan, fresh).unwrap_err();
        assert_eq!(mint(fresh(&moved, &plan.body.blast_radius)), Unwarranted::Drifted);
        assert_eq!(mint(fresh(&plan.body.effect, &worse)), Unwarranted::Worse);
    }
}
