//! The files of a project, and which of them Ansible would take for a name.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Kind;

/// The texts of a project's files by their paths below its folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Files<'a>(pub(crate) &'a BTreeMap<String, String>);

impl<'a> Files<'a> {
    pub(crate) fn text(self, path: &str) -> Option<&'a str> {
        self.0.get(path).map(String::as_str)
    }

    /// The one file of the project among the places where Ansible would look for it.
    pub(crate) fn only(self, places: &[String]) -> Result<&'a str, Kind> {
        let there: BTreeSet<&str> = places
            .iter()
            .filter_map(|place| self.0.get_key_value(place))
            .map(|(path, _)| path.as_str())
            .collect();
        let mut there = there.into_iter();
        match (there.next(), there.next()) {
            (Some(path), None) => Ok(path),
            (None, _) => Err(Kind::MissingFile),
            (Some(_), Some(_)) => Err(Kind::AmbiguousFile),
        }
    }

    /// All files below a folder, at any depth.
    pub(crate) fn below(self, folder: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let folder = format!("{folder}/");
        self.0
            .iter()
            .filter(move |(path, _)| path.starts_with(&folder))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The one folder of a role among the places where Ansible would look for it.
    pub(crate) fn role(self, playbook_folder: &str, name: &str) -> Result<String, Kind> {
        let places = [join(playbook_folder, "roles"), "roles".to_owned(), playbook_folder.to_owned()];
        let folders: BTreeSet<String> = places
            .iter()
            .map(|place| join(place, name))
            .filter(|folder| self.below(folder).next().is_some())
            .collect();
        let mut folders = folders.into_iter();
        match (folders.next(), folders.next()) {
            (Some(folder), None) => Ok(folder),
            (None, _) => Err(Kind::MissingFile),
            (Some(_), Some(_)) => Err(Kind::AmbiguousFile),
        }
    }

    /// Files in folders from which Ansible loads code.
    pub(crate) fn plugins(self) -> impl Iterator<Item = &'a str> {
        let loads = |path: &&String| path.split('/').rev().skip(1).any(|folder| PLUGINS.contains(&folder));
        self.0.keys().filter(loads).map(String::as_str)
    }

    /// Files with variables that Ansible loads for groups and hosts, unasked.
    pub(crate) fn of_groups_and_hosts(self) -> impl Iterator<Item = &'a str> {
        let loads = |path: &&String| {
            path.split('/').rev().skip(1).any(|folder| matches!(folder, "group_vars" | "host_vars"))
        };
        self.0.keys().filter(loads).map(String::as_str)
    }
}

/// The folder that a path is in; empty for the project's own.
pub(crate) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A path below a folder, without `.` and `..`; none when it would leave the project.
pub(crate) fn below(folder: &str, path: &str) -> Option<String> {
    if path.starts_with(['/', '~']) {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// A name below a folder that may be the project's own.
pub(crate) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// <https://docs.ansible.com/ansible/latest/dev_guide/developing_locally.html>
const PLUGINS: &[&str] = &[
    "library",
    "module_utils",
    "action_plugins",
    "become_plugins",
    "cache_plugins",
    "callback_plugins",
    "cliconf_plugins",
    "connection_plugins",
    "doc_fragments",
    "filter_plugins",
    "httpapi_plugins",
    "inventory_plugins",
    "lookup_plugins",
    "module_plugins",
    "netconf_plugins",
    "shell_plugins",
    "strategy_plugins",
    "terminal_plugins",
    "test_plugins",
    "vars_plugins",
];
