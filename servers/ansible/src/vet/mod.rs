//! Vets a playbook before anything of it runs: what it and all that it includes would do in check mode, and what check mode
//! could not be trusted with.
//!
//! Pure: files come in as texts, and what modules say of themselves as `ansible-doc -j` writes it. Nothing is resolved that
//! only a run can resolve; where the answer depends on a run, that is a [`Finding`], never passed over. What the table of
//! [`Kind`]s says of a finding is what follows, but for those that the declaration says were reviewed.

mod actions;
mod block;
mod expressions;
mod files;
mod finding;
mod gate;
mod includes;
mod jinja;
mod keywords;
mod modules;
mod play;
mod roles;
mod sources;
mod task;
mod vetted;
mod walk;
mod yaml;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use finding::{Finding, Kind, Rule, Verdict};
pub use modules::{Level, Modules, NotDocumentation, Support};
pub use vetted::{Checked, Part, Task, Vetted};

use crate::names::{ProjectPath, TaskName, VariableName};

/// What is asked about one playbook.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// All files of the project by their paths below its folder; one that is no text with an empty text.
    pub files: &'a BTreeMap<String, String>,
    /// The playbook.
    pub playbook: &'a ProjectPath,
    /// What the installed modules say of themselves.
    pub modules: &'a Modules,
    /// What the playbook is for.
    pub purpose: Purpose,
    /// Variables whose values are declared one by one: a file may be named by them.
    pub enumerated: &'a BTreeSet<VariableName>,
    /// Tasks that the declaration speaks of by name.
    pub named: &'a BTreeSet<TaskName>,
}

/// What a playbook is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It changes hosts: planned in check mode, then applied batch by batch.
    Changes,
    /// It only reads: run for real, on all hosts at once, as a look or a verification.
    Reads,
}

/// The files of a project from which Ansible would load code, unasked.
pub fn loaded(files: &BTreeMap<String, String>) -> Vec<Finding> {
    let finding =
        |file: &str| Finding { file: file.to_owned(), line: 1, kind: Kind::Plugin, task: None, about: None };
    files::Files(files).plugins().map(finding).collect()
}

/// Vets a playbook with all that it includes.
pub fn vet(question: &Question<'_>) -> Vetted {
    let mut walk = walk::Walk::new(question);
    walk.project();
    walk.playbook(question.playbook.as_str());
    walk.finish()
}
