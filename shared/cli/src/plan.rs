//! `runcord plan`: the plans that there are, one of them as its approver sees it, and its export.

use std::path::PathBuf;

use runcord_ledger::{KeptApproval, KeptPlan, Ledger, PlanFilter, PlanStatus};
use runcord_model::approval::Verdict;
use runcord_model::{Deadline, Moment, Outcome, Plan, PlanId};
use runcord_runtime::{approvals, page};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::around::Around;
use crate::failure::Failure;
use crate::files::{self, Readers};
use crate::output::{Answer, columns, painted, when};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// The newest plans
    List {
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u32,
    },
    /// One plan: what it would do, what is lost, who asks, what policy says, who signed
    Show {
        /// The plan's id
        plan: PlanId,
    },
    /// Write a plan to a file, for an approver who cannot reach this ledger
    Export {
        /// The plan's id
        plan: PlanId,
        /// Write to this new file [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

pub(crate) fn run(command: &Command, around: &Around) -> Result<Answer, Failure> {
    let ledger = around.ledger()?;
    let now = around.now()?;
    match command {
        Command::List { limit } => list(&ledger, *limit, &now),
        Command::Show { plan } => show(&ledger, plan, &now),
        Command::Export { plan, out } => export(&find(&ledger, plan)?.plan, out.as_ref()),
    }
}

/// The plan of that id.
///
/// # Errors
/// There is none; or it is not the one its digest is of, and then nobody could know what they sign.
pub(crate) fn find(ledger: &Ledger, id: &PlanId) -> Result<KeptPlan, Failure> {
    let kept = ledger.plan(id)?.ok_or_else(|| {
        Failure::refused(
            format!("there is no plan {id} in this ledger"),
            "list the plans with `runcord plan list`; is it another --state folder?",
        )
    })?;
    truthful(&kept.plan)?;
    Ok(kept)
}

/// Checks that the plan is the one its digests are of.
///
/// # Errors
/// It is not.
pub(crate) fn truthful(plan: &Plan) -> Result<(), Failure> {
    if runcord_seal::digests_hold(plan) {
        return Ok(());
    }
    Err(Failure::refused(
        "this plan is not the one that its digest is of: it was changed since it was made",
        "do not approve it; have it planned again, and find out who changed it",
    ))
}

fn list(ledger: &Ledger, limit: u32, now: &Moment) -> Result<Answer, Failure> {
    let (mut rows, mut listed) = (Vec::new(), Vec::new());
    for kept in ledger.plans(&PlanFilter { limit, ..PlanFilter::default() })? {
        let until = approvals::deadline(ledger, &kept)?;
        let state = state_word(&kept, &until, now);
        let (plan, body) = (&kept.plan, &kept.plan.body);
        rows.push([
            state.to_owned(),
            body.plan_id.to_string(),
            plan.headline.clone(),
            body.principal.to_string(),
            left(&until, now),
        ]);
        listed.push(json!({
            "plan_id": body.plan_id, "headline": plan.headline, "state": state, "digest": plan.digest,
            "principal": body.principal, "target": body.target, "made": kept.made.utc, "open_until": until.utc(),
        }));
    }
    let page = if rows.is_empty() { "There are no plans.".to_owned() } else { columns(&rows) };
    Ok(Answer::done(page, json!({"plans": listed})))
}

/// Where a plan stands, in one word.
fn state_word(kept: &KeptPlan, until: &Deadline, now: &Moment) -> &'static str {
    match &kept.status {
        PlanStatus::Spent(_) => "applied",
        PlanStatus::Rejected { .. } => "rejected",
        PlanStatus::Void { .. } => "void",
        PlanStatus::Open if until.passed(now) => "expired",
        PlanStatus::Open => match kept.plan.decision.outcome {
            Outcome::Allow => "ready",
            Outcome::Deny => "denied",
            Outcome::NeedsApproval => "waiting",
        },
    }
}

fn left(until: &Deadline, now: &Moment) -> String {
    let minutes = (until.utc().as_second() - now.utc.as_second()).div_euclid(60);
    if until.passed(now) || minutes < 0 { String::new() } else { format!("{minutes} min left") }
}

fn show(ledger: &Ledger, id: &PlanId, now: &Moment) -> Result<Answer, Failure> {
    let kept = find(ledger, id)?;
    let until = approvals::deadline(ledger, &kept)?;
    let signed = ledger.approvals(id)?;
    let state = state_word(&kept, &until, now);
    let mut shown = painted(&page::plan_page(&kept.plan));
    shown.push_str(&format!("\n\nstate         {state}, open until {}\n", when(until.utc())));
    shown.push_str(&format!("signed        {}\n", signed_words(&signed)));
    shown.push_str(&format!("to do         {}\n", to_do(&kept, state)));
    let people: Vec<_> = signed.iter().map(signature_json).collect();
    let json =
        json!({"plan": kept.plan.to_contract(), "state": state, "open_until": until.utc(), "signed": people});
    Ok(Answer::done(shown, json))
}

fn signature_json(one: &KeptApproval) -> Value {
    json!({"by": one.approver, "verdict": one.verdict, "at": one.at.utc})
}

