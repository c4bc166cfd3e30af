//! `runcord log`: the records, and whether their chain holds.

use std::path::PathBuf;

use runcord_ledger::{ChainError, Ledger};
use runcord_model::record::Signature;
use runcord_model::text::visible;
use runcord_model::{Record, RecordKind};
use serde_json::{Value, json};

use crate::around::Around;
use crate::failure::{Exit, Failure};
use crate::files::{self, Readers};
use crate::output::{Answer, Mood, columns, when, word};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// The records, oldest first
    List {
        /// Begin at this one
        #[arg(long, value_name = "N", default_value_t = 0)]
        from: u64,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
    },
    /// Check every record from the first: its place, its digest, and that of the one before
    Verify,
    /// All records as JSON, for auditors and archives
    Export {
        /// Write to this new file [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// What is said wherever somebody could take a chain of digests for a signature.
const UNSIGNED: &str = "The records are chained by digest but not signed yet: whoever can write the ledger's file can make another chain. Keep an export elsewhere.";

pub(crate) fn run(command: &Command, around: &Around) -> Result<Answer, Failure> {
    let ledger = around.ledger()?;
    match command {
        Command::List { from, limit } => list(&ledger, *from, *limit),
        Command::Verify => verify(&ledger),
        Command::Export { out } => export(&ledger, out.as_ref()),
    }
}

fn list(ledger: &Ledger, from: u64, limit: u32) -> Result<Answer, Failure> {
    let records = ledger.records(from, limit)?;
    let rows: Vec<[String; 5]> = records.iter().map(row).collect();
    let page =
        if rows.is_empty() { "There are no records from there on.".to_owned() } else { columns(&rows) };
    Ok(Answer::done(page, json!({"records": records})))
}

fn row(record: &Record) -> [String; 5] {
    [
        record.index.to_string(),
        when(record.at.utc),
        kind_word(record.kind).to_owned(),
        visible(&about(&record.statement), 120),
        format!("{} {}", record.digest.short(), signed_word(&record.signature)),
    ]
}

fn kind_word(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Intent => "intent",
        RecordKind::Outcome => "outcome",
        RecordKind::Denial => "denial",
        RecordKind::Control => "control",
    }
}

fn signed_word(signature: &Signature) -> &'static str {
    match signature {
        Signature::Unsigned => "unsigned",
    }
}

/// What a record is about, in the few words that its statement has for it.
fn about(statement: &Value) -> String {
    let predicate = statement.get("predicate").unwrap_or(&Value::Null);
    // The installation is the subject of every control: it tells them apart from nothing.
    let own = |name: &&Value| !name.as_str().is_some_and(|name| name.starts_with("ins_"));
    let subject = statement.pointer("/subject/0/name").filter(own);
    let words =
        ["headline", "control", "code", "message", "state", "by", "reason"].map(|key| predicate.get(key));
    let words = subject.into_iter().chain(words.into_iter().flatten()).filter_map(Value::as_str);
    words.take(4).collect::<Vec<_>>().join(" · ")
}

fn verify(ledger: &Ledger) -> Result<Answer, Failure> {
    match ledger.check_chain() {
        Ok(count) => {
            let page = format!(
                "{} {count} records, each carrying the digest of the one before.\n{UNSIGNED}",
                word(Mood::Good, "The chain holds.")
            );
            Ok(Answer::done(
                page,
                json!({"holds": true, "records": count, "signed": false, "note": UNSIGNED}),
            ))
        }
        Err(ChainError::Broken { index, why }) => {
            let page = format!(
                "{} Record {index}: {why}.\nSomebody or something changed the ledger's file. Apply nothing more, keep a copy of the state folder, and compare with an export.",
                word(Mood::Bad, "The chain is BROKEN.")
            );
            let json = json!({"holds": false, "index": index, "why": why, "signed": false});
            Ok(Answer::done(page, json).ending(Exit::Refused))
        }
        Err(ChainError::Ledger(error)) => Err(error.into()),
    }
}

fn export(ledger: &Ledger, out: Option<&PathBuf>) -> Result<Answer, Failure> {
    let mut records = Vec::new();
    loop {
        let page = ledger.records(records.len() as u64, 1000)?;
        if page.is_empty() {
            break;
        }
        records.extend(page);
    }
    let whole =
        json!({"installation": ledger.installation(), "signed": false, "note": UNSIGNED, "records": records});
    match out {
        None => Ok(Answer::done(format!("{whole:#}"), whole)),
        Some(file) => {
            files::write_new(file, &format!("{whole:#}\n"), Readers::Owner)?;
            let count = records.len();
            let page = format!("{count} records written to {}.\n{UNSIGNED}", file.display());
            Ok(Answer::done(page, json!({"records": count, "file": file})))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_what_it_is_about() {
        let statement = json!({"subject": [{"name": "pln_x"}], "predicate": {"control": "cord_pulled", "by": "ana", "reason": "smoke"}});
        assert_eq!(about(&statement), "pln_x · cord_pulled · ana · smoke");
        assert_eq!(about(&json!({})), "");
    }
}
