//! Real plans of terraform 1.11, and hand-made entries for what those do not show.

use std::collections::BTreeMap;
use std::io::Cursor;

use runcord_model::Digest;
use serde_json::{Value, json};

use super::*;
use crate::samples::{declared, mask};
use crate::seen::{Deed, Shown};

const CREATE: &str = include_str!("samples/create.json");
const CHANGE: &str = include_str!("samples/change.json");
/// The same configuration, a little later, by OpenTofu 1.12.
const TOFU: &str = include_str!("samples/tofu-create.json");
const NOTHING: &str = include_str!("samples/nothing.json");

fn read_text(text: &str) -> Reading {
    read(text.as_bytes(), &declared(), &mask()).unwrap()
}

/// A plan of these parts, around an empty configuration.
fn plan(parts: Value) -> Value {
    let mut plan = json!({"format_version": "1.2", "configuration": {"root_module": {}}});
    plan.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
    plan
}

fn read_value(plan: &Value) -> Reading {
    read_text(&plan.to_string())
}

fn doubts(parts: Value) -> Vec<Doubt> {
    read_value(&plan(parts)).doubts
}

fn entry(actions: Value, before: Value, after: Value) -> Value {
    json!({
        "address": "aws_instance.web", "mode": "managed", "type": "aws_instance", "name": "web",
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": {
            "actions": actions, "before": before, "after": after, "after_unknown": {},
            "before_sensitive": {}, "after_sensitive": {}
        }
    })
}

/// The entry with a part of its change put in.
fn with(mut entry: Value, key: &str, part: Value) -> Value {
    entry["change"][key] = part;
    entry
}

fn one(entry: Value) -> ResourceChange {
    let mut reading = read_value(&plan(json!({"resource_changes": [entry]})));
    assert_eq!(reading.doubts, []);
    assert_eq!(reading.changes.len(), 1);
    reading.changes.remove(0)
}

fn values(change: &ResourceChange) -> BTreeMap<&str, (&Shown, &Shown)> {
    change.values.iter().map(|value| (value.path.as_str(), (&value.before, &value.after))).collect()
}

fn text(value: &str) -> Shown {
    Shown::Value(json!(value))
}

#[test]
fn a_plan_that_makes_everything_is_read() {
    let reading = read_text(CREATE);
    assert!(reading.changes.iter().all(|change| change.deed == Deed::Create), "{reading:?}");
    assert_eq!((reading.changes.len(), reading.instances), (11, 0));
    assert_eq!(reading.outputs.iter().collect::<Vec<_>>(), ["fixed", "owner", "password"]);
    assert_eq!(reading.doubts, [Doubt::Provisioner { resource: "terraform_data.hooked".into() }]);
    assert!(reviewed(&reading.doubts[0], &declared()));
    assert!(!serde_json::to_string(&reading).unwrap().contains("correct-horse"));
}

#[test]
fn a_plan_of_the_other_tool_is_read_as_well() {
    let reading = read_text(TOFU);
    assert!(reading.changes.iter().all(|change| change.deed == Deed::Create), "{reading:?}");
    assert_eq!((reading.changes.len(), reading.instances), (8, 0));
    let unreviewed: Vec<_> = reading.doubts.iter().filter(|doubt| !reviewed(doubt, &declared())).collect();
    assert_eq!(unreviewed, [&Doubt::Check { address: "check.owner".into() }]);
    assert!(!serde_json::to_string(&reading).unwrap().contains("battery-staple"));
}

#[test]
fn a_plan_that_changes_nothing_is_whole_all_the_same() {
    let reading = read_text(NOTHING);
    assert!(reading.changes.is_empty() && reading.outputs.is_empty() && reading.drift.is_empty());
    assert_eq!(reading.instances, 11);
    assert_eq!(reading.doubts, [Doubt::Provisioner { resource: "terraform_data.hooked".into() }]);
}

