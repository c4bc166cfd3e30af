//! What comes from the machine where Ansible runs: files and templates that go out, and collections that are installed.

use super::finding::Kind;
use super::walk::{Scope, Walk, variable};
use super::yaml::{self, Entry, Node, find};
use super::{actions, expressions, files, jinja};
use crate::names::ModuleFqcn;

/// Where `ansible-galaxy` looks for the collections that a project needs.
const REQUIREMENTS: [&str; 4] = [
    "requirements.yml",
    "requirements.yaml",
    "collections/requirements.yml",
    "collections/requirements.yaml",
];

impl Walk<'_> {
    /// The file that a module sends out. A template is vetted as what it is: a program that runs where Ansible runs.
    pub(super) fn source(&mut self, scope: &Scope, module: &ModuleFqcn, parameters: &[Entry]) {
        let Some((parameter, folder)) = actions::source(module.as_str(), parameters) else { return };
        let Some(node) = find(parameters, parameter) else { return };
        let is_template = module.as_str() == "ansible.builtin.template";
        let Some(text) = node.text() else {
            self.say(scope, node.line, Kind::Shape, parameter);
            return;
        };
        if jinja::is_in(text) {
            if !variable(text).is_some_and(|name| self.is_enumerated(name)) {
                self.say(scope, node.line, Kind::ComputedSource, text);
            }
            if is_template {
                self.all_templates();
            }
            return;
        }
        match self.sent_out(scope, folder, text) {
            Ok(Some(path)) if is_template => self.template(&path),
            Ok(_) => {}
            Err(kind) => self.say(scope, node.line, kind, text),
        }
    }

    /// The file that is sent out; none for a whole folder.
    fn sent_out(&self, scope: &Scope, folder: &str, text: &str) -> Result<Option<String>, Kind> {
        let folders = [scope.role.as_deref(), Some(files::folder(&scope.file)), Some(scope.home.as_str())];
        let places: Option<Vec<String>> = folders
            .into_iter()
            .flatten()
            .flat_map(|base| [files::below(&files::join(base, folder), text), files::below(base, text)])
            .collect();
        let places = places.ok_or(Kind::OutsideProject)?;
        if places.iter().any(|place| self.files.below(place).next().is_some()) {
            return Ok(None);
        }
        self.files.only(&places).map(|path| Some(path.to_owned()))
    }

    fn is_enumerated(&self, name: &str) -> bool {
        self.question.enumerated.iter().any(|declared| declared.as_str() == name)
    }

    /// Which one is taken is computed: so any of them may be.
    fn all_templates(&mut self) {
        let is_template = |path: &&String| path.split('/').rev().skip(1).any(|folder| folder == "templates");
        let paths: Vec<&String> = self.question.files.keys().filter(is_template).collect();
        paths.into_iter().for_each(|path| self.template(path));
    }

    fn template(&mut self, path: &str) {
        let Some(text) = self.files.text(path) else { return };
        let scope = Scope::of_file(path);
        // Such a first line gives the template delimiters of its own.
        if text.trim_start_matches('\u{feff}').starts_with("#jinja2:") {
            self.say(&scope, 1, Kind::UnreadableTemplate, "#jinja2:");
        }
        let does = expressions::in_text(text);
        for (kind, about, at) in &does.found {
            self.say(&scope, line_of(text, *at), *kind, about);
        }
        self.does(&scope, 1, expressions::Does { found: Vec::new(), uses: does.uses });
    }

    /// Whether `requirements.yml` names exactly one version of the module's collection.
    pub(super) fn is_pinned(&self, module: &ModuleFqcn) -> bool {
        let collection: Vec<&str> = module.as_str().split('.').take(2).collect();
        let collection = collection.join(".");
        let pins = |file: &&str| {
            let root = self.files.text(file).and_then(|text| {
                let read = yaml::read(text);
                read.root.filter(|_| read.odd.is_empty())
            });
            root.as_ref().and_then(|root| root.get("collections")).is_some_and(|all| {
                all.each().iter().any(|one| {
                    one.get("name").and_then(Node::text) == Some(&collection)
                        && one.get("version").and_then(Node::text).is_some_and(is_exact)
                })
            })
        };
        REQUIREMENTS.iter().any(pins)
    }
}

/// Whether a version is one, and not a range.
fn is_exact(version: &str) -> bool {
    let version = version.strip_prefix("==").unwrap_or(version);
    version.starts_with(|c: char| c.is_ascii_digit())
        && version.split('.').count() >= 3
        && version.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+'))
}

fn line_of(text: &str, at: usize) -> u32 {
    let before = text.get(..at).unwrap_or(text);
    u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX)
}
