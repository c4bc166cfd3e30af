//! `playbooks.yaml`: the playbooks that this server may run, and how far. Part of the policy folder, so that it is reviewed by
//! those who edit policy, put in force by an approver's signature, and in the digest of every plan.
//!
//! What is declared here is what a runbook may ask for: these groups, these variables within these bounds, these tags. And
//! it is where doubts about a playbook are laid to rest, one by one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::library;
use crate::names::{
    GroupName, ModuleFqcn, PlaybookName, ProjectPath, ShippedName, Tag, TaskName, VariableName,
};
use crate::vet::{Finding, Kind};
use runcord_runtime::problem::{self, Problem};

mod batch;
mod check;
mod variable;

#[cfg(test)]
mod tests;

pub use batch::Batch;
pub use variable::{Bounds, Given, Pinned, Text, Variable};

/// The name of the file in the policy folder.
pub const FILE: &str = "playbooks.yaml";

/// All declared playbooks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbooks {
    /// By name.
    #[serde(default)]
    pub playbooks: BTreeMap<PlaybookName, Playbook>,
}

impl Playbooks {
    /// Reads the text of the file called `file`. An empty one, as a missing one, declares nothing.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with file, line and column.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            return Ok(Self::default());
        }
        let declared: Self = serde_saphyr::from_str(text)
            .map_err(|said| vec![Problem::from_yaml(&problem::Text { name: file, text }, &said)])?;
        let problems = check::check(file, text, &declared);
        if problems.is_empty() { Ok(declared) } else { Err(problems) }
    }
}

/// One declared playbook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// Where it is.
    pub playbook: Source,
    /// The inventory that its hosts are in, below the project's folder.
    pub inventory: ProjectPath,
    /// The groups whose hosts may be named.
    pub groups: BTreeSet<GroupName>,
    /// Every variable that it takes, by name.
    #[serde(default)]
    pub variables: BTreeMap<VariableName, Variable>,
    /// The tags that may be chosen; with none, all of it runs.
    #[serde(default)]
    pub tags: BTreeSet<Tag>,
    /// Whether it only reads.
    #[serde(default)]
    pub reads: bool,
    /// Whether its tasks run as root, where they leave that to us.
    #[serde(default = "yes", rename = "become")]
    pub as_root: bool,
    /// What asserts afterwards that it did what it should.
    #[serde(default)]
    pub verify: Option<Source>,
    /// What takes it back.
    #[serde(default)]
    pub undo: Option<Source>,
    /// How many hosts go together: the first batch, the second, and so on; the last one again and again.
    #[serde(default)]
    pub batches: Vec<Batch>,
    /// The doubts that were reviewed.
    #[serde(default)]
    pub allows: Vec<Review>,
    /// The tasks that cannot be taken back.
    #[serde(default)]
    pub irreversible: BTreeSet<TaskName>,
    /// What counts as the restart of a service.
    #[serde(default)]
    pub restarts: Counted,
    /// What counts as a reboot.
    #[serde(default)]
    pub reboots: Counted,
    /// What varies in a diff without meaning anything.
    #[serde(default)]
    pub normalise: Vec<Varies>,
    /// Names of environment variables that reach Ansible and what it starts: credentials.
    #[serde(default)]
    pub environment: BTreeSet<String>,
}

fn yes() -> bool {
    true
}

/// Where a playbook is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Below the project's folder.
    Project(ProjectPath),
    /// In the library that ships.
    Shipped(ShippedName),
}

/// A doubt that was reviewed, and found to be none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// What was doubted.
    pub kind: Kind,
    /// Where: `FILE:NAME` of the task. Everywhere in the playbook where this is left out.
    #[serde(default)]
    pub task: Option<String>,
}

impl Review {
    /// Whether it is about a finding.
    pub fn covers(&self, finding: &Finding) -> bool {
        let here = |place: &String| {
            finding.task.as_ref().is_some_and(|task| *place == format!("{}:{task}", finding.file))
        };
        self.kind == finding.kind && self.task.as_ref().is_none_or(here)
    }
}

/// Tasks and modules that count as something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counted {
    /// Tasks, by name.
    #[serde(default)]
    pub tasks: BTreeSet<TaskName>,
    /// Modules: every task that has one of them.
    #[serde(default)]
    pub modules: BTreeSet<ModuleFqcn>,
}

/// Something that varies from one look to the next, though nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Varies {
    /// Text, such as a timestamp or a temporary name: what a regular expression matches.
    Pattern(String),
    /// The order of the items of a list in a result, by the list's field.
    Order(VariableName),
}

impl Playbook {
    /// What asserts afterwards that it did what it should. One that ships brings its own.
    pub fn verification(&self) -> Option<Source> {
        self.brought("verify").or_else(|| self.verify.clone())
    }

    /// What takes it back, where something does. One that ships brings its own.
    pub fn way_back(&self) -> Option<Source> {
        self.brought("undo").or_else(|| self.undo.clone())
    }

    /// What the library has beside a playbook of its own.
    fn brought(&self, part: &str) -> Option<Source> {
        let Source::Shipped(name) = &self.playbook else { return None };
        let part: ShippedName = format!("{name}.{part}").parse().ok()?;
        library::text(&part).map(|_| Source::Shipped(part))
    }

    /// The variables whose values are declared one by one: a file may be named by them.
    pub fn enumerated(&self) -> BTreeSet<VariableName> {
        let is_enumerated = |variable: &Variable| match variable {
            Variable::Value(_) | Variable::Enum(_) | Variable::File(_) | Variable::DigestOf(_) => true,
            Variable::String(_) | Variable::Integer(_) | Variable::Boolean | Variable::Pinned(_) => false,
        };
        self.variables
            .iter()
            .filter(|(_, variable)| is_enumerated(variable))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The tasks that it speaks of by name.
    pub fn named_tasks(&self) -> BTreeSet<TaskName> {
        let counted = self.restarts.tasks.iter().chain(&self.reboots.tasks);
        self.irreversible.iter().chain(counted).cloned().collect()
    }
}
