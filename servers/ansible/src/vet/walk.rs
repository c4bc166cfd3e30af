//! The walk through a playbook: what has been seen so far, and what is the same wherever it stands.

use std::collections::BTreeSet;

use runcord_model::text::visible;

use super::expressions::{self, Does};
use super::files::Files;
use super::finding::{Finding, Kind, LONGEST_WORD};
use super::keywords::Treatment;
use super::vetted::{Checked, Part, Task, Vetted};
use super::yaml::{self, Entry, Node, Value};
use super::{Purpose, Question, jinja};
use crate::names::{ModuleFqcn, is_reserved};

/// So many files may include each other in a row.
const DEEPEST: usize = 16;

/// So many tasks and includes are walked through.
const MOST: usize = 2_000;

/// So many findings are kept: a playbook with more is refused for any of them.
const MOST_FINDINGS: usize = 10_000;

/// What has been seen so far.
pub(super) struct Walk<'a> {
    pub(super) question: &'a Question<'a>,
    pub(super) files: Files<'a>,
    pub(super) tasks: Vec<Task>,
    pub(super) handlers: BTreeSet<String>,
    pub(super) notified: Vec<Notified>,
    /// Where the play notes that its hosts are done.
    pub(super) note: Option<(String, u32)>,
    /// Results of tasks that check mode skips: the variable, and the number of the task.
    pub(super) skipped: Vec<(String, usize)>,
    findings: Vec<Finding>,
    uses: Vec<(String, usize, Finding)>,
    /// The files and roles that are being followed, from the playbook on.
    trail: Vec<String>,
    /// Tasks and includes so far.
    steps: usize,
}

/// A handler that a task names.
pub(super) struct Notified {
    pub(super) name: String,
    pub(super) scope: Scope,
    pub(super) line: u32,
}

/// Where the walk is.
#[derive(Clone)]
pub(super) struct Scope {
    pub(super) file: String,
    /// The folder of the playbook.
    pub(super) home: String,
    pub(super) play: String,
    /// The folder of the role.
    pub(super) role: Option<String>,
    pub(super) task: Option<String>,
    /// The number of the task; 0 outside of tasks.
    pub(super) number: usize,
    pub(super) part: Part,
    /// Whether check mode skips all that is here.
    pub(super) skipped: Skipped,
}

/// Whether check mode skips something because its `when` says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skipped {
    Yes,
    No,
}

