//! `configuration` of a plan's JSON: what of it runs code, what it calls from elsewhere, and which variables it has.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::modules::Module;
use crate::names::{self, VariableName};
use crate::seen::Doubt;

/// The configuration, as far as it is looked at. Its expressions are not.
#[derive(Deserialize)]
pub(super) struct Configuration {
    root_module: ModuleConfiguration,
}

#[derive(Deserialize)]
struct ModuleConfiguration {
    #[serde(default)]
    resources: Vec<Resource>,
    #[serde(default)]
    module_calls: BTreeMap<String, Call>,
    #[serde(default)]
    variables: BTreeMap<String, Declaration>,
}

#[derive(Deserialize)]
struct Resource {
    address: String,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    provisioners: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
struct Call {
    #[serde(default)]
    source: String,
    #[serde(default)]
    module: Option<ModuleConfiguration>,
}

#[derive(Deserialize)]
struct Declaration {
    #[serde(default)]
    sensitive: bool,
    #[serde(default)]
    ephemeral: bool,
}

impl Configuration {
    /// Whether the value of a variable of the root module must not be shown.
    pub(super) fn is_sensitive(&self, variable: &str) -> bool {
        self.root_module.variables.get(variable).is_none_or(|it| it.sensitive || it.ephemeral)
    }

    /// What it has that nobody can see in a plan, or that is not declared.
    pub(super) fn doubts(&self, declared: &Module) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        let is_declared = |name: &str| {
            name.parse::<VariableName>().is_ok_and(|name| declared.variables.contains_key(&name))
        };
        for name in self.root_module.variables.keys().filter(|name| !is_declared(name)) {
            doubts.push(Doubt::UndeclaredVariable { name: names::label(name) });
        }
        self.root_module.collect("", &mut doubts);
        doubts
    }
}

impl ModuleConfiguration {
    fn collect(&self, prefix: &str, doubts: &mut Vec<Doubt>) {
        for resource in &self.resources {
            let address = names::path(&format!("{prefix}{}", resource.address));
            if !resource.provisioners.is_empty() {
                doubts.push(Doubt::Provisioner { resource: address.clone() });
            }
            if resource.mode != "managed" && asks_or_runs(&resource.kind) {
                doubts.push(Doubt::DataSource { resource: address });
            }
        }
        for (name, call) in &self.module_calls {
            let path = format!("{prefix}module.{name}");
            if !call.source.starts_with("./") && !call.source.starts_with("../") {
                doubts.push(Doubt::RemoteModule { call: names::path(&path) });
            }
            if let Some(module) = &call.module {
                module.collect(&format!("{path}."), doubts);
            }
        }
    }
}

/// Whether a data source, or what is opened for the time of a plan, starts a program or asks a server that its
/// configuration names. Told by the words of its type, and rather once too often: one that is harmless is reviewed once,
/// and listed.
fn asks_or_runs(kind: &str) -> bool {
    const WORDS: [&str; 16] = [
        "external",
        "http",
        "https",
        "curl",
        "terracurl",
        "command",
        "cmd",
        "script",
        "shell",
        "bash",
        "powershell",
        "exec",
        "program",
        "invocation",
        "invoke",
        "graphql",
    ];
    kind.split(['_', '-']).any(|word| WORDS.contains(&word))
}
