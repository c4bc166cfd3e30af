//! `runcord policy`: checks the policy, runs its tests, explains what it said of a plan.

use std::collections::BTreeSet;
use std::path::PathBuf;

use miette::Report;
use runcord_ledger::KeptPlan;
use runcord_model::{Code, PlanId, Scopes, StepCall};
use runcord_policy::{
    Applies, Ask, CaseOutcome, CaseResult, Evidence, Explained, Looked, RuleKind, run_suite,
};
use runcord_runtime::library::Loaded;
use runcord_runtime::settings::Origin;
use serde_json::{Value, json};

use crate::activate::Set;
use crate::around::Around;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::output::{Answer, Mood, columns, word};
use crate::{plan, servers};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Load the policy as a server does: rules against their schema, people, approvers, targets
    Check,
    /// Run policy tests
    Test {
        /// Suites of cases in YAML [default: the tests folder within the policy folder]
        files: Vec<PathBuf>,
    },
    /// Every rule that concerns a plan, with what it looked at, as things are now
    Explain {
        /// The plan's id
        plan: PlanId,
    },
}

pub(crate) fn run(command: &Command, around: &Around) -> Result<Answer, Failure> {
    match command {
        Command::Check => check(around),
        Command::Test { files } => test(files, around),
        Command::Explain { plan } => explain(plan, around),
    }
}

/// The policy alone: a broken runbook is no reason not to check it.
fn policy_alone(around: &Around) -> Result<Set, Failure> {
    let settings = around.settings()?.with_shipped_runbooks();
    Set::of(&servers::library(&settings)?)
}

fn check(around: &Around) -> Result<Answer, Failure> {
    let set = policy_alone(around)?;
    let policies = &set.loaded.policies;
    let rows: Vec<[String; 4]> = policies
        .rules()
        .into_iter()
        .map(|rule| {
            [
                kind_word(rule.kind).to_owned(),
                rule.id.clone(),
                format!("{}:{}", rule.file, rule.line),
                rule.reason.clone(),
            ]
        })
        .collect();
    let approvers: Vec<_> = policies.people().approvers().map(ToString::to_string).collect();
    let unlisted: Vec<_> = policies.people().unlisted_approvers().map(ToString::to_string).collect();
    let mut page = format!(
        "{} {}\n\n{}\n",
        word(Mood::Good, "The policy holds."),
        policies.digest().short(),
        columns(&rows)
    );
    page.push_str(&match approvers.as_slice() {
        [] => "\nNobody may approve: what needs an approval cannot be had.".to_owned(),
        people => format!("\nMay approve: {}", people.join(", ")),
    });
    if !unlisted.is_empty() {
        page.push_str(&format!(
            "\n{} in approvers, but not in people.yaml: {}",
            word(Mood::Bad, "Count for nothing:"),
            unlisted.join(", ")
        ));
    }
    let rules: Vec<_> = policies.rules().into_iter().map(|rule| json!({"id": rule.id, "kind": rule.kind, "file": rule.file, "line": rule.line, "reason": rule.reason})).collect();
    let json = json!({"holds": true, "digest": policies.digest(), "rules": rules, "approvers": approvers, "unlisted_approvers": unlisted});
    Ok(Answer::done(page, json))
}

fn kind_word(kind: RuleKind) -> &'static str {
    match kind {
        RuleKind::Permit => "permit",
        RuleKind::Forbid => "forbid",
    }
}

fn test(named: &[PathBuf], around: &Around) -> Result<Answer, Failure> {
    let set = policy_alone(around)?;
    let files = if named.is_empty() { suites(&around.settings()?.policy)? } else { named.to_vec() };
    let (mut page, mut results, mut failed) = (String::new(), Vec::new(), 0);
    for file in &files {
        let name = file.display().to_string();
        let cases = run_suite(&set.loaded.policies, &name, &files::read(file)?)
            .map_err(|problem| Failure::files(name.clone(), vec![Report::new(problem)]))?;
        for case in cases {
            failed += usize::from(case.outcome != CaseOutcome::Held);
            page.push_str(&case_lines(&name, &case));
            results.push(json!({"file": name, "case": case}));
        }
    }
    let passed = results.len() - failed;
    page.push_str(&format!("\n{passed} held, {failed} failed"));
    let answer = Answer::done(page, json!({"held": passed, "failed": failed, "cases": results}));
    Ok(if failed == 0 { answer } else { answer.ending(Exit::Refused) })
}

fn case_lines(file: &str, case: &CaseResult) -> String {
    match &case.outcome {
        CaseOutcome::Held => format!("{}  {}\n", word(Mood::Good, "held  "), case.name),
        CaseOutcome::Failed { why } => {
            format!("{}  {} ({file}:{})\n        {why}\n", word(Mood::Bad, "FAILED"), case.name, case.line)
        }
    }
}

fn suites(policy: &Origin) -> Result<Vec<PathBuf>, Failure> {
    let none = || Failure::usage("there are no policy tests to run", "name them: runcord policy test FILE…");
    let Origin::Folder(folder) = policy else { return Err(none()) };
    let entries = std::fs::read_dir(folder.join("tests")).map_err(|_| none())?;
    let is_suite = |path: &PathBuf| path.extension().is_some_and(|end| end == "yaml" || end == "yml");
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_suite).collect();
    files.sort();
    if files.is_empty() { Err(none()) } else { Ok(files) }
}

