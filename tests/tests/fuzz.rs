//! Fuzzing that needs no nightly compiler: seeded mutation of the runbooks that ship, of arguments and of hostile text.
//!
//! Each target runs for `FUZZ_SECONDS` (1 unless given; CI gives more), from the seed `FUZZ_SEED` (1 unless given). A
//! failure prints the seed and the round, which give the same input again.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use runcord_kubectl::KubectlActions;
use runcord_model::text::{Cleaner, SMALLEST_LIMIT};
use runcord_model::{Catalog, Digest};
use runcord_runbooks::{Runbook, shipped};
use runcord_runtime::target::Actions as _;
use runcord_tests::corpus;
use serde_json::{Map, Value, json};

/// A small generator of our own (SplitMix64): the same seed gives the same inputs on every machine, for ever.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Pieces that readers of YAML, CEL, templates, selectors, terminals and people stumble over.
const PIECES: &[&str] = &[
    "${params.node}",
    "${",
    "}",
    "${before.x}",
    "{{ 7*7 }}",
    "*",
    "&a",
    "*a",
    "<<: *a",
    "!!binary",
    "!unsafe",
    "%",
    "---\n",
    "...",
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\t",
    "\0",
    "\r\n",
    "'",
    "\"",
    "|",
    ">-",
    "null",
    "~",
    "1e999",
    "0x7f",
    "-1",
    "9223372036854775808",
    "true",
    "[",
    "]",
    "{",
    "(",
    ")",
    "&&",
    "||",
    "size()",
    "matches('(a+)+$')",
    "nodes.all(n, ",
    "a.b.c",
    "[[[[[[[[",
    "{{{{{{{{",
    "\u{202e}",
    "\u{200b}",
    "\u{e0041}",
    "\u{feff}",
    "\u{1b}[2J",
    "‹redacted›",
    "password=",
    "Bearer eyJhbGciOi.a.b",
    "-----BEGIN PRIVATE KEY-----",
    "é",
    "\u{10ffff}",
    "kube-system",
];

/// One to eight changes of a text, at places where characters begin.
fn mutated(text: &str, dice: &mut Dice) -> String {
    let mut text = text.to_owned();
    for _ in 0..=dice.below(8) {
        let (from, to) = (place(&text, dice), place(&text, dice));
        let (from, to) = (from.min(to), from.max(to));
        match dice.below(6) {
            0 => text.insert_str(from, dice.of::<&str>(PIECES)),
            1 => text.replace_range(from..to.min(ceil(&text, from + 12)), ""),
            2 => text.replace_range(from..to.min(ceil(&text, from + 12)), dice.of::<&str>(PIECES)),
            3 => text = [&text[..to.min(ceil(&text, from + 200))], &text[from..]].concat(),
            4 => text.insert_str(from, &dice.of::<&str>(PIECES).repeat(1 + dice.below(64))),
            _ => swap_lines(&mut text, dice),
        }
    }
    text
}

fn place(text: &str, dice: &mut Dice) -> usize {
    let at = dice.below(text.len() + 1);
    ceil(text, at)
}

fn ceil(text: &str, at: usize) -> usize {
    (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

fn swap_lines(text: &mut String, dice: &mut Dice) {
    let mut lines: Vec<&str> = text.lines().collect();
    if lines.len() > 1 {
        let (a, b) = (dice.below(lines.len()), dice.below(lines.len()));
        lines.swap(a, b);
        *text = lines.join("\n");
    }
}

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Runs one target for the time. Each round has a seed of its own, so that one alone can be run again.
fn fuzz(target: &str, mut round: impl FnMut(&mut Dice)) {
    let (seed, end) =
        (setting("FUZZ_SEED", 1), Instant::now() + Duration::from_secs(setting("FUZZ_SECONDS", 1)));
    let mut rounds = 0u64;
    while Instant::now() < end {
        let one = seed.wrapping_add(rounds);
        let begun = Instant::now();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| round(&mut Dice(one))));
        assert!(outcome.is_ok(), "{target} fails: run it again with FUZZ_SEED={one}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{target} takes too long: FUZZ_SEED={one}");
        rounds += 1;
    }
    eprintln!("{target}: {rounds} rounds");
}

fn zero() -> Digest {
    Digest::from_bytes([0; 32])
}

/// No file makes the loader panic; every fault has a page to show; what loads can be shown, filled in and written as a
/// schema.
#[test]
fn runbook_loader() {
    let catalog = KubectlActions::catalog();
    fuzz("runbook loader", |dice| {
        let (file, text) = dice.of(shipped());
        let text = mutated(text, dice);
        match Runbook::parse(file, &text).map(|parsed| parsed.check(catalog, zero())) {
            Err(report) => assert!(!report.page().is_empty()),
            Ok(Err(reports)) => {
                assert!(!reports.is_empty() && reports.iter().all(|report| !report.page().is_empty()))
            }
            Ok(Ok(runbook)) => loaded(&runbook, catalog, dice),
        }
    });
}