fn signed_words(signed: &[KeptApproval]) -> String {
    if signed.is_empty() {
        return "by nobody yet".to_owned();
    }
    let one = |one: &KeptApproval| match one.verdict {
        Verdict::Approve => format!("by {} at {}", one.approver, when(one.at.utc)),
        Verdict::Reject => format!("rejected by {} at {}", one.approver, when(one.at.utc)),
    };
    signed.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What the person who reads the page can do about it.
fn to_do(kept: &KeptPlan, state: &str) -> String {
    let id = &kept.plan.body.plan_id;
    match (&kept.status, state) {
        (PlanStatus::Spent(run), _) => format!("see what came of it: runcord run show {run}"),
        (PlanStatus::Rejected { by }, _) => format!("nothing; {by} rejected it"),
        (PlanStatus::Void { reason }, _) => format!("nothing; it is void: {reason}"),
        (PlanStatus::Open, "waiting") => format!("runcord approve {id}, or runcord reject {id} --reason …"),
        (PlanStatus::Open, "ready") => "nothing; its agent may apply it".to_owned(),
        (PlanStatus::Open, _) => "nothing; it has to be planned again".to_owned(),
    }
}

/// A plan in a file, for an approver elsewhere.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Export {
    kind: ExportKind,
    /// The plan with its digests, complete.
    pub(crate) plan: Plan,
    /// The page that its approver is shown.
    page: String,
}

#[derive(Debug, Serialize, Deserialize)]
enum ExportKind {
    #[serde(rename = "runcord-plan-1")]
    Plan1,
}

impl Export {
    fn of(plan: &Plan) -> Self {
        Self { kind: ExportKind::Plan1, plan: plan.clone(), page: page::plan_page(plan) }
    }

    /// Reads an export.
    ///
    /// # Errors
    /// It is none; or its plan or its page are not those that its digest is of.
    pub(crate) fn read(text: &str) -> Result<Self, Failure> {
        let export: Self = serde_json::from_str(text).map_err(|error| {
            Failure::refused(
                "the file is no plan that was exported",
                "make one with `runcord plan export PLAN --out FILE`",
            )
            .because(error)
        })?;
        truthful(&export.plan)?;
        if export.page == page::plan_page(&export.plan) {
            Ok(export)
        } else {
            Err(Failure::refused(
                "the page in the file is not its plan's",
                "do not sign it; ask for a fresh export",
            ))
        }
    }
}

fn export(plan: &Plan, out: Option<&PathBuf>) -> Result<Answer, Failure> {
    let export = serde_json::to_value(Export::of(plan)).map_err(|error| {
        Failure::surroundings("the plan could not be written down", "report this").because(error)
    })?;
    let Some(file) = out else { return Ok(Answer::done(format!("{export:#}"), export)) };
    files::write_new(file, &format!("{export:#}\n"), Readers::Owner)?;
    let page = format!(
        "{} written to {}.\nThe approver runs `runcord approve {}` and sends back what it writes; bring it in with `runcord approval import FILE`.",
        plan.headline,
        file.display(),
        file.display()
    );
    Ok(Answer::done(page, json!({"file": file, "plan_id": plan.body.plan_id, "digest": plan.digest})))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::sample;

    /// A plan that was made at the beginning of time and waits for one approver.
    pub(crate) fn waiting() -> Plan {
        sample::waiting("test", PlanId::from_entropy([7; 16]), "bo", &moment(0), 1)
    }

    fn moment(seconds: i64) -> Moment {
        Moment {
            utc: jiff::Timestamp::from_second(seconds).unwrap(),
            boot_id: "b".into(),
            boot_ms: 1000 * seconds as u64,
        }
    }

    #[test]
    fn an_export_survives_and_a_changed_one_is_refused() {
        let text = serde_json::to_string(&Export::of(&waiting())).unwrap();
        assert!(Export::read(&text).is_ok());
        for (from, to) in [
            ("disk is failing", "disk is well"),
            ("k8s:x", "k8s:y"),
            ("\"action\":\"cordon\"", "\"action\":\"drain\""),
            ("Policy", "policy"),
        ] {
            let changed = text.replace(from, to);
            assert_ne!(changed, text, "{from} stands in it");
            assert!(Export::read(&changed).is_err(), "{from} was changed and accepted");
        }
        let other_page = text.replace("\"page\":\"drain node n7", "\"page\":\"drain node n8");
        assert_ne!(other_page, text);
        assert!(Export::read(&other_page).is_err());
    }

    #[test]
    fn a_plan_that_is_not_its_digest_is_not_shown() {
        let mut changed = waiting();
        changed.body.reason = "another".into();
        assert!(truthful(&changed).is_err());
        assert!(truthful(&waiting()).is_ok());
    }

    #[test]
    fn time_left_ends_at_the_deadline() {
        let until = Deadline::after(moment(0), 3_600_000);
        assert_eq!(left(&until, &moment(600)), "50 min left");
        assert_eq!(left(&until, &moment(3600)), "");
    }
}
