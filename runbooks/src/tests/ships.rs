//! The files that ship, and the schema for editors.

use super::*;
use crate::{Scene, Verdict, optional, shipped};

/// All files, those that are loaded only where they are named among them.
fn all() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    shipped().iter().chain(optional())
}

fn name_of(file: &str) -> &str {
    file.rsplit('/').next().unwrap().strip_suffix(".yaml").unwrap()
}

fn ship(name: &str) -> Runbook {
    let (file, text) = all().find(|(file, _)| name_of(file) == name).unwrap();
    match Runbook::parse(file, text).unwrap().check(&fake_catalog(), digest()) {
        Ok(runbook) => runbook,
        Err(reports) => panic!("{}", reports.iter().map(Report::page).collect::<String>()),
    }
}

/// A server skips the folders of the others.
#[test]
fn the_folder_of_a_file_is_its_server() {
    for (file, text) in all() {
        assert_eq!(file.split('/').next(), Some(Runbook::parse(file, text).unwrap().server()), "{file}");
    }
}

#[test]
fn a_file_loads_under_its_own_name() {
    let (_, text) = shipped().iter().find(|(file, _)| *file == "kubectl/drain_node.yaml").unwrap();
    let runbook = ship("drain_node");
    assert_eq!(runbook.name().as_str(), "drain_node");
    assert_eq!(runbook.text(), *text);
    assert_eq!(runbook.reference().digest, digest());
}

#[test]
fn every_file_that_ships_fits_the_schema_for_editors() {
    let schema = jsonschema::draft202012::new(&crate::schema()).unwrap();
    for (file, text) in all() {
        let value: Value = serde_saphyr::from_str(text).unwrap();
        let errors: Vec<_> = schema.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{file}: {errors:?}");
    }
    assert!(!schema.is_valid(&json!({"apiVersion": "runcord.dev/v1", "kind": "Runbook", "spek": {}})));
}

#[test]
fn drain_node_from_arguments_to_steps_and_back() {
    let runbook = ship("drain_node");
    assert_eq!((runbook.effect(), runbook.tool_name()), (EffectKind::Mutating, "plan_drain_node".to_owned()));
    let filled = runbook
        .fill(&args(json!({"node": "ip-10-0-0-1.eu.internal", "batch": 2, "reason": "reboot"})))
        .unwrap();
    assert_eq!(runbook.headline(&filled), "drain node ip-10-0-0-1.eu.internal");
    assert_eq!(runbook.limits().plan_ttl_ms, Some(900_000));
    assert_eq!(runbook.concurrency(&filled).unwrap(), crate::Concurrency { key: "cluster".into(), max: 1 });
    let steps = runbook.steps(&filled).unwrap();
    assert_eq!(
        Value::Object(steps[1].with.clone()),
        json!({"node": "ip-10-0-0-1.eu.internal", "batch": 2, "timeout": "15m"})
    );
    let undo = runbook.undo_steps(&filled, &sample()).unwrap().unwrap();
    assert_eq!((undo[0].id.as_str(), undo[0].action.as_str()), ("undo_1", "uncordon"));
}

#[test]
fn drain_node_needs_two_other_nodes() {
    let runbook = ship("drain_node");
    let filled = runbook.fill(&args(json!({"node": "n1", "reason": "reboot"}))).unwrap();
    let holds = |seen: &Value| -> Vec<bool> {
        let scene = Scene::new(seen);
        runbook.preconditions().iter().map(|check| check.evaluate(&scene, &filled).held()).collect()
    };
    assert_eq!(holds(&sample()), [true, true, true, true]);
    let mut seen = sample();
    seen["nodes"][2]["ready"] = json!(false);
    seen["pods_on_node"][0]["managed"] = json!(false);
    seen["workloads"][0]["ready"] = json!(1);
    assert_eq!(holds(&seen), [true, false, false, false]);
    assert_eq!(holds(&json!({})), [false; 4], "nothing seen, nothing held");
}

#[test]
fn grow_volume_sets_its_own_limit_and_grows_only_what_can_and_is_at_rest() {
    let runbook = ship("grow_volume");
    let given = json!({"namespace": "shop", "name": "data", "size": "20Gi", "reason": "full"});
    let filled = runbook.fill(&args(given.clone())).unwrap();
    assert_eq!(runbook.headline(&filled), "grow volume claim shop/data to 20Gi");
    assert_eq!(runbook.steps(&filled).unwrap()[0].with["at_most_percent"], json!(300));
    let raised = runbook.fill(&args(json!({"at_most_percent": 1000}))).unwrap_err();
    assert_eq!(raised.param, "at_most_percent", "nobody who asks raises it");
    for size in ["1m", "0.5Mi", "65Ti", "20gi", "-20Gi"] {
        let mut bad = args(given.clone());
        bad.insert("size".to_owned(), json!(size));
        assert_eq!(runbook.fill(&bad).unwrap_err().param, "size", "{size}");
    }
    let holds = |field: &str, value: Value| -> Vec<bool> {
        let mut seen = sample();
        seen["claim"][field] = value;
        runbook
            .preconditions()
            .iter()
            .map(|check| check.evaluate(&Scene::new(&seen), &filled).held())
            .collect()
    };
    assert_eq!(holds("phase", json!("Bound")), [true, true, true]);
    assert_eq!(holds("phase", json!("Pending")), [false, true, true]);
    assert_eq!(holds("expandable", json!(false)), [true, false, true]);
    assert_eq!(holds("resizing", json!(true)), [true, true, false]);
    let grown = |capacity: i64| {
        let mut seen = sample();
        seen["claim"]["capacity"] = json!(capacity);
        runbook.verify().iter().all(|check| check.evaluate(&Scene::new(&seen), &filled).held())
    };
    assert!(grown(10_000_000_000) && !grown(9_999_999_999));
    assert!(runbook.undo_steps(&filled, &sample()).is_none(), "there is no way back");
}