fn loaded(runbook: &Runbook, catalog: &Catalog, dice: &mut Dice) {
    assert!(runbook.input_schema().is_object());
    if let Ok(filled) = runbook.fill(&arguments(runbook, dice)) {
        one_line(&runbook.headline(&filled));
        for call in runbook.steps(&filled).into_iter().flatten() {
            let _ = (catalog.check)(&call);
        }
    }
}

/// Whatever is given, the validator either names a parameter and a rule, with nothing of the value, or what it took
/// fills steps that hold no template any more.
#[test]
fn parameter_validator() {
    let catalog = KubectlActions::catalog();
    let runbooks: Vec<Runbook> = shipped()
        .iter()
        .filter(|(file, _)| file.starts_with("kubectl/"))
        .map(|(file, text)| Runbook::parse(file, text).unwrap().check(catalog, zero()).unwrap())
        .collect();
    fuzz("parameter validator", |dice| {
        let runbook = dice.of(&runbooks);
        let args = arguments(runbook, dice);
        match runbook.fill(&args) {
            Err(bad) => {
                assert!(!bad.param.is_empty() && !bad.rule.is_empty());
                one_line(&bad.to_string());
                assert!(bad.to_string().len() < 1_000);
                assert!(!bad.to_string().contains(CANARY), "{bad}");
            }
            Ok(filled) => {
                let headline = runbook.headline(&filled);
                one_line(&headline);
                assert!(!headline.contains("${"), "{headline}");
                let again = runbook.fill(&filled.to_args()).unwrap();
                assert_eq!(again, filled, "what was taken is taken again");
                for call in runbook.steps(&filled).unwrap() {
                    if let Err(bad) = (catalog.check)(&call) {
                        assert!(!bad.to_string().contains(CANARY), "{bad}");
                    }
                }
            }
        }
    });
}

/// Stands in some values and must never come back in a message.
const CANARY: &str = "ZqXj";

/// Arguments for a runbook: mostly its parameters, mostly of the right type, one of them often mutated.
fn arguments(runbook: &Runbook, dice: &mut Dice) -> Map<String, Value> {
    let schema = runbook.input_schema();
    let mut args = Map::new();
    for (name, property) in schema["properties"].as_object().unwrap() {
        if dice.below(8) > 0 {
            args.insert(name.clone(), value(property, dice));
        }
    }
    if dice.below(8) == 0 {
        args.insert(mutated("force", dice), json!(true));
    }
    args
}

fn value(schema: &Value, dice: &mut Dice) -> Value {
    const TEXTS: &[&str] =
        &["web", "shop", "n7", "15m", "a reason", "2026-11-01T12:00:00Z~1", "Deployment", ""];
    if let Some(all) = schema["enum"].as_array().filter(|_| dice.below(4) > 0) {
        return dice.of(all).clone();
    }
    match dice.below(12) {
        0 => json!(CANARY.to_owned() + &mutated("web", dice)),
        1 => json!(mutated("web", dice)),
        2 => json!(dice.next().cast_signed()),
        3 => json!(dice.of(&[Value::Null, json!(true), json!([]), json!({}), json!(1e300), json!([["a"]])])),
        4 => json!("a".repeat(dice.below(100_000))),
        _ if schema["type"] == "integer" => json!(dice.below(1_100)),
        _ => json!(dice.of(TEXTS)),
    }
}

fn one_line(text: &str) {
    assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}' || c == '\u{200b}'), "{text:?}");
}

/// A value that only a Secret tells to be one.
const KNOWN: &str = "tr0ub4dor&3";

/// Whatever text comes, what comes out is bounded, shows what cannot be seen, and holds no secret that it knows.
#[test]
fn text_cleaner() {
    let corpus = corpus::injections();
    let mut cleaner = Cleaner::default();
    cleaner.learn(KNOWN);
    fuzz("text cleaner", |dice| {
        let (before, after) =
            (mutated(dice.of::<String>(&corpus), dice), mutated(dice.of::<String>(&corpus), dice));
        let text = format!("{before}\npassword=hunter2-hunter2\n{before}{KNOWN}{after}");
        let limit = dice.below(4_000);
        let cleaned = cleaner.clean(&text, limit);
        let shown = cleaner.visible(&text, limit);
        let lines = cleaner.lines(&text);
        assert_eq!(lines.len(), text.split('\n').count());
        assert!(lines.iter().all(|line| !line.contains(KNOWN) && !line.contains("hunter2")), "{lines:#?}");
        for (out, breaks) in [(cleaned.as_str(), "\n\t"), (shown.as_str(), "")] {
            assert!(out.len() <= limit.max(SMALLEST_LIMIT), "{} > {limit}", out.len());
            assert!(!out.contains("hunter2") && !out.contains(KNOWN), "{out}");
            assert!(!out.chars().any(|c| c.is_control() && !breaks.contains(c)), "{out:?}");
            assert!(
                !out.chars()
                    .any(|c| ('\u{202a}'..='\u{202e}').contains(&c)
                        || ('\u{e0000}'..='\u{e007f}').contains(&c))
            );
        }
        assert_eq!(cleaned, cleaner.clean(&text, limit), "the same text is cleaned in the same way");
    });
}
