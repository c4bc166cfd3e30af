//! Decisions: each guard of the engine, with a test that fails when the guard is taken away.

use runcord_model::{AgentName, BlastRadius, Digest, EffectKind, Measure, Outcome, Scopes};
use runcord_policy::{Applies, Deed, Permission};

use crate::{ask, evidence, load, only_rules, source, with_rule};

const PERMIT: &str = "@id(\"all\") permit (principal, action, resource);\n";

fn pods(count: i64) -> BlastRadius {
    BlastRadius { pods_lost: Measure::Known(count), ..BlastRadius::nothing() }
}

#[test]
fn without_rules_everything_is_denied() {
    let policies = load(only_rules(""));
    for effect in [EffectKind::ReadOnly, EffectKind::Mutating, EffectKind::Undetermined] {
        let decision = policies.admit(&ask_of(&policies, effect));
        assert_eq!(decision.outcome, Outcome::Deny);
        assert_eq!(decision.reasons[0].text, "no rule permits it");
    }
    assert_eq!(policies.judge(&ask(&policies), &evidence(pods(0), &[])).outcome, Outcome::Deny);
}

fn ask_of(policies: &runcord_policy::Policies, effect: EffectKind) -> runcord_policy::Ask {
    runcord_policy::Ask { effect, ..ask(policies) }
}

/// Cedar itself skips an erroring forbid, and would allow.
#[test]
fn an_erring_forbid_denies() {
    let overflow = "@id(\"errs\") @reason(\"too many\") forbid (principal, action in Action::\"mutate\", resource)\n\
                    when { context.blast.nodes * 9223372036854775807 > 5 };";
    let policies = load(only_rules(&format!("{PERMIT}{overflow}")));
    let two = BlastRadius { nodes: Measure::Known(2), ..BlastRadius::nothing() };
    let decision = policies.judge(&ask(&policies), &evidence(two, &["ann", "bob"]));
    assert_eq!(decision.outcome, Outcome::Deny);
    assert_eq!((decision.reasons[0].policy.as_str(), decision.reasons[0].line), ("errs", 2));
    assert!(decision.reasons[0].text.contains("could not be evaluated"));
    let none = policies.judge(&ask(&policies), &evidence(pods(0), &[]));
    assert_eq!(none.outcome, Outcome::Allow, "the same rule, where it does not err");
}

#[test]
fn an_erring_forbid_denies_admission_and_deeds_too() {
    let errs = "@id(\"errs\") @reason(\"x\") forbid (principal, action, resource)\n\
                when { principal.name == \"agent\" && 9223372036854775807 + 1 > 5 };";
    let policies = load(only_rules(&format!("{PERMIT}{errs}")));
    assert_eq!(policies.admit(&ask(&policies)).outcome, Outcome::Deny);
    let (mine, other) =
        (policies.principal("oncall", "agent").unwrap(), policies.principal("ann", "claude").unwrap());
    assert_eq!(policies.permits(&mine, Deed::View, &other), Permission::NotPermitted);
}

#[test]
fn a_number_too_large_for_the_rules_denies() {
    let policies = load(source());
    let vast = Measure::Known(i64::MAX);
    let blast = BlastRadius { nodes: vast, nodes_cordoned: vast, ..BlastRadius::nothing() };
    assert_eq!(policies.judge(&ask(&policies), &evidence(blast, &["ann", "bob"])).outcome, Outcome::Deny);
}

#[test]
fn a_reason_names_rule_file_line_limit_and_value() {
    let policies = load(source());
    let decision = policies.judge(&ask(&policies), &evidence(pods(12), &[]));
    assert_eq!(decision.outcome, Outcome::NeedsApproval);
    assert_eq!(decision.needed_in_words(), "2 approvals from approvers");
    let reason = decision.reasons.iter().find(|reason| reason.policy == "pods.two-people").unwrap();
    assert_eq!(reason.file, "20-blast.cedar");
    let line = policies.rules().into_iter().find(|rule| rule.id == "pods.two-people").unwrap().line;
    assert_eq!(reason.line, line);
    assert!(reason.text.contains("(blast.pods_lost is 12, limit 10"), "{}", reason.text);
    assert!(reason.text.contains("approvals.approvers is 0, 2 needed"), "{}", reason.text);
}

