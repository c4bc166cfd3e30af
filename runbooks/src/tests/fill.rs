//! Arguments: what is refused, with which words, and that nothing panics.

use proptest::prelude::*;

use super::*;

fn typed() -> Runbook {
    let params = r#"  params:
    node: {type: string, format: k8s-subdomain}
    label: {type: string, format: label-value, required: false}
    free: {type: string, required: false}
    short: {type: string, minLength: 2, maxLength: 4, required: false}
    colour: {type: string, enum: [red, green], required: false}
    code: {type: string, pattern: "[A-Z]{2}[0-9]+|x", example: AB1, required: false}
    count: {type: integer, minimum: 0, maximum: 9, required: false}
    ratio: {type: number, minimum: 0, maximum: 1, required: false}
    force: {type: boolean, required: false}
    wait: {type: duration, minimum: 1m, maximum: 1h, required: false}
    memory: {type: quantity, minimum: 64Mi, maximum: 2Gi, required: false}
    names: {type: array, items: {type: string, format: k8s-name}, minItems: 1, maxItems: 3, required: false}
    secret: {type: secret_ref, required: false}
    batch: {type: integer, minimum: 1, maximum: 10, default: 1}
    timeout: {type: duration, default: 15m, maximum: 1h}
"#;
    let start = GOOD.find("  params:").unwrap();
    let end = GOOD.find("  preconditions:").unwrap();
    load(&format!("{}{params}{}", &GOOD[..start], &GOOD[end..])).unwrap()
}

fn with(name: &str, value: Value) -> Map<String, Value> {
    let mut all = args(json!({"node": "n1", "reason": "test"}));
    all.insert(name.to_owned(), value);
    all
}

#[test]
fn each_type_takes_its_own() {
    let runbook = typed();
    for (name, value) in [
        ("label", json!("A_b.c-1")),
        ("free", json!("-x ${params.node} #1")),
        ("short", json!("日本")),
        ("colour", json!("green")),
        ("code", json!("ZZ42")),
        ("count", json!(0)),
        ("ratio", json!(1)),
        ("force", json!(false)),
        ("wait", json!("1h")),
        ("memory", json!("2048Mi")),
        ("names", json!(["a", "b"])),
        ("secret", json!("vault:shop/db#password")),
        ("incident", json!("INC-1.2_3")),
    ] {
        let filled = runbook.fill(&with(name, value)).unwrap_or_else(|bad| panic!("{bad}"));
        assert_eq!(filled.params()["timeout"], json!("15m"), "defaults are applied");
        assert_eq!(runbook.fill(&filled.to_args()), Ok(filled.clone()), "{name}: the same again");
    }
}

#[test]
fn each_rule_refuses_by_name_and_shows_nothing_of_the_value() {
    let runbook = typed();
    for (name, value, rule) in [
        ("node", json!("-EVIL"), "must be an RFC 1123 subdomain"),
        ("node", json!(["EVIL"]), "must be a text"),
        ("node", Value::Null, "must be a text"),
        ("label", json!("EVIL/"), "must be a label's value"),
        ("free", json!("EVIL\n"), "must not hold line breaks"),
        ("free", json!("EVIL\u{202e}"), "must not hold line breaks"),
        ("free", json!("EVIL\0"), "must not hold line breaks"),
        ("free", json!("EVIL".repeat(65)), "must have at most 256 characters"),
        ("free", json!("EVIL".repeat(1 << 18)), "must have at most 256 characters"),
        ("short", json!("E"), "must have at least 2 characters"),
        ("colour", json!("EVIL"), "must be one of red, green"),
        ("code", json!("xEVIL"), "must match ^(?:"),
        ("code", json!("EVILx"), "must match ^(?:"),
        ("count", json!(10), "must be at most 9"),
        ("count", json!(-1), "must be at least 0"),
        ("count", json!(1.5), "must be a whole number"),
        ("count", json!("EVIL"), "must be a whole number"),
        ("ratio", json!(1.01), "must be at most 1"),
        ("force", json!("true"), "must be true or false"),
        ("wait", json!("30s"), "must be at least 1m"),
        ("wait", json!("2h"), "must be at most 1h"),
        ("wait", json!("EVIL"), "must be a duration"),
        ("memory", json!("3G"), "must be at most 2Gi"),
        ("memory", json!("1Mi"), "must be at least 64Mi"),
        ("names", json!([]), "must have at least 1 items"),
        ("names", json!(["a", "b", "c", "d"]), "must have at most 3 items"),
        ("names", json!(["a", "EVIL"]), "item 1 must be an RFC 1123 label"),
        ("secret", json!("EVIL"), "must be a reference to a secret"),
        ("reason", json!(""), "must have 1 to 500 characters"),
        ("reason", json!("  "), "must have 1 to 500 characters"),
        ("reason", json!("x".repeat(501)), "must have 1 to 500 characters"),
        ("reason", json!("EVIL\nEVIL"), "must not hold line breaks"),
        ("incident", json!("EVIL EVIL"), "must be 1 to 64"),
        ("incident", json!("x".repeat(65)), "must be 1 to 64"),
        ("nod", json!("EVIL"), "is not a parameter of this runbook; did you mean `node`?"),
    ] {
        let bad = runbook.fill(&with(name, value)).unwrap_err();
        assert_eq!(bad.param, name, "{bad}");
        assert!(bad.rule.starts_with(rule), "{bad}");
        assert!(!bad.to_string().contains("EVIL"), "{bad}");
    }
    assert_eq!(runbook.fill(&with("EVIL key\n", json!(1))).unwrap_err().param, "(an argument)");
    let missing = |value: Value| runbook.fill(&args(value)).unwrap_err().to_string();
    assert_eq!(missing(json!({"reason": "x"})), "node: is required");
    assert_eq!(missing(json!({"node": "n1"})), "reason: is required: why, in one line");
}

#[test]
fn a_pattern_cannot_break_out_of_its_anchors() {
    assert!(crate::kind::Pattern::new("a)|(b", "a".into()).is_err());
    assert!(crate::kind::Pattern::new("(a+)+$", "a".into()).is_ok(), "linear time, so harmless");
    assert!(crate::kind::Pattern::new("(?=a)", "a".into()).is_err(), "no looking around");
    assert!(!crate::kind::Pattern::new("(?m)a$", "a".into()).unwrap().regex.is_match("a\nb"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}|[-a-z0-9.${}\n\0]{0,12}|[0-9]{1,9}(h|m|Gi)".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,4}", inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever is given: no panic; what passes fits the published schema, gives steps and a headline of one plain line.
    #[test]
    fn fill_never_panics_and_what_passes_is_inert(
        name in prop_oneof!["node|label|free|short|colour|code|count", "ratio|force|wait|memory|names|secret|batch|reason|incident", "\\PC{0,8}"],
        value in any_json(),
    ) {
        thread_local!(static RUNBOOK: Runbook = typed());
        RUNBOOK.with(|runbook| {
            let given = with(&name, value);
            if let Ok(filled) = runbook.fill(&given) {
                let schema = jsonschema::draft202012::new(&runbook.input_schema()).unwrap();
                prop_assert!(schema.is_valid(&Value::Object(given)));
                let headline = runbook.headline(&filled);
                prop_assert!(headline.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{}", headline);
                prop_assert!(runbook.steps(&filled).unwrap()[0].with["node"].is_string());
            }
            Ok(())
        })?;
    }
}
