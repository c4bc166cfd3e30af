//! `runcord run`: the runs that there are, and one of them from its intent to its end.

use runcord_ledger::{Journalled, KeptRun, RunFilter};
use runcord_model::{RunId, RunView};
use serde_json::{Value, json};

use crate::around::Around;
use crate::failure::Failure;
use crate::output::{Answer, columns, painted, when};
use crate::servers;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// The newest runs
    List {
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u32,
    },
    /// One run: what was done, what was not, whether it was verified, and its journal
    Show {
        /// The run's id
        run: RunId,
    },
}

pub(crate) fn run(command: &Command, around: &Around) -> Result<Answer, Failure> {
    match command {
        Command::List { limit } => list(around, *limit),
        Command::Show { run } => show(around, run),
    }
}

fn list(around: &Around, limit: u32) -> Result<Answer, Failure> {
    let (mut rows, mut listed) = (Vec::new(), Vec::new());
    for kept in around.ledger()?.runs(&RunFilter { limit, ..RunFilter::default() })? {
        let begun = kept.intent.at.utc;
        let summary = servers::run_view(&kept).summary;
        rows.push([
            kept.state.as_str().to_owned(),
            kept.id.to_string(),
            when(begun),
            kept.principal.to_string(),
            summary.lines().next().unwrap_or_default().to_owned(),
        ]);
        listed.push(json!({
            "run_id": kept.id, "plan_id": kept.plan, "state": kept.state, "principal": kept.principal,
            "begun": begun, "summary": summary,
        }));
    }
    let page = if rows.is_empty() { "There are no runs.".to_owned() } else { columns(&rows) };
    Ok(Answer::done(page, json!({"runs": listed})))
}

fn show(around: &Around, id: &RunId) -> Result<Answer, Failure> {
    let kept = around.ledger()?.run(id)?.ok_or_else(|| {
        Failure::refused(
            format!("there is no run {id} in this ledger"),
            "list the runs with `runcord run list`; is it another --state folder?",
        )
    })?;
    let view = servers::run_view(&kept);
    let journal: Vec<Value> = kept
        .journal
        .iter()
        .map(|entry| json!({"at": entry.at.utc, "epoch": entry.epoch, "event": entry.event}))
        .collect();
    let json = json!({"run": view.to_contract(), "principal": kept.principal, "cancelled_by": kept.cancelled_by, "journal": journal});
    Ok(Answer::done(painted(&page(&kept, &view)), json))
}

/// The run as a page: its end first, then what was and was not done, then what happened when.
fn page(kept: &KeptRun, view: &RunView) -> String {
    let mut page = format!("{}\n\n", view.summary);
    page.push_str(&format!("state         {}\n", view.state.as_str()));
    page.push_str(&format!("to do         {}\n", view.next));
    page.push_str(&format!("asked by      {}\n", kept.principal));
    page.push_str(&format!("run           {} of plan {}\n", kept.id, kept.plan));
    page.push_str(&format!("record        {} ({}), unsigned\n", view.record.0, view.record.1.short()));
    let steps =
        view.steps.iter().map(|s| format!("{}  {} of {}  {}: {}", s.state, s.done, s.of, s.id, s.text));
    section(&mut page, "Steps", steps);
    section(&mut page, "Changes", view.diff.iter().map(|change| change.text.clone()));
    let checks = view.verification.checks.iter().map(|check| {
        let held = if check.held { "held" } else { "NOT held" };
        format!("{held}: {}", check.check)
    });
    section(&mut page, "Verification", std::iter::once(view.verification.outcome.clone()).chain(checks));
    section(&mut page, "Journal", kept.journal.iter().map(journal_line));
    page
}

fn journal_line(entry: &Journalled) -> String {
    format!("{} worker {}  {}", entry.at.utc.strftime("%H:%M:%S%.3f"), entry.epoch, entry.event)
}

fn section(page: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<_> = lines.collect();
    if !lines.is_empty() {
        page.push_str(&format!("\n{title}\n"));
        lines.iter().for_each(|line| page.push_str(&format!("  {line}\n")));
    }
}