#[test]
fn unknown_is_said_as_unknown() {
    let policies = load(source());
    let blast = BlastRadius { pdb_headroom: Measure::Unknown, ..BlastRadius::nothing() };
    let decision = policies.judge(&ask(&policies), &evidence(blast, &[]));
    assert!(
        decision.reasons[0].text.ends_with("(blast.pdb_headroom is unknown, 0 needed)"),
        "{:?}",
        decision.reasons
    );
}

/// A caller that forgot to settle the flag does not make an unknown measure known.
#[test]
fn known_is_what_the_measures_say() {
    let rule = "@id(\"unknown\") @reason(\"not all is known\") forbid (principal, action in Action::\"mutate\", resource)\n\
                unless { context.blast.known };";
    let policies = load(with_rule(rule));
    let mut seen = evidence(pods(0), &[]);
    seen.blast.downstream = Measure::Unknown;
    assert!(seen.blast.known, "the flag claims it");
    assert_eq!(policies.judge(&ask(&policies), &seen).outcome, Outcome::Deny);
}

#[test]
fn what_nobody_may_approve_is_denied_and_says_so() {
    let policies = load(runcord_policy::shipped(Digest::from_bytes([7; 32])));
    let decision = policies.judge(&ask(&policies), &evidence(pods(2), &[]));
    assert_eq!(decision.outcome, Outcome::Deny);
    assert!(decision.approvals_needed.is_empty());
    assert!(
        decision.reasons[0].text.ends_with("; nobody may give the approval that this needs"),
        "{decision:?}"
    );
    let never = BlastRadius { below_minimum: Measure::Known(1), ..BlastRadius::nothing() };
    let decision = policies.judge(&ask(&policies), &evidence(never, &[]));
    assert!(!decision.reasons[0].text.contains("nobody"), "no approval would help: {decision:?}");
}

#[test]
fn a_group_that_nobody_is_in_cannot_approve() {
    let rule = "@id(\"x\") @reason(\"y\") forbid (principal, action in Action::\"mutate\", resource)\n\
                unless { context.approvals.security >= 1 };";
    let policies = load(with_rule(rule));
    let decision = policies.judge(&ask(&policies), &evidence(pods(0), &[]));
    assert_eq!(decision.outcome, Outcome::Deny, "dan is in security but has no key");
    assert!(decision.reasons[0].text.contains("too few people may give"), "{decision:?}");
}

#[test]
fn alternatives_are_all_reported() {
    let rule = "@id(\"x\") @reason(\"y\") forbid (principal, action in Action::\"mutate\", resource)\n\
                unless { context.approvals.sre >= 1 || context.approvals.approvers >= 2 };";
    let policies = load(with_rule(rule));
    let decision = policies.judge(&ask(&policies), &evidence(pods(0), &[]));
    assert_eq!(decision.needed_in_words(), "1 approval from sre, or 2 approvals from approvers");
    let decision = policies.judge(&ask(&policies), &evidence(pods(0), &["bob"]));
    assert_eq!(
        decision.needed_in_words(),
        "1 approval from approvers, or 1 approval from sre",
        "what is still missing"
    );
}

#[test]
fn a_denial_by_default_says_what_would_have_permitted() {
    let mut one = source();
    one.people.1 = one.people.1.replace("claude: {groups: [agents]", "claude: {groups: [sre]");
    let policies = load(one);
    let principal = policies.principal("oncall", "claude").unwrap();
    let decision = policies.admit(&runcord_policy::Ask { principal, ..ask(&policies) });
    assert_eq!(decision.outcome, Outcome::Deny);
    assert_eq!(decision.reasons[0].policy, "agents.ask");
    assert!(decision.reasons[0].text.contains("not so: principal in Group::\"agents\""), "{decision:?}");
}

