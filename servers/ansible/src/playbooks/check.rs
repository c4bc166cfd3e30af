//! What must hold of `playbooks.yaml` beyond its shape. Each check says one sentence about one word of the file.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

use super::{Playbook, Playbooks, Review, Source, Text, Variable, Varies};
use crate::names::{PlaybookName, VariableName};
use crate::vet::Verdict;
use runcord_runtime::problem::{self, Problem};

/// All that is wrong with the declared playbooks.
pub(super) fn check(file: &str, text: &str, declared: &Playbooks) -> Vec<Problem> {
    let mut found = Vec::new();
    for (name, playbook) in &declared.playbooks {
        let mut at = Findings { file, text, from: find(text, 0, name.as_str()), found: &mut found };
        at.playbook(name, playbook);
    }
    found
}

/// The problems of one playbook: what it names is looked for behind its own name.
struct Findings<'a> {
    file: &'a str,
    text: &'a str,
    from: usize,
    found: &'a mut Vec<Problem>,
}

impl Findings<'_> {
    fn playbook(&mut self, name: &PlaybookName, playbook: &Playbook) {
        if playbook.groups.is_empty() {
            self.say(name.as_str(), "no group of hosts may be named", "list its `groups`");
        }
        if playbook.reads {
            self.reads(playbook);
        } else {
            self.changes(name, playbook);
        }
        self.ways(playbook);
        for (name, variable) in &playbook.variables {
            self.variable(name, variable);
        }
        for review in &playbook.allows {
            self.review(review);
        }
        for varies in &playbook.normalise {
            self.varies(varies);
        }
        for name in &playbook.environment {
            self.environment(name);
        }
    }

    /// What only reads has nothing to take back, to verify or to do in batches.
    fn reads(&mut self, playbook: &Playbook) {
        let given = [
            ("undo", playbook.undo.is_some()),
            ("verify", playbook.verify.is_some()),
            ("batches", !playbook.batches.is_empty()),
            ("irreversible", !playbook.irreversible.is_empty()),
            ("restarts", playbook.restarts != super::Counted::default()),
            ("reboots", playbook.reboots != super::Counted::default()),
        ];
        for (key, _) in given.iter().filter(|(_, given)| *given) {
            self.say(key, "a playbook that only reads has none", "take it out, or take `reads` out");
        }
    }

    fn changes(&mut self, name: &PlaybookName, playbook: &Playbook) {
        if playbook.batches.is_empty() {
            self.say(
                name.as_str(),
                "nothing says how many hosts go together",
                "such as `batches: [1, \"25%\"]`",
            );
        }
        if playbook.verify.is_none() && matches!(playbook.playbook, Source::Project(_)) {
            self.say(
                name.as_str(),
                "nothing would assert afterwards that it did what it should",
                "name a playbook that only reads under `verify`",
            );
        }
        if playbook.undo.is_some() && !playbook.irreversible.is_empty() {
            self.say(
                "undo",
                "some of its tasks are declared to be irreversible",
                "take `undo` out, or the tasks that it takes back out of `irreversible`",
            );
        }
    }

    /// Those of the library come with their own verification and way back, under their own names.
    fn ways(&mut self, playbook: &Playbook) {
        if let Source::Shipped(name) = &playbook.playbook {
            for (key, given) in [("verify", &playbook.verify), ("undo", &playbook.undo)] {
                if given.is_some() {
                    let message = "a playbook that ships brings its own";
                    self.say(key, message, &format!("take it out: that of `{name}` is taken"));
                }
            }
        }
        let own = |way: &&Source| **way == playbook.playbook;
        if playbook.verify.iter().chain(&playbook.undo).any(|way| own(&way)) {
            self.say("playbook", "verifies or takes back itself", "name another playbook");
        }
    }

    fn variable(&mut self, name: &VariableName, variable: &Variable) {
        match variable {
            Variable::Value(value) => self.value(name, value),
            Variable::Enum(values) => {
                let distinct: BTreeSet<&String> = values.iter().collect();
                if values.is_empty() || distinct.len() != values.len() {
                    self.say(name.as_str(), "its values are none, or not distinct", "list each value once");
                }
                if values.iter().any(|value| is_template(value)) {
                    self.say(name.as_str(), "a value is a template", "write out what it stands for");
                }
            }
            Variable::String(grammar) => self.grammar(name, grammar),
            Variable::Integer(bounds) => {
                if bounds.minimum > bounds.maximum {
                    self.say(name.as_str(), "its minimum is above its maximum", "swap them");
                }
            }
            Variable::Boolean | Variable::File(_) | Variable::DigestOf(_) => {}
            Variable::Pinned(pinned) if pinned.fields.is_empty() => {
                self.say(name.as_str(), "no field of the hosts' report is named", "list its `fields`");
            }
            Variable::Pinned(_) => {}
        }
    }

    fn value(&mut self, name: &VariableName, value: &Value) {
        if value.is_null() {
            self.say(name.as_str(), "has no value", "write one, or say what it may be");
        }
        if any_text(value, &is_template) {
            self.say(name.as_str(), "its value is a template", "write out what it stands for");
        }
        if holds_credential(name.as_str()) {
            self.say(
                name.as_str(),
                "looks like a credential, and this file is read by many",
                "name an environment variable under `environment`",
            );
        }
    }

    /// A pattern that does not reach from the beginning to the end lets anything through beside what it matches.
    fn grammar(&mut self, name: &VariableName, grammar: &Text) {
        let pattern = grammar.pattern.as_str();
        let read = Regex::new(pattern);
        let anchored = pattern.starts_with('^') && pattern.ends_with('$') && !pattern.ends_with("\\$");
        let alternatives = has_bare_alternative(pattern);
        if read.is_err() {
            self.say(name.as_str(), "its pattern is no regular expression", "mend it");
        } else if !anchored || alternatives {
            self.say(name.as_str(), "its pattern does not hold for the whole text", "write `^(…)$`");
        } else if ["{{ x }}", "{% x %}", "{# x #}"].iter().any(|template| grammar.holds(template)) {
            self.say(name.as_str(), "its pattern lets templates through", "leave `{`, `%` and `#` out");
        } else if grammar.holds("--x") || grammar.holds("-x") {
            self.say(
                name.as_str(),
                "its pattern lets options through",
                "let it begin with a letter or digit",
            );
        }
        if grammar.max_length == 0 {
            self.say(name.as_str(), "its text may have no letters", "give a `max_length`");
        }
    }

    fn review(&mut self, review: &Review) {
        let kind = review.kind.to_string();
        match review.kind.rule().verdict {
            Verdict::Doubted => {}
            Verdict::Denied => {
                self.say(&kind, "is never let through, whoever reviewed it", review.kind.rule().instead);
            }
            Verdict::Undetermined | Verdict::Fine => {
                self.say(&kind, "needs no review: it is let through, and said", "take it out");
            }
        }
        let is_place = |task: &String| {
            task.split_once(':').is_some_and(|(file, name)| !file.is_empty() && !name.trim().is_empty())
        };
        if let Some(task) = review.task.as_ref().filter(|task| !is_place(task)) {
            self.say(task, "not the place of a task", "such as `live/web.yml:Restart the service`");
        }
    }

    /// What varies is narrow: were it everything, nothing would ever be found to have changed.
    fn varies(&mut self, varies: &Varies) {
        let Varies::Pattern(pattern) = varies else { return };
        const ORDINARY: [&str; 3] = ["", "state", "nginx"];
        match Regex::new(pattern) {
            Err(_) => self.say(pattern, "no regular expression", "mend it"),
            Ok(read) if ORDINARY.iter().any(|text| read.is_match(text)) => {
                self.say(
                    pattern,
                    "matches ordinary words too",
                    "match only what varies, such as a timestamp",
                );
            }
            Ok(_) => {}
        }
    }

    fn environment(&mut self, name: &str) {
        let words = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        let is_name = (1..=128).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.bytes().all(words);
        if !is_name {
            self.say(name, "not the name of an environment variable", "A-Z, 0-9 and `_`, a letter first");
        } else if !may_reach_ansible(name) {
            self.say(
                name,
                "decides on what Ansible runs or where it looks, so it is never passed on",
                "only credentials, regions, proxies and certificates are passed on by name",
            );
        }
    }

    fn say(&mut self, word: &str, message: &str, hint: &str) {
        let message = format!("`{word}`: {message}");
        let offset = find(self.text, self.from, word);
        self.found.push(
            Problem::at(&problem::Text { name: self.file, text: self.text }, offset, message).with_hint(hint),
        );
    }
}