#[test]
fn every_deed_of_a_real_plan_is_told_apart() {
    let reading = read_text(CHANGE);
    let deeds: Vec<_> = reading.changes.iter().map(|c| (c.address.as_str(), c.deed)).collect();
    assert_eq!(
        deeds,
        [
            ("module.pool.terraform_data.node[2]", Deed::Delete),
            ("terraform_data.each[\"a\"]", Deed::Update),
            ("terraform_data.each[\"b\\\"q\"]", Deed::Delete),
            ("terraform_data.found", Deed::Update),
            ("terraform_data.gone", Deed::Delete),
            ("terraform_data.image", Deed::Replace),
            ("terraform_data.left", Deed::Forget),
            ("terraform_data.new_name", Deed::Keep),
            ("terraform_data.secret", Deed::Update),
        ]
    );
    let of = |name: &str| reading.changes.iter().find(|c| c.address.ends_with(name)).unwrap();
    assert_eq!(of("new_name").moved_from.as_deref(), Some("terraform_data.old_name"));
    assert!(of("found").imported && !of("image").imported);
    assert_eq!(of("image").provider, "terraform.io/builtin/terraform");
    assert_eq!(reading.outputs.iter().collect::<Vec<_>>(), ["owner", "password"], "one stays as it is");
    assert_eq!(reading.instances, 12, "what is imported is in the state that was refreshed");
    assert_eq!(
        reading.doubts,
        [
            Doubt::Provisioner { resource: "terraform_data.hooked".into() },
            Doubt::Check { address: "check.owner".into() },
        ]
    );
}

#[test]
fn sensitive_values_are_hidden_wherever_they_stand() {
    let reading = read_text(CHANGE);
    let secret = reading.changes.iter().find(|c| c.address == "terraform_data.secret").unwrap();
    let values = values(secret);
    assert_eq!(values["input.owner"], (&text("ann"), &text("bob")));
    assert_eq!(values["input.password"], (&Shown::Hidden, &Shown::Hidden));
    assert_eq!(values["input[\"a key\"][1]"], (&Shown::Hidden, &Shown::Hidden));
    // The provider has copied it to where the tool marks nothing.
    assert_eq!(values["output.password"], (&Shown::Hidden, &Shown::Unknown));
    assert_eq!(values["output.owner"], (&text("ann"), &Shown::Unknown));
    let all = serde_json::to_string(&reading).unwrap();
    assert!(!all.contains("correct-horse") && !all.contains("battery-staple"), "{all}");
}

#[test]
fn leaves_are_compared_one_by_one() {
    let before =
        json!({"a": 1, "same": [1, {"x": 2}], "list": [1, 2], "gone": {"k": "v"}, "null": null, "empty": []});
    let after = json!({"a": 2, "same": [1, {"x": 2}], "list": [1], "new": {"k": true}, "empty": [{}], "kind": {"x": 1}});
    let before = with(entry(json!(["update"]), before, after), "before_sensitive", json!(false));
    let change =
        one(with(before, "after_unknown", json!({"late": true, "parts": [{"id": true}], "empty": false})));
    let shown = |value: Value| Shown::Value(value);
    assert_eq!(
        values(&change),
        BTreeMap::from([
            ("a", (&shown(json!(1)), &shown(json!(2)))),
            ("empty", (&shown(json!([])), &Shown::Absent)),
            ("empty[0]", (&Shown::Absent, &shown(json!({})))),
            ("gone.k", (&text("v"), &Shown::Absent)),
            ("kind.x", (&Shown::Absent, &shown(json!(1)))),
            ("late", (&Shown::Absent, &Shown::Unknown)),
            ("list[1]", (&shown(json!(2)), &Shown::Absent)),
            ("new.k", (&Shown::Absent, &shown(json!(true)))),
            ("parts[0].id", (&Shown::Absent, &Shown::Unknown)),
        ])
    );
}

#[test]
fn a_value_that_changes_its_shape_is_shown_on_both_sides() {
    let change = one(entry(json!(["update"]), json!({"v": "text"}), json!({"v": {"k": [1]}})));
    assert_eq!(
        values(&change),
        BTreeMap::from([
            ("v", (&text("text"), &Shown::Absent)),
            ("v.k[0]", (&Shown::Absent, &Shown::Value(json!(1)))),
        ])
    );
}

#[test]
fn a_mark_on_a_parent_hides_all_below_it() {
    let (before, after) =
        (json!({"p": {"a": "onetime", "b": [1]}}), json!({"p": {"a": "twotimes", "b": [1]}}));
    for marks in [json!({"p": true}), json!(true)] {
        for side in ["before_sensitive", "after_sensitive"] {
            let change =
                one(with(entry(json!(["update"]), before.clone(), after.clone()), side, marks.clone()));
            let hidden =
                change.values.iter().all(|v| (&v.before, &v.after) == (&Shown::Hidden, &Shown::Hidden));
            assert!(hidden && change.values.len() == 1, "{marks} {side} {change:?}");
        }
    }
}

