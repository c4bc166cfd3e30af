//! Golden transcripts: what was asked and answered, without what differs from run to run.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use regex::{Captures, Regex};
use serde_json::{Value, json};

use crate::session::Answer;

/// The exchanges of one session, redacted as they are written down.
#[derive(Debug)]
pub struct Transcript {
    exchanges: Vec<Value>,
    redaction: Redaction,
}

impl Transcript {
    /// An empty one. `names` are texts of this run (a namespace, a folder) and what stands for them.
    ///
    /// # Errors
    ///
    /// Never in practice: the patterns are constants.
    pub fn new(names: &[(&str, &str)]) -> Result<Self> {
        Ok(Self { exchanges: Vec::new(), redaction: Redaction::new(names)? })
    }

    /// Writes one call of a tool and its answer down.
    pub fn call(&mut self, tool: &str, arguments: &Value, answer: &Answer) {
        let outcome = if answer.refused { "refused" } else { "answer" };
        self.note(&json!({"call": tool, "arguments": arguments, outcome: answer.content}));
    }

    /// Writes down what a person did between calls, such as `runcord approve`, and what was printed.
    pub fn command(&mut self, line: &str, output: &str) {
        self.note(&json!({"command": line, "output": output.lines().collect::<Vec<_>>()}));
    }

    fn note(&mut self, exchange: &Value) {
        self.exchanges.push(self.redaction.value(exchange));
    }

    /// Compares it with `tests/golden/NAME.json`, or writes that file when `UPDATE_GOLDEN` is `1`.
    ///
    /// # Errors
    ///
    /// They differ (the error names the first line that does), or there is no such file.
    pub fn check(&self, name: &str) -> Result<()> {
        let (path, now) = (golden(name), self.text()?);
        if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            return fs::write(&path, now).with_context(|| format!("cannot write {}", path.display()));
        }
        let golden = fs::read_to_string(&path).with_context(|| {
            format!("no golden transcript {name}; UPDATE_GOLDEN=1 writes it: read it then")
        })?;
        match first_difference(&golden, &now) {
            None => Ok(()),
            Some(line) => {
                bail!("the transcript differs from golden {name} at {line}; UPDATE_GOLDEN=1 renews it")
            }
        }
    }

    /// A stream of JSON values, each over several lines so that a difference reads well.
    fn text(&self) -> Result<String> {
        let mut text = String::new();
        for exchange in &self.exchanges {
            text += &serde_json::to_string_pretty(exchange)?;
            text.push('\n');
        }
        Ok(text)
    }
}

/// The operating-system user whom agents ask for, who stands in every plan.
///
/// # Errors
///
/// `id` does not say.
pub fn login() -> Result<String> {
    let output = std::process::Command::new("id").arg("-un").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.json"))
}

fn first_difference(golden: &str, now: &str) -> Option<String> {
    let (mut old, mut new) = (golden.lines(), now.lines());
    for number in 1.. {
        match (old.next(), new.next()) {
            (None, None) => return None,
            (old, new) if old == new => (),
            (old, new) => {
                let end = "(the end)";
                return Some(format!("line {number}:\n- {}\n+ {}", old.unwrap_or(end), new.unwrap_or(end)));
            }
        }
    }
    None
}

