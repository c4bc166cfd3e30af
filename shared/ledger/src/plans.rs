//! Plans and the approvals of them.

use runcord_model::approval::Verdict;
use runcord_model::proof::VerifiedApproval;
use runcord_model::{Moment, PersonName, Plan, PlanId, Principal, RunId};
use runcord_seal::{canonical, digests_hold};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use crate::store::{from_json, to_json};
use crate::{Beside, Ledger, LedgerError};

/// A plan as the ledger keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptPlan {
    /// The plan. Its digests were checked when it was read.
    pub plan: Plan,
    /// The runtime's own data about it.
    pub extras: Beside,
    /// Whether it can still be applied.
    pub status: PlanStatus,
    /// When it was made.
    pub made: Moment,
}

/// Whether a plan can still be applied. All but the first are ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanStatus {
    /// As far as the ledger knows; whether it has expired is for the caller to say.
    Open,
    /// This run applied it.
    Spent(RunId),
    /// An approver said no.
    Rejected {
        /// Who.
        by: PersonName,
    },
    /// What it rests on has changed.
    Void {
        /// What.
        reason: String,
    },
}

/// Which plans to list.
#[derive(Debug, Clone)]
pub struct PlanFilter {
    /// Only of this principal.
    pub principal: Option<Principal>,
    /// Only on the target of this identity.
    pub target: Option<String>,
    /// At most so many, the newest first.
    pub limit: u32,
}

impl Default for PlanFilter {
    fn default() -> Self {
        Self { principal: None, target: None, limit: 50 }
    }
}

/// An approval as the ledger keeps it. To count, its signature must be verified again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptApproval {
    /// What was signed, byte for byte.
    pub statement: String,
    /// The signature over it, as OpenSSH writes it.
    pub signature: String,
    /// Who signed.
    pub approver: PersonName,
    /// What was said.
    pub verdict: Verdict,
    /// When it was kept.
    pub at: Moment,
}

/// Why an approval was not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepApprovalError {
    /// A person signs a plan once.
    #[error("{0} has signed this plan already")]
    AlreadySigned(PersonName),
    /// The statement is of another digest than the plan of that id.
    #[error("the approval is for another digest than the plan's")]
    OtherPlan,
    /// The plan is spent, rejected or void.
    #[error("the plan is no longer open")]
    NotOpen(PlanStatus),
    /// The statement is not the one that was verified.
    #[error("the statement is not the one whose signature was verified")]
    OtherStatement,
    /// The ledger could not answer.
    #[error("the approval could not be kept")]
    Ledger(#[from] LedgerError),
}

impl Ledger {
    /// Keeps a new plan, open. Refuses one whose digests or installation are not its own. Approving it, and beginning
    /// its run, put it on the disk with them.
    pub fn keep_plan(&self, plan: &Plan, extras: &Beside, now: &Moment) -> Result<(), LedgerError> {
        its_own(plan, self.installation())?;
        let body = &plan.body;
        self.write_soon(now, |tx| {
            tx.execute(
                "INSERT INTO plans (id, plan, extras, principal, target, made) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    body.plan_id.as_str(),
                    to_json("plan", plan)?,
                    extras.text(),
                    to_json("principal", &body.principal)?,
                    body.target.identity,
                    to_json("moment", now)?,
                ],
            )?;
            Ok(())
        })
    }

    /// The plan of that id.
    pub fn plan(&self, id: &PlanId) -> Result<Option<KeptPlan>, LedgerError> {
        self.read(|tx| plan(tx, self.installation(), id))
    }

    /// Plans, the newest first.
    pub fn plans(&self, filter: &PlanFilter) -> Result<Vec<KeptPlan>, LedgerError> {
        let principal = filter.principal.as_ref().map(|p| to_json("principal", p)).transpose()?;
        self.read(|tx| {
            let mut query = tx.prepare(&format!(
                "{SELECT} WHERE (?1 IS NULL OR principal = ?1) AND (?2 IS NULL OR target = ?2) ORDER BY seq DESC LIMIT ?3"
            ))?;
            let rows = query.query_map(params![principal, filter.target, filter.limit], raw)?;
            rows.map(|row| plan_of(row?, self.installation())).collect()
        })
    }

    /// Ends an open plan because what it rests on has changed. A plan that has ended already stays as it is.
    pub fn void_plan(&self, id: &PlanId, reason: &str, now: &Moment) -> Result<(), LedgerError> {
        self.write(now, |tx| {
            let kept = plan(tx, self.installation(), id)?.ok_or_else(|| LedgerError::NoPlan(id.clone()))?;
            match kept.status {
                PlanStatus::Open => end(tx, id, "void", reason),
                PlanStatus::Spent(_) | PlanStatus::Rejected { .. } | PlanStatus::Void { .. } => Ok(()),
            }
        })
    }

    /// Keeps a verified approval: once for each person and plan. One that rejects ends the plan.
    pub fn keep_approval(
        &self,
        verified: &VerifiedApproval,
        statement: &str,
        signature: &str,
        now: &Moment,
    ) -> Result<(), KeepApprovalError> {
        let approval = verified.approval();
        let signed =
            canonical(approval).map_err(|source| LedgerError::Unwritable { what: "approval", source })?;
        if signed != statement.as_bytes() {
            return Err(KeepApprovalError::OtherStatement);
        }
        let id = &approval.plan_id;
        self.write(now, |tx| {
            let kept = plan(tx, self.installation(), id)?.ok_or_else(|| LedgerError::NoPlan(id.clone()))?;
            if kept.plan.digest != approval.plan_digest {
                return Err(KeepApprovalError::OtherPlan);
            }
            if kept.status != PlanStatus::Open {
                return Err(KeepApprovalError::NotOpen(kept.status));
            }
            if approvals(tx, id)?.iter().any(|kept| kept.approver == approval.approver) {
                return Err(KeepApprovalError::AlreadySigned(approval.approver.clone()));
            }
            insert_approval(tx, verified, statement, signature, now)?;
            match approval.verdict {
                Verdict::Approve => Ok(()),
                Verdict::Reject => Ok(end(tx, id, "rejected", approval.approver.as_str())?),
            }
        })
    }

    /// The approvals of the plan, in order of name.
    pub fn approvals(&self, id: &PlanId) -> Result<Vec<KeptApproval>, LedgerError> {
        self.read(|tx| approvals(tx, id))
    }
}

