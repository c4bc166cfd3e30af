//! What no tool takes: generated from the tools that the server lists, so that a new one is held to it too.

use anyhow::{Context as _, Result};
use rmcp::model::Tool;
use runcord_tests::ControlPlane;
use runcord_tests::bed::Bed;
use runcord_tests::session::{Era, Session};
use serde_json::{Map, Value, json};

/// Texts that a shell, a path, a selector, a template or a careless eye would read otherwise.
fn bad_texts() -> Vec<(&'static str, String)> {
    let mut texts = vec![
        ("over length", "a".repeat(2_500)),
        ("1 MB", "a".repeat(1 << 20)),
        ("path", "../../etc".to_owned()),
        ("path of the API", "a/../../secrets".to_owned()),
        ("query", "a?dryRun=All".to_owned()),
        ("escaped path", "a%2f..%2fb".to_owned()),
        ("selector", "app in (a,b)".to_owned()),
        ("field selector", "a,metadata.name!=b".to_owned()),
        ("wildcard", "*".to_owned()),
        ("empty", String::new()),
        ("NUL", "a\0b".to_owned()),
        ("newline", "a\nb".to_owned()),
        ("newline at the end", "a\n".to_owned()),
        ("leading dash", "--all".to_owned()),
        ("confusable", "wеb".to_owned()), // a Cyrillic е
        ("full width", "ｗｅｂ".to_owned()),
        ("zero width", "we\u{200b}b".to_owned()),
        ("right to left", "a\u{202e}b".to_owned()),
        ("tag characters", "a\u{e0041}".to_owned()),
        ("template", "${params.node}".to_owned()),
        ("shell", "$(reboot)".to_owned()),
        ("jinja", "{{ 7*7 }}".to_owned()),
        ("separator", "a; reboot".to_owned()),
    ];
    texts.extend((0..2).map(|n| ("escape sequence", format!("a\u{1b}[{n}m"))));
    texts
}

/// A value of another type, and one nested as deep as JSON readers let through.
fn bad_shapes(schema: &Value) -> Vec<(&'static str, Value)> {
    let deep = |n| (0..n).fold(json!("a"), |inner, _| json!([inner]));
    let mut shapes = vec![
        ("object", json!({"a": "b"})),
        ("null", Value::Null),
        ("deep nesting", deep(100)),
        ("huge number", json!(1e300)),
    ];
    if schema["type"] != "boolean" {
        shapes.push(("boolean", json!(true)));
    }
    if schema["type"] == "string" {
        shapes.push(("number", json!(7)));
    } else {
        shapes.push(("text", json!("${params.x}")));
    }
    shapes
}

/// Whether free text is asked for: then only what cannot be seen, and what is too long, is bad.
fn is_free(schema: &Value) -> bool {
    schema["type"] == "string" && schema["enum"].is_null() && schema["pattern"].is_null()
}

/// Whether the grammar of the parameter itself takes the text: a cursor may begin with a dash.
fn takes(schema: &Value, text: &str) -> bool {
    let long = schema["maxLength"].as_u64().is_some_and(|most| text.chars().count() as u64 > most);
    let short = schema["minLength"].as_u64().is_some_and(|least| (text.chars().count() as u64) < least);
    let odd = text.chars().any(|c| c.is_control() || "\u{200b}\u{202e}\u{e0041}".contains(c));

    if long || short || odd {
        return false;
    }
    let pattern = schema["pattern"].as_str().and_then(|pattern| regex::Regex::new(pattern).ok());
    is_free(schema) || pattern.is_some_and(|pattern| pattern.is_match(text))
}

/// A value that a parameter takes, if any that we know of does.
fn good(schema: &Value) -> Option<Value> {
    if let Some(first) = schema["enum"].get(0) {
        return Some(first.clone());
    }
    match schema["type"].as_str()? {
        "integer" | "number" => Some(schema["minimum"].as_i64().map_or(json!(1), Value::from)),
        "boolean" => Some(json!(true)),
        "array" => Some(json!([good(&schema["items"])?])),
        _ => {
            let id = "a".repeat(26);
            let known = ["a", "1Gi", "1m", "vault:a#b", "2026-11-01T12:00:00Z~1"].map(str::to_owned);
            let ids = [format!("pln_{id}"), format!("run_{id}")];
            known.into_iter().chain(ids).find(|text| takes(schema, text)).map(Value::from)
        }
    }
}

