//! What vetting gives: the tasks, how far check mode checks each, and what was found.

use runcord_model::Coverage;
use runcord_model::text::visible;
use serde::{Deserialize, Serialize};

use super::finding::{Finding, Kind, LONGEST_WORD, Verdict};
use crate::names::ModuleFqcn;
use crate::playbooks::Playbook;

/// A playbook as it was vetted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vetted {
    /// Every task and handler, in the order in which they stand.
    pub tasks: Vec<Task>,
    /// What was found, by file and line.
    pub findings: Vec<Finding>,
}

/// One task or handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The name of its play, as it is written.
    pub play: String,
    /// Below the project's folder.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// Its name, as it is written.
    pub name: String,
    /// Its module.
    pub module: ModuleFqcn,
    /// Whether it runs in any case.
    pub part: Part,
    /// How far check mode checks it.
    pub checked: Checked,
}

/// When a task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// In its place.
    Task,
    /// When it is notified.
    Handler,
}

/// How far check mode checks a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checked {
    /// Its module does all in check mode but the change itself.
    Wholly,
    /// Its module leaves something out, or that depends on the host.
    InPart,
    /// It is skipped.
    Not,
}

impl Vetted {
    /// The findings for which the playbook is refused, as it is declared.
    pub fn refused(&self, declared: &Playbook) -> Vec<&Finding> {
        self.findings.iter().filter(|finding| !is_let_through(finding, declared)).collect()
    }

    /// How much of it check mode truly checks, and what stays undetermined: tasks, then findings.
    pub fn coverage(&self) -> Coverage {
        let mut coverage = Coverage::default();
        for task in &self.tasks {
            let said = task.in_words();
            match task.checked {
                Checked::Wholly => coverage.checked.push(said),
                Checked::InPart | Checked::Not => coverage.undetermined.push(said),
            }
        }
        let undetermined = |finding: &&Finding| match finding.kind.rule().verdict {
            Verdict::Denied | Verdict::Doubted | Verdict::Undetermined => true,
            Verdict::Fine => false,
        };
        coverage.undetermined.extend(self.findings.iter().filter(undetermined).map(Finding::to_string));
        coverage
    }

    /// How many tasks check mode checks wholly.
    pub fn wholly_checked(&self) -> usize {
        self.tasks.iter().filter(|task| task.checked == Checked::Wholly).count()
    }

    /// Whether a task may change something that the check run did not tell of: it is skipped in check mode, and more than a
    /// look.
    pub fn changes_unseen(&self) -> bool {
        self.tasks.iter().any(|task| task.checked == Checked::Not && !self.only_looks(task))
    }

    fn only_looks(&self, task: &Task) -> bool {
        let says = |finding: &Finding| {
            finding.kind == Kind::LookSkipped && finding.file == task.file && finding.line == task.line
        };
        self.findings.iter().any(says)
    }

    /// The share of tasks that check mode checks wholly, in percent, rounded down; of no tasks, all are.
    pub fn percent_checked(&self) -> usize {
        (self.wholly_checked() * 100).checked_div(self.tasks.len()).unwrap_or(100)
    }
}

impl Task {
    fn in_words(&self) -> String {
        let how = match self.checked {
            Checked::Wholly => "check mode",
            Checked::InPart => "check mode in part",
            Checked::Not => "skipped in check mode",
        };
        let (name, file) = (visible(&self.name, LONGEST_WORD), visible(&self.file, LONGEST_WORD));
        format!("{file}:{}: {name} ({}): {how}", self.line, self.module)
    }
}

/// Whether a playbook may go on with a finding.
fn is_let_through(finding: &Finding, declared: &Playbook) -> bool {
    match finding.kind.rule().verdict {
        Verdict::Denied => false,
        Verdict::Doubted => declared.allows.iter().any(|review| review.covers(finding)),
        Verdict::Undetermined | Verdict::Fine => true,
    }
}
