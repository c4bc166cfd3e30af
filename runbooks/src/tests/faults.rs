//! Each thing that a file can have wrong, found when it is loaded, with its place.

use super::*;

/// Replaces one piece of the good file; gives the reports as `line:column message | hint`.
fn broken(piece: &str, by: &str) -> Vec<String> {
    assert!(GOOD.contains(piece), "{piece}");
    let reports = load(&GOOD.replacen(piece, by, 1)).map(|_| ()).expect_err(by);
    let hint = |r: &Report| r.hint().map_or(String::new(), |hint| format!(" | {hint}"));
    reports.iter().map(|r| format!("{}:{} {}{}", r.line(), r.column(), r.message(), hint(r))).collect()
}

#[track_caller]
fn one(piece: &str, by: &str, expected: &str) {
    assert_eq!(broken(piece, by), [expected], "{piece} -> {by}");
}

#[test]
fn the_good_one_loads() {
    load(GOOD).unwrap();
}

#[test]
fn keys_and_kinds_of_values() {
    one("params:", "parms:", "7:3 unknown key `parms` | did you mean `params`?");
    one("maximum: 10", "maximun: 10", "9:40 unknown key `maximun` | did you mean `maximum`?");
    one("type: duration", "type: duratoin", "10:21 unknown value `duratoin` | did you mean `duration`?");
    one(
        "format: k8s-subdomain",
        "format: k8s-subdomian",
        "8:34 unknown value `k8s-subdomian` | did you mean `k8s-subdomain`?",
    );
    one("  server: kubectl\n", "", "22:3 missing key `server` | in the mapping that holds this line");
    one(
        "  server: kubectl\n",
        "  server: kubectl\n  server: kubectl\n",
        "6:3 the key `server` is given twice",
    );
    one("apiVersion: runcord.dev/v1", "apiVersion: runcord.dev/v2", "1:13 must be `runcord.dev/v1`");
    one("kind: Runbook", "kind: Book", "2:7 must be `Runbook`");
    one("server: kubectl", "server: ansible", "5:11 this server is `kubectl`");
    assert_eq!(broken("required: false", "required: 1").len(), 1);
    assert_eq!(broken("spec:", "spec: [").len(), 1);
}

#[test]
fn a_page_shows_the_line() {
    let report =
        load(&GOOD.replace("${params.node}\"\n", "${params.nod}\"\n")).map(|_| ()).unwrap_err().remove(0);
    assert_eq!(
        report.page(),
        concat!(
            "error: unknown parameter `nod`\n",
            "  --> test.yaml:14:25\n",
            "   |\n",
            "14 |   headline: \"drain node ${params.nod}\"\n",
            "   |                         ^^^^^^^^^^^^^\n",
            "   = hint: did you mean `node`?\n",
        )
    );
}

#[test]
fn what_a_reviewer_would_not_see() {
    one(
        "Empties one node",
        "Empties\u{202e} one node",
        "6:23 the file holds an invisible or control character (U+202E) | remove it: a reviewer would not see what is carried out",
    );
    assert!(broken("Empties one node", "Empties\tone node")[0].contains("U+0009"));
    assert!(broken("Empties one node.", &"x".repeat(70_000))[0].contains("64 KiB"));
    let anchors = broken(
        "    note: {type: string, required: false}",
        "    note: {<<: {type: string}, required: false}",
    );
    assert!(anchors[0].contains("merge keys"), "{anchors:?}");
}

#[test]
fn metadata() {
    one(
        "name: drain_node",
        "name: drain-node",
        "3:18 not a valid runbook name: 1 to 34 characters: a-z, 0-9 and _, beginning with a letter",
    );
    one(
        "name: drain_node",
        "name: apply_plan",
        "3:18 this name is that of a tool which every server has, or begins like one",
    );
    one(
        "name: drain_node",
        "name: plan_b",
        "3:18 this name is that of a tool which every server has, or begins like one",
    );
    one("version: 1.0.0", "version: 1.0", "3:39 a version is three numbers, such as 1.0.0");
    one(
        "owner: platform",
        "owner: platform, links: [\"http://x.example\"]",
        "3:92 a link begins with https:// and holds no space",
    );
    one(
        "owner: platform",
        "owner: platform, reviewed: {by: [alice], until: soon}",
        "3:115 must be a date such as 2027-05-01",
    );
    assert!(broken("Empties one node.", &"x".repeat(2001))[0].contains("a description has 1 to 2000 bytes"));
}

