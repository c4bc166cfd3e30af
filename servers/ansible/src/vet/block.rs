//! Lists of tasks, and blocks of them.

use super::finding::Kind;
use super::keywords;
use super::walk::{Scope, Walk};
use super::yaml::{Entry, Node, find};

impl Walk<'_> {
    /// The tasks of a section or a file.
    pub(super) fn tasks(&mut self, scope: &Scope, node: &Node) {
        match node.list() {
            Some(tasks) => tasks.iter().for_each(|task| self.task_or_block(scope, task)),
            None if node.is_null() => {}
            None => self.say(scope, node.line, Kind::Shape, ""),
        }
    }

    fn task_or_block(&mut self, scope: &Scope, node: &Node) {
        match node.map() {
            Some(entries) if ["block", "rescue", "always"].iter().any(|key| find(entries, key).is_some()) => {
                self.block(scope, entries);
            }
            Some(entries) => self.task(scope, node.line, entries),
            None => self.say(scope, node.line, Kind::Shape, ""),
        }
    }

    fn block(&mut self, scope: &Scope, entries: &[Entry]) {
        let skipped = self.keywords(scope, entries, keywords::of_block);
        let inside = Scope { skipped, ..scope.clone() };
        for entry in entries {
            match entry.key.as_str() {
                "rescue" => {
                    self.say(scope, entry.line, Kind::Rescue, "");
                    self.tasks(&inside, &entry.node);
                }
                "block" | "always" => self.tasks(&inside, &entry.node),
                "notify" => self.notifies(scope, &entry.node),
                _ => {}
            }
        }
    }
}
