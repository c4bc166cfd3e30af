//! `runcord cord reset`: only an approver arms the cord again, with a signature that the ledger keeps.

use jiff::Timestamp;
use runcord_ledger::{CordScope, CordState, Ledger};
use runcord_model::{PersonName, RecordKind};
use runcord_runtime::authority::AUTHORITY_NAMESPACE;
use runcord_seal::{Approvers, Subject};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use crate::activate::{Set, canonical_text, in_force};
use crate::around::Around;
use crate::failure::Failure;
use crate::keys::{self, KeyArgs};
use crate::output::{Answer, Mood, word};
use crate::sign;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Why it may run again; recorded
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    key: KeyArgs,
}

/// What an approver signs to arm the cord again. It names the pulls, so that it arms nothing that was pulled since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CordReset {
    /// The ledger it is for.
    installation: String,
    /// When each scope was pulled, in the ledger's order.
    reset_cord_pulled_at: Vec<Timestamp>,
    /// Who signs.
    by: PersonName,
    /// Why.
    reason: String,
    /// When.
    at: Timestamp,
}

pub(crate) async fn run(args: &Args, around: &Around) -> Result<Answer, Failure> {
    let ledger = around.ledger()?;
    let pulled = ledger.pulled()?;
    if pulled.is_empty() {
        return Ok(Answer::done(
            "The cord is armed. There is nothing to reset.",
            json!({"changed": false, "state": "armed"}),
        ));
    }
    let approvers = approvers_in_force(&ledger, around)?;
    let signer = keys::choose(&args.key, &approvers, &sign::at_hand(&around.keys_folder()?).await)?;
    let now = around.now()?;
    let statement = CordReset {
        installation: ledger.installation().to_owned(),
        reset_cord_pulled_at: times(&pulled),
        by: signer.person.clone(),
        reason: args.reason.clone(),
        at: now.utc,
    };
    let text = canonical_text(&statement)?;
    let signature = sign::sign(AUTHORITY_NAMESPACE, &signer, text.as_bytes()).await?;
    verify(&approvers, &text, &signature, &statement)?;
    if times(&ledger.pulled()?) != statement.reset_cord_pulled_at {
        return Err(Failure::refused(
            "the cord was pulled again meanwhile; nothing was reset",
            "look at `runcord cord status`, then decide again",
        ));
    }
    // The signed statement first: an armed cord without the account of who armed it must not be possible.
    ledger.record(RecordKind::Control, account(&statement, &text, &signature), &now)?;
    ledger.reset(signer.person.as_str(), &args.reason, &now)?;
    let page = format!(
        "{} The cord is armed again, by {}. What was stopped stays stopped: plan it anew.",
        word(Mood::Good, "Done."),
        signer.person
    );
    Ok(Answer::done(
        page,
        json!({"changed": true, "state": "armed", "by": signer.person, "reason": args.reason}),
    ))
}

fn times(pulled: &[(CordScope, CordState)]) -> Vec<Timestamp> {
    let time = |(_, state): &(CordScope, CordState)| match state {
        CordState::Pulled { at, .. } => Some(at.utc),
        CordState::Armed => None,
    };
    pulled.iter().filter_map(time).collect()
}

/// The approvers of the authority in force. What a configuration names counts only where there is none yet.
fn approvers_in_force(ledger: &Ledger, around: &Around) -> Result<String, Failure> {
    match in_force(ledger)? {
        Some(authority) => Ok(authority.approvers),
        None => Ok(Set::of(&around.library()?)?.approvers),
    }
}

/// The signature is by one of the approvers, now, over this very statement.
fn verify(approvers: &str, text: &str, signature: &str, statement: &CordReset) -> Result<(), Failure> {
    let refused = || {
        Failure::refused(
            "the reset is not validly signed; the cord stays pulled",
            "sign with a key that stands in `approvers` for runcord-authority",
        )
    };
    let approvers = Approvers::parse(approvers).map_err(|error| refused().because(error))?;
    approvers
        .signed(AUTHORITY_NAMESPACE, &statement.by, text.as_bytes(), signature, &[statement.at])
        .map_err(|error| refused().because(error))?;
    Ok(())
}

fn account(statement: &CordReset, text: &str, signature: &str) -> serde_json::Value {
    let fields = [
        ("control", json!("cord_reset_signed")),
        ("by", json!(statement.by)),
        ("reason", json!(statement.reason)),
        ("statement", json!(text)),
        ("signature", json!(signature)),
    ];
    let predicate: Map<_, _> = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let digest = runcord_seal::digest(text.as_bytes());
    runcord_seal::statement(RecordKind::Control, Subject { name: "cord", digest: &digest }, predicate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_that_nobody_signed_is_refused() {
        let statement = CordReset {
            installation: "test".into(),
            reset_cord_pulled_at: Vec::new(),
            by: "ana".parse().unwrap(),
            reason: "mended".into(),
            at: Timestamp::UNIX_EPOCH,
        };
        let text = canonical_text(&statement).unwrap();
        let key = "ana ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBZ1dsFkfVe7U7dCdAnXP4SyEnmwlOJBoxVRZ0B6sVXf";
        let failure = verify(key, &text, "no signature", &statement).unwrap_err();
        assert_eq!(failure.exit(), crate::Exit::Refused);
    }
}
