//! From an approved plan to a begun run: admit, probe and plan again, compare, judge again, spend the warrant.

use std::sync::Arc;

use runcord_flow::{Fresh, Unwarranted, Warrant};
use runcord_ledger::{BeginError, Beside, KeptPlan, Ledger, Start};
use runcord_model::{
    Code, Deadline, Decision, Moment, Outcome, PersonName, Plan, Principal, RecordKind, Refusal, RunId,
};
use runcord_runbooks::Filled;
use serde_json::{Value, json};

use crate::entry::Entry;
use crate::library::Loaded;
use crate::material::{PlanMaterial, RunMaterial};
use crate::pipeline::{Judged, Requested};
use crate::target::{Actions, Target};
use crate::{approvals, authority, clock, refuse, undo};

/// All that applying one plan needs from its surroundings.
#[derive(Debug)]
pub struct Surroundings<'a, T: Target> {
    /// The target.
    pub target: &'a T,
    /// The identity frozen when the server started.
    pub identity: &'a str,
    /// The policy and runbooks as they are now.
    pub loaded: &'a Arc<Loaded>,
    /// The ledger.
    pub ledger: &'a Ledger,
}

/// Applies `kept` for `principal`: the run is durable when this returns, and its worker is still to be started.
///
/// # Errors
/// Every refusal of `apply_plan`. None of them has sent anything to the target but reads and dry-runs.
pub async fn begin<T: Target>(
    around: &Surroundings<'_, T>,
    principal: &Principal,
    kept: &KeptPlan,
    expect: &str,
) -> Result<RunId, Refusal> {
    let plan = &kept.plan;
    let now = clock::now()?;
    expected(plan, expect)?;
    refuse::clock(around.ledger, &now)?;
    let until = approvals::deadline(around.ledger, kept)?;
    approvals::still_open(kept, &until, &now)?;
    armed(around.ledger, principal)?;
    let in_force = authority::in_force(around.ledger, around.loaded)?;
    let entry = same_files(around.loaded, plan)?;
    let signed = approvals::counting(around.ledger, around.loaded, kept, &now)?;
    let material: PlanMaterial<T::A> =
        kept.extras.read().map_err(|_| refuse::internal("what was kept beside the plan cannot be read"))?;

    let judged = plan_again(around, principal, plan, &material, &entry, &now).await?;
    if let Some(drift) = drift(plan, &judged) {
        return Err(drifted(around, principal, plan, &material, &entry, drift).await);
    }
    let people = approvals::people(&signed);
    let allowed = judged.pronounce(people.clone(), &plan.digest).map_err(|d| not_allowed(plan, &d))?;
    let now = clock::now()?;
    let fresh =
        Fresh { effect: judged.effect(), blast_radius: judged.blast_radius(), until: &until, now: &now };
    let warrant = Warrant::mint(allowed, &signed, plan, fresh).map_err(|e| unwarranted(plan, &e))?;
    let run = clock::run_id()?;
    let start = start(in_force, run.clone(), plan, &entry, material, judged, &people, &now)?;
    around.ledger.begin(warrant, start, &now).map_err(|e| not_begun(plan, &e))?;
    Ok(run)
}

fn expected(plan: &Plan, expect: &str) -> Result<(), Refusal> {
    if expect == plan.headline {
        return Ok(());
    }
    Err(Refusal::new(
        Code::InvalidParams,
        "expect: must equal the headline of the plan, so that whoever consents sees what is about to happen",
        format!("if this is what you mean to do, call apply_plan with expect \"{}\"", plan.headline),
    )
    .with_details(json!({"param": "expect", "headline": plan.headline})))
}

fn armed(ledger: &Ledger, principal: &Principal) -> Result<(), Refusal> {
    match ledger.cord_for(principal).map_err(|e| refuse::ledger(&e))? {
        runcord_ledger::CordState::Armed => Ok(()),
        runcord_ledger::CordState::Pulled { by, at, .. } => Err(cord_pulled(&by, &at.utc.to_string())),
    }
}

pub(crate) fn cord_pulled(by: &str, at: &str) -> Refusal {
    Refusal::new(
        Code::CordPulled,
        format!("the cord was pulled by {by} at {at}; nothing is applied"),
        "wait for a person: only `runcord cord reset` arms it again",
    )
}

/// The runbook and the policy must be the very ones that the plan was made and approved under.
fn same_files(loaded: &Loaded, plan: &Plan) -> Result<Arc<Entry>, Refusal> {
    let again = "make a new plan with the runbook's plan tool";
    let changed = |what: &str| {
        Refusal::new(
            Code::PlanDrifted,
            format!("{what} changed since this plan was made; the plan is void"),
            again,
        )
    };
    let entry = loaded.runbooks.get(&plan.body.runbook.name).ok_or_else(|| changed("the runbook"))?;
    if entry.reference() != plan.body.runbook {
        return Err(changed("the runbook"));
    }
    if loaded.policies.digest() != &plan.body.policy {
        return Err(changed("the policy"));
    }
    Ok(Arc::clone(entry))
}

