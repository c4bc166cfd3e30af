//! Whether hosts' keys are checked. Our configuration has that on; variables of an inventory and OpenSSH's own configuration
//! are above it or beside it.

use serde_json::{Map, Value};

/// Whether variables of a host turn it off, or leave open whether they do. A key that is taken unseen the first time is not
/// checked either.
pub(crate) fn turned_off(variables: &Map<String, Value>) -> bool {
    variables.iter().any(|(name, value)| {
        let text = plain(value);
        if !name.starts_with("ansible_") {
            false
        } else if name.ends_with("host_key_checking") {
            !says_yes(value, text)
        } else if name.ends_with("host_key_auto_add") {
            !says_no(value, text)
        } else {
            text.is_some_and(is_lax)
        }
    })
}

/// Whether what `ssh -G` prints for an address says so.
pub(crate) fn is_lax_for(options: &str) -> bool {
    options.lines().any(is_lax)
}

/// Whether a text sets the option of OpenSSH to something that takes a key unseen, however it is written.
fn is_lax(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || matches!(c, '=' | '"' | '\''))
        .filter(|word| !word.is_empty())
        .collect();
    words.windows(2).any(|pair| match pair {
        [option, value] if option.ends_with("stricthostkeychecking") => {
            !matches!(*value, "yes" | "true" | "ask")
        }
        _ => false,
    })
}

/// A text as it is, also one that is marked as no template.
pub(crate) fn plain(value: &Value) -> Option<&str> {
    match value {
        Value::Object(fields) => fields.get("__ansible_unsafe")?.as_str(),
        Value::String(text) => Some(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

fn says_yes(value: &Value, text: Option<&str>) -> bool {
    let words = ["yes", "true", "on", "1", "y", "t"];
    value == &Value::Bool(true) || text.is_some_and(|text| words.contains(&&*text.to_ascii_lowercase()))
}

fn says_no(value: &Value, text: Option<&str>) -> bool {
    let words = ["no", "false", "off", "0", "n", "f"];
    value == &Value::Bool(false) || text.is_some_and(|text| words.contains(&&*text.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn is_off(variables: &Value) -> bool {
        turned_off(variables.as_object().unwrap())
    }

    #[test]
    fn variables_that_turn_it_off_are_found_however_they_are_written() {
        for off in [
            json!({"ansible_host_key_checking": false}),
            json!({"ansible_ssh_host_key_checking": "no"}),
            json!({"ansible_paramiko_host_key_checking": "{{ checking }}"}),
            json!({"ansible_paramiko_host_key_auto_add": true}),
            json!({"ansible_ssh_common_args": "-o StrictHostKeyChecking=no"}),
            json!({"ansible_ssh_extra_args": "-C -oStrictHostKeyChecking=off -v"}),
            json!({"ansible_ssh_args": "-o 'stricthostkeychecking accept-new'"}),
            json!({"ansible_ssh_common_args": "-o \"StrictHostKeyChecking = {{ strict }}\""}),
            json!({"ansible_ssh_common_args": {"__ansible_unsafe": "-o StrictHostKeyChecking=no"}}),
            json!({"ansible_host": "10.0.0.1", "ansible_host_key_checking": 0}),
        ] {
            assert!(is_off(&off), "{off}");
        }
    }

    #[test]
    fn variables_that_leave_it_on_are_none() {
        for on in [
            json!({}),
            json!({"ansible_host": "10.0.0.1", "ansible_user": "deploy"}),
            json!({"ansible_host_key_checking": true, "ansible_ssh_host_key_checking": "Yes"}),
            json!({"ansible_paramiko_host_key_auto_add": false}),
            json!({"ansible_ssh_common_args": "-o UserKnownHostsFile=/srv/known_hosts -o StrictHostKeyChecking=yes"}),
            json!({"note": "StrictHostKeyChecking=no", "host_key_checking": false}),
        ] {
            assert!(!is_off(&on), "{on}");
        }
    }

    #[test]
    fn what_openssh_prints_is_read() {
        for lax in ["false", "accept-new", "no"] {
            assert!(
                is_lax_for(&format!("port 22\nstricthostkeychecking {lax}\ntcpkeepalive yes\n")),
                "{lax}"
            );
        }
        for strict in ["ask", "true", "yes"] {
            assert!(!is_lax_for(&format!("port 22\nstricthostkeychecking {strict}\n")), "{strict}");
        }
        assert!(!is_lax_for("port 22\n"));
    }
}