#[test]
fn parameters() {
    one("note: {type: string,", "reason: {type: string,", "11:5 this name is the tool's own");
    one(
        "note: {type: string,",
        "Note: {type: string,",
        "11:5 a parameter's name has 1 to 40 of a-z, 0-9 and _, beginning with a letter",
    );
    one(
        "note: {type: string,",
        "note: {type: string, minimum: 1,",
        "11:35 `minimum` means nothing for this type",
    );
    one(
        "note: {type: string,",
        "note: {type: string, enum: [],",
        "11:32 `enum` lists at least one value, each of visible ASCII without spaces",
    );
    one(
        "note: {type: string,",
        "note: {type: string, pattern: a,",
        "11:35 a `pattern` needs an example or a default | add `example: …`, which the runbook is tried with when it is loaded",
    );
    assert!(
        broken("note: {type: string,", "note: {type: string, example: a, pattern: (a,")[0]
            .contains("not a regular expression")
    );
    one(
        "note: {type: string,",
        "note: {type: string, example: b, pattern: a,",
        "11:35 this value is not of the parameter's own type: it must match ^(?:a)$",
    );
    one(
        "note: {type: string,",
        "note: {type: string, enum: [a], format: k8s-name,",
        "11:11 only one of `enum`, `pattern` and `format` may be given",
    );
    one(
        "note: {type: string,",
        "note: {type: string, minLength: 3, maxLength: 2,",
        "11:11 no text fits: minLength is more than maxLength",
    );
    one("note: {type: string,", "note: {type: array,", "11:11 an array needs `items`");
    one(
        "note: {type: string,",
        "note: {type: array, items: {type: array},",
        "11:39 an array of arrays is not supported",
    );
    one(
        "default: 1}",
        "default: 11}",
        "9:62 this value is not of the parameter's own type: it must be at most 10",
    );
    one(
        "minimum: 1, maximum: 10, default: 1",
        "minimum: 11, maximum: 10, default: 10",
        "9:37 no value fits: the minimum is more than the maximum",
    );
    one("maximum: 1h}", "maximum: 1hour}", "10:54 this bound must be a duration such as 15m");
    one(
        "note: {type: string,",
        "note: {type: string, maxLength: 4097,",
        "11:37 a text may have at most 4096 characters",
    );
    assert!(
        broken("note: {type: string,", "note: {type: array, items: {type: boolean}, maxItems: 101,")[0]
            .contains("at most 100")
    );
    assert!(
        broken("note: {type: string,", "note: {type: string, example: a, pattern: (?P<x>a),")[0]
            .contains("JSON Schema does not read")
    );
    one("default: 1}", "default: 1, required: true}", "9:75 a parameter with a default is not required");
}

#[test]
fn headlines_are_of_closed_grammar() {
    one(
        "drain node ${params.node}\"",
        "drain ${params.note}\"",
        "14:20 a headline cannot hold a parameter that may be absent | give `note` a default",
    );
    let free = GOOD
        .replace("note: {type: string, required: false}", "note: {type: string}")
        .replace("drain node ${params.node}\"", "drain ${params.note}\"");
    assert_eq!(
        load(&free).map(|_| ()).unwrap_err()[0].message(),
        "a headline cannot hold free text, a list or a secret"
    );
    one(
        "key: \"node/${params.node}\"",
        "key: \"node/${params.nodes}\"",
        "23:65 unknown parameter `nodes` | did you mean `node`?",
    );
    one(
        "drain node ${params.node}\"",
        "drain node ${before.node.name}\"",
        "14:25 `before` can be named in `undo` only: elsewhere nothing has been seen yet",
    );
    one("drain node ${params.node}\"", "drain node ${params.node\"", "14:25 `${` without `}`");
}

