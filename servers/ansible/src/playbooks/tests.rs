//! `playbooks.yaml` as it is written, well and badly.

use serde_json::{Value, json};

use super::*;

const SHIPPED: &str = include_str!("../../../../policy/rules/playbooks.yaml");

fn parse(text: &str) -> Result<Playbooks, Vec<Problem>> {
    Playbooks::parse("playbooks.yaml", text)
}

/// One playbook that changes hosts, with these lines of its own from line 8 on.
fn playbook(lines: &str) -> String {
    format!(
        "playbooks:\n  web:\n    playbook: {{project: live/web.yml}}\n    verify: {{project: live/check.yml}}\n    \
         inventory: hosts.yml\n    groups: [web]\n    batches: [1]\n{lines}"
    )
}

fn problem(text: &str) -> Problem {
    let mut found = parse(text).unwrap_err();
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    found.remove(0)
}

/// What is wrong with one more line, the eighth.
fn says(line: &str, expected: &str) {
    let found = problem(&playbook(&format!("    {line}\n")));
    assert_eq!(found.line, 8, "{line}: {found}");
    assert!(found.message.contains(expected), "{found}");
}

fn only(text: &str) -> Playbook {
    parse(text).unwrap().playbooks.into_values().next().unwrap()
}

#[test]
fn what_is_empty_declares_nothing() {
    for text in ["", "\n", "# nothing yet\n\n", "playbooks: {}\n", SHIPPED] {
        assert_eq!(parse(text).unwrap(), Playbooks::default(), "{text}");
    }
}

#[test]
fn the_example_that_ships_is_whole() {
    let lines = SHIPPED.lines().filter_map(|line| line.strip_prefix("#   "));
    let example: String = lines.map(|line| format!("{line}\n")).collect();
    let playbooks = parse(&example).unwrap().playbooks;
    assert_eq!(playbooks.len(), 7);
    let named = |name: &str| &playbooks[&name.parse::<PlaybookName>().unwrap()];
    assert_eq!(named("restart_web").playbook, Source::Shipped("restart_service".parse().unwrap()));
    assert_eq!(named("restart_web").batches, [Batch::Hosts(1), Batch::Percent(25)]);
    let by_name = |playbook: &Playbook| {
        playbook.variables.iter().map(|(name, variable)| (name.to_string(), variable.clone())).collect()
    };
    let patch: BTreeMap<String, Variable> = by_name(named("patch_web"));
    let Variable::Pinned(pinned) = &patch["packages"] else { panic!("{patch:?}") };
    assert_eq!(pinned.by, Source::Shipped("patch_hosts.look".parse().unwrap()));
    assert_eq!(pinned.fields, ["newer", "installed"]);
    let push: BTreeMap<String, Variable> = by_name(named("push_nginx_conf"));
    let file: ProjectPath = "files/nginx.conf".parse().unwrap();
    assert_eq!(push["config_source"], Variable::File(file.clone()));
    assert_eq!(push["config_digest"], Variable::DigestOf(file));
    let deploy = named("deploy_app");
    assert_eq!(deploy.variables.len(), 3);
    assert_eq!(deploy.allows[0].kind, Kind::Command);
    assert_eq!(deploy.named_tasks().len(), 1);
    assert!(named("disk_usage").reads && !named("drop_cache").irreversible.is_empty());
}

#[test]
fn a_typo_is_shown_where_it_is() {
    let found = problem(&playbook("    inventroy: x\n"));
    assert_eq!((found.file.as_str(), found.line, found.column), ("playbooks.yaml", 8, 5));
    assert!(found.message.contains("inventroy"), "{found}");
    for text in ["playbook: {}", "playbooks: {web: {}}", "playbooks: []", "playbooks: {-x: {}}"] {
        assert_eq!(parse(text).unwrap_err().len(), 1, "{text}");
    }
    for line in [
        "tags: [always]",
        "irreversible: [\"{{ a }}\"]",
        "undo: {project: ../a.yml}",
        "undo: {elsewhere: a.yml}",
        "undo: a.yml",
        "variables: {ansible_host: boolean}",
        "variables: {port: boolean}",
        "variables: {a: {anything: 1}}",
        "variables: {a: {string: {pattern: \"^a$\"}}}",
        "allows: [{kind: everything}]",
        "allows: [{task: \"a.yml:b\"}]",
        "restarts: {modules: [service]}",
        "normalise: [{everything: true}]",
    ] {
        let found = problem(&playbook(&format!("    {line}\n")));
        assert_eq!(found.line, 8, "{found}");
    }
}

#[test]
fn a_playbook_acts_on_groups_in_batches_and_is_verified() {
    let without = |line: &str| problem(&playbook("").replace(line, ""));
    assert!(problem(&playbook("").replace("[web]", "[]")).message.contains("no group"));
    assert!(without("    batches: [1]\n").message.contains("how many hosts"));
    assert!(without("    verify: {project: live/check.yml}\n").message.contains("assert afterwards"));
}

