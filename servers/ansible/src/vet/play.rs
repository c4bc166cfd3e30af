//! Playbooks and their plays.

use super::Purpose;
use super::finding::Kind;
use super::gate::Order;
use super::keywords::{self, Treatment};
use super::vetted::Part;
use super::walk::{Notified, Scope, Walk, is_one_of};
use super::yaml::{Entry, Node, find};
use super::{files, jinja};

/// What a play of a changing playbook takes its batches from.
const SERIAL: &[&str] = &["{{ runcord_serial }}"];

impl Walk<'_> {
    /// A playbook: the plays that it has, and those that it imports.
    pub(super) fn playbook(&mut self, path: &str) {
        self.playbook_from(&Scope::of_file(path), 1, path);
    }

    /// A playbook that is named at this place.
    fn playbook_from(&mut self, from: &Scope, line: u32, path: &str) {
        if self.files.text(path).is_none() {
            self.say(from, line, Kind::MissingFile, path);
            return;
        }
        let scope = &Scope::of_file(path);
        self.follow(from, line, path, |walk| {
            let Some(root) = walk.read(scope) else {
                walk.say(scope, 1, Kind::Shape, "");
                return;
            };
            match root.list() {
                Some([]) | None => walk.say(scope, root.line, Kind::Shape, ""),
                Some(plays) => plays.iter().for_each(|play| walk.play_or_import(scope, play)),
            }
        });
    }

    fn play_or_import(&mut self, scope: &Scope, node: &Node) {
        let Some(entries) = node.map() else {
            self.say(scope, node.line, Kind::Shape, "");
            return;
        };
        let imports = |entry: &&Entry| {
            matches!(keywords::of_import(&entry.key), Some(Treatment::Apart | Treatment::Never(_)))
                && entry.key.ends_with("import_playbook")
        };
        match entries.iter().find(imports) {
            Some(import) => self.imported_playbook(scope, entries, import),
            None => self.play(scope, node.line, entries),
        }
    }

    fn imported_playbook(&mut self, scope: &Scope, entries: &[Entry], import: &Entry) {
        self.keywords(scope, entries, keywords::of_import);
        let Some(path) = import.node.text() else {
            self.say(scope, import.line, Kind::Shape, &import.key);
            return;
        };
        if jinja::is_in(path) {
            self.say(scope, import.line, Kind::ComputedInclude, path);
            return;
        }
        match files::below(&scope.home, path) {
            Some(path) => self.playbook_from(scope, import.line, &path),
            None => self.say(scope, import.line, Kind::OutsideProject, path),
        }
    }

    fn play(&mut self, outside: &Scope, line: u32, entries: &[Entry]) {
        let name = find(entries, "name").and_then(Node::text).unwrap_or_default();
        let scope = Scope { play: name.to_owned(), ..outside.clone() };
        if name.is_empty() {
            self.say(&scope, line, Kind::Unnamed, "");
        }
        if find(entries, "hosts").is_none() {
            self.say(&scope, line, Kind::Hosts, "");
        }
        self.keywords(&scope, entries, keywords::of_play);
        self.batches(&scope, line, entries);
        let order = Order::of(entries);
        if self.question.purpose == Purpose::Changes && !order.holds() {
            self.say(&scope, line, Kind::Gate, "");
        }
        self.note = order.note().map(|note| (scope.file.clone(), note.line));
        self.handlers.clear();
        if let Some(roles) = find(entries, "roles") {
            self.roles(&scope, roles);
        }
        for (section, part) in [
            ("handlers", Part::Handler),
            ("pre_tasks", Part::Task),
            ("tasks", Part::Task),
            ("post_tasks", Part::Task),
        ] {
            if let Some(tasks) = find(entries, section) {
                self.tasks(&Scope { part, ..scope.clone() }, tasks);
            }
        }
        self.note = None;
        self.lost_handlers();
    }

    /// Which hosts go together, and whether others go on when one has failed.
    fn batches(&mut self, scope: &Scope, line: u32, entries: &[Entry]) {
        let serial = find(entries, "serial");
        let fatal = find(entries, "any_errors_fatal");
        let at = |node: Option<&Node>| node.map_or(line, |node| node.line);
        let serial_is_ours = serial.is_some_and(|node| is_one_of(node, SERIAL));
        let (serial_fits, fatal_fits) = match self.question.purpose {
            Purpose::Changes => (serial_is_ours, fatal.is_some_and(|node| is_one_of(node, &["true"]))),
            Purpose::Reads => (
                serial.is_none() || serial_is_ours,
                fatal.is_none_or(|node| is_one_of(node, &["true", "false"])),
            ),
        };
        if !serial_fits {
            self.say(scope, at(serial), Kind::Serial, "");
        }
        if !fatal_fits {
            self.say(scope, at(fatal), Kind::GoesOn, "any_errors_fatal");
        }
    }

    fn lost_handlers(&mut self) {
        for Notified { name, scope, line } in std::mem::take(&mut self.notified) {
            if !self.handlers.contains(&name) {
                self.say(&scope, line, Kind::LostHandler, &name);
            }
        }
    }
}