#[test]
fn scale_and_restart_go_back_to_what_was_seen() {
    let of_web = |more: Value| {
        let mut all =
            args(json!({"kind": "Deployment", "namespace": "shop", "name": "web", "reason": "load"}));
        all.extend(args(more));
        all
    };
    let scale = ship("scale_workload");
    let filled = scale.fill(&of_web(json!({"replicas": 9}))).unwrap();
    assert_eq!(scale.headline(&filled), "scale Deployment shop/web to 9");
    assert_eq!(scale.undo_steps(&filled, &sample()).unwrap().unwrap()[0].with["replicas"], json!(3));
    assert!(
        scale.undo_steps(&filled, &json!({"workload": {}})).unwrap().is_err(),
        "nothing seen, no way back"
    );

    let restart = ship("restart_workload");
    let filled = restart.fill(&of_web(json!({}))).unwrap();
    let undo = restart.undo_steps(&filled, &sample()).unwrap().unwrap();
    assert_eq!(undo[0].with["restarted_at"], sample()["workload"]["restarted_at"]);
    assert_eq!(restart.scopes(&undo, &fake_catalog()).unwrap().namespaces, ["shop".to_owned()].into());
}

#[test]
fn pod_logs_leaves_out_what_was_not_given_and_takes_no_reason() {
    let logs = ship("pod_logs");
    assert_eq!((logs.effect(), logs.tool_name()), (EffectKind::ReadOnly, "pod_logs".to_owned()));
    let filled = logs
        .fill(&args(json!({"namespace": "shop", "pod": "web-1", "contains": "--x ${params.pod}"})))
        .unwrap();
    assert_eq!(
        Value::Object(logs.steps(&filled).unwrap()[0].with.clone()),
        json!({"namespace": "shop", "pod": "web-1", "tail": 100, "contains": "--x ${params.pod}"}),
        "a value is never read as a template"
    );
    assert_eq!(
        logs.fill(&args(json!({"namespace": "a", "pod": "b", "reason": "x"}))).unwrap_err().param,
        "reason"
    );
}

#[test]
fn what_cannot_be_evaluated_does_not_hold_and_shows_no_value() {
    let runbook = load(GOOD).unwrap();
    let filled = runbook.fill(&args(json!({"node": "n1", "reason": "x"}))).unwrap();
    let seen = json!({"workloads": [{"ready": "EVIL", "minimum": 1}]});
    let Verdict::NotHeld { message } = runbook.guard()[0].evaluate(&Scene::new(&seen), &filled) else {
        panic!("held")
    };
    assert_eq!(
        message,
        "a workload fell below its minimum (the check could not be evaluated: a type does not fit)"
    );
    assert_eq!(runbook.verify()[0].within_ms(), 120_000);
}

#[test]
fn a_use_tells_what_the_file_alone_tells() {
    let (file, text) = crate::shipped().iter().find(|(file, _)| file.contains("scale_workload")).unwrap();
    let text = text.replacen("namespace: ${params.namespace}", "namespace: shop", 1);
    let runbook = Runbook::parse(file, &text).unwrap().check(&fake_catalog(), digest()).unwrap();
    let uses = runbook.uses();
    assert_eq!(
        uses.iter().map(|one| one.action.as_str()).collect::<Vec<_>>(),
        ["scale", "scale"],
        "and its undo"
    );
    assert_eq!(uses[0].fixed("namespace"), Some("shop"), "written out");
    assert_eq!(uses[0].fields["kind"], [json!("Deployment"), json!("StatefulSet")], "an enumeration");
    assert_eq!(uses[0].fixed("kind"), None);
    assert!(!uses[0].fields.contains_key("name"), "a caller fills it freely");
    assert!(!uses[1].fields.contains_key("replicas"), "only looking tells");
}

#[test]
fn what_is_optional_is_in_a_folder_of_its_own_and_not_loaded_by_itself() {
    assert!(optional().iter().all(|(file, _)| file.contains("/optional/")));
    assert!(!shipped().iter().any(|(file, _)| file.contains("optional")));
    let used = ship("purge_queue").uses().remove(0);
    assert_eq!(used.fixed("container"), Some("redis"));
    assert_eq!(
        used.fields["purge"],
        [json!(["redis-cli", "-e", "LTRIM", {"value": null}, "1", "0"])],
        "written out but for what a caller fills"
    );
}
