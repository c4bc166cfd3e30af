//! The arrows between the crates, and the walls inside them, as the design draws them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// What each crate may depend on among ours, in production. A crate that is not named may have none.
const ARROWS: &[(&str, &[&str])] = &[
    ("runcord-model", &[]),
    ("runcord-flow", &["model"]),
    ("runcord-seal", &["model"]),
    ("runcord-policy", &["model"]),
    ("runcord-runbooks", &["model"]),
    ("runcord-exec", &["model"]),
    ("runcord-content", &["model"]),
    ("runcord-ledger", &["model", "flow", "seal"]),
    ("runcord-runtime", &["model", "flow", "seal", "ledger", "policy", "runbooks", "exec"]),
    ("runcord-mcp", &["model", "runtime"]),
    ("runcord-kubectl", &["model", "runtime", "mcp"]),
    ("runcord-terraform", &["model", "runtime", "mcp", "exec", "content"]),
    ("runcord-ansible", &["model", "runtime", "mcp", "exec", "content"]),
    (
        "runcord-cli",
        &[
            "model",
            "runtime",
            "ledger",
            "seal",
            "policy",
            "runbooks",
            "exec",
            "kubectl",
            "terraform",
            "ansible",
        ],
    ),
];

/// Crates that know neither time nor files nor processes nor a wire.
const PURE: &[(&str, &str)] = &[
    ("runcord-model", "shared/model"),
    ("runcord-flow", "shared/flow"),
    ("runcord-seal", "shared/seal"),
    ("runcord-policy", "policy"),
    ("runcord-runbooks", "runbooks"),
];

/// Libraries that a pure crate never reaches, directly or through ours.
const IMPURE_LIBRARIES: &[&str] = &["tokio", "rmcp", "rusqlite", "kube", "rustix"];

/// What a pure crate never says: modules of the standard library, alone or in a group, clocks and randomness.
const IMPURE_WORDS: &str = r"std::(?:fs|env|process|net|thread)\b|std::\{[^;]*\b(?:fs|env|process|net|thread)\b|\bSystemTime\b|(?:Instant|Timestamp|Zoned)::now|\bgetrandom\b";

/// How a process is started, from the standard library or tokio.
const STARTS_PROCESSES: &str = r"process::(?:Command\b|\{[^;]*\bCommand\b)";

/// Constructors of proofs, and the only folder that may call each.
const PROOFS: &[(&str, &str)] = &[
    ("Allowed::pronounced(", "policy/src"),
    ("VerifiedApproval::attested(", "shared/seal/src"),
    ("Permit::granted(", "shared/ledger/src"),
    ("Unstopped::seen(", "shared/ledger/src"),
];

#[test]
fn our_crates_depend_on_each_other_only_as_drawn() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    for (name, dependencies) in production() {
        if name == TESTS {
            continue;
        }
        let ours = dependencies.iter().filter_map(|dependency| dependency.strip_prefix("runcord-"));
        let allowed = allowed.get(name.as_str()).copied().unwrap_or_default();
        let strange: Vec<&str> = ours.filter(|dependency| !allowed.contains(dependency)).collect();
        assert!(strange.is_empty(), "{name} must not depend on {strange:?}");
    }
}

#[test]
fn every_drawn_crate_that_is_pure_stays_pure() {
    let graph = production();
    for (name, _) in PURE {
        assert!(graph.contains_key(*name), "{name} is not in the workspace");
        let reached = reach(&graph, name);
        let impure: Vec<&&str> =
            IMPURE_LIBRARIES.iter().filter(|library| reached.contains(**library)).collect();
        assert!(impure.is_empty(), "{name} reaches {impure:?}");
    }
}

