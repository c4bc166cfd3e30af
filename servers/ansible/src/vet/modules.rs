//! What the installed modules say of themselves: `ansible-doc -j -t module`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::names::ModuleFqcn;

/// What is known of modules, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modules(BTreeMap<ModuleFqcn, Support>);

/// What a module says that it supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Support {
    /// In check mode.
    pub check: Level,
    /// In diff mode.
    pub diff: Level,
    /// Whether it runs once for all hosts.
    pub once: Level,
    /// Whether part of it runs where Ansible runs.
    pub controller: Level,
}

/// How far something is supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Wholly.
    Full,
    /// In part.
    Partial,
    /// Not at all; also where it is not said, or in words that are not known.
    None,
    /// `N/A`: that depends on what the host has.
    HostDecides,
}

/// Text that is not what `ansible-doc -j` writes.
#[derive(Debug, thiserror::Error)]
#[error("the documentation of modules is not in the form that is known")]
pub struct NotDocumentation;

impl Modules {
    /// Reads what `ansible-doc -j -t module NAME…` writes. A module whose documentation is broken is left out, and with
    /// it unknown.
    ///
    /// # Errors
    /// It is no JSON, or no object.
    pub fn parse(json: &str) -> Result<Self, NotDocumentation> {
        let all: BTreeMap<String, Value> = serde_json::from_str(json).map_err(|_| NotDocumentation)?;
        let known = all.into_iter().filter_map(|(name, said)| {
            let documentation = said.get("doc")?.as_object()?;
            let attributes = documentation.get("attributes");
            let level =
                |name: &str| Level::of(attributes.and_then(|all| all.get(name)?.get("support")?.as_str()));
            let has_action = documentation.get("has_action").and_then(Value::as_bool).unwrap_or(false);
            let support = Support {
                check: level("check_mode"),
                diff: level("diff_mode"),
                once: level("bypass_host_loop"),
                controller: if has_action { Level::Full } else { level("action") },
            };
            Some((name.parse().ok()?, support))
        });
        Ok(Self(known.collect()))
    }

    /// What is known of one.
    pub fn get(&self, name: &ModuleFqcn) -> Option<Support> {
        self.0.get(name).copied()
    }
}

impl Level {
    fn of(said: Option<&str>) -> Self {
        match said {
            Some("full") => Self::Full,
            Some("partial") => Self::Partial,
            Some("N/A") => Self::HostDecides,
            Some(_) | None => Self::None,
        }
    }
}
