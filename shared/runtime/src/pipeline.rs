//! The one way through, from *requested* to *judged*: a straight line of types, each made only from the one
//! before. Nothing here is journalled but its result.

use std::sync::Arc;

use runcord_model::{
    Code, Decision, Effect, EffectKind, PersonName, Plan, PlanBody, PlanStep, Principal, Refusal, Scopes,
    Signed, StepCall, Target as TargetRef,
};
use runcord_model::{Deadline, Moment};
use runcord_policy::{Ask, Evidence};
use runcord_runbooks::{Filled, Scene, Verdict};
use serde_json::{Map, Value, json};

use crate::entry::Entry;
use crate::library::Loaded;
use crate::material::{Origin, PlanMaterial, Step};
use crate::target::{Actions, Draft, Fixed, Measured as Measurement, Target};
use crate::{page, refuse};

/// A call whose parameters hold against the runbook, and whose steps its server can read.
#[derive(Debug, Clone)]
pub struct Requested {
    principal: Principal,
    entry: Arc<Entry>,
    filled: Filled,
    headline: String,
    calls: Vec<StepCall>,
    scopes: Scopes,
    origin: Origin,
}

impl Requested {
    /// Takes in a call of a runbook's tool.
    ///
    /// # Errors
    /// `invalid_params`, naming the parameter and the rule.
    pub fn new(
        principal: &Principal,
        entry: &Arc<Entry>,
        args: &Map<String, Value>,
        target_name: &str,
    ) -> Result<Self, Refusal> {
        let filled = entry.runbook.fill(args).map_err(|e| invalid(&e.param, &e.rule))?;
        let calls = entry.runbook.steps(&filled).map_err(|e| invalid(&e.param, &e.rule))?;
        let headline = format!("{} on {target_name}", entry.runbook.headline(&filled));
        Ok(Self::again(principal, entry, filled, headline, calls, Origin::Steps))
    }

    /// Takes in steps that were filled in before: a plan that is planned again, or the way back from a run.
    pub fn again(
        principal: &Principal,
        entry: &Arc<Entry>,
        filled: Filled,
        headline: String,
        calls: Vec<StepCall>,
        origin: Origin,
    ) -> Self {
        Self {
            principal: principal.clone(),
            entry: Arc::clone(entry),
            filled,
            headline,
            calls,
            scopes: Scopes::default(),
            origin,
        }
    }

    /// Asks policy before any I/O: of principal, runbook, target and parameters, for reads too.
    ///
    /// # Errors
    /// `invalid_params` when the server cannot read a step; `policy_denied`, which shows nothing of the target.
    pub fn admit<A: Actions>(
        mut self,
        loaded: &Arc<Loaded>,
        target: &TargetRef,
    ) -> Result<Admitted<A>, Refusal> {
        let catalog = A::catalog();
        let mut actions = Vec::new();
        for call in &self.calls {
            let scopes = (catalog.check)(call).map_err(|e| invalid(&e.field, &e.rule))?;
            self.scopes = std::mem::take(&mut self.scopes).union(scopes);
            actions.push(A::action(call).map_err(|e| invalid(&e.field, &e.rule))?);
        }
        let ask = self.ask(target);
        let decision = loaded.policies.admit(&ask);
        match decision.outcome {
            runcord_model::Outcome::Allow => {}
            runcord_model::Outcome::NeedsApproval | runcord_model::Outcome::Deny => {
                return Err(refuse::denied(&decision));
            }
        }
        Ok(Admitted { requested: self, loaded: Arc::clone(loaded), target: target.clone(), actions })
    }

    /// The runbook it is a call of.
    pub fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    fn ask(&self, target: &TargetRef) -> Ask {
        Ask {
            principal: self.principal.clone(),
            effect: self.entry.runbook.effect(),
            runbook: self.entry.runbook.name().clone(),
            actions: self.calls.iter().map(|call| call.action.clone()).collect(),
            server: self.entry.runbook.server().to_owned(),
            target: target.clone(),
            scopes: self.scopes.clone(),
            params: self.filled.params().clone(),
        }
    }
}

/// A call that policy lets look at the target.
#[derive(Debug)]
pub struct Admitted<A: Actions> {
    requested: Requested,
    loaded: Arc<Loaded>,
    target: TargetRef,
    actions: Vec<A::Action>,
}

impl<A: Actions> Admitted<A> {
    /// The typed steps: a read-only runbook has exactly these to carry out.
    pub fn actions(&self) -> &[A::Action] {
        &self.actions
    }

    /// Looks at what the steps are concerned with.
    ///
    /// # Errors
    /// `plan_drifted` when the target is no longer the one that the server was started for; what the target refuses.
    pub async fn probe<T: Target<A = A>>(self, target: &T) -> Result<Probed<A>, Refusal> {
        let identity = target.identity().await?;
        if identity != self.target.identity {
            return Err(Refusal::new(
                Code::PlanDrifted,
                "the target is not the one that this server was started for",
                "restart the server; if nobody switched clusters on purpose, ask who did",
            ));
        }
        let seen = target.probe(&self.actions).await?;
        Ok(Probed { admitted: self, seen })
    }

