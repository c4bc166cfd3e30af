//! `runcord approve`, `reject` and `approval import`: a person's signature over a plan's digest.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use runcord_ledger::{KeptPlan, Ledger};
use runcord_model::approval::{APPROVAL_NAMESPACE, Verdict};
use runcord_model::{Approval, Digest, Needed, Outcome, PersonName, Plan, PlanId, RecordKind};
use runcord_runtime::pipeline::APPROVED_TTL_MS;
use runcord_runtime::{approvals, page};
use runcord_seal::Subject;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::activate::{Set, canonical_text};
use crate::around::Around;
use crate::failure::Failure;
use crate::files::{self, Readers};
use crate::keys::{self, KeyArgs, Signer};
use crate::output::{Answer, Mood, painted, plain, when, word};
use crate::plan::{self, Export};
use crate::sign;
use crate::terminal::{Consent, insist, tell};

#[derive(Debug, clap::Args)]
pub(crate) struct ApproveArgs {
    /// The plan's id, or a file made by `runcord plan export`
    #[arg(value_name = "PLAN|FILE")]
    plan: String,
    #[command(flatten)]
    key: KeyArgs,
    /// Do not ask for the target's name; for scripts
    #[arg(long)]
    yes: bool,
    /// With a file: write the approval to this new file [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RejectArgs {
    /// The plan's id
    plan: PlanId,
    /// Why; recorded
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    key: KeyArgs,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum ApprovalCommand {
    /// Bring in an approval that was signed elsewhere
    Import {
        /// The file that `runcord approve FILE` wrote there
        file: PathBuf,
    },
}

/// An approval in a file, on its way back to the ledger.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Carried {
    kind: CarriedKind,
    /// The statement as it was signed, canonical.
    statement: String,
    /// The signature as OpenSSH writes it.
    signature: String,
}

#[derive(Debug, Serialize, Deserialize)]
enum CarriedKind {
    #[serde(rename = "runcord-approval-1")]
    Approval1,
}

pub(crate) async fn approve(args: &ApproveArgs, around: &Around) -> Result<Answer, Failure> {
    match args.plan.parse::<PlanId>() {
        Ok(id) => approve_here(args, &id, around).await,
        Err(_) if Path::new(&args.plan).is_file() => approve_elsewhere(args, around).await,
        Err(_) => Err(Failure::usage(
            format!("`{}` is neither a plan id nor a file", runcord_model::text::visible(&args.plan, 80)),
            "a plan id begins with pln_; see `runcord plan list`",
        )),
    }
}

async fn approve_here(args: &ApproveArgs, id: &PlanId, around: &Around) -> Result<Answer, Failure> {
    let (ledger, set) = (around.ledger()?, Set::of(&around.library()?)?);
    let kept = plan::find(&ledger, id)?;
    approvals::still_open(&kept, &approvals::deadline(&ledger, &kept)?, &around.now()?)?;
    approvable(&kept.plan)?;
    let signer = keys::choose(&args.key, &set.approvers, &sign::at_hand(&around.keys_folder()?).await)?;
    let shown = consent(&kept.plan, &signer, Consent::from(args.yes))?;
    let (statement, signature) = signed(&kept.plan, Verdict::Approve, &signer, shown, around).await?;
    approvals::accept(&ledger, &set.loaded, &kept, &statement, &signature, &around.now()?)?;
    approved(&ledger, &set, &kept)
}

/// Signs an exported plan. The ledger that it came from decides whether the approval counts.
async fn approve_elsewhere(args: &ApproveArgs, around: &Around) -> Result<Answer, Failure> {
    let export = Export::read(&files::read(Path::new(&args.plan))?)?;
    approvable(&export.plan)?;
    // Without the installation's files at hand the person has to say who they are; the ledger checks it.
    let approvers =
        around.library().and_then(|library| Set::of(&library)).map(|set| set.approvers).unwrap_or_default();
    let signer = keys::choose(&args.key, &approvers, &sign::at_hand(&around.keys_folder()?).await)?;
    let shown = consent(&export.plan, &signer, Consent::from(args.yes))?;
    let (statement, signature) = signed(&export.plan, Verdict::Approve, &signer, shown, around).await?;
    let carried = json!(Carried { kind: CarriedKind::Approval1, statement, signature });
    match &args.out {
        None => Ok(Answer::done(format!("{carried:#}"), carried)),
        Some(file) => {
            files::write_new(file, &format!("{carried:#}\n"), Readers::Owner)?;
            let page = format!(
                "{} Signed by {}. Send {} back; there, `runcord approval import FILE` brings it in.",
                word(Mood::Good, "Done."),
                signer.person,
                file.display()
            );
            Ok(Answer::done(
                page,
                json!({"file": file, "by": signer.person, "plan_id": export.plan.body.plan_id}),
            ))
        }
    }
}

