//! What is refused when a set is loaded, and where it says so.

use runcord_policy::{Policies, Problem};

use crate::{load, only_rules, refused, source, with_rule};

fn says(problems: &[Problem], place: &str, message: &str) {
    let found = problems.iter().any(|p| p.to_string().starts_with(place) && p.message.contains(message));
    assert!(found, "wanted {place} {message:?} in {problems:#?}");
}

#[test]
fn what_ships_loads() {
    let policies = load(runcord_policy::shipped(runcord_model::Digest::from_bytes([7; 32])));
    assert!(policies.rules().iter().all(|rule| rule.line > 0 && !rule.reason.is_empty()));
    assert!(policies.principal("anybody", "claude").is_ok());
    assert_eq!(policies.people().approvers().count(), 0);
}

#[test]
fn the_example_of_the_design_validates() {
    load(with_rule(
        r#"@id("blast.replicas")
@reason("more than a third of a workload's replicas would be lost together")
forbid (principal, action in Action::"mutate", resource)
when   { resource.env == Env::"prod" && context.blast.replicas_percent > 33 }
unless { context.approvals.sre >= 1 && context.blast.replicas_percent <= 50 };"#,
    ));
}

#[test]
fn a_typo_in_a_measure_is_an_error_with_position_and_hint() {
    let rule = "@id(\"x\")\n@reason(\"y\")\nforbid (principal, action in Action::\"mutate\", resource)\n\
                when { context.blast.podz_lost > 1 };";
    let problems = refused(with_rule(rule));
    says(&problems, "90-extra.cedar:4:8: ", "podz_lost");
    assert_eq!(problems[0].source_line(), "when { context.blast.podz_lost > 1 };");
    assert!(problems[0].hint.as_deref().unwrap().contains("pods_lost"), "{problems:?}");
}

#[test]
fn the_report_shows_the_line_itself() {
    let reports =
        Policies::load(with_rule("@id(\"x\")\npermit (principal, action, resorce);")).err().unwrap();
    assert!(reports[0].to_string().starts_with("90-extra.cedar:2:"), "{}", reports[0]);
    let mut page = String::new();
    miette::NarratableReportHandler::new().render_report(&mut page, reports[0].as_ref()).unwrap();
    assert!(page.contains("permit (principal, action, resorce);"), "{page}");
}

#[test]
fn every_rule_has_an_id_and_no_two_the_same() {
    says(&refused(with_rule("\npermit (principal, action, resource);")), "90-extra.cedar:2:1", "without @id");
    says(
        &refused(with_rule("@id(\"\") permit (principal, action, resource);")),
        "90-extra.cedar:1:1",
        "without @id",
    );
    let twice = "@id(\"agents.read\")\npermit (principal, action, resource);";
    says(&refused(with_rule(twice)), "90-extra.cedar:1:1", "a second rule with @id `agents.read`");
}

#[test]
fn a_forbid_says_why() {
    let silent = "@id(\"x\") forbid (principal, action, resource);";
    says(&refused(with_rule(silent)), "90-extra.cedar:1:1", "without @reason");
    says(
        &refused(with_rule("@id(\"x\") @reason(\" \") forbid (principal, action, resource);")),
        "90-",
        "without @reason",
    );
}

#[test]
fn annotations_that_mean_nothing_are_refused() {
    let problems = refused(with_rule("@id(\"x\")\n@reson(\"y\")\npermit (principal, action, resource);"));
    says(&problems, "90-extra.cedar:2:2", "unknown annotation `@reson`");
    assert_eq!(problems[0].hint.as_deref(), Some("did you mean `reason`?"));
}

#[test]
fn a_rule_that_names_nobody_is_refused() {
    let rule =
        |whom: &str| format!("@id(\"x\")\n@reason(\"y\")\nforbid (principal in {whom}, action, resource);");
    let problems = refused(with_rule(&rule("Group::\"agnets\"")));
    says(&problems, "90-extra.cedar:3:22", "is not in people.yaml");
    assert_eq!(problems[0].hint.as_deref(), Some("did you mean `agents`?"));
    let target = "@id(\"x\") @reason(\"y\") forbid (principal, action, resource == Target::\"k8s:nope\");";
    says(&refused(with_rule(target)), "90-extra.cedar:1:", "is not in targets.yaml");
    load(with_rule(&rule("Group::\"agents\"")));
}