#[test]
fn a_batch_is_a_number_or_a_share() {
    for (good, batches) in [
        ("[1, 10000]", vec![Batch::Hosts(1), Batch::Hosts(10_000)]),
        ("[\"1%\", \"100%\"]", vec![Batch::Percent(1), Batch::Percent(100)]),
    ] {
        let text = playbook("").replace("batches: [1]", &format!("batches: {good}"));
        assert_eq!(only(&text).batches, batches);
    }
    for bad in [
        "[0]",
        "[-1]",
        "[10001]",
        "[1.5]",
        "[\"0%\"]",
        "[\"101%\"]",
        "[\"+5%\"]",
        "[\"5\"]",
        "[all]",
        "[\"{{ a }}\"]",
        "[[1]]",
        "[true]",
    ] {
        let found = problem(&playbook("").replace("batches: [1]", &format!("batches: {bad}")));
        assert_eq!(found.line, 7, "{bad}: {found}");
    }
    let sizes = |batch: Batch| [0, 1, 3, 4, 200].map(|hosts| batch.of(hosts));
    assert_eq!(sizes(Batch::Hosts(2)), [2, 2, 2, 2, 2]);
    assert_eq!(sizes(Batch::Percent(25)), [1, 1, 1, 1, 50]);
}

#[test]
fn what_only_reads_has_nothing_to_take_back() {
    let reads = "playbooks:\n  look:\n    playbook: {project: look.yml}\n    reads: true\n    inventory: hosts.yml\n    groups: [all]\n";
    assert!(only(reads).reads);
    for line in [
        "undo: {project: b.yml}",
        "verify: {project: b.yml}",
        "batches: [1]",
        "irreversible: [Do it]",
        "restarts: {tasks: [Do it]}",
        "reboots: {modules: [ansible.builtin.reboot]}",
    ] {
        let found = problem(&format!("{reads}    {line}\n"));
        assert!(found.line == 7 && found.message.contains("only reads"), "{line}: {found}");
    }
}

#[test]
fn a_playbook_that_ships_brings_its_own_ways() {
    let shipped = playbook("").replace("{project: live/web.yml}", "{shipped: restart_service}");
    assert!(problem(&shipped).message.contains("`verify`"));
    let alone = shipped.replace("    verify: {project: live/check.yml}\n", "");
    assert!(parse(&alone).is_ok());
    assert!(problem(&format!("{alone}    undo: {{project: a.yml}}\n")).message.contains("`undo`"));
}

#[test]
fn a_playbook_does_not_verify_or_take_back_itself() {
    says("undo: {project: live/back.yml}\n    irreversible: [Do it]", "irreversible");
    assert!(parse(&playbook("    undo: {project: live/back.yml}\n")).is_ok());
    let found = problem(&playbook("    undo: {project: live/web.yml}\n"));
    assert!(found.message.contains("itself"), "{found}");
}

#[test]
fn a_variable_is_fixed_or_within_its_bounds() {
    let with = |variable: &str| playbook(&format!("    variables: {{size: {variable}}}\n"));
    for good in [
        "{value: 3}",
        "{value: [a, {b: c}]}",
        "{enum: [a, b]}",
        "boolean",
        "{integer: {minimum: 1, maximum: 1}}",
        "{string: {pattern: \"^(a|b)[c|d]?$\", max_length: 9}}",
    ] {
        assert!(parse(&with(good)).is_ok(), "{good}: {:?}", parse(&with(good)));
    }
    for (bad, expected) in [
        ("{value: null}", "no value"),
        ("{value: \"{{ a }}\"}", "template"),
        ("{value: [{a: \"{% b\"}]}", "template"),
        ("{value: {\"{{ a }}\": b}}", "template"),
        ("{enum: []}", "distinct"),
        ("{enum: [a, a]}", "distinct"),
        ("{enum: [\"{{ a }}\"]}", "template"),
        ("{integer: {minimum: 2, maximum: 1}}", "minimum is above"),
        ("{string: {pattern: \"^(a$\", max_length: 9}}", "no regular expression"),
        ("{string: {pattern: \"[a-z]+\", max_length: 9}}", "whole text"),
        ("{string: {pattern: \"^[a-z]+\", max_length: 9}}", "whole text"),
        ("{string: {pattern: \"^a|b$\", max_length: 9}}", "whole text"),
        ("{string: {pattern: \"^a\\\\$\", max_length: 9}}", "whole text"),
        ("{string: {pattern: \"^.*$\", max_length: 9}}", "templates"),
        ("{string: {pattern: \"^[a-z-]+$\", max_length: 9}}", "options"),
        ("{string: {pattern: \"^[a-z]+$\", max_length: 0}}", "no letters"),
    ] {
        let found = problem(&with(bad));
        assert!(found.message.contains(expected) && found.line == 8, "{bad}: {found}");
    }
    says("variables: {db_password: {value: x}}", "credential");
    assert!(parse(&playbook("    variables: {password_file: {value: x}}\n")).is_ok());
}

