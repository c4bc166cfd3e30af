use std::collections::BTreeSet;

use runcord_model::EffectKind;
use runcord_runbooks::{Filled, Report, Runbook};
use serde_json::{Value, json};

use super::*;
use crate::actions::{Play, Scalar};
use crate::library;

fn keys(value: &Value) -> Vec<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

/// The fields of a variable, or of each item of one that is a list.
fn fields(schema: &Value) -> &Value {
    if schema["type"] == "array" { &schema["items"]["properties"] } else { &schema["properties"] }
}

#[test]
fn the_sample_has_every_field_that_the_schema_documents() {
    let catalog = catalog();
    let declared = &catalog.observation.to_value()["properties"];
    assert_eq!(keys(&catalog.sample), keys(declared));
    for (name, schema) in declared.as_object().unwrap() {
        assert!(schema["description"].is_string(), "{name} is documented");
        for (field, schema) in fields(schema).as_object().unwrap() {
            assert!(schema["description"].is_string(), "{name}.{field} is documented");
        }
        let sample = &catalog.sample[name];
        let one = sample.as_array().map_or(sample, |items| &items[0]);
        assert_eq!(keys(one), keys(fields(schema)), "{name}");
    }
}

#[test]
fn every_action_is_closed_and_observes_what_is_declared() {
    let catalog = catalog();
    let declared = keys(&catalog.observation.to_value()["properties"]);
    for action in &catalog.actions {
        let (name, with, output) = (action.name, action.with.to_value(), action.output.to_value());
        assert_eq!(with["additionalProperties"], json!(false), "{name}");
        assert!(action.observes.iter().all(|seen| declared.contains(&(*seen).to_owned())), "{name}");
        assert!(!with.to_string().contains("$ref"), "{name} needs no other document");
        assert!(!output.to_string().contains("$ref"), "{name} needs no other document");
        assert_eq!(output == json!(false), action.effect == EffectKind::Mutating, "{name}");
    }
}

fn ours() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    runcord_runbooks::shipped().iter().filter(|(file, _)| file.starts_with("ansible/"))
}

fn checked(file: &str, text: &str) -> Runbook {
    let parsed = Runbook::parse(file, text).unwrap_or_else(|report| panic!("{}", report.page()));
    parsed.check(&catalog(), runcord_model::Digest::from_bytes([0; 32])).unwrap_or_else(|reports| {
        panic!("{}", reports.iter().map(Report::page).collect::<String>());
    })
}

fn shipped(name: &str) -> Runbook {
    let file = format!("ansible/{name}.yaml");
    let (file, text) = ours().find(|(it, _)| *it == file).unwrap();
    checked(file, text)
}

#[test]
fn the_shipped_runbooks_hold_against_this_catalog() {
    let catalog = catalog();
    let mut used = BTreeSet::new();
    for (file, text) in ours() {
        let runbook = checked(file, text);
        assert!(file.ends_with(&format!("/{}.yaml", runbook.name())), "{file}");
        assert!(runbook.description().len() < 2000 && !runbook.links().is_empty(), "{file}");
        let schema = runbook.input_schema();
        jsonschema::draft202012::new(&schema).unwrap();
        assert_eq!(schema["additionalProperties"], json!(false), "{file}");
        let named =
            catalog.actions.iter().filter(|action| text.contains(&format!("action: {}\n", action.name)));
        used.extend(named.map(|action| action.name));
    }
    let all: BTreeSet<_> = catalog.actions.iter().map(|action| action.name).collect();
    assert_eq!(used, all, "every action is used by a runbook that ships");
}