async fn plan_again<T: Target>(
    around: &Surroundings<'_, T>,
    principal: &Principal,
    plan: &Plan,
    material: &PlanMaterial<T::A>,
    entry: &Arc<Entry>,
    now: &Moment,
) -> Result<Judged<T::A>, Refusal> {
    let calls = material.steps.iter().map(|step| step.call.clone()).collect();
    let filled = refill(plan, entry)?;
    let requested =
        Requested::again(principal, entry, filled, plan.headline.clone(), calls, material.origin.clone());
    let target = around.loaded.policies.target(around.identity);
    let planned = requested
        .admit::<T::A>(around.loaded, &target)?
        .probe(around.target)
        .await?
        .plan(around.target, material.fixed.clone())
        .await?;
    Ok(planned.measure().judge(now))
}

/// The plan's own arguments, held against its runbook once more.
fn refill(plan: &Plan, entry: &Entry) -> Result<Filled, Refusal> {
    let mut args = plan.body.params.clone();
    args.insert("reason".to_owned(), plan.body.reason.clone().into());
    if let Some(incident) = &plan.body.incident {
        args.insert("incident".to_owned(), incident.clone().into());
    }
    entry
        .runbook
        .fill(&args)
        .map_err(|_| refuse::internal("the plan's parameters no longer hold against its runbook"))
}

/// What moved between plan and apply, if anything that matters did.
fn drift<A: Actions>(plan: &Plan, judged: &Judged<A>) -> Option<Value> {
    let differences = plan.body.effect.differences(judged.effect());
    let worse = judged.blast_radius().worse_than(&plan.body.blast_radius);
    if differences.is_empty() && worse.is_empty() {
        return None;
    }
    let differences: Vec<_> = differences
        .into_iter()
        .map(|(at, planned, now)| json!({"at": at, "planned": planned, "now": now}))
        .chain(worse.into_iter().map(|(name, planned, now)| {
            json!({"at": format!("blast_radius/{name}"), "planned": planned, "now": now})
        }))
        .collect();
    Some(Value::Array(differences))
}

/// `plan_drifted`, with the differences and a fresh plan in the old one's place.
async fn drifted<T: Target>(
    around: &Surroundings<'_, T>,
    principal: &Principal,
    plan: &Plan,
    material: &PlanMaterial<T::A>,
    entry: &Arc<Entry>,
    differences: Value,
) -> Refusal {
    let fresh = fresh_plan(around, principal, plan, material, entry).await;
    let (fresh, next) = match fresh {
        Ok(fresh) => {
            let next = format!("read the differences; {}", fresh.next);
            (fresh.to_contract(), next)
        }
        Err(refusal) => (
            serde_json::to_value(&refusal).unwrap_or(Value::Null),
            "read the differences, then plan again".to_owned(),
        ),
    };
    Refusal::new(
        Code::PlanDrifted,
        "the target is no longer what this plan was made for; nothing was applied",
        next,
    )
    .with_details(json!({"differences": differences, "fresh_plan": fresh}))
}

async fn fresh_plan<T: Target>(
    around: &Surroundings<'_, T>,
    principal: &Principal,
    plan: &Plan,
    material: &PlanMaterial<T::A>,
    entry: &Arc<Entry>,
) -> Result<Plan, Refusal> {
    let now = clock::now()?;
    let fixed = crate::target::Fixed { at: now.utc, plan: clock::plan_id()? };
    let again = PlanMaterial { fixed, ..material.clone() };
    let judged = plan_again(around, principal, plan, &again, entry, &now).await?;
    keep(around.target, around.ledger, judged, &now).await
}

/// Freezes a plan and keeps it, with what belongs beside it here and at its target.
///
/// # Errors
/// `ledger_unavailable`; or what belongs beside it is gone already.
pub(crate) async fn keep<T: Target>(
    target: &T,
    ledger: &Ledger,
    judged: Judged<T::A>,
    now: &Moment,
) -> Result<Plan, Refusal> {
    let acts: Vec<_> = judged.acts().cloned().collect();
    let (plan, beside) = judged.freeze(ledger.installation(), now)?;
    let beside = Beside::of(&beside).map_err(|_| refuse::internal("a plan could not be written"))?;
    target.keep(&acts, approvals::latest(&plan.body.deadline)).await?;
    ledger.keep_plan(&plan, &beside, now).map_err(|e| refuse::ledger(&e))?;
    Ok(plan)
}

fn not_allowed(plan: &Plan, decision: &Decision) -> Refusal {
    match decision.outcome {
        Outcome::NeedsApproval => Refusal::new(
            Code::ApprovalRequired,
            format!("this plan still needs {}", decision.needed_in_words()),
            format!("ask them to run `runcord approve {}`, then call apply_plan again", plan.body.plan_id),
        )
        .with_details(json!({"decision": decision})),
        Outcome::Deny | Outcome::Allow => refuse::denied(decision),
    }
}

