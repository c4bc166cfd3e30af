//! `runcord runbook drift`: whether the system still is what the runbooks need, for a person and for a nightly job.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use runcord_kubectl::names::Namespace;
use runcord_model::{Code, EffectKind, RunbookName};
use runcord_runbooks::{Check, Filled, Reviewed, Runbook, Scene};
use runcord_runtime::drift::{Aspect, Finding, Inspector, State, last_successes};
use serde::Serialize;
use serde_json::{Map, Value, json};

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
    /// A parameter to evaluate a runbook's checks with, may be repeated: checks that a caller's parameters decide are
    /// otherwise evaluated on a sample only
    #[arg(long, value_name = "RUNBOOK.NAME=VALUE")]
    param: Vec<Given>,
}

/// A parameter that stands in for a caller's.
#[derive(Debug, Clone)]
struct Given {
    runbook: RunbookName,
    name: String,
    value: Value,
}

impl std::str::FromStr for Given {
    type Err = String;

    /// A value that is a whole number or a boolean counts as one.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = || {
            let (name, value) = text.split_once('=')?;
            let (runbook, name) = name.split_once('.')?;
            Some((runbook, name, value))
        };
        let (runbook, name, value) = parts().ok_or("give it as RUNBOOK.NAME=VALUE")?;
        let value = match (value.parse::<i64>(), value.parse::<bool>()) {
            (Ok(number), _) => json!(number),
            (Err(_), Ok(flag)) => json!(flag),
            (Err(_), Err(_)) => json!(value),
        };
        let runbook = runbook.parse().map_err(|e| format!("{e}"))?;
        Ok(Self { runbook, name: name.to_owned(), value })
    }
}

pub(crate) const EXAMPLES: &str = "\
Examples:
  runcord runbook drift --context prod-eu
  runcord runbook drift --context prod-eu --namespace shop --json    for a nightly job
  runcord runbook drift --param drain_node.node=n1                   evaluates its checks on that node
  runcord runbook drift --root /srv/infrastructure --workspace prod  looks at declared root modules instead
  runcord runbook drift --project /srv/ansible                       looks at declared playbooks and their inventories

Nothing is changed. Exit codes: 0 all holds, 1 something has drifted or cannot be told, 3 no target or no store";

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
/// loaded; whether they give an answer on the target too is looked at where the parameters are known.
#[derive(Debug, Serialize)]
struct Checks {
    compiled: usize,
    evaluated_on: EvaluatedOn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum EvaluatedOn {
    /// The target, as it is.
    Target,
    /// The catalog's sample: what a caller names is not known.
    Sample,
}

pub(crate) async fn run(args: &Args, around: &Around) -> Result<Answer, Failure> {
    // A target that cannot be reached says why on standard error.
    runcord_runtime::telemetry::init();
    let settings = around.settings()?;
    let loaded = servers::library_of(&args.reach, &settings)?.current();
    let ledger = around.ledger()?;
    let today = around.now()?.utc.to_zoned(TimeZone::UTC).date();
    let mut inspector = servers::inspector(&args.reach, &args.namespace, &settings).await?;
    let target = inspector.identity().await?;
    let successes = last_successes(&ledger, &target)?;
    let mut all = Vec::new();
    for entry in loaded.runbooks.values() {
        let mut findings = inspector.inspect(&entry.runbook.uses()).await?;
        let filled = fill(&entry.runbook, &args.param)?;
        let evaluated_on = if filled.is_some() { EvaluatedOn::Target } else { EvaluatedOn::Sample };
        if let Some(filled) = filled {
            findings.extend(evaluated(&entry.runbook, &inspector, &filled).await?);
        }
        all.push(looked(&entry.runbook, findings, evaluated_on, today, &successes));
    }
    Ok(answer(&target, &all))
}

/// The parameters, where the file or the command line gives all that are needed.
fn fill(runbook: &Runbook, given: &[Given]) -> Result<Option<Filled>, Failure> {
    let mine = given.iter().filter(|one| one.runbook == *runbook.name());
    let mut args: Map<String, Value> = mine.map(|one| (one.name.clone(), one.value.clone())).collect();
    let asked = !args.is_empty();
    if runbook.effect() != EffectKind::ReadOnly {
        args.insert("reason".to_owned(), json!("a look for drift"));
    }
    match runbook.fill(&args) {
        Ok(filled) => Ok(Some(filled)),
        Err(bad) if asked => {
            let what = format!("a parameter of {} that was given does not hold: {bad}", runbook.name());
            Err(Failure::usage(what, "correct it, or leave --param out"))
        }
        Err(_) => Ok(None),
    }
}

/// Whether each check gives an answer on the target as it is; which answer does not matter.
async fn evaluated(
    runbook: &Runbook,
    inspector: &impl Inspector,
    filled: &Filled,
) -> Result<Vec<Finding>, Failure> {
    let calls =
        runbook.steps(filled).map_err(|bad| Failure::usage(bad.to_string(), "correct the runbook"))?;
    let seen = match inspector.observe(&calls).await {
        Ok(seen) => seen,
        Err(refusal) if refusal.code == Code::TargetUnreachable => return Err(refusal.into()),
        Err(refusal) => {
            return Ok(vec![Finding::cannot_tell(Aspect::Evaluable, "checks", refusal.message)]);
        }
    };
    let scene = Scene::new(&seen);
    let checks = runbook.preconditions().iter().chain(runbook.guard()).chain(runbook.verify());
    let one = |check: &Check| match check.is_evaluable(&scene, filled) {
        Ok(()) => Finding::holds(Aspect::Evaluable, check.source()),
        Err(why) => {
            let says = format!("the check `{}` cannot be evaluated on the target: {why}", check.source());
            Finding::drifted(Aspect::Evaluable, check.source(), says)
        }
    };
    Ok(checks.map(one).collect())
}

fn looked(
    runbook: &Runbook,
    mut findings: Vec<Finding>,
    evaluated_on: EvaluatedOn,
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
            evaluated_on,
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
            match one.checks.evaluated_on {
                EvaluatedOn::Target => one.checks.compiled.to_string(),
                EvaluatedOn::Sample => format!("{} (sample)", one.checks.compiled),
            },
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
        "\n\nChecks compile. Those marked (sample) need what a caller names, and were evaluated on the catalog's sample only: give it with --param.",
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
            checks: Checks { compiled: 1, evaluated_on: EvaluatedOn::Sample },
            findings,
        }
    }

    #[test]
    fn a_parameter_is_given_by_runbook_and_name() {
        let given: Given = "drain_node.batch=2".parse().unwrap();
        assert_eq!(
            (given.runbook.as_str(), given.name.as_str(), given.value),
            ("drain_node", "batch", json!(2))
        );
        assert_eq!("a.b=c=d".parse::<Given>().unwrap().value, json!("c=d"));
        for bad in ["a=b", "a.b", "A b.c=d", ""] {
            assert!(bad.parse::<Given>().is_err(), "{bad}");
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