#[test]
fn marks_that_do_not_fit_their_value_hide_all_of_it() {
    let (before, after) = (json!({"a": "1", "l": ["x"]}), json!({"a": "2", "l": ["x"]}));
    for marks in [
        Value::Null,
        json!("yes"),
        json!(1),
        json!([true]),
        json!({"a": "true"}),
        json!({"a": {"b": false}}),
        json!({"l": {"0": true}}),
        json!({"a": null}),
    ] {
        let change = one(with(
            entry(json!(["update"]), before.clone(), after.clone()),
            "after_sensitive",
            marks.clone(),
        ));
        assert_eq!(change.values.len(), 1, "{marks}");
        assert_eq!(
            (&change.values[0].before, &change.values[0].after),
            (&Shown::Hidden, &Shown::Hidden),
            "{marks}"
        );
    }
    let mut bare = entry(json!(["update"]), before, after);
    bare["change"].as_object_mut().unwrap().remove("before_sensitive");
    assert_eq!(one(bare).values[0].before, Shown::Hidden, "none at all");
}

#[test]
fn a_short_secret_is_hidden_where_it_is_all_of_a_value() {
    let made =
        json!({"pin": 4711, "echo": 4711, "word": "abc", "copy": "abc", "other": "abd", "keys": {"abc": 1}});
    let change = one(with(
        entry(json!(["create"]), Value::Null, made),
        "after_sensitive",
        json!({"pin": true, "word": true}),
    ));
    let values = values(&change);
    for hidden in ["pin", "echo", "word", "copy"] {
        assert_eq!(values[hidden].1, &Shown::Hidden, "{hidden}");
    }
    assert_eq!(values["other"].1, &text("abd"));
    assert!(values.contains_key("keys[‹redacted›]"), "{values:?}");
}

#[test]
fn long_texts_and_many_values_are_cut() {
    let many: serde_json::Map<_, _> =
        (0..100).map(|i| (format!("k{i:03}"), json!("long ".repeat(1000)))).collect();
    let change = one(entry(json!(["create"]), Value::Null, Value::Object(many)));
    assert_eq!(change.values.len(), 41);
    assert_eq!(change.values[40].path, "‹60 more than 40 values›");
    assert!(serde_json::to_string(&change).unwrap().len() < 20_000);
    let huge = one(entry(json!(["create"]), Value::Null, json!({"a": "x".repeat(70_000)})));
    assert_eq!(huge.values[0].after, text("‹70000 bytes›"));
}

#[test]
fn what_is_forgotten_and_made_anew_is_two_changes() {
    let forgotten = entry(json!(["forget", "create"]), json!({"a": 1}), json!({"a": 2}));
    let reading = read_value(&plan(json!({"resource_changes": [forgotten]})));
    let deeds: Vec<_> = reading.changes.iter().map(|change| change.deed).collect();
    assert_eq!(deeds, [Deed::Create, Deed::Forget]);
    assert_eq!(reading.changes[0].values[0].before, Shown::Absent);
    assert_eq!(reading.changes[1].values[0].after, Shown::Absent);
}

#[test]
fn drift_is_what_accepting_it_changes() {
    let gone = entry(json!(["delete"]), json!({"a": 1}), Value::Null);
    let mut odd = entry(json!(["update"]), json!({"a": 1}), json!({"a": 2}));
    odd["address"] = json!("aws_instance.web[\"a\\\"b\"]");
    let reading = read_value(&plan(json!({"resource_drift": [gone, odd]})));
    assert!(reading.changes.is_empty() && reading.doubts.is_empty());
    assert_eq!(reading.drift.iter().map(|c| c.deed).collect::<Vec<_>>(), [Deed::Forget, Deed::Update]);
    assert_eq!(reading.drifted.len(), 1, "the same address, without a key that cannot be shown");
    let (rests_on, saved) = (crate::samples::rests_on(), crate::samples::saved());
    let accept = Action::AcceptDrift(crate::samples::on_module());
    assert_eq!(reading.clone().planned(&accept, rests_on.clone(), saved.clone(), None).changes.len(), 2);
    let apply = Action::ApplyConfiguration(crate::samples::on_module());
    assert!(reading.planned(&apply, rests_on, saved, None).changes.is_empty());
}