impl Scope {
    /// Within a file, outside of any play.
    pub(super) fn of_file(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            home: super::files::folder(file).to_owned(),
            play: String::new(),
            role: None,
            task: None,
            number: 0,
            part: Part::Task,
            skipped: Skipped::No,
        }
    }

    /// The task that is here.
    pub(super) fn task_at(&self, line: u32, module: ModuleFqcn, checked: Checked) -> Task {
        Task {
            play: self.play.clone(),
            file: self.file.clone(),
            line,
            name: self.task.clone().unwrap_or_default(),
            module,
            part: self.part,
            checked,
        }
    }

    /// The same in another file.
    pub(super) fn in_file(&self, file: &str) -> Self {
        Self { file: file.to_owned(), task: None, ..self.clone() }
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(question: &'a Question<'a>) -> Self {
        Self {
            question,
            files: Files(question.files),
            tasks: Vec::new(),
            handlers: BTreeSet::new(),
            notified: Vec::new(),
            note: None,
            skipped: Vec::new(),
            findings: Vec::new(),
            uses: Vec::new(),
            trail: Vec::new(),
            steps: 0,
        }
    }

    /// What concerns the whole project: code that Ansible would load from it, and variables that it loads unasked.
    pub(super) fn project(&mut self) {
        for path in self.files.plugins() {
            self.say(&Scope::of_file(path), 1, Kind::Plugin, "");
        }
        for path in self.files.of_groups_and_hosts() {
            let scope = Scope::of_file(path);
            if let Some(root) = self.read(&scope) {
                self.value(&scope, &root);
            }
        }
    }

    /// All that was seen, with what can only be told at the end.
    pub(super) fn finish(mut self) -> Vetted {
        if self.question.purpose == Purpose::Changes {
            for (name, number, finding) in std::mem::take(&mut self.uses) {
                let rests = |(skipped, of): &(String, usize)| *skipped == name && *of != number;
                if self.skipped.iter().any(rests) {
                    self.findings.push(finding);
                }
            }
        }
        for name in self.question.named {
            if !self.tasks.iter().any(|task| task.name == name.as_str()) {
                let scope = Scope::of_file(self.question.playbook.as_str());
                self.say(&scope, 1, Kind::NoSuchTask, name.as_str());
            }
        }
        self.findings.sort();
        self.findings.dedup();
        Vetted { tasks: self.tasks, findings: self.findings }
    }

    pub(super) fn say(&mut self, scope: &Scope, line: u32, kind: Kind, about: &str) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding(scope, line, kind, about));
        }
    }

    /// The one document of the file that the walk is in.
    pub(super) fn read(&mut self, scope: &Scope) -> Option<Node> {
        let read = yaml::read(self.files.text(&scope.file)?);
        for (line, kind) in read.odd {
            self.say(scope, line, kind, "");
        }
        read.root
    }

    /// Counts a task or include; none when there are too many.
    pub(super) fn step(&mut self, scope: &Scope, line: u32) -> Option<usize> {
        self.steps += 1;
        if self.steps > MOST {
            // Once is enough.
            if self.steps == MOST + 1 {
                self.say(scope, line, Kind::TooMuch, "");
            }
            return None;
        }
        Some(self.steps)
    }

    /// Follows an include, unless it leads back to itself.
    pub(super) fn follow(&mut self, scope: &Scope, line: u32, to: &str, walk: impl FnOnce(&mut Self)) {
        if self.trail.len() >= DEEPEST || self.trail.iter().any(|file| file == to) {
            self.say(scope, line, Kind::TooMuch, to);
            return;
        }
        if self.step(scope, line).is_some() {
            self.trail.push(to.to_owned());
            walk(self);
            self.trail.pop();
        }
    }

    /// Vets the keywords of a play, block, task or role; those that are not known are told by the caller.
    pub(super) fn keyword(&mut self, scope: &Scope, entry: &Entry, treatment: Treatment) {
        match treatment {
            Treatment::Any => self.value(scope, &entry.node),
            Treatment::Expression => self.expression(scope, &entry.node),
            Treatment::Never(kind) => {
                self.say(scope, entry.line, kind, &entry.key);
                self.value(scope, &entry.node);
            }
            Treatment::Only(values, kind) => {
                if !is_one_of(&entry.node, values) {
                    self.say(scope, entry.line, kind, &entry.key);
                    self.value(scope, &entry.node);
                }
            }
            Treatment::Literal(kind) => {
                if entry.node.text().is_none_or(jinja::is_in) {
                    self.say(scope, entry.line, kind, &entry.key);
                }
            }
            Treatment::Apart => {}
        }
    }

    /// Vets keywords that all mean the same wherever they stand: `vars`, `tags`. The answer is that of `when`.
    pub(super) fn keywords(
        &mut self,
        scope: &Scope,
        entries: &[Entry],
        table: fn(&str) -> Option<Treatment>,
    ) -> Skipped {
        let mut skipped = scope.skipped;
        for entry in entries {
            match table(&entry.key) {
                Some(treatment) => self.keyword(scope, entry, treatment),
                None => self.unknown_keyword(scope, entry),
            }
            match entry.key.as_str() {
                "vars" => self.variables(scope, &entry.node),
                "tags" => self.tags(scope, entry),
                "when" if self.when(scope, &entry.node) == Skipped::Yes => skipped = Skipped::Yes,
                _ => {}
            }
        }
        skipped
    }

    pub(super) fn unknown_keyword(&mut self, scope: &Scope, entry: &Entry) {
        let kind = if jinja::is_in(&entry.key) { Kind::TemplatedKey } else { Kind::UnknownKeyword };
        self.say(scope, entry.line, kind, &entry.key);
        self.does(scope, entry.line, expressions::in_text(&entry.key));
        self.value(scope, &entry.node);
    }

    /// Vets whatever templates are in a value, at any depth.
    pub(super) fn value(&mut self, scope: &Scope, node: &Node) {
        match &node.value {
            Value::Plain(text) | Value::Text(text) => self.does(scope, node.line, expressions::in_text(text)),
            Value::List(items) => items.iter().for_each(|item| self.value(scope, item)),
            Value::Map(entries) => {
                for entry in entries {
                    if jinja::is_in(&entry.key) {
                        self.say(scope, entry.line, Kind::TemplatedKey, &entry.key);
                        self.does(scope, entry.line, expressions::in_text(&entry.key));
                    }
                    self.value(scope, &entry.node);
                }
            }
        }
    }

    /// Vets a bare expression, or a list of them.
    pub(super) fn expression(&mut self, scope: &Scope, node: &Node) {
        for item in node.each() {
            match item.text() {
                Some(text) => self.does(scope, item.line, expressions::in_expression(text)),
                None => {
                    self.say(scope, item.line, Kind::Shape, "");
                }
            }
        }
    }

    /// Vets a condition. Only the one that everybody understands may ask for check mode.
    fn when(&mut self, scope: &Scope, node: &Node) -> Skipped {
        let mut skipped = Skipped::No;
        for item in node.each() {
            let words = item.text().map(|text| text.split_whitespace().collect::<Vec<_>>());
            if words.as_deref() == Some(&["not", "ansible_check_mode"]) {
                self.say(scope, item.line, Kind::SkippedInCheck, "");
                skipped = Skipped::Yes;
            } else {
                self.expression(scope, item);
            }
        }
        skipped
    }

    pub(super) fn does(&mut self, scope: &Scope, line: u32, does: Does) {
        for (kind, about, _) in &does.found {
            self.say(scope, line, *kind, about);
        }
        if does.uses.contains("ansible_check_mode") {
            self.say(scope, line, Kind::AsksCheckMode, "");
        }
        for name in does.uses {
            let found = finding(scope, line, Kind::RestsOnSkipped, &name);
            self.uses.push((name, scope.number, found));
        }
    }

    /// Vets a mapping of variables.
    pub(super) fn variables(&mut self, scope: &Scope, node: &Node) {
        match node.map() {
            Some(entries) => entries.iter().for_each(|entry| self.sets(scope, entry.line, &entry.key)),
            None if node.is_null() => {}
            None => self.say(scope, node.line, Kind::Shape, "vars"),
        }
        self.value(scope, node);
    }

    /// Something sets a variable.
    pub(super) fn sets(&mut self, scope: &Scope, line: u32, name: &str) {
        if is_reserved(name) {
            self.say(scope, line, Kind::ReservedVariable, name);
        }
    }

    fn tags(&mut self, scope: &Scope, entry: &Entry) {
        for item in entry.node.each() {
            let Some(text) = item.text() else {
                self.say(scope, item.line, Kind::Shape, "tags");
                continue;
            };
            if jinja::is_in(text) {
                self.say(scope, item.line, Kind::TemplatedKey, "tags");
            }
            let special =
                |tag: &str| matches!(tag.trim(), "always" | "never" | "all" | "tagged" | "untagged");
            if let Some(tag) = text.split(',').find(|tag| special(tag)) {
                self.say(scope, item.line, Kind::SpecialTag, tag.trim());
            }
        }
    }
}

