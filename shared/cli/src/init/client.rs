//! What a client's configuration has to say so that it starts our servers.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::servers::{BINARIES, Binary};

/// What a person decides before copying.
const NOTES: &str = "\
runcord-kubectl takes the current context of the kubeconfig; pin another with --context NAME.
runcord-terraform: put the folder of your root modules behind --root.
runcord-ansible: put the folder of your inventories and playbooks behind --project; where Ansible is in a virtual
environment, add --ansible DIR. Leave out the servers that you do not need.";

/// How clients start the servers.
pub(super) struct Client {
    servers: Vec<Server>,
}

struct Server {
    name: &'static str,
    program: PathBuf,
    config: PathBuf,
    /// A variable that a client started from a desktop does not have in its environment.
    variable: Option<(&'static str, String)>,
    /// An option whose value a person fills in.
    needs: Option<(&'static str, &'static str)>,
}

impl Client {
    /// For the installation of that configuration file: the servers beside this very program, or those on the PATH.
    pub(super) fn of(config: &Path) -> Self {
        let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned()));
        let server = |&Binary { name, found_by, needs }: &Binary| Server {
            name,
            program: beside
                .as_ref()
                .map(|folder| folder.join(name))
                .filter(|file| file.exists())
                .unwrap_or_else(|| PathBuf::from(name)),
            config: config.to_owned(),
            variable: found_by
                .and_then(|variable| Some((variable, std::env::var(variable).ok()?)))
                .filter(|(_, value)| !value.is_empty()),
            needs,
        };
        Self { servers: BINARIES.iter().map(server).collect() }
    }

    /// For a person to copy.
    pub(super) fn page(&self) -> String {
        format!(
            "Claude Desktop (claude_desktop_config.json):\n{:#}\n\nClaude Code:\n  {}\n\n{NOTES}",
            self.claude_desktop(),
            self.claude_code().join("\n  ")
        )
    }

    /// For a program.
    pub(super) fn to_json(&self) -> Value {
        json!({"claude_desktop": self.claude_desktop(), "claude_code": self.claude_code()})
    }

    fn claude_desktop(&self) -> Value {
        let entry = |server: &Server| {
            let mut args = vec![json!("--config"), json!(server.config)];
            args.extend(server.needs.into_iter().flat_map(|(option, value)| [json!(option), json!(value)]));
            let mut entry = json!({"command": server.program, "args": args});
            if let (Some((name, value)), Value::Object(fields)) = (&server.variable, &mut entry) {
                fields.insert("env".to_owned(), json!({*name: value}));
            }
            (server.name.to_owned(), entry)
        };
        json!({"mcpServers": self.servers.iter().map(entry).collect::<Map<_, _>>()})
    }

    fn claude_code(&self) -> Vec<String> {
        let line = |server: &Server| {
            let variable = server.variable.as_ref();
            let env = variable.map(|(name, value)| format!(" --env {}", quoted(&format!("{name}={value}"))));
            let needs = server.needs.map(|(option, value)| format!(" {option} {}", quoted(value)));
            let (program, config) =
                (server.program.display().to_string(), server.config.display().to_string());
            format!(
                "claude mcp add {}{} -- {} --config {}{}",
                server.name,
                env.unwrap_or_default(),
                quoted(&program),
                quoted(&config),
                needs.unwrap_or_default()
            )
        };
        self.servers.iter().map(line).collect()
    }
}

/// One word for a shell, as it stands where it needs no quotes.
fn quoted(word: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '=' | ':' | '@' | '+');
    if word.chars().all(plain) && !word.is_empty() {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clients_start_the_same_server() {
        let client = Client {
            servers: vec![
                Server {
                    name: "runcord-kubectl",
                    program: "/opt/run cord/runcord-kubectl".into(),
                    config: "/etc/runcord.yaml".into(),
                    variable: Some(("KUBECONFIG", "/k".to_owned())),
                    needs: None,
                },
                Server {
                    name: "runcord-terraform",
                    program: "/opt/runcord-terraform".into(),
                    config: "/etc/runcord.yaml".into(),
                    variable: None,
                    needs: Some(("--root", "/modules")),
                },
            ],
        };
        let entry = &client.claude_desktop()["mcpServers"]["runcord-kubectl"];
        assert_eq!(entry["args"], json!(["--config", "/etc/runcord.yaml"]));
        assert_eq!(entry["env"]["KUBECONFIG"], "/k");
        let entry = &client.claude_desktop()["mcpServers"]["runcord-terraform"];
        assert_eq!(entry["args"], json!(["--config", "/etc/runcord.yaml", "--root", "/modules"]));
        assert!(entry.get("env").is_none());
        assert_eq!(
            client.claude_code(),
            [
                "claude mcp add runcord-kubectl --env KUBECONFIG=/k -- '/opt/run cord/runcord-kubectl' --config /etc/runcord.yaml",
                "claude mcp add runcord-terraform -- /opt/runcord-terraform --config /etc/runcord.yaml --root /modules"
            ]
        );
    }

    #[test]
    fn a_shell_reads_one_word() {
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
