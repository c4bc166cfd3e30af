//! Policy tests: cases in YAML, each a call and what must come of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use runcord_model::{
    BlastRadius, Decision, EffectKind, Environment, Outcome, PersonName, Principal, RunbookName, Scopes,
    Target,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Policies;
use crate::problem::{Problem, Text, place};
use crate::world::{Ask, Evidence};

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseResult {
    /// The case's name.
    pub name: String,
    /// The line of the suite that its name stands on, from 1.
    pub line: u32,
    /// Whether it came out as expected.
    pub outcome: CaseOutcome,
    /// What policy said.
    pub decision: Decision,
}

/// Whether a case came out as expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseOutcome {
    /// It did.
    Held,
    /// It did not.
    Failed {
        /// What was expected, and what came instead.
        why: String,
    },
}

/// Runs the cases of a suite. Its `people` and `approvers`, where given, stand in for those of the set, so that
/// tests of rules do not change when people come and go.
///
/// # Errors
/// The suite cannot be read.
pub fn run_suite(policies: &Policies, file: &str, text: &str) -> Result<Vec<CaseResult>, Problem> {
    let file = Text { name: file, text };
    let suite: Suite = serde_saphyr::from_str(text).map_err(|e| Problem::from_yaml(&file, &e))?;
    let policies = with_people(policies, &suite, &file)?;
    suite.cases.iter().map(|case| run(&policies, case, &file)).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Suite {
    #[serde(default)]
    people: BTreeMap<PersonName, BTreeSet<String>>,
    #[serde(default)]
    approvers: Option<BTreeSet<PersonName>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default = "agent")]
    agent: String,
    #[serde(default = "sponsor")]
    sponsor: String,
    #[serde(default)]
    ask: Asking,
    #[serde(default = "prod")]
    environment: Environment,
    #[serde(default)]
    target: Option<String>,
    #[serde(default)]
    runbook: Option<RunbookName>,
    #[serde(default)]
    actions: BTreeSet<String>,
    #[serde(default)]
    server: Option<String>,
    #[serde(default)]
    namespaces: BTreeSet<String>,
    #[serde(default)]
    nodes: BTreeSet<String>,
    #[serde(default)]
    modules: BTreeSet<String>,
    #[serde(default)]
    playbooks: BTreeSet<String>,
    #[serde(default)]
    groups: BTreeSet<String>,
    #[serde(default)]
    params: Map<String, Value>,
    #[serde(default)]
    blast: Map<String, Value>,
    #[serde(default)]
    irreversible_cap: i64,
    #[serde(default)]
    signed: Vec<PersonName>,
    #[serde(default)]
    now: Option<Timestamp>,
    expect: String,
    #[serde(default)]
    because: BTreeSet<String>,
}

/// What is asked: for a change, for a look, or to apply a measured plan.
#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Asking {
    Admit,
    Read,
    #[default]
    Apply,
}

fn agent() -> String {
    "agent".to_owned()
}

fn sponsor() -> String {
    "oncall".to_owned()
}

fn prod() -> Environment {
    Environment::Prod
}

fn with_people(policies: &Policies, suite: &Suite, file: &Text<'_>) -> Result<Policies, Problem> {
    if suite.people.is_empty() {
        return Ok(policies.clone());
    }
    let approvers = suite.approvers.clone().unwrap_or_else(|| suite.people.keys().cloned().collect());
    let people = policies.people.with(&suite.people, approvers);
    policies.with_people(people).map_err(|why| Problem::at(file, file.find("people"), why))
}

fn run(policies: &Policies, case: &Case, file: &Text<'_>) -> Result<CaseResult, Problem> {
    let at = file.find(&case.name);
    let wrong = |why: &dyn std::fmt::Display| Problem::at(file, at, format!("case `{}`: {why}", case.name));
    let ask = ask(case).map_err(|e| wrong(&e))?;
    let decision = match case.ask {
        Asking::Admit | Asking::Read => policies.admit(&ask),
        Asking::Apply => policies.judge(&ask, &evidence(case).map_err(|e| wrong(&e))?),
    };
    Ok(CaseResult {
        name: case.name.clone(),
        line: place(file.text, at).0,
        outcome: compare(case, &decision),
        decision,
    })
}

fn ask(case: &Case) -> Result<Ask, runcord_model::id::BadName> {
    let runbook = match &case.runbook {
        Some(name) => name.clone(),
        None => "drain_node".parse()?,
    };
    Ok(Ask {
        principal: Principal { requester: case.agent.parse()?, sponsor: case.sponsor.parse()? },
        effect: match case.ask {
            Asking::Read => EffectKind::ReadOnly,
            Asking::Admit | Asking::Apply => EffectKind::Mutating,
        },
        runbook,
        actions: case.actions.clone(),
        server: case.server.clone().unwrap_or_else(|| "kubectl".to_owned()),
        target: Target {
            name: case.target.clone().unwrap_or_else(|| "test".to_owned()),
            environment: case.environment,
            identity: case.target.clone().unwrap_or_else(|| "test".to_owned()),
        },
        scopes: Scopes {
            namespaces: case.namespaces.clone(),
            nodes: case.nodes.clone(),
            modules: case.modules.clone(),
            playbooks: case.playbooks.clone(),
            groups: case.groups.clone(),
        },
        params: case.params.clone(),
    })
}

/// Nothing is lost but what the case says; null is unknown.
fn evidence(case: &Case) -> Result<Evidence, serde_json::Error> {
    let mut blast = serde_json::to_value(BlastRadius::nothing())?;
    for (measure, value) in &case.blast {
        match blast.get_mut(measure) {
            Some(field) => *field = value.clone(),
            None => return Err(serde::de::Error::custom(format!("there is no measure `{measure}`"))),
        }
    }
    let blast: BlastRadius = serde_json::from_value(blast)?;
    Ok(Evidence {
        blast: blast.settled(),
        irreversible_cap: case.irreversible_cap,
        signed: case.signed.clone(),
        now: case.now.unwrap_or(Timestamp::UNIX_EPOCH),
    })
}

fn compare(case: &Case, decision: &Decision) -> CaseOutcome {
    let came = match decision.outcome {
        Outcome::Allow => "allow".to_owned(),
        Outcome::Deny => "deny".to_owned(),
        Outcome::NeedsApproval => format!("needs {}", decision.needed_in_words()),
    };
    let rules: BTreeSet<_> = decision.reasons.iter().map(|reason| reason.policy.clone()).collect();
    if came != case.expect {
        let by = rules.into_iter().collect::<Vec<_>>().join(", ");
        return CaseOutcome::Failed { why: format!("expected `{}`, came `{came}` by {by}", case.expect) };
    }
    if !case.because.is_empty() && case.because != rules {
        return CaseOutcome::Failed {
            why: format!("expected because of {:?}, came because of {rules:?}", case.because),
        };
    }
    CaseOutcome::Held
}