/// The same value gets the same placeholder, so that a golden file still shows what refers to what.
#[derive(Debug)]
struct Redaction {
    names: Vec<(String, String)>,
    volatile: Vec<(&'static str, Regex)>,
    seen: HashMap<String, String>,
    counts: HashMap<&'static str, usize>,
}

/// In this order: what stands further up may contain what stands further down.
const VOLATILE: [(&str, &str); 11] = [
    ("digest", r"(?:sha256|hmac|hmac-sha256):[0-9a-f]{12,64}"),
    ("identity", r"k8s:[0-9a-f-]{36}:[0-9a-z-]+|tf:[0-9a-f]{16}:[0-9A-Za-z._-]+|ansible:[0-9a-f]{16}"),
    ("time", r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"),
    ("uid", r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    ("plan", r"pln_[a-z2-7]{26}"),
    ("run", r"run_[a-z2-7]{26}"),
    // The letters that Kubernetes makes the ends of names of: no vowels, few digits.
    ("pod", r"-[bcdfghjklmnpqrstvwxz2456789]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b"),
    ("port", r"127\.0\.0\.1:\d+"),
    ("tool", r"\b(?:terraform|tofu|ansible-core) \d+\.\d+\.\d+"),
    // Some versions of a tool write a state more often than others.
    ("serial", r"\bserial:? \d+(?: → \d+)?"),
    ("key", r"SHA256:[A-Za-z0-9+/]{43}"),
];

impl Redaction {
    fn new(names: &[(&str, &str)]) -> Result<Self> {
        let volatile = VOLATILE
            .into_iter()
            .map(|(kind, pattern)| Ok((kind, Regex::new(pattern)?)))
            .collect::<Result<_>>()?;
        let names = names.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
        Ok(Self { names, volatile, seen: HashMap::new(), counts: HashMap::new() })
    }

    fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(all) => all.iter().map(|one| self.value(one)).collect(),
            // Sorted here: whether a map keeps its order hangs on what else is built with it.
            Value::Object(all) => {
                let sorted: BTreeMap<_, _> = all.iter().collect();
                sorted.into_iter().map(|(key, one)| (self.text(key), self.field(key, one))).collect()
            }
        }
    }

    /// Of numbers, only the serial of a state differs from run to run.
    fn field(&mut self, key: &str, value: &Value) -> Value {
        if key == "serial" && value.is_number() { json!("<serial>") } else { self.value(value) }
    }

    fn text(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in &self.names {
            text = text.replace(from, to);
        }
        let (seen, counts) = (&mut self.seen, &mut self.counts);
        for (kind, pattern) in &self.volatile {
            let placeholder = |found: &Captures<'_>| placeholder(kind, &found[0], seen, counts);
            text = pattern.replace_all(&text, placeholder).into_owned();
        }
        text
    }
}

/// Times are not told apart: two of them may fall into one second or not; nor are ports and serials.
fn placeholder(
    kind: &'static str,
    found: &str,
    seen: &mut HashMap<String, String>,
    counts: &mut HashMap<&'static str, usize>,
) -> String {
    if matches!(kind, "time" | "port" | "serial") {
        return format!("<{kind}>");
    }
    seen.entry(found.to_owned())
        .or_insert_with(|| {
            let count = counts.entry(kind).or_default();
            *count += 1;
            format!("<{kind}-{count}>")
        })
        .clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(content: Value) -> Answer {
        Answer { content, text: String::new(), refused: false }
    }

    #[test]
    fn volatile_values_are_replaced_and_keep_their_identity() {
        let mut transcript = Transcript::new(&[("shop-17", "shop")]).unwrap();
        let plan = format!("pln_{}", "a".repeat(26));
        let content = json!({
            "plan_id": plan, "again": format!("apply {plan}"), "digest": format!("sha256:{}", "0".repeat(64)),
            "expires_at": "2026-11-22T13:00:00.5Z", "headline": "drain node shop-17-n1",
            "pod": "web-84cd44fcbb-5bwgl", "pods_lost": 2,
        });
        transcript.call("plan_drain_node", &json!({"node": "shop-17-n1"}), &answer(content));
        let text = transcript.text().unwrap();
        let seen: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            seen["answer"],
            json!({
                "plan_id": "<plan-1>", "again": "apply <plan-1>", "digest": "<digest-1>", "expires_at": "<time>",
                "headline": "drain node shop-n1", "pod": "web<pod-1>", "pods_lost": 2,
            })
        );
    }

    #[test]
    fn a_difference_names_its_line() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert!(first_difference("a\nb\n", "a\nc\n").unwrap().starts_with("line 2"));
        assert!(first_difference("a\n", "a\nb\n").unwrap().contains("(the end)"));
    }
}