#[test]
fn a_runbook_gives_a_variable_only_what_it_may_be() {
    let accepts = |variable: &str, value: Value| {
        let declared = only(&playbook(&format!("    variables: {{size: {variable}}}\n")));
        declared.variables.values().all(|variable| variable.accepts(&value))
    };
    assert!(!accepts("{value: 3}", json!(3)), "it is fixed");
    assert!(accepts("{enum: [a, b]}", json!("b")) && !accepts("{enum: [a, b]}", json!("c")));
    assert!(accepts("boolean", json!(true)) && !accepts("boolean", json!("true")));
    let integer = "{integer: {minimum: 1, maximum: 3}}";
    assert!(accepts(integer, json!(1)) && accepts(integer, json!(3)));
    for bad in [json!(0), json!(4), json!("2"), json!(2.5), json!(null)] {
        assert!(!accepts(integer, bad.clone()), "{bad}");
    }
    let text = "{string: {pattern: \"^[a-z ]+$\", max_length: 4}}";
    assert!(accepts(text, json!("a b")));
    for bad in [json!("a b c"), json!("A"), json!("a\n"), json!(""), json!(1)] {
        assert!(!accepts(text, bad.clone()), "{bad}");
    }
}

#[test]
fn a_file_may_be_named_by_what_is_declared_value_by_value() {
    let declared = only(&playbook(
        "    variables: {a: {value: x}, b: {enum: [x]}, c: {string: {pattern: \"^x$\", max_length: 1}}, d: boolean}\n",
    ));
    let names: Vec<_> = declared.enumerated().iter().map(|name| name.as_str().to_owned()).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn only_a_doubt_is_reviewed() {
    assert!(
        parse(&playbook("    allows: [{kind: command, task: \"live/web.yml:Do it\"}, {kind: run_once}]\n"))
            .is_ok()
    );
    says("allows: [{kind: ignore_errors}]", "never let through");
    says("allows: [{kind: lookup}]", "never let through");
    says("allows: [{kind: look_skipped}]", "needs no review");
    says("allows: [{kind: no_diff}]", "needs no review");
    says("allows: [{kind: command, task: Do it}]", "place of a task");
    says("allows: [{kind: command, task: \":Do it\"}]", "place of a task");
}

#[test]
fn what_varies_is_narrow() {
    assert!(
        parse(&playbook("    normalise: [{pattern: \"ansible-tmp-[0-9.-]+\"}, {order: files}]\n")).is_ok()
    );
    says("normalise: [{pattern: \"(\"}]", "no regular expression");
    for wide in [".*", "a?", "[a-z]+", "^"] {
        says(&format!("normalise: [{{pattern: \"{wide}\"}}]"), "ordinary words");
    }
}

#[test]
fn the_environment_passes_credentials_on_and_nothing_that_steers_ansible() {
    for good in ["APP_TOKEN", "AWS_ACCESS_KEY_ID", "HTTPS_PROXY", "SSH_AUTH_SOCK"] {
        assert!(parse(&playbook(&format!("    environment: [{good}]\n"))).is_ok(), "{good}");
    }
    for bad in [
        "ANSIBLE_CONFIG",
        "ANSIBLE_VAULT_PASSWORD_FILE",
        "RUNCORD_STATE",
        "PATH",
        "HOME",
        "LD_PRELOAD",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "SSH_ASKPASS",
        "GIT_SSH_COMMAND",
        "XDG_CONFIG_HOME",
        "VIRTUAL_ENV",
        "LANG",
    ] {
        says(&format!("environment: [{bad}]"), "decides on what Ansible runs");
    }
    for bad in ["app_token", "_X", "A B", "A=B"] {
        says(&format!("environment: [\"{bad}\"]"), "not the name");
    }
}

#[test]
fn every_problem_is_told_at_once_behind_its_own_playbook() {
    let one = |name: &str| {
        format!(
            "  {name}:\n    playbook: {{project: a.yml}}\n    verify: {{project: b.yml}}\n    inventory: h.yml\n    \
             groups: []\n    batches: [1]\n    environment: [PATH]\n"
        )
    };
    let found = parse(&format!("playbooks:\n{}{}", one("a"), one("b"))).unwrap_err();
    assert_eq!(found.iter().map(|one| one.line).collect::<Vec<_>>(), [2, 8, 9, 15], "{found:?}");
}
