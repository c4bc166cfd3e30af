//! What the server and the worker say of each start of the tool, at `RUNCORD_LOG=runcord::tool=debug`.

use std::path::Path;

use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};

/// One start of the tool.
#[derive(Debug, Clone)]
pub struct Start {
    /// What it was started for.
    pub subcommand: String,
    /// When it ended.
    ended: Timestamp,
    /// How long it took, in ms.
    pub took: f64,
}

impl Start {
    fn began(&self) -> Timestamp {
        #[expect(clippy::cast_possible_truncation, reason = "microseconds of minutes")]
        let took = SignedDuration::from_micros((self.took * 1e3) as i64);
        self.ended - took
    }
}

/// All starts that a log tells of, in the order of their ends.
///
/// # Errors
///
/// There is no such log, or it is not in the form that is known.
pub fn all(log: &Path) -> Result<Vec<Start>> {
    let text = std::fs::read_to_string(log).with_context(|| format!("no log {}", log.display()))?;
    let mut starts = Vec::new();
    for line in text.lines().filter(|line| line.contains("runcord::tool")) {
        let ended: Timestamp = line.split(' ').next().unwrap_or_default().parse()?;
        let subcommand = quoted(line, "subcommand=").context("a start without its subcommand")?;
        if let Some(took) = line.split("took=").nth(1) {
            starts.push(Start { subcommand, ended, took: took.trim().parse::<f64>()? / 1e3 });
        }
    }
    Ok(starts)
}

fn quoted(line: &str, key: &str) -> Option<String> {
    Some(line.split(key).nth(1)?.split('"').nth(1)?.to_owned())
}

/// The time in which at least one of these starts was under way, in ms.
pub fn time<'s>(starts: impl IntoIterator<Item = &'s Start>) -> f64 {
    let mut spans: Vec<_> = starts.into_iter().map(|start| (start.began(), start.ended)).collect();
    spans.sort_unstable();
    let (mut total, mut until) = (0.0, Timestamp::MIN);
    for (began, ended) in spans {
        if ended > until {
            total += ended.duration_since(began.max(until)).as_secs_f64() * 1e3;
            until = ended;
        }
    }
    total
}

/// The time in which at least one start for this was under way, in ms.
pub fn named(starts: &[Start], subcommand: &str) -> f64 {
    time(starts.iter().filter(|start| start.subcommand == subcommand))
}
