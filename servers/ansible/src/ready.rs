//! What this server needs beside its project, looked at one by one, for a person: Ansible, OpenSSH, the declared inventories,
//! and that hosts are known by their keys. No host is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use runcord_exec::{Command, find_program};
use runcord_model::Refusal;
use runcord_runtime::settings::Settings;
use serde_json::{Map, Value};

use crate::ansible::{Ansible, Connect};
use crate::desk::Desk;
use crate::inventory::Inventory;
use crate::names::{HostName, ProjectPath};
use crate::playbooks::Playbook;
use crate::probe::Prober;
use crate::refuse::surroundings;
use crate::tool::Tool;
use crate::{declared, host_keys};

/// Addresses that OpenSSH is asked about, at most.
const ADDRESSES: usize = 200;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// What it is.
    pub what: &'static str,
    /// How it is, in words of ours and validated names.
    pub says: String,
    /// Whether that will do.
    pub state: State,
}

/// Whether something will do, or how it is mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It does.
    Well,
    /// It is there, and wrong.
    Amiss(String),
    /// It is not there.
    Missing(String),
    /// It could not be looked at, because of what failed before.
    NotLookedAt,
}

/// Looks at all of it.
pub async fn look(connect: &Connect, settings: &Settings) -> Vec<Looked> {
    let ssh = find_program("ssh");
    let mut all = vec![ansible(connect, settings).await, openssh(ssh.as_deref())];
    let target = Ansible::connect(connect, settings).await;
    let inventories = match &target {
        Ok(target) => inventories(target.prober()).await,
        Err(_) => Err(skipped("inventories", "needs the project and Ansible")),
    };
    match inventories {
        Err(looked) => all.extend([looked, skipped("host keys", "needs the inventories")]),
        Ok(read) => {
            all.push(counted(&read));
            all.push(keys(ssh.as_deref(), &addresses(&read)).await);
        }
    }
    all
}

fn well(what: &'static str, says: impl Into<String>) -> Looked {
    Looked { what, says: says.into(), state: State::Well }
}

fn amiss(what: &'static str, says: impl Into<String>, mend: &str) -> Looked {
    Looked { what, says: says.into(), state: State::Amiss(mend.to_owned()) }
}

fn missing(what: &'static str, says: impl Into<String>, mend: &str) -> Looked {
    Looked { what, says: says.into(), state: State::Missing(mend.to_owned()) }
}

fn skipped(what: &'static str, says: &str) -> Looked {
    Looked { what, says: says.to_owned(), state: State::NotLookedAt }
}

async fn ansible(connect: &Connect, settings: &Settings) -> Looked {
    match version(connect, settings).await {
        Ok(version) => well("ansible", version),
        Err(refusal) => missing(
            "ansible",
            refusal.message,
            "install ansible-core 2.17 or newer, or name its virtual environment with --ansible",
        ),
    }
}

async fn version(connect: &Connect, settings: &Settings) -> Result<String, Refusal> {
    let desk = Desk::make(&settings.state.join("ansible"))
        .map_err(|_| surroundings("the state folder cannot be written"))?;
    Tool::find(connect.ansible.as_deref(), desk)?.version().await
}

fn openssh(ssh: Option<&Path>) -> Looked {
    match ssh {
        Some(path) => well("ssh", path.display().to_string()),
        None => missing("ssh", "ssh is not on the PATH", "install OpenSSH's client"),
    }
}

/// Every declared inventory, by its path.
type Read = BTreeMap<ProjectPath, Inventory>;

/// Every declared inventory, read once, with the groups that playbooks may be run on.
async fn inventories(prober: &Prober) -> Result<Read, Looked> {
    let refused = |refusal: Refusal| amiss("inventories", refusal.message, "mend it, or mend playbooks.yaml");
    let declared = declared::playbooks(&prober.policy).map_err(refused)?.playbooks;
    if declared.is_empty() {
        let says = "playbooks.yaml declares no playbook";
        return Err(amiss("inventories", says, "declare one, then `runcord activate`"));
    }
    let content = prober.contents.assemble(&prober.project).await.map_err(refused)?;
    let mut read = Read::new();
    for playbook in declared.values() {
        let inventory = match read.get(&playbook.inventory) {
            Some(inventory) => inventory,
            None => {
                let session = prober.tool.at(&content, playbook);
                let inventory = prober.inventory(session, playbook, &content).await.map_err(refused)?;
                read.entry(playbook.inventory.clone()).or_insert(inventory)
            }
        };
        groups(playbook, inventory)
            .map_err(|why| amiss("inventories", why, "mend it, or mend playbooks.yaml"))?;
    }
    Ok(read)
}

