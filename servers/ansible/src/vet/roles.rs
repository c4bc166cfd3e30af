//! Roles of the project, and what they load: tasks, handlers, variables and the roles that they depend on.

use super::actions::When;
use super::finding::Kind;
use super::vetted::Part;
use super::walk::{Scope, Walk};
use super::yaml::{Entry, Node, Value, find};
use super::{files, jinja, keywords};

/// What is taken of a role instead of `main`.
#[derive(Default)]
struct From {
    tasks: Option<String>,
    handlers: Option<String>,
}

impl Walk<'_> {
    /// `roles` of a play, or `dependencies` of a role.
    pub(super) fn roles(&mut self, scope: &Scope, node: &Node) {
        match node.list() {
            Some(roles) => roles.iter().for_each(|role| self.role(scope, role)),
            None if node.is_null() => {}
            None => self.say(scope, node.line, Kind::Shape, "roles"),
        }
    }

    fn role(&mut self, scope: &Scope, node: &Node) {
        let (name, scope) = match &node.value {
            Value::Map(entries) => {
                let skipped = self.keywords(scope, entries, keywords::of_role);
                let name = find(entries, "role").or_else(|| find(entries, "name"));
                (name, Scope { skipped, ..scope.clone() })
            }
            Value::Plain(_) | Value::Text(_) | Value::List(_) => (Some(node), scope.clone()),
        };
        if let Some(name) = self.written_out(&scope, node.line, name) {
            self.role_named(&scope, node.line, &name, &From::default());
        }
    }

    /// `import_role` and `include_role`.
    pub(super) fn included_role(&mut self, scope: &Scope, entry: &Entry, when: When) {
        self.included(scope, entry, when);
        let Some(parameters) = entry.node.map() else {
            self.say(scope, entry.line, Kind::FreeForm, &entry.key);
            return;
        };
        const READ: &[&str] = &[
            "name",
            "role",
            "tasks_from",
            "handlers_from",
            "vars_from",
            "defaults_from",
            "public",
            "allow_duplicates",
            "rolespec_validate",
        ];
        self.include_parameters(scope, parameters, READ);
        for parameter in parameters.iter().filter(|one| one.key.ends_with("_from")) {
            if parameter.node.text().is_none_or(jinja::is_in) {
                self.say(scope, parameter.line, Kind::ComputedInclude, &parameter.key);
            }
        }
        let text = |key: &str| find(parameters, key).and_then(Node::text).map(str::to_owned);
        let name = find(parameters, "name").or_else(|| find(parameters, "role"));
        if let Some(name) = self.written_out(scope, entry.line, name) {
            let from = From { tasks: text("tasks_from"), handlers: text("handlers_from") };
            self.role_named(scope, entry.line, &name, &from);
        }
    }

    fn role_named(&mut self, scope: &Scope, line: u32, name: &str, from: &From) {
        let is_ours = !name.starts_with('.')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        let folder = self.files.role(&scope.home, name);
        match folder {
            Ok(folder) if is_ours => {
                self.follow(scope, line, &folder, |walk| walk.role_in(scope, line, &folder, from));
            }
            Err(Kind::MissingFile) if is_ours && !name.contains('.') => {
                self.say(scope, line, Kind::MissingFile, name);
            }
            Err(Kind::AmbiguousFile) if is_ours => self.say(scope, line, Kind::AmbiguousFile, name),
            Ok(_) | Err(_) => self.say(scope, line, Kind::ForeignRole, name),
        }
    }

    fn role_in(&mut self, outside: &Scope, line: u32, folder: &str, from: &From) {
        let scope = Scope { role: Some(folder.to_owned()), ..outside.clone() };
        if let Some(file) = self.part_of_role(&scope, line, folder, "meta", None) {
            self.meta_of_role(&scope.in_file(&file));
        }
        // All files in these, since a role may choose among them, and loads several where there is a folder `main`.
        for part in ["defaults", "vars"] {
            let inside: Vec<&str> =
                self.files.below(&files::join(folder, part)).map(|(path, _)| path).collect();
            for path in inside {
                let scope = scope.in_file(path);
                if let Some(root) = self.read(&scope) {
                    self.variables(&scope, &root);
                }
            }
        }
        for (part, kind, name) in
            [("handlers", Part::Handler, &from.handlers), ("tasks", Part::Task, &from.tasks)]
        {
            if let Some(file) = self.part_of_role(&scope, line, folder, part, name.as_deref()) {
                self.tasks_of_file(&Scope { part: kind, ..scope.clone() }, line, &file);
            }
        }
    }

    /// The file of a role's part: `main` or another, which may be left out only where it is `main`.
    fn part_of_role(
        &mut self,
        scope: &Scope,
        line: u32,
        folder: &str,
        part: &str,
        name: Option<&str>,
    ) -> Option<String> {
        let name = name.filter(|name| !jinja::is_in(name));
        let stem = files::below(&files::join(folder, part), name.unwrap_or("main"))
            .filter(|stem| stem.starts_with(&format!("{folder}/")));
        let Some(stem) = stem else {
            self.say(scope, line, Kind::OutsideProject, name.unwrap_or_default());
            return None;
        };
        let places = ["", ".yml", ".yaml", ".json"].map(|end| format!("{stem}{end}"));
        match self.files.only(&places) {
            Ok(file) => Some(file.to_owned()),
            Err(Kind::MissingFile) if name.is_none() => None,
            Err(kind) => {
                self.say(scope, line, kind, &stem);
                None
            }
        }
    }

    fn meta_of_role(&mut self, scope: &Scope) {
        let Some(root) = self.read(scope).filter(|root| !root.is_null()) else { return };
        let Some(entries) = root.map() else {
            self.say(scope, root.line, Kind::Shape, "meta");
            return;
        };
        for entry in entries {
            match entry.key.as_str() {
                "dependencies" => self.roles(scope, &entry.node),
                "collections" => self.say(scope, entry.line, Kind::CollectionsKeyword, ""),
                "galaxy_info" | "allow_duplicates" | "argument_specs" => self.value(scope, &entry.node),
                _ => self.unknown_keyword(scope, entry),
            }
        }
    }
}
