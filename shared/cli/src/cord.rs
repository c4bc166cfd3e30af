//! `runcord cord`: pull it, look at it, arm it again.

use runcord_ledger::{CordScope, CordState};
use runcord_model::text::visible;
use runcord_runtime::settings::login;
use serde_json::{Value, json};

use crate::around::Around;
use crate::failure::Failure;
use crate::output::{Answer, Mood, when, word};
use crate::reset;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Stop everything: what runs stops before its next act, and nothing starts
    Pull {
        /// Why; recorded, and shown to whoever is refused
        #[arg(long)]
        reason: String,
    },
    /// Arm it again, with an approver's signature
    Reset(reset::Args),
    /// Whether it is pulled, by whom and why
    Status,
}

pub(crate) async fn run(command: &Command, around: &Around) -> Result<Answer, Failure> {
    match command {
        Command::Pull { reason } => pull(reason, around),
        Command::Reset(args) => reset::run(args, around).await,
        Command::Status => status(around),
    }
}

fn pull(reason: &str, around: &Around) -> Result<Answer, Failure> {
    // Nothing is loaded for this but the ledger: it has to work when policy and runbooks do not.
    let (ledger, by) = (around.ledger()?, login());
    let record = ledger.pull(&CordScope::Everything, &by, reason, &around.now()?)?;
    let page = format!(
        "{} Runs stop before their next act, and nothing starts.\nRecord {}. Only an approver arms it again: runcord cord reset --reason …",
        word(Mood::Bad, "The cord is pulled."),
        record.index
    );
    Ok(Answer::done(page, json!({"state": "pulled", "by": by, "reason": reason, "record": record.index})))
}

fn status(around: &Around) -> Result<Answer, Failure> {
    let ledger = around.ledger()?;
    let everything = ledger.cord()?;
    let scopes = ledger.pulled()?;
    let pulled: Vec<Value> = scopes.iter().map(|(scope, state)| scope_json(scope, state)).collect();
    let state = match everything {
        CordState::Armed if pulled.is_empty() => "armed",
        CordState::Armed => "pulled_for_some",
        CordState::Pulled { .. } => "pulled",
    };
    let page = if scopes.is_empty() {
        format!("{} Runs may begin and go on.", word(Mood::Good, "The cord is armed."))
    } else {
        scopes.iter().map(|(scope, state)| scope_line(scope, state)).collect::<Vec<_>>().join("\n")
    };
    Ok(Answer::done(page, json!({"state": state, "pulled": pulled})))
}

fn scope_word(scope: &CordScope) -> String {
    match scope {
        CordScope::Everything => "everything".to_owned(),
        CordScope::Principal(principal) => principal.to_string(),
    }
}

fn scope_json(scope: &CordScope, state: &CordState) -> Value {
    match state {
        CordState::Armed => json!({"scope": scope_word(scope)}),
        CordState::Pulled { by, reason, at } => {
            json!({"scope": scope_word(scope), "by": by, "reason": reason, "at": at.utc})
        }
    }
}

fn scope_line(scope: &CordScope, state: &CordState) -> String {
    let scope = scope_word(scope);
    match state {
        CordState::Armed => format!("armed for {scope}"),
        CordState::Pulled { by, reason, at } => format!(
            "{} for {scope}, by {by} at {}\n  they said: {}\n  arm it again: runcord cord reset --reason …",
            word(Mood::Bad, "PULLED"),
            when(at.utc),
            visible(reason, 500)
        ),
    }
}
