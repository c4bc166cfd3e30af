//! Files of tasks that a task includes.

use super::actions::When;
use super::finding::Kind;
use super::walk::{Scope, Walk};
use super::yaml::{Entry, Node, Value};
use super::{files, jinja, keywords};

impl Walk<'_> {
    /// `import_tasks` and `include_tasks`: the file is followed as if its tasks stood here.
    pub(super) fn included_tasks(&mut self, scope: &Scope, entry: &Entry, when: When) {
        self.included(scope, entry, when);
        let file = match &entry.node.value {
            Value::Map(parameters) => {
                self.include_parameters(scope, parameters, &["file"]);
                entry.node.get("file")
            }
            Value::Plain(_) | Value::Text(_) | Value::List(_) => Some(&entry.node),
        };
        let Some(path) = self.written_out(scope, entry.line, file) else { return };
        let role = scope.role.as_ref().map(|role| files::join(role, "tasks"));
        let folders = [Some(files::folder(&scope.file).to_owned()), role, Some(scope.home.clone())];
        let places: Option<Vec<String>> =
            folders.into_iter().flatten().map(|folder| files::below(&folder, &path)).collect();
        let found = places.ok_or(Kind::OutsideProject).and_then(|places| self.files.only(&places));
        match found {
            Ok(file) => self.tasks_of_file(scope, entry.line, file),
            Err(kind) => self.say(scope, entry.line, kind, &path),
        }
    }

    /// The tasks of a whole file.
    pub(super) fn tasks_of_file(&mut self, scope: &Scope, line: u32, file: &str) {
        self.follow(scope, line, file, |walk| {
            let inside = scope.in_file(file);
            if let Some(root) = walk.read(&inside) {
                walk.tasks(&inside, &root);
            }
        });
    }

    /// What is decided while it runs is not what was reviewed.
    pub(super) fn included(&mut self, scope: &Scope, entry: &Entry, when: When) {
        match when {
            When::Imported => {}
            When::Included => self.say(scope, entry.line, Kind::DynamicInclude, &entry.key),
        }
    }

    /// The parameters of an include: those that are read by the caller, and `apply`, which is keywords.
    pub(super) fn include_parameters(&mut self, scope: &Scope, parameters: &[Entry], read: &[&str]) {
        for parameter in parameters {
            match parameter.key.as_str() {
                "apply" => match parameter.node.map() {
                    Some(entries) => drop(self.keywords(scope, entries, keywords::of_block)),
                    None => self.say(scope, parameter.line, Kind::Shape, "apply"),
                },
                key if read.contains(&key) => {}
                _ => self.unknown_keyword(scope, parameter),
            }
        }
    }

    /// The name of what is included, where it is written out.
    pub(super) fn written_out(&mut self, scope: &Scope, line: u32, node: Option<&Node>) -> Option<String> {
        let Some(text) = node.and_then(Node::text).filter(|text| !text.is_empty()) else {
            self.say(scope, line, Kind::Shape, "");
            return None;
        };
        if jinja::is_in(text) {
            self.say(scope, line, Kind::ComputedInclude, text);
            return None;
        }
        Some(text.to_owned())
    }
}