/// Whether the groups that a playbook may be run on are there, and have hosts.
pub(crate) fn groups(playbook: &Playbook, inventory: &Inventory) -> Result<(), String> {
    for group in &playbook.groups {
        inventory.choose(group, None).map_err(|why| format!("{}: {why}", playbook.inventory))?;
    }
    Ok(())
}

fn counted(read: &Read) -> Looked {
    let hosts: BTreeSet<&HostName> =
        read.values().flat_map(|inventory| inventory.hosts().map(|(host, _)| host)).collect();
    well("inventories", format!("{} read, {} hosts", read.len(), hosts.len()))
}

/// How OpenSSH is told of each host: by the address that the inventory gives it, else by its name.
fn addresses(read: &Read) -> Vec<String> {
    let address = |(host, variables): (&HostName, &Map<String, Value>)| {
        let given =
            variables.get("ansible_host").and_then(host_keys::plain).filter(|given| is_address(given));
        given.map_or_else(|| host.to_string(), str::to_owned)
    };
    let all: BTreeSet<String> = read.values().flat_map(|inventory| inventory.hosts().map(address)).collect();
    all.into_iter().collect()
}

fn is_address(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_');
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == ':') && text.chars().all(is_part)
}

/// Whether OpenSSH, as it is configured for whoever runs this, checks the keys of these.
async fn keys(ssh: Option<&Path>, addresses: &[String]) -> Looked {
    let what = "host keys";
    let Some(ssh) = ssh else { return skipped(what, "needs ssh") };
    for address in addresses.iter().take(ADDRESSES) {
        let asked = Command::new(ssh).keep_env(&["PATH"]).args(["-G", "--", address]).run().await;
        let Ok(answer) = asked else { return skipped(what, "ssh -G does not answer") };
        if !answer.status.success() {
            return amiss(what, "OpenSSH's configuration cannot be read", "see what `ssh -G HOST` says");
        }
        if host_keys::is_lax_for(&String::from_utf8_lossy(&answer.stdout)) {
            return amiss(
                what,
                format!("OpenSSH takes the key of {address} unseen"),
                "take StrictHostKeyChecking out of ~/.ssh/config and /etc/ssh/ssh_config, and add the keys to known_hosts",
            );
        }
    }
    let more = addresses.len().saturating_sub(ADDRESSES);
    let rest = if more == 0 { String::new() } else { format!("; {more} more were not looked at") };
    well(what, format!("checked, of {} addresses{rest}", addresses.len().min(ADDRESSES)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::playbooks::Playbooks;

    fn read() -> Read {
        let json = json!({
            "_meta": {"hostvars": {
                "web1": {"ansible_host": "10.0.0.1"},
                "web2": {"ansible_host": {"__ansible_unsafe": "fd00::2"}},
                "web3": {"ansible_host": "-oProxyCommand=x"},
                "web4": {"ansible_host": "{{ x }}"},
            }},
            "web": {"hosts": ["web1", "web2", "web3", "web4", "web5"]},
            "idle": {"hosts": []},
        });
        let inventory = Inventory::parse(json.to_string().as_bytes()).unwrap();
        [("h.yml".parse().unwrap(), inventory)].into()
    }

    #[test]
    fn openssh_is_asked_about_addresses_and_never_about_options_or_templates() {
        assert_eq!(addresses(&read()), ["10.0.0.1", "fd00::2", "web3", "web4", "web5"]);
        assert_eq!(counted(&read()).says, "1 read, 5 hosts");
    }

    #[test]
    fn a_group_that_is_not_there_or_empty_is_named() {
        let says = |group: &str| {
            let text = format!(
                "playbooks: {{a: {{playbook: {{shipped: disk_usage}}, reads: true, inventory: h.yml, groups: [{group}]}}}}"
            );
            let playbooks = Playbooks::parse("playbooks.yaml", &text).unwrap().playbooks;
            playbooks.values().try_for_each(|one| groups(one, &read()[&one.inventory]))
        };
        assert_eq!(says("web"), Ok(()));
        assert_eq!(says("db"), Err("h.yml: the inventory has no group db".to_owned()));
        assert_eq!(says("idle"), Err("h.yml: group idle has no hosts".to_owned()));
    }

    #[tokio::test]
    async fn without_ssh_nothing_is_said_of_keys() {
        assert!(matches!(openssh(None).state, State::Missing(_)));
        assert_eq!(keys(None, &["a".to_owned()]).await.state, State::NotLookedAt);
    }
}