/// The arguments of each runbook that ships, and its headline.
const CALLS: [(&str, &str, &str); 10] = [
    ("restart_service", r#"{"service": "nginx"}"#, "restart the service of some on hosts of web"),
    ("patch_hosts", "{}", "bring the packages of some up to date on hosts of web"),
    (
        "clean_disk",
        r#"{"area": "reports", "older_than_days": 30}"#,
        "delete files of reports older than 30 days on hosts of web",
    ),
    ("reboot_hosts", "{}", "reboot hosts of web as some declares"),
    (
        "rotate_host_certificate",
        r#"{"certificate_version": "2026-11"}"#,
        "rotate the certificate of hosts of web to version 2026-11",
    ),
    ("push_config", "{}", "push the configuration of some to hosts of web"),
    ("pool_member", r#"{"membership": "out"}"#, "take hosts of web out of the pool of some"),
    ("host_facts", "{}", "look at hosts of web"),
    ("service_status", "{}", "look at the service of some on hosts of web"),
    ("disk_usage", "{}", "look at the disks of hosts of web"),
];

fn filled(runbook: &Runbook, with: &str) -> Filled {
    let mut args = serde_json::from_str::<Value>(with).unwrap().as_object().unwrap().clone();
    args.extend([("playbook".to_owned(), json!("some")), ("group".to_owned(), json!("web"))]);
    if runbook.effect() == EffectKind::Mutating {
        args.insert("reason".to_owned(), json!("a test"));
    }
    runbook.fill(&args).unwrap()
}

fn play(runbook: &Runbook, filled: &Filled) -> Play {
    let steps = runbook.steps(filled).unwrap();
    assert_eq!(steps.len(), 1);
    match Action::read(&steps[0]).unwrap() {
        Action::RunPlaybook(play) | Action::ReadPlaybook(play) => play,
        Action::TakeBack(back) => panic!("{back:?}"),
    }
}

#[test]
fn each_runbook_runs_the_playbook_of_its_own_name_and_nothing_else() {
    assert_eq!(CALLS.len(), ours().count());
    for (name, with, headline) in CALLS {
        let runbook = shipped(name);
        let filled = filled(&runbook, with);
        assert_eq!(runbook.headline(&filled), headline);
        let play = play(&runbook, &filled);
        assert_eq!(play.runs.as_ref().map(|runs| runs.as_str()), Some(name));
        assert_eq!((play.playbook.as_str(), play.group.as_str()), ("some", "web"), "{name}");
        assert_eq!((play.host, play.tags.len()), (None, 0), "{name}");
        let given: Vec<_> = play.variables.keys().map(|variable| variable.as_str()).collect();
        let asked: Value = serde_json::from_str(with).unwrap();
        assert_eq!(given, keys(&asked), "{name}: what is not given is left out");
        if runbook.effect() == EffectKind::Mutating {
            assert_eq!(runbook.concurrency(&filled).unwrap().key, "group/web", "one at a time: {name}");
            assert_eq!(runbook.concurrency(&filled).unwrap().max, 1, "{name}");
        }
    }
}

#[test]
fn one_host_of_a_group_can_be_named_and_no_pattern() {
    for (name, with, _) in CALLS {
        let runbook = shipped(name);
        let with = |host: &str| {
            let mut with: Value = serde_json::from_str(with).unwrap();
            with["host"] = json!(host);
            let mut args = with.as_object().unwrap().clone();
            args.extend([("playbook".to_owned(), json!("some")), ("group".to_owned(), json!("web"))]);
            if runbook.effect() == EffectKind::Mutating {
                args.insert("reason".to_owned(), json!("a test"));
            }
            runbook.fill(&args)
        };
        let host = play(&runbook, &with("web1").unwrap()).host;
        assert_eq!(host.as_ref().map(|host| host.as_str()), Some("web1"));
        for pattern in ["web*", "web1:web2", "!web1", "web[1:3]", "-x", "{{ a }}", ""] {
            assert!(with(pattern).is_err(), "{name}: {pattern:?}");
        }
    }
}

#[test]
fn numbers_are_numbers_and_texts_are_texts() {
    let runbook = shipped("clean_disk");
    let play = play(&runbook, &filled(&runbook, r#"{"area": "reports", "older_than_days": 30}"#));
    let given: Vec<_> = play.variables.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    let expected = [
        ("area".to_owned(), Scalar::Text("reports".to_owned())),
        ("older_than_days".to_owned(), Scalar::Number(30)),
    ];
    assert_eq!(given, expected);
}

/// Whatever the run changed is verified, and taken back exactly where the library has a way back.
#[test]
fn a_run_is_verified_and_taken_back_where_the_library_takes_it_back() {
    for (name, with, _) in CALLS {
        let runbook = shipped(name);
        let filled = filled(&runbook, with);
        let has = |part: &str| library::text(&format!("{name}.{part}").parse().unwrap()).is_some();
        let mutating = runbook.effect() == EffectKind::Mutating;
        assert_eq!(has("verify"), mutating, "{name}");
        let checks: Vec<_> = runbook.verify().iter().map(|check| check.source().to_owned()).collect();
        let expected = if mutating { vec!["verified.holds == run.hosts".to_owned()] } else { vec![] };
        assert_eq!(checks, expected, "{name}");
        let undo = runbook.undo_steps(&filled, &sample());
        assert_eq!(undo.is_some(), has("undo"), "{name}");
        let Some(undo) = undo else { continue };
        let Action::TakeBack(back) = Action::read(&undo.unwrap()[0]).unwrap() else { panic!("{name}") };
        assert_eq!((back.playbook.as_str(), back.group.as_str()), ("some", "web"));
        assert_eq!(back.look.as_str(), "5e".repeat(16));
        let mut nothing = sample();
        nothing["run"]["look"] = json!("");
        let unfit = runbook.undo_steps(&filled, &nothing).unwrap();
        let read = unfit.map(|undo| Action::read(&undo[0]).map_err(|bad| bad.field));
        assert!(!matches!(read, Ok(Ok(_))), "{name}: nothing takes it back");
    }
}

#[test]
fn only_deletions_may_be_beyond_recall() {
    for (name, ..) in CALLS {
        let cap = if name == "clean_disk" { 10 } else { 0 };
        assert_eq!(shipped(name).limits().irreversible, cap, "{name}");
        assert!(library::text(&name.parse().unwrap()).is_some(), "{name} is a playbook of the library");
    }
}
