//! Names of Ansible, each valid by construction: holding one is the proof of its grammar.
//!
//! Grammars: variables, hosts and groups as Ansible has them
//! (<https://docs.ansible.com/ansible/latest/playbook_guide/playbooks_variables.html#valid-variable-names>,
//! <https://docs.ansible.com/ansible/latest/inventory_guide/intro_patterns.html>), narrower where a wider one would let a
//! name be read as a pattern, an option or a template.

use runcord_model::{inline_schema, name_type};

name_type!(
    /// The name under which a playbook is declared.
    PlaybookName, "playbook name", "1 to 63 characters: a-z, 0-9, `-` and `_`, beginning with a letter", is_declared
);
name_type!(
    /// The name of a playbook that ships.
    ShippedName, "name of a playbook that ships", "1 to 63 characters: a-z, 0-9 and `_`, beginning with a letter; then perhaps `.look`, `.verify` or `.undo`", is_shipped
);
name_type!(
    /// A host, as the inventory names it. Nothing in it is a pattern.
    HostName, "host", "1 to 253 characters: letters, digits, `-`, `_` and `.`, beginning with a letter or digit, and not `all`, `ungrouped` or `localhost`", is_host
);
name_type!(
    /// A group of hosts.
    GroupName, "group", "1 to 64 characters: letters, digits and `_`, beginning with a letter or `_`, and not `ungrouped`", is_group
);
name_type!(
    /// A variable that a playbook takes. None that Ansible gives a meaning to, and none of ours.
    VariableName, "variable", "1 to 64 characters: letters, digits and `_`, beginning with a letter, and not with `ansible_`, `inventory_` or `runcord_`, and no keyword of plays or tasks", is_variable
);
name_type!(
    /// A tag of tasks.
    Tag, "tag", "1 to 64 characters: letters, digits, `-` and `_`, beginning with a letter, and not `all`, `always`, `never`, `tagged` or `untagged`", is_tag
);
name_type!(
    /// The full name of a module, such as `ansible.builtin.copy`.
    ModuleFqcn, "module", "namespace, collection and name, such as `ansible.builtin.copy`", is_fqcn
);
name_type!(
    /// The name of a task, as it is written.
    TaskName, "name of a task", "1 to 200 characters that can be seen, none of them `{`, `}` or `%`", is_task
);
name_type!(
    /// A path below the project's folder, without `..`.
    ProjectPath, "path", "names joined by `/`: letters, digits, `-`, `_` and `.`, none beginning with a dot or dash", is_path
);
name_type!(
    /// A look at hosts: what it saw, and what was done on what it saw, is kept under this.
    LookId, "look", "32 hexadecimal digits in lower case", is_look
);

/// So many hosts stand in one sentence.
const NAMED: usize = 5;