/// The plan of that id, its digests checked.
pub(crate) fn plan(
    tx: &Transaction<'_>,
    installation: &str,
    id: &PlanId,
) -> Result<Option<KeptPlan>, LedgerError> {
    let row = tx.query_row(&format!("{SELECT} WHERE id = ?1"), [id.as_str()], raw).optional()?;
    row.map(|row| plan_of(row, installation)).transpose()
}

/// Ends an open plan; a trigger refuses to end one twice.
pub(crate) fn end(tx: &Transaction<'_>, id: &PlanId, status: &str, detail: &str) -> Result<(), LedgerError> {
    let sql = "UPDATE plans SET status = ?2, detail = ?3 WHERE id = ?1";
    match tx.execute(sql, [id.as_str(), status, detail])? {
        1 => Ok(()),
        _ => Err(LedgerError::NoPlan(id.clone())),
    }
}

pub(crate) fn approvals(tx: &Transaction<'_>, id: &PlanId) -> Result<Vec<KeptApproval>, LedgerError> {
    let mut query = tx.prepare(
        "SELECT statement, signature, approver, verdict, at FROM approvals WHERE plan_id = ?1 ORDER BY approver",
    )?;
    let rows = query.query_map([id.as_str()], |row| {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get::<_, String>(2)?,
            row.get::<_, String>(3)?,
            row.get::<_, String>(4)?,
        ))
    })?;
    rows.map(|row| {
        let (statement, signature, approver, verdict, at) = row?;
        let approver =
            PersonName::try_from(approver).map_err(|_| LedgerError::Corrupt { what: "approval" })?;
        let (verdict, at) = (from_json("approval", &verdict)?, from_json("approval", &at)?);
        Ok(KeptApproval { statement, signature, approver, verdict, at })
    })
    .collect()
}

fn insert_approval(
    tx: &Transaction<'_>,
    verified: &VerifiedApproval,
    statement: &str,
    signature: &str,
    now: &Moment,
) -> Result<(), LedgerError> {
    let approval = verified.approval();
    tx.execute(
        "INSERT INTO approvals (plan_id, approver, verdict, statement, signature, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            approval.plan_id.as_str(),
            approval.approver.as_str(),
            to_json("approval", &approval.verdict)?,
            statement,
            signature,
            to_json("moment", now)?,
        ],
    )?;
    Ok(())
}

/// What approvers sign is the digest: a plan that does not have its own must not be kept or read.
fn its_own(plan: &Plan, installation: &str) -> Result<(), LedgerError> {
    let fine = digests_hold(plan) && plan.body.installation == installation;
    if fine { Ok(()) } else { Err(LedgerError::NotItsDigest) }
}

const SELECT: &str = "SELECT plan, extras, status, detail, made FROM plans";

type Raw = (String, String, String, String, String);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
}

fn plan_of((plan, extras, status, detail, made): Raw, installation: &str) -> Result<KeptPlan, LedgerError> {
    let plan: Plan = from_json("plan", &plan)?;
    its_own(&plan, installation)?;
    let corrupt = || LedgerError::Corrupt { what: "plan" };
    let status = match status.as_str() {
        "open" => PlanStatus::Open,
        "spent" => PlanStatus::Spent(detail.parse().map_err(|_| corrupt())?),
        "rejected" => PlanStatus::Rejected { by: detail.parse().map_err(|_| corrupt())? },
        "void" => PlanStatus::Void { reason: detail },
        _ => return Err(corrupt()),
    };
    Ok(KeptPlan { plan, extras: Beside::kept(extras), status, made: from_json("plan", &made)? })
}