#[test]
fn steps() {
    one("action: cordon", "action: cordn", "16:28 kubectl has no action `cordn` | did you mean `cordon`?");
    one(
        "with: {node: \"${params.node}\"}}\n    - {id: drain",
        "with: {nod: \"${params.node}\", node: a}}\n    - {id: drain",
        "16:43 action `cordon` has no field `nod` | did you mean `node`?",
    );
    one(
        "with: {node: \"${params.node}\"}}\n    - {id: drain",
        "with: {}}\n    - {id: drain",
        "16:28 action `cordon` needs the field `node`",
    );
    one(
        "batch: \"${params.batch}\"",
        "batch: \"${params.bach}\"",
        "17:73 unknown parameter `bach` | did you mean `batch`?",
    );
    one(
        "batch: \"${params.batch}\"",
        "batch: \"x${params.note}\"",
        "17:74 free text cannot stand within a longer text | give `note` a format, an enum or a pattern, or let it be the whole value",
    );
    one(
        "batch: \"${params.batch}\"",
        "batch: \"${before.node.name}\"",
        "17:73 `before` can be named in `undo` only: elsewhere nothing has been seen yet",
    );
    one("id: drain,", "id: cordon,", "17:12 two steps are called `cordon`");
    one(
        "id: drain,",
        "id: Drain,",
        "17:12 a step's id has 1 to 40 of a-z, 0-9, _ and -, beginning with a letter",
    );
    assert!(
        broken(
            "action: cordon, with: {node: \"${params.node}\"}",
            "action: workload_status, with: {kind: Deployment, namespace: a, name: a}"
        )[0]
        .contains("has no step that only looks")
    );
}

#[test]
fn a_field_that_cannot_take_what_its_parameter_allows() {
    let over = broken("maximum: 10, default: 1", "maximum: 11, default: 1");
    assert!(
        over[0].starts_with("17:72 action `drain` cannot take this: batch:")
            && over[0].ends_with("tried with 11, which the parameters allow"),
        "{over:?}"
    );
    let kind = broken("batch: \"${params.batch}\"", "batch: \"${params.timeout}\"");
    assert!(kind[0].contains("cannot take this: batch:"), "{kind:?}");
    let absent = broken("node: \"${params.node}\", batch", "node: \"${params.note}\", batch");
    assert!(absent[0].contains("cannot take this") && absent[0].contains("tried with nothing"), "{absent:?}");
    let server = broken(
        "undo: [",
        "undo: [{action: scale, with: {kind: Deployment, namespace: kube-system, name: a, replicas: 1}}, ",
    );
    assert!(server[0].contains("cannot take this: namespace: is the system's own"), "{server:?}");
}

#[test]
fn the_way_back() {
    one(
        "${before.node.name}",
        "${before.nodee.name}",
        "22:43 nothing called `nodee` is observed here | did you mean `node`?",
    );
    one(
        "${before.node.name}",
        "${before.node.nmae}",
        "22:43 nothing called `nmae` is observed here | did you mean `name`?",
    );
    one("${before.node.name}", "${before.nodes.name}", "22:43 a list has no field `name`");
    one("${before.node.name}", "x${before.node.name}", "22:44 `${before.…}` must be the whole value");
    one(
        "${before.node.name}",
        "${before.workload.name}",
        "22:43 nothing called `workload` is observed here | did you mean `workloads`?",
    );
    assert!(broken("${before.node.name}", "${before.node.ready}")[0].contains("cannot take this: node:"));
}

#[test]
fn expressions_name_what_is_there() {
    let check = "nodes.filter(n, n.ready && n.schedulable).size() > 2";
    one(check, "nodez.size() > 2", "13:16 unknown variable `nodez` | did you mean `node`?");
    one(check, "workload.ready > 2", "13:16 unknown variable `workload` | did you mean `workloads`?");
    one(check, "nodes.filter(n, n.redy).size() > 2", "13:33 unknown field `redy` | did you mean `ready`?");
    one(check, "nodes.map(n, n.name).all(m, m.ready)", "13:45 a string has no field `ready`");
    one(
        check,
        "nodes.filter(n, n.ready).map(n, n.zon).size() > 2",
        "13:49 unknown field `zon` | did you mean `zone`?",
    );
    one(
        check,
        "nodes.filterr(n, n.ready).size() > 2",
        "13:29 unknown function `filterr` | did you mean `filter`?",
    );
    assert!(broken(check, "siz(nodes) > 2")[0].ends_with("unknown function `siz` | did you mean `size`?"));
    one(
        check,
        "nodes.exists(node, node.ready)",
        "13:28 `node` already names something else | give the item a name of its own",
    );
    assert!(broken(check, "node.name == 1")[0].ends_with("a string is never compared with an integer"));
    assert!(broken(check, "false && node.name")[0].ends_with("expected a boolean, found a string"));
    one(check, "nodes.size()", "13:16 the expression gives an integer, and must give a boolean");
    assert!(broken(check, "nodes.size() >")[0].contains("not a CEL expression"));
    assert!(broken(check, "params.bach > 1")[0].ends_with("unknown field `bach` | did you mean `batch`?"));
    assert!(
        broken(check, "params.note == 'a'")[0]
            .ends_with("`note` may be missing | ask first: `has(params.note) && …`")
    );
    load(&GOOD.replace(check, "has(params.note) && params.note == 'a'")).unwrap();
    load(&GOOD.replace(check, "!has(params.note) || params.note == 'a'")).unwrap();
}