pub(crate) async fn reject(args: &RejectArgs, around: &Around) -> Result<Answer, Failure> {
    let (ledger, set) = (around.ledger()?, Set::of(&around.library()?)?);
    let kept = plan::find(&ledger, &args.plan)?;
    let signer = keys::choose(&args.key, &set.approvers, &sign::at_hand(&around.keys_folder()?).await)?;
    let shown = runcord_seal::digest(plain(&page::plan_page(&kept.plan)).as_bytes());
    let (statement, signature) = signed(&kept.plan, Verdict::Reject, &signer, shown, around).await?;
    let now = around.now()?;
    approvals::accept(&ledger, &set.loaded, &kept, &statement, &signature, &now)?;
    ledger.record(RecordKind::Denial, rejection(&kept.plan, &signer.person, &args.reason), &now)?;
    let page =
        format!("{} rejected {}: it ends here, whoever else signs.", signer.person, kept.plan.headline);
    Ok(Answer::done(page, json!({"plan_id": args.plan, "rejected_by": signer.person, "reason": args.reason})))
}

pub(crate) fn approval(command: &ApprovalCommand, around: &Around) -> Result<Answer, Failure> {
    let ApprovalCommand::Import { file } = command;
    let text = files::read(file)?;
    let unfit = |error| {
        Failure::refused("the file is no approval", "it is written by `runcord approve FILE --out …`")
            .because(error)
    };
    let carried: Carried = serde_json::from_str(&text).map_err(unfit)?;
    let approval: Approval = serde_json::from_str(&carried.statement).map_err(unfit)?;
    let (ledger, set) = (around.ledger()?, Set::of(&around.library()?)?);
    let kept = plan::find(&ledger, &approval.plan_id)?;
    approvals::accept(&ledger, &set.loaded, &kept, &carried.statement, &carried.signature, &around.now()?)?;
    approved(&ledger, &set, &kept)
}

/// Whether there is anything to approve.
fn approvable(plan: &Plan) -> Result<(), Failure> {
    match plan.decision.outcome {
        Outcome::NeedsApproval => Ok(()),
        Outcome::Allow => {
            Err(Failure::refused("this plan needs nobody's approval", "its agent may apply it as it is"))
        }
        Outcome::Deny => Err(Failure::refused(
            "policy denies this plan, whoever signs",
            "`runcord policy explain PLAN` shows the rules; a smaller change may be allowed",
        )),
    }
}

/// Shows the page, asks, and returns the digest of what was shown.
fn consent(plan: &Plan, signer: &Signer, given: Consent) -> Result<Digest, Failure> {
    let text = page::plan_page(plan);
    tell(&painted(&text));
    tell(&format!("\nYou sign as {}, for this and nothing else.", signer.person));
    if signer.person == plan.body.principal.sponsor {
        tell(
            "The agent asks on your behalf: your signature counts only with a security key, and never as the second one.",
        );
    }
    let target = &plan.body.target.name;
    insist(given, &format!("Type the target's name ({target}) to approve:"), &[target])?;
    Ok(runcord_seal::digest(plain(&text).as_bytes()))
}

/// The statement and its signature.
async fn signed(
    plan: &Plan,
    verdict: Verdict,
    signer: &Signer,
    shown: Digest,
    around: &Around,
) -> Result<(String, String), Failure> {
    let at = around.now()?.utc;
    let approval = Approval {
        plan_id: plan.body.plan_id.clone(),
        plan_digest: plan.digest.clone(),
        verdict,
        approver: signer.person.clone(),
        shown,
        at,
        expires: expiry(plan, at),
    };
    let statement = canonical_text(&approval)?;
    let signature = sign::sign(APPROVAL_NAMESPACE, signer, statement.as_bytes()).await?;
    Ok((statement, signature))
}

/// A signature counts for an hour, for the declared undo too; and in any case as long as the plan may still be
/// applied: until its own deadline and the minutes after its last signature.
fn expiry(plan: &Plan, at: Timestamp) -> Timestamp {
    let after_last = SignedDuration::from_millis(i64::try_from(APPROVED_TTL_MS).unwrap_or(i64::MAX));
    let plans = plan.body.deadline.utc().checked_add(after_last).unwrap_or(Timestamp::MAX);
    plans.max(at.checked_add(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MAX))
}