fn unwarranted(plan: &Plan, why: &Unwarranted) -> Refusal {
    let code = match why {
        Unwarranted::OtherPlanJudged => Code::Internal,
        Unwarranted::Expired => Code::PlanExpired,
        Unwarranted::Drifted | Unwarranted::Worse | Unwarranted::OtherPolicy => Code::PlanDrifted,
        Unwarranted::OtherPlanApproved(_)
        | Unwarranted::Rejected(_)
        | Unwarranted::ApprovalExpired(_)
        | Unwarranted::ApprovedTwice(_)
        | Unwarranted::SponsorsOrdinaryKey(_) => Code::ApprovalInvalid,
    };
    Refusal::new(
        code,
        format!("no warrant for {}: {why}", plan.body.plan_id),
        "make a new plan and have it approved",
    )
}

fn not_begun(plan: &Plan, why: &BeginError) -> Refusal {
    match why {
        BeginError::Spent(run) => Refusal::new(
            Code::PlanSpent,
            format!("this plan was applied already, as {run}; a plan is applied once"),
            format!("call run_status with id {run}"),
        ),
        BeginError::Busy { running } => Refusal::new(
            Code::Busy,
            format!(
                "{} under way, and the runbook lets no more run at once",
                running.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
            format!(
                "wait for it with run_status, then call apply_plan with plan_id {} again",
                plan.body.plan_id
            ),
        ),
        BeginError::CordPulled { by, at, .. } => cord_pulled(by, &at.utc.to_string()),
        BeginError::NotOpen(_) | BeginError::OtherPlan(_) => {
            Refusal::new(Code::PlanDrifted, "this plan is over", "make a new plan")
        }
        BeginError::NotSigned(by) => Refusal::new(
            Code::ApprovalInvalid,
            format!("the ledger keeps no approval of {by} for this plan"),
            "make a new plan and have it approved",
        ),
        BeginError::ClockBehind(behind) => refuse::clock_behind(behind),
        BeginError::NotInAuthority { .. } => Refusal::new(
            Code::NotInAuthority,
            "the authority changed while the plan was being applied",
            "make a new plan",
        ),
        BeginError::Ledger(e) => refuse::ledger(e),
    }
}

/// What the ledger begins a run with. Demands the proof that the loaded set is the one in force.
#[expect(clippy::too_many_arguments, reason = "each is one fact of the run, gathered in one place")]
fn start<A: Actions>(
    in_force: authority::InForce,
    run: RunId,
    plan: &Plan,
    entry: &Entry,
    material: PlanMaterial<A>,
    judged: Judged<A>,
    approvers: &[PersonName],
    now: &Moment,
) -> Result<Start, Refusal> {
    let limits = entry.runbook.limits();
    let filled = refill(plan, entry)?;
    let concurrency = entry.runbook.concurrency(&filled).map(|c| (c.key, c.max));
    let timeout_ms = limits.timeout_ms;
    let (steps, seen) = judged.into_acts();
    let before = A::before(seen);
    let acts = steps.iter().flat_map(|step| step.acts.iter().map(A::kind)).collect();
    let way_back = undo::steps::<A>(&entry.runbook, &filled, &before).is_ok();
    let approvers: Vec<String> = approvers.iter().map(ToString::to_string).collect();
    let intent = intent(&run, plan, &approvers);
    let material = RunMaterial::<A> {
        origin: material.origin,
        name: entry.runbook.name().clone(),
        runbook: (entry.file.clone(), entry.runbook.text().to_owned()),
        plan_digest: plan.digest.clone(),
        steps,
        before,
        args: filled.to_args(),
        identity: plan.body.target.identity.clone(),
        headline: plan.headline.clone(),
        approvers,
        way_back,
    };
    let extras = Beside::of(&material).map_err(|_| refuse::internal("a run could not be written"))?;
    Ok(Start {
        run,
        acts,
        extras,
        deadline: Deadline::after(now.clone(), timeout_ms),
        intent,
        concurrency,
        authority: in_force.into_digest(),
    })
}

fn intent(run: &RunId, plan: &Plan, approvers: &[String]) -> Value {
    let body = &plan.body;
    let facts = json!({
        "run_id": run, "plan_id": body.plan_id, "headline": plan.headline, "target": body.target,
        "requester": body.principal.requester, "sponsor": body.principal.sponsor,
        "reason_claimed": body.reason, "incident": body.incident, "runbook": body.runbook,
        "policy": body.policy, "effect_digest": plan.effect_digest, "blast_radius": body.blast_radius,
        "decision": plan.decision, "approvers": approvers,
    });
    crate::statement::of(RecordKind::Intent, body.plan_id.as_str(), &plan.digest, facts)
}