#[test]
fn expressions_give_a_boolean_on_the_sample() {
    let check = "nodes.filter(n, n.ready && n.schedulable).size() > 2";
    one(
        check,
        "1 / (nodes.size() - 3) > 0",
        "13:15 tried on the sample observation: arithmetic overflows or divides by zero",
    );
    one(check, "nodes[9].ready", "13:15 tried on the sample observation: a field or variable is missing");
    one(check, "{'a': node.name}.a", "13:15 tried on the sample observation: it gives no boolean");
    one("message: fewer than three nodes", "message: \"\"", "13:80 must be one line of 1 to 200 characters");
    one(
        "message: fewer than three nodes",
        "message: few, within: 1m",
        "13:93 `within` has a meaning in `verify` only: this is looked at once",
    );
    one("within: 2m", "within: 2h", "21:88 this must be a duration such as 90s, 15m or 1h30m, at most 1h");
}

#[test]
fn limits() {
    one("plan_ttl: 15m", "plan_ttl: 61m", "23:22 must be at least 1s and at most 60m");
    one("timeout: 1h,", "timeout: 25h,", "23:36 must be at least 1s and at most 24h");
    one("max: 1}", "max: 0}", "23:87 at least one run must be possible");
    assert!(broken("limits: {", "limits: {irreversible: -1, ").len() == 1);
}

#[test]
fn a_way_back_that_only_looks_is_none() {
    let undo = "undo: [{action: workload_status, with: {kind: Deployment, namespace: a, name: a}}, ";
    assert!(broken("undo: [", undo)[0].contains("has no step that only looks"));
}

#[test]
fn a_runbook_that_only_looks_promises_nothing() {
    let looks = r#"apiVersion: runcord.dev/v1
kind: Runbook
metadata: {name: look, version: 1.0.0, title: Look, owner: platform}
spec:
  server: kubectl
  description: Looks.
  headline: look
  steps: [{id: look, action: workload_status, with: {kind: Deployment, namespace: a, name: a}}]
"#;
    assert_eq!(load(looks).unwrap().effect(), EffectKind::ReadOnly);
    let reports =
        load(&format!("{looks}  guard: [{{check: \"true\", message: x}}]\n")).map(|_| ()).unwrap_err();
    assert_eq!(reports[0].message(), "checks and undo have no meaning where nothing is changed");
    assert_eq!(
        load(&looks.replace(
            "[{id: look, action: workload_status, with: {kind: Deployment, namespace: a, name: a}}]",
            "[]"
        ))
        .map(|_| ())
        .unwrap_err()[0]
            .message(),
        "a runbook has at least one step"
    );
}

#[test]
fn all_faults_at_once_in_the_order_of_the_file() {
    let text = GOOD
        .replace("title: Drain a node", "title: \"\"")
        .replace("action: cordon", "action: cordn")
        .replace("within: 2m", "within: x");
    let lines: Vec<usize> = load(&text).map(|_| ()).unwrap_err().iter().map(Report::line).collect();
    assert_eq!(lines, [3, 16, 21]);
}

#[test]
fn what_is_carried_out_is_written_out() {
    let (_, text) = crate::optional()[0];
    let said = |piece: &str, by: &str| -> Vec<String> {
        assert!(text.contains(piece), "{piece}");
        let reports = load(&text.replacen(piece, by, 1)).map(|_| ()).expect_err(by);
        reports.iter().map(|report| report.message().to_owned()).collect()
    };
    load(text).unwrap();
    let never = ["this is written out: no parameter fills it"];
    let whole = ["a placeholder must be the whole value here"];
    assert_eq!(said("container: redis", "container: \"${params.queue}\""), never);
    assert_eq!(said("preview: [redis-cli", "preview: [\"${params.queue}\""), never, "the program");
    assert_eq!(
        said("[redis-cli, -e, LLEN", "[redis-cli, -e, \"--key=${params.queue}\""),
        never,
        "part of a word"
    );
    assert_eq!(said("{value: \"${params.queue}\"}]", "{value: \"q-${params.queue}\"}]"), whole);
}