#[test]
fn only_one_crate_knows_mcp_and_only_one_starts_processes() {
    let graph = production();
    for (name, dependencies) in &graph {
        let knows_mcp = name == "runcord-mcp" || name == TESTS;
        assert!(knows_mcp || !dependencies.contains("rmcp"), "{name} knows rmcp");
        assert!(name == TESTS || !dependencies.contains(TESTS), "{name} depends on the tests");
    }
    assert!(!reach(&graph, "runcord-runtime").contains("rmcp"), "the runtime reaches rmcp");
    assert!(!reach(&graph, "runcord-exec").contains("runcord-policy"), "exec reaches policy");
    assert!(!reach(&graph, "runcord-content").contains("tokio"), "content reaches tokio");
    for (file, text) in sources(PRODUCTION) {
        let ours = file.starts_with(root().join("shared/exec"));
        assert!(ours || !matches(STARTS_PROCESSES, &text), "{} starts a process", file.display());
    }
}

#[test]
fn pure_crates_do_not_speak_of_the_world() {
    for (_, folder) in PURE {
        for (file, text) in sources(&[folder]) {
            assert!(!matches(IMPURE_WORDS, &text), "{} speaks of the world", file.display());
        }
    }
}

#[test]
fn the_words_are_found_however_they_are_written() {
    for impure in [
        "use std::fs;",
        "use std::{\n    collections::HashMap,\n    fs,\n};",
        "std::env::var(x)",
        "Instant::now()",
    ] {
        assert!(matches(IMPURE_WORDS, impure), "{impure}");
    }
    for pure in
        ["use std::fmt;", "use std::{collections::BTreeMap, fmt};\nlet fs = 1;", "let environment = 1;"]
    {
        assert!(!matches(IMPURE_WORDS, pure), "{pure}");
    }
    assert!(matches(STARTS_PROCESSES, "use std::process::{ExitCode, Command};"));
    assert!(!matches(STARTS_PROCESSES, "use std::process::ExitCode;\nuse runcord_exec::Command;"));
    let text = "// std::fs\nlet x = 1;\n#[cfg(test)]\nmod tests { use std::fs; }";
    assert!(!matches(IMPURE_WORDS, &production_part(text)));
}

#[test]
fn proofs_are_made_in_one_place() {
    for (constructor, folder) in PROOFS {
        let home = root().join(folder);
        for (file, text) in sources(PRODUCTION) {
            let here = text.contains(constructor);
            assert!(!here || file.starts_with(&home), "{} calls {constructor}…)", file.display());
        }
    }
}

const TESTS: &str = "runcord-tests";
const PRODUCTION: &[&str] = &["servers", "policy", "runbooks", "shared"];

fn matches(pattern: &str, text: &str) -> bool {
    regex::Regex::new(pattern).unwrap().is_match(text)
}

/// Every crate of the workspace with its normal and build dependencies.
fn production() -> BTreeMap<String, BTreeSet<String>> {
    metadata()
        .workspace_packages()
        .into_iter()
        .map(|package| {
            let dependencies =
                package.dependencies.iter().filter(|one| one.kind != DependencyKind::Development);
            (package.name.to_string(), dependencies.map(|one| one.name.clone()).collect())
        })
        .collect()
}

/// All that `from` depends on, through crates of ours.
fn reach(graph: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(name) = next.pop() {
        for dependency in graph.get(&name).into_iter().flatten() {
            if reached.insert(dependency.clone()) {
                next.push(dependency.clone());
            }
        }
    }
    reached
}

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap()
}

fn root() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
}

/// The production part of every source file under these folders, without comments.
fn sources(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for folder in folders {
        collect(&root().join(folder), &mut files);
    }
    assert!(!files.is_empty(), "no sources in {folders:?}");
    files
        .into_iter()
        .map(|file| (file.clone(), production_part(&fs::read_to_string(file).unwrap())))
        .collect()
}

/// Folders and files named `tests` are tests.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if name == "tests" || name == "target" || name.ends_with("_tests") {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Test modules stand at the end of a file; lines that are comments count as nothing.
fn production_part(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    let code = text.get(..end).unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}
