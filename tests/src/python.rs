//! The reference client, PyPI `mcp`, driven from a test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};

/// What the reference client saw in one session.
#[derive(Debug, Deserialize)]
pub struct Seen {
    /// Every tool by name, with its `readOnlyHint`.
    pub tools: Map<String, Value>,
    /// Whether the tool refused (`isError`).
    pub refused: bool,
    /// The structured content.
    pub content: Value,
    /// All text content.
    pub text: String,
}

/// Lists the tools of `server` and calls one, with the reference client in a mode: `auto`, `legacy` or `2026-07-28`.
///
/// # Errors
///
/// `.venv` is not there (`tests/run` makes it), or the session failed; the error shows what was printed.
pub fn session(
    mode: &str,
    server: &Path,
    environment: Vec<(&'static str, PathBuf)>,
    tool: &str,
    arguments: &Value,
) -> Result<Seen> {
    let output = Command::new(interpreter()?)
        .arg(Path::new(TESTS).join("python/session.py"))
        .args([Path::new(mode), server, Path::new(tool), Path::new(&arguments.to_string())])
        .env_clear()
        .envs(environment)
        .stdin(Stdio::null())
        .output()?;
    ensure!(output.status.success(), "the session failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("the session printed no JSON")
}

/// The Python that has the reference client.
///
/// # Errors
///
/// `.venv` is not there: `tests/run` makes it.
pub fn interpreter() -> Result<PathBuf> {
    let python = Path::new(TESTS).join("../.venv/bin/python");
    ensure!(python.exists(), "there is no .venv: run tests/run, which makes it");
    Ok(python)
}

const TESTS: &str = env!("CARGO_MANIFEST_DIR");