/// All arguments that the tool must have, good.
fn baseline(tool: &Tool) -> Result<Map<String, Value>> {
    let required = tool.input_schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut args = Map::new();
    for name in required.iter().filter_map(Value::as_str) {
        let schema = &properties(tool)[name];
        let value = good(schema).with_context(|| format!("no good value for {name} of {}", tool.name))?;
        args.insert(name.to_owned(), value);
    }
    Ok(args)
}

fn properties(tool: &Tool) -> Value {
    tool.input_schema.get("properties").cloned().unwrap_or_default()
}

/// Calls and holds the answer against what is promised: the code, the parameter and the rule, and nothing of the value.
async fn refused(
    session: &Session,
    tool: &Tool,
    args: Map<String, Value>,
    param: &str,
    why: &str,
) -> Result<()> {
    let what = format!("{} with {why} in {param}", tool.name);
    let given = args.get(param).and_then(Value::as_str).map(str::to_owned);
    let answer = session.call(&tool.name, Value::Object(args)).await.with_context(|| what.clone())?;
    assert_eq!(
        answer.refusal().with_context(|| what.clone())?,
        "invalid_params",
        "{what}: {:#}",
        answer.content
    );
    let message = answer.str("/message")?;
    assert!(
        message.starts_with(&format!("{param}: ")) || message.starts_with(&format!("{param}/")),
        "{what}: {message}"
    );
    assert!(message.len() < 1_000 && answer.text.len() < 4_000, "{what}: {message}");
    let shown = answer.content.to_string();
    let repeats = given.filter(|text| text.len() > 2).is_some_and(|text| shown.contains(&text));
    assert!(!repeats, "{what} is repeated: {shown}");
    assert!(!answer.str("/next")?.is_empty());
    Ok(())
}

async fn hold(session: &Session, tool: &Tool) -> Result<usize> {
    let good = baseline(tool)?;
    let mut calls = 0;
    for (name, schema) in properties(tool).as_object().context("a tool has properties")? {
        let texts =
            bad_texts().into_iter().filter(|(_, text)| schema["type"] != "string" || !takes(schema, text));
        let texts = texts.map(|(why, text)| (why, Value::from(text)));
        for (why, bad) in texts.chain(bad_shapes(schema)) {
            let mut args = good.clone();
            args.insert(name.clone(), bad);
            refused(session, tool, args, name, why).await?;
            calls += 1;
        }
    }
    for missing in good.keys() {
        let mut args = good.clone();
        args.remove(missing);
        refused(session, tool, args, missing, "nothing").await?;
    }
    let mut unknown = good.clone();
    unknown.insert("force".to_owned(), json!(true));
    refused(session, tool, unknown, "force", "a value").await?;
    let mut odd = good;
    odd.insert("a\u{202e}\n${x}".to_owned(), json!(true));
    refused(session, tool, odd, "(an argument)", "an unreadable name").await?;
    Ok(calls)
}

#[tokio::test]
async fn bad_input_is_refused_by_every_tool_and_nothing_is_asked_of_the_cluster() -> Result<()> {
    let bed = Bed::new("bad-input", 1).await?;
    let plane = ControlPlane::shared()?;
    let session = bed.session(Era::Stateless).await?;
    let tools = session.tools().await?;
    assert!(tools.len() <= 24, "{} tools", tools.len());
    let mark = plane.mark()?;
    let mut calls = 0;
    for tool in &tools {
        calls += hold(&session, tool).await?;
    }
    assert!(calls > 300, "only {calls}");
    let asked = plane.events_since(mark, bed.name.as_str()).await?;
    assert!(asked.is_empty(), "bad input reached the API server: {asked:#?}");
    Ok(())
}

#[tokio::test]
async fn json_nested_beyond_reading_ends_neither_the_server_nor_reaches_the_cluster() -> Result<()> {
    let bed = Bed::new("deep-input", 1).await?;
    let plane = ControlPlane::shared()?;
    let session = bed.session(Era::Stateless).await?;
    let mark = plane.mark()?;
    let deep = (0..300).fold(json!("a"), |inner, _| json!({"a": inner}));
    let args = json!({"namespace": deep, "pod": "web"});
    // No reader takes it, so there may be no answer at all: what counts is that the next one comes.
    let waited = std::time::Duration::from_secs(3);
    let answer = tokio::time::timeout(waited, session.call("pod_logs", args)).await;
    assert!(!answer.is_ok_and(|answer| answer.is_ok_and(|answer| !answer.refused)));
    let asked = plane.events_since(mark, bed.name.as_str()).await?;
    assert!(asked.is_empty(), "{asked:#?}");
    let next = bed.session(Era::Stateless).await?;
    next.call("runbook_search", json!({"query": "logs"})).await?.done()?;
    Ok(())
}