    fn preconditions(&self, seen: &A::Seen) -> Result<(), Refusal> {
        let observed = A::observe(seen);
        let scene = Scene::new(&observed);
        let mut failed = Vec::new();
        for check in self.requested.entry.runbook.preconditions() {
            match check.evaluate(&scene, &self.requested.filled) {
                Verdict::Held => {}
                Verdict::NotHeld { message } => failed.push((check.source(), message)),
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        let messages: Vec<_> = failed.iter().map(|(_, message)| message.as_str()).collect();
        Err(Refusal::new(
            Code::PreconditionFailed,
            format!("a precondition of the runbook does not hold: {}", messages.join("; ")),
            "nothing was changed; look at the target with a read-only runbook, mend what is missing, then plan again",
        )
        .with_details(json!({
            "failed": failed.iter().map(|(check, message)| json!({"check": check, "message": message})).collect::<Vec<_>>()
        })))
    }
}

/// What was looked at.
#[derive(Debug)]
pub struct Probed<A: Actions> {
    admitted: Admitted<A>,
    seen: A::Seen,
}

impl<A: Actions> Probed<A> {
    /// Drafts every step on what the ones before it would leave, holds the runbook's preconditions, and asks the
    /// target what it can tell of the acts. Drafts come first: they say best what is not there.
    ///
    /// # Errors
    /// `precondition_failed` with what a draft refuses or with each message that does not hold; what the target says
    /// no to.
    pub async fn plan<T: Target<A = A>>(self, target: &T, fixed: Fixed) -> Result<Planned<A>, Refusal> {
        let catalog = A::catalog();
        let mut left: Option<A::Seen> = None;
        let (mut steps, mut equal) = (Vec::new(), Vec::new());
        for (call, action) in self.admitted.requested.calls.iter().zip(&self.admitted.actions) {
            let expected = left.as_ref().unwrap_or(&self.seen);
            let Draft { acts, predicted, summary } = A::draft(action, expected, &fixed)?;
            equal.push(json!({"step": call.id, "action": call.action, "with": call.with, "effect": A::canonical(&acts, expected)}));
            let effect = catalog.action(&call.action).map_or(EffectKind::Undetermined, |spec| spec.effect);
            steps.push(Step { call: call.clone(), effect, summary, acts });
            left = Some(predicted);
        }
        if self.admitted.requested.origin == Origin::Steps {
            self.admitted.preconditions(&self.seen)?;
        }
        let all: Vec<A::Act> = steps.iter().flat_map(|step| step.acts.iter().cloned()).collect();
        let dry_run = target.dry_run(&all).await?;
        Ok(Planned { probed: self, fixed, steps, effect: Effect { equal: Value::Array(equal) }, dry_run })
    }
}

/// What exactly would be done.
#[derive(Debug)]
pub struct Planned<A: Actions> {
    probed: Probed<A>,
    fixed: Fixed,
    steps: Vec<Step<A>>,
    effect: Effect,
    dry_run: A::DryRun,
}

impl<A: Actions> Planned<A> {
    /// Measures what it would do.
    pub fn measure(self) -> Measured<A> {
        let acts: Vec<Vec<A::Act>> = self.steps.iter().map(|step| step.acts.clone()).collect();
        let measurement = A::measure(&self.probed.seen, &acts, &self.dry_run);
        Measured { planned: self, measurement }
    }
}

/// What exactly would be done, and what that would cost.
#[derive(Debug)]
pub struct Measured<A: Actions> {
    planned: Planned<A>,
    measurement: Measurement,
}

impl<A: Actions> Measured<A> {
    /// Asks policy of the measured effect, with nobody's approval yet.
    pub fn judge(self, now: &Moment) -> Judged<A> {
        let admitted = &self.planned.probed.admitted;
        let mut ask = admitted.requested.ask(&admitted.target);
        ask.scopes = ask.scopes.union(self.measurement.scopes.clone());
        let evidence = Evidence {
            blast: self.measurement.blast_radius.clone(),
            irreversible_cap: i64::from(admitted.requested.entry.runbook.limits().irreversible),
            signed: Vec::new(),
            now: now.utc,
        };
        let decision = admitted.loaded.policies.judge(&ask, &evidence);
        Judged { measured: self, ask, evidence, decision }
    }
}

/// The end of the line: planned, measured, and judged by policy as it is now.
#[derive(Debug)]
pub struct Judged<A: Actions> {
    measured: Measured<A>,
    ask: Ask,
    evidence: Evidence,
    decision: Decision,
}

/// How long a plan may be open without an approval, and after its last signature, in milliseconds.
pub const PLAN_TTL_MS: u64 = 60 * 60 * 1000;
/// See [`PLAN_TTL_MS`].
pub const APPROVED_TTL_MS: u64 = 10 * 60 * 1000;

impl<A: Actions> Judged<A> {
    /// What policy said, with nobody's approval.
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// What must be equal at apply.
    pub fn effect(&self) -> &Effect {
        &self.measured.planned.effect
    }

    /// What may only have improved at apply.
    pub fn blast_radius(&self) -> &runcord_model::BlastRadius {
        &self.measured.measurement.blast_radius
    }

    /// Asks policy once more with those who signed, for the plan of that digest.
    ///
    /// # Errors
    /// The decision, when it is not an allow.
    pub fn pronounce(
        &self,
        signed: Vec<PersonName>,
        plan: &runcord_model::Digest,
    ) -> Result<runcord_model::proof::Allowed, Decision> {
        let evidence = Evidence { signed, ..self.evidence.clone() };
        self.policies().pronounce(&self.ask, &evidence, plan)
    }

    /// What would be done.
    pub fn acts(&self) -> impl Iterator<Item = &A::Act> {
        self.measured.planned.steps.iter().flat_map(|step| &step.acts)
    }

    fn policies(&self) -> &runcord_policy::Policies {
        &self.measured.planned.probed.admitted.loaded.policies
    }

    /// Freezes it: the plan, and what is kept beside it.
    ///
    /// # Errors
    /// `internal` when it cannot be written canonically.
    pub fn freeze(self, installation: &str, now: &Moment) -> Result<(Plan, PlanMaterial<A>), Refusal> {
        let Planned { probed, fixed, steps, effect, .. } = self.measured.planned;
        let Probed { admitted, .. } = probed;
        let limits = admitted.requested.entry.runbook.limits();
        let body = PlanBody {
            installation: installation.to_owned(),
            plan_id: fixed.plan.clone(),
            principal: admitted.requested.principal,
            target: admitted.target,
            runbook: admitted.requested.entry.reference(),
            params: admitted.requested.filled.params().clone(),
            reason: admitted.requested.filled.reason().to_owned(),
            incident: admitted.requested.filled.incident().map(str::to_owned),
            deadline: Deadline::after(
                now.clone(),
                limits.plan_ttl_ms.unwrap_or(PLAN_TTL_MS).min(PLAN_TTL_MS),
            ),
            policy: admitted.loaded.policies.digest().clone(),
            effect,
            blast_radius: self.measured.measurement.blast_radius.clone(),
        };
        let headline = match &admitted.requested.origin {
            Origin::Steps => admitted.requested.headline,
            // What is about to happen is the way back, not what the runbook's own headline says.
            Origin::Undo { .. } => undo_headline(&steps, &body.target.name),
        };
        let Measurement { diff, coverage, remarks, .. } = self.measured.measurement;
        let decision = self.decision;
        let summary = page::plan_summary(&headline, &body, &decision, &remarks);
        let next = page::plan_next(&body.plan_id, &headline, &decision);
        let steps_told: Vec<_> = steps.iter().map(plan_step).collect();
        let unwritable = |_| refuse::internal("a plan could not be written canonically");
        let effect_digest = runcord_seal::digest_of(&body.effect.equal).map_err(unwritable)?;
        let digest = runcord_seal::digest_of(&Signed {
            body: &body,
            effect_digest: &effect_digest,
            headline: &headline,
            steps: &steps_told,
            diff: &diff,
            coverage: &coverage,
            decision: &decision,
            summary: &summary,
        })
        .map_err(unwritable)?;
        let plan = Plan {
            body,
            digest,
            effect_digest,
            headline,
            steps: steps_told,
            diff,
            coverage,
            decision,
            summary,
            next,
        };
        let page = page::plan_page(&plan);
        Ok((plan, PlanMaterial { origin: admitted.requested.origin, fixed, steps, page }))
    }

    /// The steps with their acts and what the probe saw: what a run is begun with.
    pub fn into_acts(self) -> (Vec<Step<A>>, A::Seen) {
        let Planned { probed, steps, .. } = self.measured.planned;
        (steps, probed.seen)
    }
}

fn undo_headline<A: Actions>(steps: &[Step<A>], target: &str) -> String {
    let summaries: Vec<_> = steps.iter().map(|step| step.summary.as_str()).collect();
    format!("undo: {} on {target}", summaries.join(", then "))
}

fn plan_step<A: Actions>(step: &Step<A>) -> PlanStep {
    PlanStep {
        id: step.call.id.clone(),
        action: step.call.action.clone(),
        effect: step.effect,
        summary: step.summary.clone(),
    }
}

fn invalid(param: &str, rule: &str) -> Refusal {
    Refusal::new(
        Code::InvalidParams,
        format!("{param}: {rule}"),
        "correct the parameter as the tool's input schema says, then call again; nothing was sent to the target",
    )
    .with_details(json!({"param": param, "rule": rule}))
}