fn finding(scope: &Scope, line: u32, kind: Kind, about: &str) -> Finding {
    let about = (!about.is_empty()).then(|| visible(about, LONGEST_WORD));
    Finding { file: scope.file.clone(), line, kind, task: scope.task.clone(), about }
}

/// Whether a scalar is one of these, however its truth or its blanks are written.
pub(super) fn is_one_of(node: &Node, values: &[&str]) -> bool {
    let Some(text) = node.text() else { return false };
    let text = match (truth(node), variable(text)) {
        (Some(true), _) => "true".to_owned(),
        (Some(false), _) => "false".to_owned(),
        (None, Some(name)) => format!("{{{{ {name} }}}}"),
        (None, None) => text.to_owned(),
    };
    values.contains(&text.as_str())
}

/// The variable that a text consists of, such as that of `{{ service }}`.
pub(super) fn variable(text: &str) -> Option<&str> {
    let name = text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_name.then_some(name)
}

/// What a scalar without quotes means in YAML 1.1, where it is a truth value.
pub(super) fn truth(node: &Node) -> Option<bool> {
    match &node.value {
        Value::Plain(text) => match text.as_str() {
            "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
            "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
            _ => None,
        },
        Value::Text(_) | Value::List(_) | Value::Map(_) => None,
    }
}