fn explain(id: &PlanId, around: &Around) -> Result<Answer, Failure> {
    let (ledger, set) = (around.ledger()?, Set::of(&around.library()?)?);
    let kept = plan::find(&ledger, id)?;
    let ask = ask(&kept, &set.loaded)?;
    let evidence = Evidence {
        blast: kept.plan.body.blast_radius.clone(),
        irreversible_cap: irreversible_cap(&kept, &set.loaded),
        signed: ledger.approvals(id)?.into_iter().map(|one| one.approver).collect(),
        now: around.now()?.utc,
    };
    let decision = set.loaded.policies.judge(&ask, &evidence);
    let explained = set.loaded.policies.explain(&ask, Some(&evidence));
    let then = &kept.plan.decision;
    let mut page = format!("{}\n\nwhen it was planned   {}\n", kept.plan.headline, outcome_words(then));
    page.push_str(&format!("as things are now     {}\n", outcome_words(&decision)));
    if set.loaded.policies.digest() != &kept.plan.body.policy {
        page.push_str("The policy has changed since: this plan has to be made again.\n");
    }
    explained.iter().for_each(|rule| page.push_str(&rule_lines(rule)));
    page.push_str(
        "\nNamespaces that only the dry-run found are not looked at here; apply looks at everything again.",
    );
    let json = json!({"plan_id": id, "then": then, "now": decision, "rules": explained});
    Ok(Answer::done(page, json))
}

fn outcome_words(decision: &runcord_model::Decision) -> String {
    use runcord_model::Outcome;
    let by = decision.reasons.iter().map(|r| r.policy.as_str()).collect::<Vec<_>>().join(", ");
    match decision.outcome {
        Outcome::Allow => word(Mood::Good, "allow"),
        Outcome::NeedsApproval => format!("needs {} (by {by})", decision.needed_in_words()),
        Outcome::Deny => format!("{} (by {by})", word(Mood::Bad, "deny")),
    }
}

fn rule_lines(rule: &Explained) -> String {
    let applies = match rule.applies {
        Applies::Yes => "applies",
        Applies::No => "does not apply",
        Applies::Erring => "CANNOT BE EVALUATED",
    };
    let head = format!("\n{} {} {applies}  ({}:{})\n", kind_word(rule.kind), rule.rule, rule.file, rule.line);
    let line = |looked: &Looked| {
        let is = looked.is.map_or("?", |is| if is { "yes" } else { "no" });
        format!("  {:<9} {is:<3} {}\n", looked.keyword, looked.saw.as_ref().unwrap_or(&looked.text))
    };
    rule.looked.iter().map(line).fold(head, |lines, line| lines + &line)
}

/// The question that was put to policy, as far as the plan still says: its steps are under its digest.
fn ask(kept: &KeptPlan, loaded: &Loaded) -> Result<Ask, Failure> {
    let body = &kept.plan.body;
    let entry = loaded.runbooks.get(&body.runbook.name).ok_or_else(|| {
        Failure::from(runcord_model::Refusal::new(
            Code::UnknownRunbook,
            "the plan's runbook is not loaded any more",
            "name the folder that holds it with --runbooks",
        ))
    })?;
    Ok(Ask {
        principal: body.principal.clone(),
        effect: entry.runbook.effect(),
        runbook: body.runbook.name.clone(),
        actions: actions(&body.effect.equal),
        server: entry.runbook.server().to_owned(),
        target: loaded.policies.target(&body.target.identity),
        scopes: scopes(&body.effect.equal),
        params: body.params.clone(),
    })
}

fn irreversible_cap(kept: &KeptPlan, loaded: &Loaded) -> i64 {
    let entry = loaded.runbooks.get(&kept.plan.body.runbook.name);
    entry.map_or(0, |entry| i64::from(entry.runbook.limits().irreversible))
}

/// What the steps do.
fn actions(steps: &Value) -> BTreeSet<String> {
    let action = |step: &Value| step.get("action").and_then(Value::as_str).map(str::to_owned);
    steps.as_array().into_iter().flatten().filter_map(action).collect()
}

/// What the steps name.
fn scopes(steps: &Value) -> Scopes {
    let call = |step: &Value| {
        let text = |key: &str| step.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(StepCall {
            id: text("step")?,
            action: text("action")?,
            with: step.get("with")?.as_object()?.clone(),
        })
    };
    let named = |call: StepCall| {
        let catalog =
            servers::catalogs().into_iter().find(|catalog| catalog.action(&call.action).is_some())?;
        (catalog.check)(&call).ok()
    };
    let steps = steps.as_array().map_or(&[][..], Vec::as_slice);
    steps.iter().filter_map(call).filter_map(named).fold(Scopes::default(), Scopes::union)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_tests_nothing_is_said_to_hold() {
        assert_eq!(suites(&Origin::Shipped).unwrap_err().exit(), Exit::Usage);
        let folder = tempfile::tempdir().unwrap();
        assert!(suites(&Origin::Folder(folder.path().to_owned())).is_err());
        std::fs::create_dir(folder.path().join("tests")).unwrap();
        std::fs::write(folder.path().join("tests/a.yaml"), "cases: []").unwrap();
        assert_eq!(suites(&Origin::Folder(folder.path().to_owned())).unwrap().len(), 1);
    }

    #[test]
    fn scopes_and_actions_come_from_the_steps_of_the_plan() {
        let steps = json!([{"step": "drain", "action": "cordon", "with": {"node": "n7"}, "effect": {}}]);
        assert_eq!(actions(&steps).iter().collect::<Vec<_>>(), ["cordon"]);
        assert_eq!(scopes(&steps).nodes.iter().collect::<Vec<_>>(), ["n7"]);
        let with = json!({"playbook": "restart_web", "group": "web"});
        let steps = json!([{"step": "run", "action": "run_playbook", "with": with, "effect": {}}]);
        assert_eq!(scopes(&steps).playbooks.iter().collect::<Vec<_>>(), ["restart_web"]);
        assert_eq!(scopes(&steps).groups.iter().collect::<Vec<_>>(), ["web"]);
    }
}
