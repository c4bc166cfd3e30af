//! Playbooks, well and badly written, and what vetting says of them.

mod followed;
mod reading;
mod rules;
mod shipped;

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// What `ansible-doc -j -t module` of ansible-core 2.19.14 says of the support of `ansible.builtin`, and nothing else of it.
const MODULES: &str = include_str!("../samples/modules.json");

pub(in crate::vet) fn modules() -> Modules {
    let collection = r#"{"community.general.ufw": {"doc": {"attributes": {
        "check_mode": {"support": "full"}, "diff_mode": {"support": "full"}}}},
        "community.general.acts": {"doc": {"has_action": true, "attributes": {
        "check_mode": {"support": "full"}, "diff_mode": {"support": "full"}}}},
        "ansible.posix.acts": {"doc": {"attributes": {"action": {"support": "full"},
        "check_mode": {"support": "full"}, "diff_mode": {"support": "full"}}}},"#;
    Modules::parse(&MODULES.replacen('{', collection, 1)).unwrap()
}

/// What is vetted: files, and what is declared of them.
pub(in crate::vet) struct Case {
    files: BTreeMap<String, String>,
    purpose: Purpose,
    enumerated: BTreeSet<VariableName>,
    named: BTreeSet<TaskName>,
    besides: BTreeSet<Kind>,
}

impl Case {
    pub(in crate::vet) fn new(playbook: impl Into<String>) -> Self {
        Self {
            files: BTreeMap::from([("site.yml".to_owned(), playbook.into())]),
            purpose: Purpose::Changes,
            enumerated: BTreeSet::new(),
            named: BTreeSet::new(),
            besides: BTreeSet::new(),
        }
    }

    /// With one more file.
    pub(in crate::vet) fn and(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }

    /// The playbook.
    pub(in crate::vet) fn text(&self) -> String {
        self.files["site.yml"].clone()
    }

    /// With these lines at the end of the playbook.
    pub(in crate::vet) fn and_last(mut self, lines: &str) -> Self {
        self.files.get_mut("site.yml").unwrap().push_str(lines);
        self
    }

    /// Where another rule finds something too.
    pub(in crate::vet) fn but(mut self, kind: Kind) -> Self {
        self.besides.insert(kind);
        self
    }

    pub(in crate::vet) fn reads(mut self) -> Self {
        self.purpose = Purpose::Reads;
        self
    }

    pub(in crate::vet) fn enumerated(mut self, name: &str) -> Self {
        self.enumerated.insert(name.parse().unwrap());
        self
    }

    pub(in crate::vet) fn named(mut self, name: &str) -> Self {
        self.named.insert(name.parse().unwrap());
        self
    }

    pub(in crate::vet) fn vetted(&self) -> Vetted {
        vet(&Question {
            files: &self.files,
            playbook: &"site.yml".parse().unwrap(),
            modules: &modules(),
            purpose: self.purpose,
            enumerated: &self.enumerated,
            named: &self.named,
        })
    }

    /// What is found, but for what is only said and what is found besides.
    pub(in crate::vet) fn found(&self) -> Vec<(String, u32, Kind)> {
        let findings = self.vetted().findings.into_iter();
        let told = findings.filter(|finding| finding.kind.rule().verdict != Verdict::Fine);
        let told = told.filter(|finding| !self.besides.contains(&finding.kind));
        let places: BTreeSet<_> = told.map(|finding| (finding.file, finding.line, finding.kind)).collect();
        places.into_iter().collect()
    }
}

/// The gate between batches, and what opens it. Keys may stand in any order, so these come last.
pub(in crate::vet) const GATE: &str = "  pre_tasks:
    - name: Go on only if all hosts of the batches before are done
      ansible.builtin.assert:
        that: batches_before | map('extract', hostvars) | selectattr('runcord_done', 'defined') | length == batches_before | length
        fail_msg: a host of a batch before is not done, so this one is not begun
        quiet: true
      vars:
        batches_before: \"{{ ansible_play_hosts_all[: ansible_play_hosts_all.index(ansible_play_batch[0])] }}\"
  post_tasks:
    - name: Run handlers
      ansible.builtin.meta: flush_handlers
    - name: Note that this host is done
      ansible.builtin.set_fact:
        runcord_done: true
";

/// A play that is as it should be, but for these lines of its own from line 5 on.
pub(in crate::vet) fn play(lines: &str) -> Case {
    let head = "- name: Play\n  hosts: all\n  serial: \"{{ runcord_serial }}\"\n  any_errors_fatal: true\n";
    gated(&format!("{head}{}", indented(lines, 2)))
}

/// A play with the gate between batches.
pub(in crate::vet) fn gated(play: &str) -> Case {
    Case::new(format!("{play}{GATE}"))
}

/// A play with these tasks, the first of which begins at line 6.
pub(in crate::vet) fn tasks(lines: &str) -> Case {
    play(&format!("tasks:\n{}", indented(lines, 2)))
}

/// A play with one task, `Do it`: its name is at line 6, these lines of its own begin at line 7.
pub(in crate::vet) fn task(lines: &str) -> Case {
    tasks(&format!("- name: Do it\n{}", indented(lines, 2)))
}

/// A task that nothing is wrong with, with these lines of its own from line 8 on.
pub(in crate::vet) fn good(lines: &str) -> Case {
    task(&format!("ansible.builtin.file: {{path: /srv/x, state: absent}}\n{lines}"))
}

/// A task with this template in a parameter, at line 7.
pub(in crate::vet) fn template(template: &str) -> Case {
    task(&format!("ansible.builtin.file: {{path: '{}', state: absent}}", template.replace('\'', "''")))
}

fn indented(lines: &str, by: usize) -> String {
    lines.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect()
}
