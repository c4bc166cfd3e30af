//! One task or handler: which module it has, how far check mode checks that, and how it runs.

use super::actions::{self, Action};
use super::finding::Kind;
use super::keywords;
use super::modules::Level;
use super::vetted::{Checked, Part};
use super::walk::{Notified, Scope, Skipped, Walk, truth};
use super::yaml::{Entry, Node, Value, find};
use super::{Purpose, gate, jinja};
use crate::names::ModuleFqcn;

impl Walk<'_> {
    pub(super) fn task(&mut self, outside: &Scope, line: u32, entries: &[Entry]) {
        let Some(number) = self.step(outside, line) else { return };
        let name = find(entries, "name").and_then(Node::text).unwrap_or_default();
        let task = (!name.is_empty()).then(|| name.to_owned());
        let scope = Scope { task, number, ..outside.clone() };
        if name.is_empty() {
            self.say(&scope, line, Kind::Unnamed, "");
        }
        if gate::is_gate(entries) || self.note.as_ref() == Some(&(scope.file.clone(), line)) {
            return self.held_to_the_letter(&scope, line, entries);
        }
        let (known, strange): (Vec<Entry>, Vec<Entry>) =
            entries.iter().cloned().partition(|entry| keywords::of_task(&entry.key).is_some());
        let skipped = self.keywords(&scope, &known, keywords::of_task);
        let scope = Scope { skipped, ..scope };
        self.listens(&scope, name, find(entries, "listen"));
        if let Some((entry, module)) = self.module(&scope, line, &known, &strange) {
            self.act(&scope, &known, entry, &module);
        }
    }

    /// The gate between batches and its note: known by their letters, so that there is nothing more to find in them.
    fn held_to_the_letter(&mut self, scope: &Scope, line: u32, entries: &[Entry]) {
        let module = entries.iter().find_map(|entry| entry.key.parse().ok());
        self.tasks.extend(module.map(|module| scope.task_at(line, module, Checked::Wholly)));
    }

    /// The module of a task: the one key that is no keyword.
    fn module<'e>(
        &mut self,
        scope: &Scope,
        line: u32,
        known: &[Entry],
        strange: &'e [Entry],
    ) -> Option<(&'e Entry, ModuleFqcn)> {
        let named = |entry: &'e Entry| Some((entry, entry.key.parse::<ModuleFqcn>().ok()?));
        let mut modules = strange.iter().filter_map(named);
        let module = modules.next();
        if modules.next().is_some() {
            self.say(scope, line, Kind::Shape, "");
        }
        for entry in strange.iter().filter(|entry| named(entry).is_none()) {
            if self.is_short_name(&entry.key) {
                self.say(scope, entry.line, Kind::ShortName, &entry.key);
            } else {
                self.unknown_keyword(scope, entry);
            }
        }
        let told = known.iter().any(|entry| matches!(entry.key.as_str(), "action" | "local_action"));
        if strange.is_empty() && !told {
            self.say(scope, line, Kind::Shape, "");
        }
        module
    }

    fn is_short_name(&self, name: &str) -> bool {
        let full = [name.to_owned(), format!("ansible.builtin.{name}")];
        let is_module =
            |name: &String| name.parse().is_ok_and(|name| self.question.modules.get(&name).is_some());
        let is_include = matches!(
            name.strip_prefix("builtin.").unwrap_or(name),
            "include_tasks" | "import_tasks" | "include_role" | "import_role" | "include" | "meta"
        );
        is_include || full.iter().any(is_module)
    }

    /// What a module does with its parameters.
    fn act(&mut self, scope: &Scope, known: &[Entry], entry: &Entry, module: &ModuleFqcn) {
        if module.as_str().starts_with("ansible.legacy.") {
            self.say(scope, entry.line, Kind::ShortName, module.as_str());
        }
        let parameters = entry.node.map().unwrap_or_default();
        let action = actions::of(module.as_str(), parameters);
        if matches!(action, Action::Tasks(_) | Action::Role(_) | Action::Meta) {
            self.beside(scope, known, action);
        }
        match action {
            Action::Tasks(when) => return self.included_tasks(scope, entry, when),
            Action::Role(when) => return self.included_role(scope, entry, when),
            Action::Meta => return self.meta(scope, entry),
            Action::Inventory => self.say(scope, entry.line, Kind::Inventory, module.as_str()),
            Action::Variables => self.say(scope, entry.line, Kind::VarsFiles, module.as_str()),
            Action::Fetch => self.say(scope, entry.line, Kind::ControllerWrite, module.as_str()),
            Action::Command | Action::Looks | Action::Changes => {}
        }
        self.parameters(scope, entry, module);
        self.source(scope, module, parameters);
        let checked = self.support(scope, entry, known, module, action);
        self.outcome(scope, known, action);
        self.registers(scope, known, action, checked);
        self.tasks.push(scope.task_at(entry.line, module.clone(), checked));
    }

    /// The keywords of an include or of `meta`: what is included takes them over, or they are looked at as it runs.
    fn beside(&mut self, scope: &Scope, known: &[Entry], action: Action) {
        if let Some(node) = find(known, "check_mode") {
            self.say(scope, node.line, Kind::CheckMode, "");
        }
        self.outcome(scope, known, action);
        self.registers(scope, known, action, Checked::Wholly);
    }

    fn parameters(&mut self, scope: &Scope, entry: &Entry, module: &ModuleFqcn) {
        let Value::Map(parameters) = &entry.node.value else {
            if !entry.node.is_null() {
                self.say(scope, entry.line, Kind::FreeForm, module.as_str());
            }
            return;
        };
        for parameter in parameters {
            if jinja::is_in(&parameter.key) {
                self.say(scope, parameter.line, Kind::TemplatedKey, &parameter.key);
            }
            if actions::changes_syntax(module.as_str(), &parameter.key) {
                self.say(scope, parameter.line, Kind::UnreadableTemplate, &parameter.key);
            }
            if parameter.key == "fact_path" {
                self.say(scope, parameter.line, Kind::FactPath, module.as_str());
            }
            if parameter.key == "validate" {
                self.say(scope, parameter.line, Kind::Validate, module.as_str());
            }
            if module.as_str() == "ansible.builtin.set_fact" {
                self.sets(scope, parameter.line, &parameter.key);
            }
            if actions::takes_expression(module.as_str(), &parameter.key) {
                self.expression(scope, &parameter.node);
            } else {
                self.value(scope, &parameter.node);
            }
        }
    }

    /// How far check mode checks a module, and what there is to say about it.
    fn support(
        &mut self,
        scope: &Scope,
        entry: &Entry,
        known: &[Entry],
        module: &ModuleFqcn,
        action: Action,
    ) -> Checked {
        let line = entry.line;
        let ships = module.as_str().starts_with("ansible.builtin.");
        if !ships && !self.is_pinned(module) {
            self.say(scope, line, Kind::UnpinnedCollection, module.as_str());
        }
        let Some(support) = self.question.modules.get(module) else {
            self.say(scope, line, Kind::UnknownModule, module.as_str());
            return Checked::Not;
        };
        if !ships && support.controller != Level::None {
            self.say(scope, line, Kind::ControllerPart, module.as_str());
        }
        if support.once == Level::Full {
            self.say(scope, line, Kind::RunOnce, module.as_str());
        }
        let looks = action == Action::Looks;
        let only_tries = self.only_tries(scope, known, support.check);
        if self.question.purpose == Purpose::Reads {
            if !looks && !only_tries {
                self.say(scope, line, Kind::Changes, module.as_str());
            }
            return Checked::Wholly;
        }
        let (kind, checked) = match (action, support.check) {
            // With `creates` it says whether it would run.
            (Action::Command, Level::Partial) if says_whether_it_runs(entry) => {
                (Some(Kind::Command), Checked::InPart)
            }
            (Action::Command, _) => (Some(Kind::Command), Checked::Not),
            (_, Level::Full) => (None, Checked::Wholly),
            (_, Level::Partial) => (Some(Kind::PartialCheckMode), Checked::InPart),
            (_, Level::HostDecides) => (Some(Kind::HostDecides), Checked::InPart),
            (Action::Looks, Level::None) => (Some(Kind::LookSkipped), Checked::Not),
            (_, Level::None) => (Some(Kind::NoCheckMode), Checked::Not),
        };
        if let Some(kind) = kind {
            self.say(scope, line, kind, module.as_str());
        }
        if !looks && matches!(support.diff, Level::None) {
            self.say(scope, line, Kind::NoDiff, module.as_str());
        }
        match scope.skipped {
            Skipped::Yes => Checked::Not,
            Skipped::No => checked,
        }
    }

    /// Whether a task of a playbook that only reads never changes anything, by `check_mode: true`. Everywhere else, what
    /// runs in check mode is for the run to say.
    fn only_tries(&mut self, scope: &Scope, known: &[Entry], check: Level) -> bool {
        let Some(node) = find(known, "check_mode") else { return false };
        let tries = self.question.purpose == Purpose::Reads && truth(node) == Some(true);
        if !tries {
            self.say(scope, node.line, Kind::CheckMode, "");
        }
        tries && check == Level::Full
    }

    /// What counts as a failure and as a change.
    fn outcome(&mut self, scope: &Scope, known: &[Entry], action: Action) {
        if let Some(node) = find(known, "failed_when") {
            if node.each().iter().any(|item| truth(item) == Some(false)) {
                self.say(scope, node.line, Kind::NeverFails, "");
            } else {
                self.say(scope, node.line, Kind::FailedWhen, "");
                self.expression(scope, node);
            }
        }
        let Some(node) = find(known, "changed_when") else { return };
        let changes = action != Action::Looks && self.question.purpose == Purpose::Changes;
        match truth(node) {
            Some(true) => {}
            Some(false) if changes => self.say(scope, node.line, Kind::HidesChange, ""),
            Some(false) => {}
            None => {
                if changes {
                    self.say(scope, node.line, Kind::ChangedWhen, "");
                }
                self.expression(scope, node);
            }
        }
    }

    /// What a task leaves behind for others: its result, and handlers to run.
    fn registers(&mut self, scope: &Scope, known: &[Entry], action: Action, checked: Checked) {
        // A command gives rc 0 in check mode, even where it says whether it would run.
        let reads_as_done = checked == Checked::Not || action == Action::Command;
        if let Some(node) = find(known, "register") {
            match node.text() {
                Some(name) if !jinja::is_in(name) => {
                    self.sets(scope, node.line, name);
                    if reads_as_done {
                        self.skipped.push((name.to_owned(), scope.number));
                    }
                }
                Some(_) | None => self.say(scope, node.line, Kind::TemplatedKey, "register"),
            }
        }
        if let Some(node) = find(known, "notify") {
            self.notifies(scope, node);
        }
        if let Some(node) = find(known, "loop_control") {
            self.loop_control(scope, node);
        }
    }

    pub(super) fn notifies(&mut self, scope: &Scope, node: &Node) {
        for item in node.each() {
            match item.text() {
                Some(name) if !jinja::is_in(name) => {
                    let notified = Notified { name: name.to_owned(), scope: scope.clone(), line: item.line };
                    self.notified.push(notified);
                }
                Some(_) | None => {
                    self.say(scope, item.line, Kind::TemplatedKey, "notify");
                }
            }
        }
    }

    fn loop_control(&mut self, scope: &Scope, node: &Node) {
        let Some(entries) = node.map() else {
            self.say(scope, node.line, Kind::Shape, "loop_control");
            return;
        };
        self.keywords(scope, entries, keywords::of_loop_control);
        for entry in entries.iter().filter(|entry| matches!(entry.key.as_str(), "loop_var" | "index_var")) {
            match entry.node.text() {
                Some(name) if !jinja::is_in(name) => self.sets(scope, entry.line, name),
                Some(_) | None => self.say(scope, entry.line, Kind::TemplatedKey, &entry.key),
            }
        }
    }

    /// The names by which a handler is notified.
    fn listens(&mut self, scope: &Scope, name: &str, listen: Option<&Node>) {
        let topics: Vec<&Node> = listen.into_iter().flat_map(Node::each).collect();
        for topic in &topics {
            if topic.text().is_none_or(jinja::is_in) {
                self.say(scope, topic.line, Kind::TemplatedKey, "listen");
            }
        }
        if scope.part == Part::Handler {
            let role = scope.role.as_deref().and_then(|role| role.rsplit('/').next());
            self.handlers.extend(role.map(|role| format!("{role} : {name}")));
            self.handlers.insert(name.to_owned());
            self.handlers.extend(topics.iter().filter_map(|topic| topic.text()).map(str::to_owned));
        }
    }

    fn meta(&mut self, scope: &Scope, entry: &Entry) {
        match entry.node.text() {
            Some("flush_handlers" | "noop") => {}
            Some("refresh_inventory") => self.say(scope, entry.line, Kind::Inventory, "refresh_inventory"),
            Some(text) if !jinja::is_in(text) => self.say(scope, entry.line, Kind::Meta, text),
            Some(_) | None => {
                self.say(scope, entry.line, Kind::FreeForm, "meta");
            }
        }
    }
}

/// Whether a command is given what tells whether it has to run at all.
fn says_whether_it_runs(entry: &Entry) -> bool {
    ["creates", "removes"].iter().any(|parameter| entry.node.get(parameter).is_some())
}