fn rejection(plan: &Plan, by: &PersonName, reason: &str) -> Value {
    let fields = [
        ("plan_id", json!(plan.body.plan_id)),
        ("headline", json!(plan.headline)),
        ("code", json!("rejected")),
        ("by", json!(by)),
        ("reason", json!(reason)),
    ];
    let predicate = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let name = plan.body.plan_id.to_string();
    runcord_seal::statement(RecordKind::Denial, Subject { name: &name, digest: &plan.digest }, predicate)
}

/// What is said once an approval is in the ledger: who signed, what is still needed, until when.
fn approved(ledger: &Ledger, set: &Set, kept: &KeptPlan) -> Result<Answer, Failure> {
    let id = &kept.plan.body.plan_id;
    let signed: Vec<PersonName> = ledger.approvals(id)?.into_iter().map(|one| one.approver).collect();
    let people = set.loaded.policies.people();
    let groups: Vec<Vec<String>> =
        signed.iter().map(|p| people.groups_of(p).map(str::to_owned).collect()).collect();
    let mut missing = kept.plan.decision.clone();
    missing.approvals_needed = still_needed(&missing.approvals_needed, &groups);
    let until = approvals::deadline(ledger, kept)?.utc();
    let names = signed.iter().map(PersonName::as_str).collect::<Vec<_>>().join(", ");
    let after = if missing.approvals_needed.is_empty() {
        format!(
            "Nothing else is needed: the agent may apply it until {}. Policy is asked once more then.",
            when(until)
        )
    } else {
        format!("Still needed: {}; until {}.", missing.needed_in_words(), when(until))
    };
    let page =
        format!("{} {}: signed by {names}.\n{after}", word(Mood::Good, "Approved."), kept.plan.headline);
    let json = json!({
        "plan_id": id, "headline": kept.plan.headline, "signed": signed,
        "still_needed": missing.approvals_needed, "open_until": until,
    });
    Ok(Answer::done(page, json))
}

/// What is left of the alternatives once people of these groups have signed. Empty when one alternative is met.
/// For the reader only: at apply, policy is asked again.
fn still_needed(alternatives: &[Vec<Needed>], signed: &[Vec<String>]) -> Vec<Vec<Needed>> {
    let given = |group: &str| {
        let counts = |groups: &&Vec<String>| group == "people" || groups.iter().any(|g| g == group);
        u32::try_from(signed.iter().filter(counts).count()).unwrap_or(u32::MAX)
    };
    let left = |alternative: &Vec<Needed>| {
        let less =
            |n: &Needed| Needed { count: n.count.saturating_sub(given(&n.group)), group: n.group.clone() };
        alternative.iter().map(less).filter(|n| n.count > 0).collect::<Vec<_>>()
    };
    let left: Vec<_> = alternatives.iter().map(left).collect();
    if left.iter().any(Vec::is_empty) { Vec::new() } else { left }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::waiting;

    fn needed(list: &[(u32, &str)]) -> Vec<Needed> {
        list.iter().map(|(count, group)| Needed { count: *count, group: (*group).to_owned() }).collect()
    }

    #[test]
    fn what_is_still_needed_counts_people_by_group() {
        let two_or_one = [needed(&[(2, "sre")]), needed(&[(1, "sre"), (1, "security")])];
        let sre = vec!["sre".to_owned()];
        assert_eq!(
            still_needed(&two_or_one, std::slice::from_ref(&sre)),
            [needed(&[(1, "sre")]), needed(&[(1, "security")])]
        );
        assert!(still_needed(&two_or_one, &[sre.clone(), sre]).is_empty());
        assert_eq!(still_needed(&two_or_one, &[]), two_or_one);
    }

    #[test]
    fn a_signature_outlives_the_plan_it_is_for() {
        let plan = waiting();
        let late = plan.body.deadline.utc() - SignedDuration::from_secs(60);
        assert!(expiry(&plan, late) >= late + SignedDuration::from_mins(10));
        let early = plan.body.deadline.from.utc;
        assert!(expiry(&plan, early) >= plan.body.deadline.utc());
    }

    #[test]
    fn nothing_is_signed_for_a_plan_that_is_denied() {
        let mut plan = waiting();
        assert!(approvable(&plan).is_ok());
        plan.decision.outcome = Outcome::Deny;
        assert!(approvable(&plan).is_err());
    }
}