#[test]
fn what_is_not_known_is_a_doubt() {
    let unknown = |path: &str| vec![Doubt::UnknownPart { path: path.into() }];
    assert_eq!(doubts(json!({"resource_hopes": []})), unknown("resource_hopes"));
    assert_eq!(doubts(json!({"ignore all rules": []})), unknown("‹not a name›"));
    assert_eq!(doubts(json!({"format_version": "2.0"})), unknown("format_version"));
    assert_eq!(
        doubts(json!({"output_changes": {"o": {"actions": ["no-op"], "x": 1}}})),
        unknown("output_changes.o.x")
    );
    let of = |entry: Value| doubts(json!({"resource_changes": [entry]}));
    let plain = || entry(json!(["update"]), json!({}), json!({}));
    assert_eq!(of(plain()), []);
    assert_eq!(of(with(plain(), "mood", json!(1))), unknown("aws_instance.web.change.mood"));
    assert_eq!(
        of(with(plain(), "importing", json!({"mood": 1}))),
        unknown("aws_instance.web.importing.mood")
    );
    assert_eq!(of(with(plain(), "importing", json!({"unknown": true}))), [Doubt::Deferred]);
    for actions in
        [json!(["explode"]), json!(["update", "delete"]), json!([]), json!("update"), Value::Null, json!([1])]
    {
        assert_eq!(
            of(with(plain(), "actions", actions.clone())),
            unknown("aws_instance.web.actions"),
            "{actions}"
        );
    }
    for (key, value, path) in [
        ("mood", json!(1), "aws_instance.web.mood"),
        ("mode", json!("list"), "aws_instance.web.actions"),
        ("type", json!("AWS"), "aws_instance.web.address"),
        ("provider_name", json!("a b"), "aws_instance.web.address"),
        ("address", json!("ignore all rules"), "‹not a name›.address"),
    ] {
        let mut entry = plain();
        entry[key] = value;
        assert_eq!(of(entry), unknown(path), "{key}");
    }
}

#[test]
fn what_is_not_whole_is_a_doubt() {
    let change = || entry(json!(["create"]), Value::Null, json!({}));
    assert_eq!(doubts(json!({"errored": true})), [Doubt::NotWhole]);
    assert_eq!(doubts(json!({"complete": false})), [Doubt::NotWhole]);
    assert_eq!(doubts(json!({"applyable": false})), [], "nothing changes");
    assert_eq!(doubts(json!({"applyable": false, "resource_changes": [change()]})), [Doubt::NotWhole]);
    assert_eq!(
        doubts(
            json!({"applyable": true, "complete": true, "errored": false, "resource_changes": [change()]})
        ),
        []
    );
    assert_eq!(doubts(json!({"action_invocations": [{}]})), [Doubt::ActionInvocation]);
    assert_eq!(doubts(json!({"deferred_changes": [{}]})), [Doubt::Deferred]);
    assert_eq!(doubts(json!({"deferred_action_invocations": [{}]})), [Doubt::Deferred]);
    assert_eq!(doubts(json!({"action_invocations": [], "deferred_changes": null})), []);
    let put_off = json!([{"address": {"to_display": "module.m[0].check.ok"}, "status": "unknown"}]);
    let put_off = doubts(json!({"checks": put_off}));
    assert_eq!(put_off, [Doubt::CheckPutOff { address: "module.m.check.ok".into() }]);
    assert!(reviewed(&put_off[0], &declared()), "it is no reason not to go on");
    for status in [json!("fail"), json!("error"), json!("new"), Value::Null] {
        let checks = json!([{"address": {"to_display": "module.m[0].check.ok"}, "status": status}]);
        assert_eq!(doubts(json!({"checks": checks})), [Doubt::Check { address: "module.m.check.ok".into() }]);
    }
    assert_eq!(doubts(json!({"checks": [{"address": {"to_display": "check.ok"}, "status": "pass"}]})), []);
}

#[test]
fn what_the_configuration_runs_and_calls_is_a_doubt() {
    let source = |kind: &str| json!({"address": format!("data.{kind}.x"), "mode": "data", "type": kind});
    let inner = json!({
        "resources": [
            {"address": "terraform_data.hook", "mode": "managed", "type": "terraform_data", "provisioners": [{"type": "local-exec"}]},
            source("external"), source("aws_ami"),
        ],
    });
    let root = json!({
        "variables": {"owner": {}, "stray": {}, "ignore all rules": {}},
        "resources": [source("http"), source("aws_lambda_invocation"), {"address": "ephemeral.shell_script.x", "mode": "ephemeral", "type": "shell_script"}],
        "module_calls": {
            "m": {"source": "../m", "module": inner}, "far": {"source": "terraform-aws-modules/vpc/aws"},
            "none": {}, "absolute": {"source": "/m"},
        },
    });
    let found = doubts(json!({"configuration": {"root_module": root}}));
    let source = |resource: &str| Doubt::DataSource { resource: resource.into() };
    let call = |call: &str| Doubt::RemoteModule { call: call.into() };
    let variable = |name: &str| Doubt::UndeclaredVariable { name: name.into() };
    assert_eq!(
        found,
        [
            Doubt::Provisioner { resource: "module.m.terraform_data.hook".into() },
            source("data.aws_lambda_invocation.x"),
            source("data.http.x"),
            source("ephemeral.shell_script.x"),
            source("module.m.data.external.x"),
            call("module.absolute"),
            call("module.far"),
            call("module.none"),
            variable("stray"),
            variable("‹not a name›"),
        ]
    );
    let mut declared = declared();
    declared.runs_code.insert("module.m.data.external.x".into());
    assert_eq!(found.iter().filter(|doubt| reviewed(doubt, &declared)).count(), 1);
}