/// Where `word` stands first as a word of its own at or behind `from`; `from` when it does not.
fn find(text: &str, from: usize, word: &str) -> usize {
    let part_of_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    let behind = text.get(from..).unwrap_or_default();
    let alone = |&(at, _): &(usize, &str)| {
        let before = behind.get(..at).and_then(|text| text.chars().next_back());
        let after = behind.get(at + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(part_of_name) && !after.is_some_and(part_of_name)
    };
    let found = if word.is_empty() { None } else { behind.match_indices(word).find(alone) };
    from + found.map_or(0, |(at, _)| at)
}

fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|begin| text.contains(begin))
}

/// Whether one of the texts of a value, or of its keys, is such.
fn any_text(value: &Value, is_such: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is_such(text),
        Value::Array(items) => items.iter().any(|item| any_text(item, is_such)),
        Value::Object(fields) => fields.iter().any(|(key, field)| is_such(key) || any_text(field, is_such)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether `|` stands outside of all brackets, so that `^` and `$` hold for one alternative each.
fn has_bare_alternative(pattern: &str) -> bool {
    let (mut depth, mut in_class, mut escaped) = (0_usize, false, false);
    for letter in pattern.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ']' if in_class => in_class = false,
            _ if in_class => {}
            '[' => in_class = true,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}

/// Whether a variable may be passed on: not one by which Ansible, what it loads or its children are steered.
fn may_reach_ansible(name: &str) -> bool {
    const FAMILIES: [&str; 9] =
        ["ANSIBLE_", "RUNCORD_", "LD_", "DYLD_", "GIT_", "XDG_", "PYTHON", "SSH_ASKPASS", "JUNIT_"];
    const NAMES: [&str; 17] = [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "PWD",
        "SHELL",
        "ENV",
        "IFS",
        "BASH_ENV",
        "TMPDIR",
        "EDITOR",
        "DISPLAY",
        "VIRTUAL_ENV",
        "NODE_OPTIONS",
        "PERL5OPT",
        "SSLKEYLOGFILE",
        "LANG",
    ];
    !NAMES.contains(&name) && !FAMILIES.iter().any(|family| name.starts_with(family))
}

/// Whether a variable of this name holds a credential. The name of a file that holds one is none.
fn holds_credential(name: &str) -> bool {
    const WORDS: [&str; 7] =
        ["password", "passphrase", "secret", "token", "credential", "credentials", "passwd"];
    let name = name.to_ascii_lowercase();
    let names_a_file = ["_file", "_files", "_path"].iter().any(|end| name.ends_with(end));
    !names_a_file && name.split('_').any(|word| WORDS.contains(&word))
}
