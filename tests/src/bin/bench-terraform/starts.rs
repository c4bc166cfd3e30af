//! What the server and the worker say of each start of the tool, at `RUNCORD_LOG=runcord::tool=debug`.

use std::path::Path;

use anyhow::{Context as _, Result};
use jiff::Timestamp;

/// One start of the tool.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) subcommand: String,
    /// How long it took, in ms.
    pub(crate) took: f64,
}

/// All starts that a log tells of, in their order.
pub(crate) fn all(log: &Path) -> Result<Vec<Start>> {
    let text = std::fs::read_to_string(log).with_context(|| format!("no log {}", log.display()))?;
    let mut starts: Vec<Start> = Vec::new();
    let mut applying: Option<Timestamp> = None;
    for line in text.lines().filter(|line| line.contains("runcord::tool")) {
        let at: Timestamp = line.split(' ').next().unwrap_or_default().parse()?;
        let subcommand = quoted(line, "subcommand=").context("a start without its subcommand")?;
        // Nobody says when an apply has ended; the state is read then, at once.
        if let Some(since) = applying.take() {
            starts.push(Start {
                subcommand: "apply".to_owned(),
                took: at.duration_since(since).as_secs_f64() * 1e3,
            });
        }
        match line.split("took=").nth(1) {
            Some(took) => starts.push(Start { subcommand, took: took.trim().parse::<f64>()? / 1e3 }),
            None if subcommand == "apply" => applying = Some(at),
            None => {}
        }
    }
    Ok(starts)
}

fn quoted(line: &str, key: &str) -> Option<String> {
    Some(line.split(key).nth(1)?.split('"').nth(1)?.to_owned())
}

/// The time of these starts together, in ms.
pub(crate) fn time<'s>(starts: impl IntoIterator<Item = &'s Start>) -> f64 {
    starts.into_iter().map(|start| start.took).sum()
}