#[test]
fn what_is_no_plan_is_not_read() {
    for (text, broken) in [
        ("", true),
        (&CHANGE[..CHANGE.len() / 2], true),
        ("{}", false),
        ("[]", false),
        ("null", false),
        (r#"{"format_version": "1.2"}"#, false),
        (r#"{"format_version": "1.2", "configuration": {"root_module": {}}} {}"#, false),
        (
            r#"{"format_version": "1.2", "configuration": {"root_module": {}}, "configuration": {"root_module": {}}}"#,
            false,
        ),
        (
            r#"{"format_version": "1.2", "configuration": {"root_module": {"resources": [{"mode": "data"}]}}}"#,
            false,
        ),
        (r#"{"format_version": "1.2", "configuration": {"root_module": {}}, "errored": "no"}"#, false),
    ] {
        match read(text.as_bytes(), &declared(), &mask()) {
            Err(Unreadable::Broken) => assert!(broken, "{text}"),
            Err(Unreadable::NotAPlan) => assert!(!broken, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn a_real_plan_file_says_which_state_it_rests_on() {
    let mark = state_mark(Cursor::new(include_bytes!("samples/change.tfplan"))).unwrap();
    assert_eq!((mark.lineage.as_str(), mark.serial), ("d9181948-ceac-d338-e599-d69b2f8d32e1", 12));
    assert!(matches!(state_mark(Cursor::new(b"no archive")), Err(Unreadable::NotAPlan)));
}

#[test]
fn a_plan_file_without_a_state_that_is_known_is_refused() {
    for (name, state, good) in [
        ("tfstate", r#"{"version": 4, "serial": 0, "lineage": "", "outputs": {"pw": {"value": "x"}}}"#, true),
        ("tfstate-prev", r#"{"serial": 0, "lineage": ""}"#, false),
        ("tfstate", r#"{"serial": -1, "lineage": ""}"#, false),
        ("tfstate", r#"{"serial": 1, "lineage": "a b"}"#, false),
        ("tfstate", r#"{"lineage": "a"}"#, false),
        ("tfstate", "sealed", false),
    ] {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut archive, state.as_bytes()).unwrap();
        let read = state_mark(archive.finish().unwrap());
        assert_eq!(read.is_ok(), good, "{name} {state}");
        assert!(good || matches!(read, Err(Unreadable::NoState)));
    }
}

#[test]
fn two_thousand_resources_leave_what_changes_and_no_more() {
    let values: serde_json::Map<_, _> =
        (0..60).map(|i| (format!("attribute_{i}"), json!("value ".repeat(20)))).collect();
    let entries: Vec<_> = (0..2000)
        .map(|i| {
            let mut entry =
                entry(json!(["no-op"]), Value::Object(values.clone()), Value::Object(values.clone()));
            entry["address"] = json!(format!("aws_instance.web[{i}]"));
            entry
        })
        .collect();
    let text = plan(json!({"resource_changes": entries})).to_string();
    assert!(text.len() > 30_000_000);
    let reading = read_text(&text);
    assert!(serde_json::to_string(&reading).unwrap().len() < 1000);
}

#[test]
fn a_reading_says_which_plan_it_was_of() {
    let planned = read_text(CHANGE).planned(
        &Action::ApplyConfiguration(crate::samples::on_module()),
        crate::samples::rests_on(),
        crate::samples::saved(),
        Some(Digest::from_bytes([9; 32])),
    );
    assert_eq!((planned.changes.len(), planned.instances), (9, 12));
    assert_eq!(planned.applied_before, Some(Digest::from_bytes([9; 32])));
}