/// Hosts in a sentence: `web1, web2 and 3 more`.
pub(crate) fn listed<'h>(hosts: impl IntoIterator<Item = &'h HostName>) -> String {
    let mut hosts = hosts.into_iter();
    let first: Vec<&str> = hosts.by_ref().take(NAMED).map(HostName::as_str).collect();
    match hosts.count() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// The name of a task as it may be shown.
pub(crate) fn task(name: &str) -> String {
    if name.parse::<TaskName>().is_ok() { name.to_owned() } else { "‹not a name›".to_owned() }
}

/// Where a task stands, `FILE:LINE`, as it may be shown.
pub(crate) fn place(place: &str) -> String {
    let holds = place.rsplit_once(':').is_some_and(|(file, line)| {
        file.parse::<ProjectPath>().is_ok()
            && (1..=9).contains(&line.len())
            && line.bytes().all(|b| b.is_ascii_digit())
    });
    if holds { place.to_owned() } else { "‹not a path›".to_owned() }
}

fn is_look(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_declared(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
}

fn is_shipped(text: &str) -> bool {
    let name = [".look", ".verify", ".undo"].iter().find_map(|part| text.strip_suffix(part)).unwrap_or(text);
    is_declared(name) && !name.contains('-')
}

fn is_host(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && !["all", "ungrouped", "localhost"].contains(&text)
}

fn is_group(text: &str) -> bool {
    is_identifier(text) && text != "ungrouped"
}

fn is_identifier(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn is_variable(text: &str) -> bool {
    is_identifier(text) && !text.starts_with('_') && !is_reserved(text) && !KEYWORDS.contains(&text)
}

/// What Ansible gives a meaning of its own, so that a variable of that name hides it.
const KEYWORDS: &[&str] = &[
    "action",
    "any_errors_fatal",
    "args",
    "async",
    "async_val",
    "become",
    "become_exe",
    "become_flags",
    "become_method",
    "become_user",
    "block",
    "always",
    "rescue",
    "changed_when",
    "check_mode",
    "collections",
    "connection",
    "debugger",
    "delay",
    "delegate_facts",
    "delegate_to",
    "diff",
    "environment",
    "fact_path",
    "failed_when",
    "force_handlers",
    "gather_facts",
    "gather_subset",
    "gather_timeout",
    "group_names",
    "groups",
    "handlers",
    "hosts",
    "hostvars",
    "ignore_errors",
    "ignore_unreachable",
    "listen",
    "local_action",
    "loop",
    "loop_control",
    "loop_with",
    "max_fail_percentage",
    "module_defaults",
    "name",
    "no_log",
    "notify",
    "omit",
    "order",
    "playbook_dir",
    "poll",
    "port",
    "post_tasks",
    "pre_tasks",
    "register",
    "remote_user",
    "retries",
    "role",
    "role_name",
    "role_path",
    "roles",
    "run_once",
    "serial",
    "strategy",
    "tags",
    "tasks",
    "throttle",
    "timeout",
    "until",
    "vars",
    "vars_files",
    "vars_prompt",
    "when",
];

/// Whether a variable of this name steers Ansible, or is one of ours.
pub(crate) fn is_reserved(name: &str) -> bool {
    ["ansible_", "runcord_", "inventory_"].iter().any(|family| name.starts_with(family))
        || ["inventory_hostname", "playbook_dir", "role_path"].contains(&name)
}

fn is_tag(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        && !["all", "always", "never", "tagged", "untagged"].contains(&text)
}

fn is_fqcn(text: &str) -> bool {
    let word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    text.len() <= 128 && text.split('.').count() >= 3 && text.split('.').all(word)
}

fn is_task(text: &str) -> bool {
    (1..=200).contains(&text.chars().count())
        && !text.starts_with(' ')
        && text.chars().all(|c| (c.is_ascii_graphic() || c == ' ' || c.is_alphabetic()) && !"{}%".contains(c))
}

fn is_path(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-'])
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    (1..=256).contains(&text.len()) && text.split('/').all(part)
}

inline_schema! {
    PlaybookName: {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,62}$"};
    ShippedName: {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,62}([.](look|verify|undo))?$"};
    HostName: {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$"};
    GroupName: {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,63}$"};
    VariableName: {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{0,63}$"};
    Tag: {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"};
    ModuleFqcn: {"type": "string", "pattern": "^[a-z_][a-z0-9_]*([.][a-z_][a-z0-9_]*){2,}$", "maxLength": 128};
    TaskName: {"type": "string", "minLength": 1, "maxLength": 200};
    ProjectPath: {"type": "string", "minLength": 1, "maxLength": 256};
    LookId: {"type": "string", "pattern": "^[0-9a-f]{32}$"};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_can_be_read_as_a_pattern_an_option_or_a_template() {
        for bad in [
            "",
            "all",
            "localhost",
            "-x",
            "web*",
            "a:b",
            "!a",
            "&a",
            "~a",
            "a,b",
            "@f",
            "a b",
            "a\n",
            "{{a}}",
            "a[0]",
        ] {
            assert!(bad.parse::<HostName>().is_err(), "{bad:?}");
        }
        for bad in
            ["", "ungrouped", "web-1", "1web", "web:eu", "*", "w eb", "web\n", "{{a}}", &"a".repeat(65)]
        {
            assert!(bad.parse::<GroupName>().is_err(), "{bad:?}");
        }
        for bad in ["", "always", "never", "all", "tagged", "untagged", "-t", "a,b", "{{a}}", "1"] {
            assert!(bad.parse::<Tag>().is_err(), "{bad:?}");
        }
        assert!("web1.eu".parse::<HostName>().is_ok() && "10.0.0.1".parse::<HostName>().is_ok());
        assert!("all".parse::<GroupName>().is_ok() && "deploy-2".parse::<Tag>().is_ok());
    }

    #[test]
    fn no_variable_steers_ansible_or_us() {
        for bad in [
            "",
            "ansible_host",
            "ansible_connection",
            "runcord_serial",
            "inventory_hostname",
            "vars",
            "hostvars",
            "_x",
            "a-b",
            "1a",
            "a.b",
            "port",
            "serial",
            "name",
            "environment",
        ] {
            assert!(bad.parse::<VariableName>().is_err(), "{bad:?}");
        }
        assert!("service_port".parse::<VariableName>().is_ok());
    }

    #[test]
    fn a_module_is_named_in_full() {
        for bad in [
            "",
            "copy",
            "builtin.copy",
            "ansible.builtin.",
            "Ansible.builtin.copy",
            "a.b.c d",
            "a..c",
            "a.b.{{c}}",
        ] {
            assert!(bad.parse::<ModuleFqcn>().is_err(), "{bad:?}");
        }
        assert!("community.general.ufw".parse::<ModuleFqcn>().is_ok());
        assert!("community.general.net.deep".parse::<ModuleFqcn>().is_ok());
    }

    #[test]
    fn no_path_leaves_the_project() {
        for bad in [
            "", "/x", "..", "../x", "x/../y", "x//y", "x/", "-x", ".x", "x/.git/y", "a b", "a\n", "~x",
            "{{x}}",
        ] {
            assert!(bad.parse::<ProjectPath>().is_err(), "{bad:?}");
        }
        assert!("live/restart.yml".parse::<ProjectPath>().is_ok());
    }

    #[test]
    fn a_declared_playbook_and_a_task_are_named_in_plain_letters() {
        for bad in ["", "Restart", "a b", "-a", "1a", "a.b"] {
            assert!(bad.parse::<PlaybookName>().is_err(), "{bad:?}");
            assert!(bad.parse::<ShippedName>().is_err(), "{bad:?}");
        }
        assert!(
            "restart-web".parse::<PlaybookName>().is_ok() && "restart-web".parse::<ShippedName>().is_err()
        );
        for bad in ["", " x", "a\nb", "a\u{202e}b", "{{ x }}", "{% x"] {
            assert!(bad.parse::<TaskName>().is_err(), "{bad:?}");
        }
        assert!("Restart the service (now)".parse::<TaskName>().is_ok());
    }

    #[test]
    fn hosts_are_listed_and_not_all_of_them() {
        let hosts: Vec<HostName> = (1..=7).map(|i| format!("web{i}").parse().unwrap()).collect();
        assert_eq!(listed(&hosts), "web1, web2, web3, web4, web5 and 2 more");
        assert_eq!(listed(&hosts[..5]), "web1, web2, web3, web4, web5");
        assert_eq!(listed(&[]), "");
    }

    #[test]
    fn what_is_no_name_or_place_is_not_shown() {
        assert_eq!(task("Restart the service"), "Restart the service");
        assert_eq!(place("roles/app/tasks/main.yml:12"), "roles/app/tasks/main.yml:12");
        for bad in ["", "a\nb", "{{ a }}", "a\u{202e}b"] {
            assert_eq!(task(bad), "‹not a name›", "{bad:?}");
            assert_eq!(place(&format!("{bad}:1")), "‹not a path›", "{bad:?}");
        }
        for bad in ["a.yml", "a.yml:x", "a.yml:1234567890", "../a.yml:1", "/a.yml:1"] {
            assert_eq!(place(bad), "‹not a path›", "{bad:?}");
        }
    }
}