#[test]
fn a_principal_of_an_older_file_is_asked_about_anew() {
    let before = load(source());
    let mut asked = ask(&before);
    let mut changed = source();
    changed.people.1 = changed
        .people
        .1
        .replace("agent: {groups: [agents], sponsors: any}", "agent: {groups: [agents], sponsors: [ann]}");
    let after = load(changed);
    assert_eq!(before.judge(&asked, &evidence(pods(0), &[])).outcome, Outcome::Allow);
    assert_eq!(
        after.judge(&asked, &evidence(pods(0), &[])).outcome,
        Outcome::Deny,
        "may no longer ask for oncall"
    );
    assert_eq!(after.admit(&asked).outcome, Outcome::Deny);
    asked.principal.requester = AgentName::try_from("ghost".to_owned()).unwrap();
    assert_eq!(before.admit(&asked).outcome, Outcome::Deny);
}

#[test]
fn only_an_allow_is_pronounced() {
    let policies = load(source());
    let plan = Digest::from_bytes([9; 32]);
    let refused = policies.pronounce(&ask(&policies), &evidence(pods(2), &[]), &plan).unwrap_err();
    assert_eq!(refused.outcome, Outcome::NeedsApproval);
    let allowed = policies.pronounce(&ask(&policies), &evidence(pods(2), &["bob"]), &plan).unwrap();
    assert_eq!((allowed.plan(), allowed.policy()), (&plan, policies.digest()));
}

#[test]
fn a_sponsor_with_a_security_key_is_counted_on() {
    let mut one = source();
    one.approvers.1 = "ann sk-ssh-ed25519@openssh.com AAAA\n".to_owned();
    let with_key = load(one.clone());
    one.approvers.1 = "ann ssh-ed25519 AAAA\n".to_owned();
    let without = load(one);
    for (policies, outcome) in [(with_key, Outcome::NeedsApproval), (without, Outcome::Deny)] {
        let principal = policies.principal("ann", "agent").unwrap();
        let asked = runcord_policy::Ask { principal, ..ask(&policies) };
        assert_eq!(policies.judge(&asked, &evidence(pods(2), &[])).outcome, outcome);
    }
}

#[test]
fn ones_own_is_always_permitted_and_others_only_by_rule() {
    let policies = load(source());
    let mine = policies.principal("oncall", "agent").unwrap();
    let colleague = policies.principal("oncall", "claude").unwrap();
    let other = policies.principal("ann", "agent").unwrap();
    for deed in [Deed::View, Deed::Cancel] {
        assert_eq!(policies.permits(&mine, deed, &mine), Permission::Permitted);
        assert_eq!(policies.permits(&mine, deed, &other), Permission::NotPermitted);
    }
    assert_eq!(policies.permits(&mine, Deed::PullEverything, &mine), Permission::NotPermitted);
    let rule = "@id(\"same-sponsor\") permit (principal, action == Action::\"view\", resource)\n\
                when { resource.sponsor == principal.sponsor };";
    let wider = load(with_rule(rule));
    assert_eq!(wider.permits(&mine, Deed::View, &colleague), Permission::Permitted);
    assert_eq!(wider.permits(&mine, Deed::Cancel, &colleague), Permission::NotPermitted);
    assert_eq!(wider.permits(&mine, Deed::View, &other), Permission::NotPermitted);
    let everybody =
        load(with_rule("@id(\"cord\") permit (principal, action == Action::\"pull_everything\", resource);"));
    assert_eq!(everybody.permits(&mine, Deed::PullEverything, &mine), Permission::Permitted);
}

#[test]
fn names_cannot_break_out_of_their_quotes() {
    let policies = load(source());
    let mut asked = ask(&policies);
    asked.target.identity = "x\" || true || \"".to_owned();
    asked.scopes = Scopes {
        namespaces: ["kube-system\"".to_owned()].into(),
        nodes: ["n\n\0".to_owned()].into(),
        modules: ["m\") || (\"".to_owned()].into(),
        playbooks: ["p\"::\"q".to_owned()].into(),
        groups: ["g\\\"".to_owned()].into(),
    };
    asked.params.insert("node".to_owned(), "\") || (\"".into());
    assert_eq!(policies.admit(&asked).outcome, Outcome::Allow);
    asked.scopes.namespaces.insert("kube-system".to_owned());
    let decision = policies.admit(&asked);
    assert_eq!(decision.outcome, Outcome::Deny);
    assert_eq!(decision.reasons[0].text, "kube-system is off limits (scopes.namespaces hold kube-system)");
}