#[test]
fn a_rule_that_can_never_apply_is_refused() {
    let never = "@id(\"x\") @reason(\"y\") forbid (principal, action in Action::\"mutate\", resource)\n\
                 when { context.blast.nodes > 1 && false };";
    says(&refused(with_rule(never)), "90-extra.cedar:", "");
    let wrong_env = "@id(\"x\") @reason(\"y\") forbid (principal, action, resource is Target)\n\
                     when { resource.env == Env::\"production\" };";
    says(&refused(with_rule(wrong_env)), "90-extra.cedar:2:", "production");
}

#[test]
fn approvals_may_only_help() {
    let forbid = |clause: &str| {
        format!(
            "@id(\"x\") @reason(\"y\") forbid (principal, action in Action::\"mutate\", resource) {clause};"
        )
    };
    for clause in [
        "when { context.approvals.sre >= 1 }",
        "when { context.approvals.sre > 3 || context.blast.nodes > 1 }",
        "unless { context.approvals.sre < 2 }",
        "unless { context.approvals.sre == 2 }",
        "unless { !(context.approvals.sre >= 1) }",
        "unless { context.blast.nodes < 1 - context.approvals.sre }",
        "unless { if context.approvals.sre >= 1 then false else true }",
        "unless { [context.approvals].contains(context.approvals) }",
    ] {
        says(&refused(with_rule(&forbid(clause))), "90-extra.cedar:1:1", "more approvals could turn");
    }
    for clause in [
        "unless { context.approvals.sre >= 1 }",
        "unless { context.approvals.sre + context.approvals.security >= 2 && context.blast.nodes < 3 }",
        "unless { context.blast.nodes < context.approvals.sre }",
        "when { context.approvals.people < 2 }",
        "when { !(context.approvals.people >= 2) }",
    ] {
        load(with_rule(&forbid(clause)));
    }
}

#[test]
fn templates_are_refused() {
    let template = "@id(\"x\") permit (principal == ?principal, action, resource);";
    says(&refused(with_rule(template)), "90-extra.cedar:", "templates");
}

#[test]
fn a_schema_that_does_not_take_what_is_asked_is_refused() {
    let mut changed = source();
    changed.schema.1 = changed.schema.1.replace("\"now\": datetime,", "");
    says(&refused(changed), "schema.cedarschema:1:1", "does not take what Runcord asks");
    let mut changed = only_rules("");
    changed.schema.1 = changed.schema.1.replace("Approvals", "Signatures");
    says(&refused(changed), "schema.cedarschema:", "no type `Approvals`");
    let mut broken = source();
    broken.schema.1.push_str("\nentity Gruop in [Gropu];");
    says(&refused(broken), "schema.cedarschema:", "Gropu");
}

/// A folder whose people kept their own schema since before actions were judged, with rules of now or of then.
#[test]
fn a_schema_from_before_actions_were_judged_says_which_line_to_add() {
    let line = "\"actions\": Set<String>,";
    for now in [source(), only_rules("@id(\"all\") permit (principal, action, resource);")] {
        for (at, action) in [(0, "admit"), (1, "apply")] {
            let mut old = now.clone();
            let (start, _) = old.schema.1.match_indices(line).nth(at).unwrap();
            old.schema.1.replace_range(start..start + line.len(), "");
            let problems = refused(old);
            let said = format!("the context of `{action}` has no `actions`");
            says(&problems, "schema.cedarschema:", &said);
            assert!(problems[0].hint.as_deref().unwrap().contains(line), "{problems:#?}");
        }
    }
}

#[test]
fn every_problem_is_told_and_not_the_first_alone() {
    let problems =
        refused(with_rule("permit (principal, action, resource);\nforbid (principal, action, resource);"));
    assert!(problems.len() >= 3, "{problems:#?}");
}

#[test]
fn people_and_targets_are_checked_together() {
    let mut wrong = source();
    wrong.people.1.push_str("\nextra: 1\n");
    wrong.targets.1 = "targets: [{}]".to_owned();
    let problems = refused(wrong);
    says(&problems, "people.yaml:", "extra");
    says(&problems, "targets.yaml:", "identity");
}
