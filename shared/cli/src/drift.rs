//! `runcord runbook drift`: whether the system still is what the runbooks need, for a person and for a nightly job.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use runcord_kubectl::names::Namespace;
use runcord_model::RunbookName;
use runcord_runbooks::{Reviewed, Runbook};
use runcord_runtime::drift::{Aspect, Finding, Inspector, State, last_successes};
use serde::Serialize;
use serde_json::json;

use crate::around::Around;
use crate::failure::{Exit, Failure};
use crate::output::{Answer, Mood, columns, when, word};
use crate::servers::{self, Reach};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    reach: Reach,
    /// Where the runbooks are used, may be repeated: permissions are asked for there [default: everywhere]
    #[arg(long, value_name = "NS")]
    namespace: Vec<Namespace>,
}

pub(crate) const EXAMPLES: &str = "\
Examples:
  runcord runbook drift --context prod-eu
  runcord runbook drift --context prod-eu --namespace shop --json    for a nightly job

Nothing is changed. Exit codes: 0 all holds, 1 something has drifted or cannot be told, 3 no cluster or no store";

/// One runbook, looked at.
#[derive(Debug, Serialize)]
struct Looked {
    runbook: RunbookName,
    version: String,
    state: State,
    last_success: Option<Timestamp>,
    reviewed_until: Option<String>,
    checks: Checks,
    findings: Vec<Finding>,
}

/// The runbook's CEL expressions. They compile and give booleans on the catalog's sample, or the library would not have
/// loaded; on the target itself they are evaluated with what a caller names, so not here.
#[derive(Debug, Serialize)]
struct Checks {
    compiled: usize,
    evaluated_on: &'static str,
}

pub(crate) async fn run(args: &Args, around: &Around) -> Result<Answer, Failure> {
    // A target that cannot be reached says why on standard error.
    runcord_runtime::telemetry::init();
    let loaded = around.library()?.current();
    let ledger = around.ledger()?;
    let today = around.now()?.utc.to_zoned(TimeZone::UTC).date();
    let mut inspector = servers::inspector(&args.reach, &args.namespace).await?;
    let target = inspector.identity().await?;
    let successes = last_successes(&ledger, &target)?;
    let mut all = Vec::new();
    for entry in loaded.runbooks.values() {
        let findings = inspector.inspect(&entry.runbook.uses()).await?;
        all.push(looked(&entry.runbook, findings, today, &successes));
    }
    Ok(answer(&target, &all))
}

fn looked(
    runbook: &Runbook,
    mut findings: Vec<Finding>,
    today: Date,
    successes: &BTreeMap<RunbookName, Timestamp>,
) -> Looked {
    findings.extend(runbook.reviewed().map(|reviewed| review(reviewed, today)));
    Looked {
        runbook: runbook.name().clone(),
        version: runbook.version().to_owned(),
        state: worst(&findings),
        last_success: successes.get(runbook.name()).copied(),
        reviewed_until: runbook.reviewed().map(|reviewed| reviewed.until.to_string()),
        checks: Checks {
            compiled: runbook.preconditions().len() + runbook.guard().len() + runbook.verify().len(),
            evaluated_on: "sample",
        },
        findings,
    }
}

/// A review counts up to its last day.
fn review(reviewed: &Reviewed, today: Date) -> Finding {
    let subject = format!("review until {}", reviewed.until);
    if reviewed.until < today {
        let says = format!("its review counted until {}: have it read again", reviewed.until);
        return Finding::drifted(Aspect::Reviewed, subject, says);
    }
    Finding::holds(Aspect::Reviewed, subject)
}

fn worst(findings: &[Finding]) -> State {
    findings.iter().map(|finding| finding.state).max().unwrap_or(State::Holds)
}

fn answer(target: &str, all: &[Looked]) -> Answer {
    let state = all.iter().map(|one| one.state).max().unwrap_or(State::Holds);
    let exit = match state {
        State::Holds => Exit::Done,
        // What could not be looked at is not well.
        State::CannotTell | State::Drifted => Exit::Refused,
    };
    let json = json!({"holds": exit == Exit::Done, "target": target, "runbooks": all});
    Answer::done(page(target, all), json).ending(exit)
}

fn page(target: &str, all: &[Looked]) -> String {
    let title =
        ["STATE", "RUNBOOK", "VERSION", "LAST SUCCESS", "REVIEWED UNTIL", "CHECKS"].map(str::to_owned);
    let row = |one: &Looked| {
        [
            state_word(one.state),
            one.runbook.to_string(),
            one.version.clone(),
            one.last_success.map_or("-".to_owned(), when),
            one.reviewed_until.clone().unwrap_or_else(|| "-".to_owned()),
            one.checks.compiled.to_string(),
        ]
    };
    let rows: Vec<_> = std::iter::once(title).chain(all.iter().map(row)).collect();
    let mut page = format!("{target}\n\n{}", columns(&rows));
    for one in all.iter().filter(|one| one.state != State::Holds) {
        page.push_str(&format!("\n\n{}", one.runbook));
        for finding in one.findings.iter().filter(|finding| finding.state != State::Holds) {
            page.push_str(&format!("\n  {}", finding.says));
        }
    }
    page.push_str(
        "\n\nChecks compile, and were evaluated on the catalog's sample only: on the target they need what a caller names.",
    );
    page
}

fn state_word(state: State) -> String {
    match state {
        State::Holds => word(Mood::Good, "holds"),
        State::CannotTell => word(Mood::Bad, "CANNOT TELL"),
        State::Drifted => word(Mood::Bad, "DRIFTED"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(findings: Vec<Finding>) -> Looked {
        Looked {
            runbook: "drain_node".parse().unwrap(),
            version: "1.0.0".to_owned(),
            state: worst(&findings),
            last_success: None,
            reviewed_until: None,
            checks: Checks { compiled: 1, evaluated_on: "sample" },
            findings,
        }
    }

    #[test]
    fn a_review_counts_up_to_its_last_day() {
        let reviewed = Reviewed { by: vec!["ana".to_owned()], until: "2026-11-22".parse().unwrap() };
        let state = |today: &str| review(&reviewed, today.parse().unwrap()).state;
        assert_eq!(state("2026-11-22"), State::Holds);
        assert_eq!(state("2026-11-23"), State::Drifted);
    }

    #[test]
    fn what_cannot_be_told_does_not_hold() {
        let held = Finding::holds(Aspect::Permitted, "get pods");
        let hidden = Finding::cannot_tell(Aspect::Served, "pods of v1", "nobody knows");
        let gone = Finding::drifted(Aspect::Permitted, "get pods", "the credentials may not get pods");
        let exit = |findings: Vec<Finding>| answer("k8s:x", &[one(vec![held.clone()]), one(findings)]).exit;
        assert_eq!(exit(vec![held.clone()]), Exit::Done);
        assert_eq!(exit(vec![held.clone(), hidden]), Exit::Refused);
        assert_eq!(exit(vec![gone.clone(), held.clone()]), Exit::Refused);
        let shown = answer("k8s:x", &[one(vec![gone])]);
        assert!(shown.page.contains("drain_node\n  the credentials may not get pods"), "{}", shown.page);
        assert_eq!(shown.json["runbooks"][0]["state"], "drifted");
    }
}