#[test]
fn parameters_can_be_judged() {
    let rule = "@id(\"zero\") @reason(\"nothing is scaled to zero\") forbid (principal, action == Action::\"admit\", resource)\n\
                when { context.params.contains(\"replicas=0\") };";
    let policies = load(with_rule(rule));
    let mut asked = ask(&policies);
    asked.params.insert("replicas".to_owned(), 0.into());
    assert_eq!(policies.admit(&asked).outcome, Outcome::Deny);
    asked.params.insert("replicas".to_owned(), 1.into());
    assert_eq!(policies.admit(&asked).outcome, Outcome::Allow);
}

#[test]
fn actions_can_be_judged_before_anything_is_looked_at() {
    let rule = "@id(\"no-cordon\") @reason(\"nothing is cordoned\") forbid (principal, action in [Action::\"admit\", Action::\"read\"], resource)\n\
                when { context.actions.contains(\"cordon\") };";
    let policies = load(with_rule(rule));
    for effect in [EffectKind::Mutating, EffectKind::ReadOnly] {
        let mut asked = ask_of(&policies, effect);
        assert_eq!(policies.admit(&asked).outcome, Outcome::Allow);
        asked.actions.insert("cordon".to_owned());
        let decision = policies.admit(&asked);
        assert_eq!(decision.outcome, Outcome::Deny);
        assert_eq!(decision.reasons[0].text, "nothing is cordoned (actions hold cordon)");
    }
}

/// A site's own runbook with the same steps must not escape a rule by its name.
#[test]
fn a_renamed_runbook_is_judged_the_same() {
    let policies = load(source());
    for action in ["release_node", "rotate_secret", "restore_secret", "purge_queue", "drain"] {
        let named = |runbook: &str, signed: &[&str]| {
            let actions = [action.to_owned()].into();
            let asked = runcord_policy::Ask { actions, runbook: runbook.parse().unwrap(), ..ask(&policies) };
            policies.judge(&asked, &evidence(pods(0), signed))
        };
        for signed in [&[][..], &["ann"], &["ann", "bob"]] {
            let shipped = named("release_dead_node", signed);
            for other in ["a_site_of_its_own", "drain_node", "purge_queue"] {
                assert_eq!(named(other, signed), shipped, "{action} under {other} with {signed:?}");
            }
        }
    }
}

#[test]
fn time_can_be_judged() {
    let rule = "@id(\"freeze\") @reason(\"a freeze\") forbid (principal, action in Action::\"mutate\", resource)\n\
                when { context.now >= datetime(\"2026-12-18T18:00:00Z\") };";
    let policies = load(with_rule(rule));
    let at = |now: &str| {
        let mut seen = evidence(pods(0), &[]);
        seen.now = now.parse().unwrap();
        policies.judge(&ask(&policies), &seen).outcome
    };
    assert_eq!(at("2026-12-18T17:59:59.999999999Z"), Outcome::Allow);
    assert_eq!(at("2026-12-18T18:00:00Z"), Outcome::Deny);
}

#[test]
fn an_explanation_shows_every_comparison() {
    let policies = load(source());
    let told = policies.explain(&ask(&policies), Some(&evidence(pods(12), &["ann"])));
    let rule = |id: &str| told.iter().find(|explained| explained.rule == id).unwrap();
    assert_eq!(rule("pods.one-approval").applies, Applies::No);
    let two = rule("pods.two-people");
    assert_eq!(two.applies, Applies::Yes);
    assert_eq!(two.looked[0].saw.as_deref(), Some("blast.pods_lost is 12, limit 10"));
    assert_eq!((two.looked[0].keyword, two.looked[0].is), ("when", Some(true)));
    assert!(told.iter().all(|explained| explained.rule != "agents.read"), "only what concerns the action");
    assert!(policies.explain(&ask(&policies), None).iter().any(|explained| explained.rule == "agents.ask"));
}
