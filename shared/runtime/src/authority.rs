//! Whether the set that is loaded is the one that an approver's signature put in force.
//!
//! Configuration is not authority: whoever can write a client's configuration can name another policy folder
//! or a fresh state folder. So the ledger holds what is in force, and a server that differs plans but does not apply.

use jiff::Timestamp;
use runcord_ledger::Ledger;
use runcord_model::{Code, Digest, PersonName, Refusal};
use runcord_seal::Approvers;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::library::{Digests, Loaded};
use crate::refuse;

/// The `ssh-keygen -Y` namespace of authority statements.
pub const AUTHORITY_NAMESPACE: &str = "runcord-authority";

/// What an approver signs to put a set in force on one ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// The ledger it is for.
    pub installation: String,
    /// The set it puts in force.
    pub digests: Digests,
    /// Who signs.
    pub by: PersonName,
    /// When.
    pub at: Timestamp,
    /// The approvers of this set: the next authority is theirs to sign.
    pub approvers: String,
}

/// Proof that the loaded set is the one in force.
#[derive(Debug)]
pub struct InForce(Digest);

impl InForce {
    /// The digest of the set: the ledger compares it once more when the run begins.
    pub fn into_digest(self) -> Digest {
        self.0
    }
}

/// Compares the loaded set with the authority that the ledger holds.
///
/// # Errors
/// `not_in_authority` when there is none or it says otherwise, naming the parts that differ.
pub fn in_force(ledger: &Ledger, loaded: &Loaded) -> Result<InForce, Refusal> {
    let Some(kept) = ledger.authority().map_err(|e| refuse::ledger(&e))? else {
        return Err(not_in_authority("this ledger holds no authority", &[]));
    };
    let authority: Authority = serde_json::from_str(&kept.statement)
        .map_err(|_| not_in_authority("the authority that this ledger holds cannot be read", &[]))?;
    if authority.installation != ledger.installation() {
        return Err(not_in_authority("the authority that this ledger holds is another installation's", &[]));
    }
    let differing = differing(&authority.digests, &loaded.digests);
    if differing.is_empty() {
        Ok(InForce(kept.digest))
    } else {
        let parts = differing.join(", ");
        Err(not_in_authority(&format!("the loaded {parts} differ from those in force"), &differing))
    }
}

/// The names of the parts in which `loaded` differs from what is in force.
pub fn differing(in_force: &Digests, loaded: &Digests) -> Vec<&'static str> {
    [
        ("rules", in_force.rules == loaded.rules),
        ("people", in_force.people == loaded.people),
        ("approvers", in_force.approvers == loaded.approvers),
        ("targets", in_force.targets == loaded.targets),
        ("runbooks", in_force.runbooks == loaded.runbooks),
    ]
    .into_iter()
    .filter_map(|(name, same)| (!same).then_some(name))
    .collect()
}

/// Checks a signed authority: by an approver of the authority before it or, for the first, of its own approvers.
///
/// # Errors
/// `approval_invalid` with what does not hold.
pub fn verify(
    statement: &str,
    signature: &str,
    before: Option<&Authority>,
    now: Timestamp,
) -> Result<Authority, Refusal> {
    let invalid = |why: String| {
        Refusal::new(
            Code::ApprovalInvalid,
            format!("the authority is not validly signed: {why}"),
            "sign it again with `runcord activate`",
        )
    };
    let authority: Authority =
        serde_json::from_str(statement).map_err(|_| invalid("it is not an authority statement".into()))?;
    let approvers = Approvers::parse(before.map_or(&authority.approvers, |b| &b.approvers))
        .map_err(|e| invalid(refuse::chain(&e)))?;
    approvers
        .signed(AUTHORITY_NAMESPACE, &authority.by, statement.as_bytes(), signature, &[authority.at, now])
        .map_err(|e| invalid(refuse::chain(&e)))?;
    Ok(authority)
}

fn not_in_authority(why: &str, differing: &[&str]) -> Refusal {
    Refusal::new(
        Code::NotInAuthority,
        format!("{why}; this server plans but does not apply"),
        "an approver runs `runcord activate`, which shows what would change and signs it",
    )
    .with_details(json!({"differing": differing}))
}
