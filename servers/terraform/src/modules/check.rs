//! What must hold of `modules.yaml` beyond its shape. Each check says one sentence about one word of the file.

use serde_json::{Map, Value};

use super::{Backend, Module, Modules, Variable};
use crate::names::{Address, ModuleName, VariableName};
use runcord_runtime::problem::{Problem, Text};

/// All that is wrong with the declared modules.
pub(super) fn check(file: &str, text: &str, declared: &Modules) -> Vec<Problem> {
    let mut found = Vec::new();
    for (name, module) in &declared.modules {
        let mut at = Findings { file, text, from: find(text, 0, name.as_str()), found: &mut found };
        at.module(name, module);
    }
    found
}

/// The problems of one module: what it names is looked for behind its own name.
struct Findings<'a> {
    file: &'a str,
    text: &'a str,
    from: usize,
    found: &'a mut Vec<Problem>,
}

impl Findings<'_> {
    fn module(&mut self, name: &ModuleName, module: &Module) {
        if module.workspaces.is_empty() {
            self.say(name.as_str(), "no workspace of this module may be acted on", "list its `workspaces`");
        }
        for address in module.may_name.iter().filter(|address| !is_resource(address)) {
            self.say(address, "not a resource without keys", "`TYPE.NAME` or `module.M.TYPE.NAME`");
        }
        for address in module.runs_code.iter().filter(|one| !is_resource(one) && !is_data_source(one)) {
            self.say(
                address,
                "neither a resource nor a data source without keys",
                "`TYPE.NAME` or `data.TYPE.NAME`, each behind any number of `module.M.`",
            );
        }
        for (name, variable) in &module.variables {
            self.variable(name, variable);
        }
        for name in &module.environment {
            self.environment(name);
        }
        self.backend(module);
    }

    fn variable(&mut self, name: &VariableName, variable: &Variable) {
        let Some(bounds) = variable.pool else { return };
        if bounds.minimum > bounds.maximum {
            self.say(name.as_str(), "its minimum is above its maximum", "swap them");
        }
        if let Some(value) = &variable.value {
            match value.as_i64() {
                None => self.say(name.as_str(), "the value of a pool is a whole number", "write it as one"),
                Some(size) if !bounds.hold(size) => {
                    self.say(name.as_str(), "its value is outside of its own bounds", "mend one of them");
                }
                Some(_) => {}
            }
        }
    }

    fn environment(&mut self, name: &str) {
        let words = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        let is_name = (1..=128).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.bytes().all(words);
        if !is_name {
            self.say(name, "not the name of an environment variable", "A-Z, 0-9 and `_`, a letter first");
        } else if !may_reach_the_tool(name) {
            self.say(
                name,
                "decides on what the tool runs or where it looks, so it is never passed on",
                "only credentials, regions, proxies and certificates are passed on by name",
            );
        }
    }

    fn backend(&mut self, module: &Module) {
        let kind = module.backend.kind.as_str();
        let is_type = (1..=32).contains(&kind.len())
            && kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !is_type {
            self.say(kind, "not a type of backend", "a-z and 0-9, such as `s3`");
        } else if matches!(kind, "remote" | "cloud") {
            self.say(
                kind,
                "plans and applies elsewhere",
                "a backend that only keeps the state, such as `s3`",
            );
        }
        self.settings(&module.backend.config);
        if kind == "local" {
            self.local(module);
        }
    }

    /// The local backend keeps the state beside the configuration unless it is told otherwise, and that is read-only.
    fn local(&mut self, module: &Module) {
        let Backend { config, .. } = &module.backend;
        if !config.get("path").is_some_and(Value::is_string) {
            self.say("local", "needs a `path`", "such as `{path: network/terraform.tfstate}`");
        }
        let several = module.workspaces.iter().any(|workspace| !workspace.is_default());
        if several && !config.get("workspace_dir").is_some_and(Value::is_string) {
            self.say(
                "local",
                "needs a `workspace_dir` for workspaces other than `default`",
                "such as `{workspace_dir: network/terraform.tfstate.d}`",
            );
        }
        for value in ["path", "workspace_dir"].iter().filter_map(|key| config.get(*key)?.as_str()) {
            if value.is_empty() || value.split('/').any(|part| part == "..") {
                self.say(value, "leaves the folder of all root modules", "a path without `..`");
            }
        }
    }

    fn settings(&mut self, settings: &Map<String, Value>) {
        for (key, value) in settings {
            match value {
                Value::Object(inner) => self.settings(inner),
                Value::Array(items) => {
                    for inner in items.iter().filter_map(Value::as_object) {
                        self.settings(inner);
                    }
                }
                Value::String(text) => self.setting(key, Some(text)),
                Value::Number(_) => self.setting(key, None),
                Value::Null | Value::Bool(_) => {}
            }
        }
    }

    fn setting(&mut self, key: &str, value: Option<&str>) {
        let told = value.unwrap_or_default();
        if holds_credential(key) || has_user(told) {
            self.say(
                key,
                "looks like a credential, and this file is read by many",
                "name the backend's environment variable under `environment`",
            );
        }
        if told.contains("${") || told.contains("%{") {
            self.say(key, "a setting of a backend is not computed", "write out what it stands for");
        }
    }

    fn say(&mut self, word: &str, message: &str, hint: &str) {
        let message = format!("`{word}`: {message}");
        let offset = find(self.text, self.from, word);
        self.found
            .push(Problem::at(&Text { name: self.file, text: self.text }, offset, message).with_hint(hint));
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

fn is_resource(text: &str) -> bool {
    text.parse::<Address>().is_ok_and(|address| address.resource() == text)
}

/// Whether it is a resource once its word `data` is taken out.
fn is_data_source(text: &str) -> bool {
    let words: Vec<&str> = text.split('.').collect();
    match words.as_slice() {
        [modules @ .., "data", kind, name] => {
            let rest: Vec<&str> = modules.iter().chain([kind, name]).copied().collect();
            is_resource(&rest.join("."))
        }
        _ => false,
    }
}

/// Whether a variable may be passed on: not one by which the tool, what it loads or its children are steered. The user
/// and password of the `http` backend have names like the tool's own, but are credentials.
fn may_reach_the_tool(name: &str) -> bool {
    const CREDENTIALS: [&str; 2] = ["TF_HTTP_USERNAME", "TF_HTTP_PASSWORD"];
    const FAMILIES: [&str; 8] = ["TF_", "TOFU_", "RUNCORD_", "LD_", "DYLD_", "GIT_", "XDG_", "CHECKPOINT_"];
    const NAMES: [&str; 16] = [
        "PATH",
        "HOME",
        "USER",
        "PWD",
        "SHELL",
        "ENV",
        "IFS",
        "BASH_ENV",
        "TMPDIR",
        "EDITOR",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "NODE_OPTIONS",
        "PERL5OPT",
        "GODEBUG",
        "SSLKEYLOGFILE",
    ];
    CREDENTIALS.contains(&name)
        || (!NAMES.contains(&name) && !FAMILIES.iter().any(|family| name.starts_with(family)))
}

/// Whether a setting of this name holds a credential. The name of a file that holds one is none.
fn holds_credential(key: &str) -> bool {
    const NAMES: [&str; 7] = [
        "access_key",
        "conn_str",
        "customer_key",
        "encryption_key",
        "private_key",
        "sse_customer_key",
        "storage_account_key",
    ];
    const WORDS: [&str; 7] =
        ["password", "passphrase", "secret", "token", "credential", "credentials", "passwd"];
    let key = key.to_ascii_lowercase();
    let names_a_file = ["_file", "_files", "_path"].iter().any(|end| key.ends_with(end));
    // The name of a Kubernetes secret ends so; it is no secret.
    let is_a_name = key == "secret_suffix";
    !names_a_file
        && !is_a_name
        && (NAMES.contains(&key.as_str()) || key.split(['_', '-']).any(|word| WORDS.contains(&word)))
}

/// Whether it is an address with a user in it, and so perhaps a password.
fn has_user(value: &str) -> bool {
    let authority = value.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
    authority.is_some_and(|authority| authority.contains('@'))
}
