//! What is known of modules of `ansible.builtin` beyond what they say of themselves.

use super::yaml::{Entry, find};

/// What a module is, for those who walk through tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Runs what it is given.
    Command,
    /// Only looks, computes, waits or says something: it changes no host.
    Looks,
    /// `import_tasks`, `include_tasks`.
    Tasks(When),
    /// `import_role`, `include_role`.
    Role(When),
    /// `meta`.
    Meta,
    /// Changes which hosts there are.
    Inventory,
    /// Loads variables from a file.
    Variables,
    /// Writes where Ansible runs.
    Fetch,
    /// Everything else: it may change the host.
    Changes,
}

/// When an include is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Before anything runs.
    Imported,
    /// While it runs, host by host.
    Included,
}

/// What a module is, by its full name and its parameters.
pub(crate) fn of(module: &str, parameters: &[Entry]) -> Action {
    match module.strip_prefix("ansible.builtin.").unwrap_or_default() {
        "command" | "shell" | "raw" | "script" | "expect" => Action::Command,
        "assert"
        | "debug"
        | "fail"
        | "find"
        | "gather_facts"
        | "getent"
        | "mount_facts"
        | "package_facts"
        | "pause"
        | "ping"
        | "service_facts"
        | "set_fact"
        | "set_stats"
        | "setup"
        | "slurp"
        | "stat"
        | "validate_argument_spec"
        | "wait_for"
        | "wait_for_connection" => Action::Looks,
        "uri" if only_asks(parameters) => Action::Looks,
        "import_tasks" => Action::Tasks(When::Imported),
        "include_tasks" => Action::Tasks(When::Included),
        "import_role" => Action::Role(When::Imported),
        "include_role" => Action::Role(When::Included),
        "meta" => Action::Meta,
        "add_host" | "group_by" => Action::Inventory,
        "include_vars" => Action::Variables,
        "fetch" => Action::Fetch,
        _ => Action::Changes,
    }
}

/// Whether a request asks for something and keeps nothing of it on the host.
fn only_asks(parameters: &[Entry]) -> bool {
    let method = find(parameters, "method").map(|node| node.text());
    let asks = matches!(method, None | Some(Some("GET" | "HEAD")));
    asks && ["dest", "body", "src"].iter().all(|parameter| find(parameters, parameter).is_none())
}

/// The parameter of a module that names a file of the machine where Ansible runs, and the folder of a project or role
/// where it is looked for. None where `remote_src` says that the file is on the host.
pub(crate) fn source(module: &str, parameters: &[Entry]) -> Option<(&'static str, &'static str)> {
    let remote = find(parameters, "remote_src").and_then(|node| node.text());
    let (parameter, folder, at_host) = match module.strip_prefix("ansible.builtin.").unwrap_or_default() {
        "template" => ("src", "templates", false),
        "copy" | "unarchive" => ("src", "files", remote == Some("true")),
        // By default its fragments are on the host.
        "assemble" => ("src", "files", remote != Some("false")),
        "script" => ("cmd", "files", false),
        _ => return None,
    };
    (!at_host).then_some((parameter, folder))
}

/// Parameters whose values are bare expressions.
pub(crate) fn takes_expression(module: &str, parameter: &str) -> bool {
    matches!((module, parameter), ("ansible.builtin.assert", "that") | ("ansible.builtin.debug", "var"))
}

/// Parameters that would make a template be read otherwise than it was vetted.
pub(crate) fn changes_syntax(module: &str, parameter: &str) -> bool {
    const DELIMITERS: &[&str] = &[
        "block_start_string",
        "block_end_string",
        "variable_start_string",
        "variable_end_string",
        "comment_start_string",
        "comment_end_string",
        "output_encoding",
    ];
    module == "ansible.builtin.template" && DELIMITERS.contains(&parameter)
}
