//! The hosts of an inventory, as `ansible-inventory --list` tells them, evaluated once: from then on there are exactly these,
//! and what Ansible is given names exactly those of one batch.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::host_keys;
use crate::names::{GroupName, HostName};
use crate::vars::unsafe_texts;

/// More hosts than anybody should touch at once, and more than a plan could show.
const MOST_HOSTS: usize = 10_000;
/// Groups in groups.
const DEPTH: usize = 32;

/// An inventory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inventory {
    /// Every host with its variables, those of its groups among them. Secrets may be in there.
    hosts: BTreeMap<HostName, Map<String, Value>>,
    /// The hosts of every group, those of the groups in it among them, in the order of the inventory.
    groups: BTreeMap<GroupName, Vec<HostName>>,
}

/// Why an inventory cannot be used. No text of it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is not what `ansible-inventory --list` writes.
    #[error("the inventory is not in the form that is known")]
    Shape,
    /// A host or group whose name could be read as a pattern, an option or a template.
    #[error("a host or group of the inventory has a name that may not be used")]
    Name,
    /// A value that only a vault password opens.
    #[error("the inventory holds values that are encrypted with a vault")]
    Vault,
    /// A variable that is ours.
    #[error("the inventory sets variables whose names begin with `runcord_`")]
    Ours,
    /// A template that runs something where Ansible runs.
    #[error("the inventory holds a template with a lookup in it, which may run programs where Ansible runs")]
    Lookup,
    /// What says how a host is reached, from somewhere that nobody reviewed.
    #[error("what the inventory asks sets more of how hosts are reached than their address, port and user")]
    Connection,
    /// What has hosts' keys taken unseen: anybody could stand in for a host.
    #[error("the inventory turns off the check of hosts' keys")]
    HostKeys,
    /// Too many hosts, or groups that contain each other.
    #[error("the inventory has too many hosts, or groups that contain each other")]
    TooLarge,
}

/// Why no hosts were chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoHosts {
    /// There is no such group.
    #[error("the inventory has no group {0}")]
    NoGroup(GroupName),
    /// It has no hosts.
    #[error("group {0} has no hosts")]
    Empty(GroupName),
    /// A host that is named is not in the group.
    #[error("host {0} is not in group {1}")]
    NotIn(HostName, GroupName),
    /// An empty list of hosts would mean all of them to Ansible.
    #[error("no host is named")]
    NoneNamed,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    children: Vec<String>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    hostvars: BTreeMap<String, Map<String, Value>>,
}

impl Inventory {
    /// Reads what `ansible-inventory --list` writes.
    ///
    /// # Errors
    /// It is not that, or names or holds what may not be.
    pub fn parse(json: &[u8]) -> Result<Self, Unusable> {
        let mut all: BTreeMap<String, Value> = serde_json::from_slice(json).map_err(|_| Unusable::Shape)?;
        let meta: Meta = all.remove("_meta").map_or(Ok(Meta { hostvars: BTreeMap::new() }), shaped)?;
        for (name, value) in meta.hostvars.values().flatten() {
            if is_encrypted(value) {
                return Err(Unusable::Vault);
            } else if name.starts_with("runcord_") {
                return Err(Unusable::Ours);
            } else if looks_up(value) {
                return Err(Unusable::Lookup);
            }
        }
        if meta.hostvars.values().any(host_keys::turned_off) {
            return Err(Unusable::HostKeys);
        }
        let groups: BTreeMap<String, Group> =
            all.into_iter().map(|(name, group)| Ok((name, shaped(group)?))).collect::<Result<_, _>>()?;
        let mut variables = meta.hostvars;
        let mut inventory = Self::default();
        for name in groups.keys().filter(|name| *name != UNGROUPED) {
            let mut members = Vec::new();
            gather(&groups, name, 0, &mut members)?;
            let mut seen = BTreeSet::new();
            let members: Vec<HostName> = members
                .into_iter()
                .filter(|host| seen.insert(*host))
                .map(|host| host.parse().map_err(|_| Unusable::Name))
                .collect::<Result<_, _>>()?;
            for host in &members {
                let of_host = variables.remove(host.as_str()).unwrap_or_default();
                inventory.hosts.entry(host.clone()).or_insert(of_host);
            }
            inventory.groups.insert(name.parse().map_err(|_| Unusable::Name)?, members);
        }
        if inventory.hosts.len() > MOST_HOSTS { Err(Unusable::TooLarge) } else { Ok(inventory) }
    }

    /// The same inventory where its values come from somewhere that nobody reviewed, such as the tags of a cloud: every text is
    /// marked as unsafe, so that nothing in it is a template.
    ///
    /// # Errors
    /// It says more of how hosts are reached than it may: some of that is run as a program here.
    pub fn distrusted(mut self) -> Result<Self, Unusable> {
        const REACHES: [&str; 3] = ["ansible_host", "ansible_port", "ansible_user"];
        for variables in self.hosts.values_mut() {
            for (name, value) in variables {
                if name.starts_with("ansible_") && !REACHES.contains(&name.as_str()) {
                    return Err(Unusable::Connection);
                }
                *value = unsafe_texts(value);
            }
        }
        Ok(self)
    }

    /// The exact hosts of a step, never none, in the order of the inventory.
    ///
    /// # Errors
    /// There are none, or one that is named is not in the group.
    pub fn choose(
        &self,
        group: &GroupName,
        named: Option<&BTreeSet<HostName>>,
    ) -> Result<Vec<HostName>, NoHosts> {
        let members = self.groups.get(group).ok_or_else(|| NoHosts::NoGroup(group.clone()))?;
        let Some(named) = named else {
            return if members.is_empty() { Err(NoHosts::Empty(group.clone())) } else { Ok(members.clone()) };
        };
        if let Some(other) = named.iter().find(|host| !members.contains(host)) {
            return Err(NoHosts::NotIn(other.clone(), group.clone()));
        }
        if named.is_empty() {
            return Err(NoHosts::NoneNamed);
        }
        Ok(members.iter().filter(|host| named.contains(host)).cloned().collect())
    }

    /// The values of these hosts' variables, and of fields in them, whose names say that they are credentials.
    pub fn credentials(&self, hosts: &[HostName]) -> Vec<String> {
        let variables = hosts.iter().filter_map(|host| self.hosts.get(host)).flatten();
        let mut found = Vec::new();
        variables.for_each(|(name, value)| credentials(name, value, &mut found));
        found
    }

    /// How many hosts each of these groups has, and how many of `hosts` are in it.
    pub fn shares(&self, groups: &BTreeSet<GroupName>, hosts: &[HostName]) -> BTreeMap<GroupName, Share> {
        let share = |group: &GroupName| {
            let members = self.groups.get(group)?;
            let touched = members.iter().filter(|member| hosts.contains(member)).count();
            Some((group.clone(), Share { touched, of: members.len() }))
        };
        groups.iter().filter_map(share).collect()
    }

    /// Every host with its variables. Secrets may be in there.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = (&HostName, &Map<String, Value>)> {
        self.hosts.iter()
    }

    /// An inventory of exactly these hosts, for the `yaml` plugin (JSON is YAML): with their variables, and with the groups
    /// that they are in. What is in it may be secret.
    pub fn of_hosts(&self, hosts: &[HostName]) -> Value {
        let variables: Map<String, Value> = hosts
            .iter()
            .map(|host| (host.to_string(), Value::Object(self.hosts.get(host).cloned().unwrap_or_default())))
            .collect();
        let mut children = Map::new();
        for (group, members) in self.groups.iter().filter(|(group, _)| group.as_str() != ALL) {
            let here: Map<String, Value> = members
                .iter()
                .filter(|member| hosts.contains(member))
                .map(|member| (member.to_string(), json!({})))
                .collect();
            if !here.is_empty() {
                children.insert(group.to_string(), json!({"hosts": here}));
            }
        }
        json!({"all": {"hosts": variables, "children": children}})
    }
}

/// How many hosts of a group are touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Share {
    /// So many.
    pub touched: usize,
    /// Of so many.
    pub of: usize,
}

const ALL: &str = "all";
const UNGROUPED: &str = "ungrouped";

fn shaped<T: for<'d> Deserialize<'d>>(value: Value) -> Result<T, Unusable> {
    serde_json::from_value(value).map_err(|_| Unusable::Shape)
}

/// Its own hosts first, then those of the groups in it, as Ansible orders them.
fn gather<'g>(
    groups: &'g BTreeMap<String, Group>,
    name: &str,
    depth: usize,
    members: &mut Vec<&'g str>,
) -> Result<(), Unusable> {
    if depth > DEPTH {
        return Err(Unusable::TooLarge);
    }
    // A group that only its parent names has no hosts of its own.
    let Some(group) = groups.get(name) else { return Ok(()) };
    members.extend(group.hosts.iter().map(String::as_str));
    if members.len() > MOST_HOSTS * DEPTH {
        return Err(Unusable::TooLarge);
    }
    group.children.iter().try_for_each(|child| gather(groups, child, depth + 1, members))
}

/// What is secret in a value of this name.
fn credentials(name: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        _ if names_credential(name) => texts(value, found),
        Value::Object(fields) => fields.iter().for_each(|(name, field)| credentials(name, field, found)),
        Value::Array(items) => items.iter().for_each(|item| credentials("", item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The name of a file that holds a credential, or of a key that everybody may know, names none.
fn names_credential(name: &str) -> bool {
    const WORDS: [&str; 17] = [
        "pass",
        "password",
        "passwords",
        "passphrase",
        "passcode",
        "passwd",
        "pwd",
        "secret",
        "secrets",
        "token",
        "tokens",
        "credential",
        "credentials",
        "key",
        "keys",
        "apikey",
        "auth",
    ];
    const NONE: [&str; 7] = ["file", "files", "path", "dir", "public", "pub", "authorized"];
    let name = name.to_ascii_lowercase();
    let words = || name.split(['_', '-', '.']);
    words().any(|word| WORDS.contains(&word)) && !words().any(|word| NONE.contains(&word))
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a text in it is a template that names what looks up.
fn looks_up(value: &Value) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match value {
        Value::Object(fields) if fields.contains_key("__ansible_unsafe") => false,
        Value::Object(fields) => fields.values().any(looks_up),
        Value::Array(items) => items.iter().any(looks_up),
        Value::String(text) => {
            (text.contains("{{") || text.contains("{%"))
                && text.split(|c| !is_word(c)).any(|word| matches!(word, "lookup" | "query" | "q"))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_encrypted(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.contains_key("__ansible_vault") || map.values().any(is_encrypted),
        Value::Array(items) => items.iter().any(is_encrypted),
        Value::String(text) => text.starts_with("$ANSIBLE_VAULT;"),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Inventory {
        let json = json!({
            "_meta": {"hostvars": {"web1": {"ansible_host": "10.0.0.1", "x": "{{ y }}"}, "web2": {}, "db1": {}}},
            "all": {"children": ["ungrouped", "web", "db"]},
            "ungrouped": {"hosts": []},
            "web": {"hosts": ["web2", "web1"], "children": ["spare"]},
            "db": {"hosts": ["db1"]},
        });
        Inventory::parse(json.to_string().as_bytes()).unwrap()
    }

    fn hosts(names: &[&str]) -> BTreeSet<HostName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn group(name: &str) -> GroupName {
        name.parse().unwrap()
    }

    fn names(hosts: &[HostName]) -> Vec<&str> {
        hosts.iter().map(HostName::as_str).collect()
    }

    #[test]
    fn hosts_are_chosen_in_the_order_of_the_inventory_and_never_none() {
        let inventory = sample();
        let choose = |name: &str, of: Option<&[&str]>| inventory.choose(&group(name), of.map(hosts).as_ref());
        assert_eq!(names(&choose("web", None).unwrap()), ["web2", "web1"]);
        assert_eq!(names(&choose("web", Some(&["web1", "web2"])).unwrap()), ["web2", "web1"]);
        assert_eq!(names(&choose("all", None).unwrap()), ["web2", "web1", "db1"]);
        assert_eq!(choose("web", Some(&[])), Err(NoHosts::NoneNamed), "it would mean all to Ansible");
        assert_eq!(
            choose("web", Some(&["web1", "db1"])),
            Err(NoHosts::NotIn("db1".parse().unwrap(), group("web")))
        );
        assert_eq!(choose("spare", None), Err(NoHosts::NoGroup(group("spare"))));
    }

    #[test]
    fn what_ansible_is_given_names_exactly_these_hosts() {
        let given = sample().of_hosts(&["web1".parse().unwrap()]);
        assert_eq!(
            given,
            json!({"all": {
                "hosts": {"web1": {"ansible_host": "10.0.0.1", "x": "{{ y }}"}},
                "children": {"web": {"hosts": {"web1": {}}}},
            }})
        );
    }

    #[test]
    fn credentials_are_known_by_the_names_of_their_variables() {
        let json = json!({
            "_meta": {"hostvars": {
                "a": {"ansible_become_pass": "one", "db_password": {"x": ["two"]}, "compass": "no"},
                "b": {"api_token": "three"},
            }},
            "web": {"hosts": ["a", "b"]},
        });
        let inventory = Inventory::parse(json.to_string().as_bytes()).unwrap();
        assert_eq!(inventory.credentials(&["a".parse().unwrap()]), ["one", "two"]);
        let of = |variables: Value| {
            let json = json!({"_meta": {"hostvars": {"a": variables}}, "web": {"hosts": ["a"]}});
            Inventory::parse(json.to_string().as_bytes()).unwrap().credentials(&["a".parse().unwrap()])
        };
        let nested = json!({"db": {"host": "no", "logins": [{"user": "no", "password": "three"}]}});
        assert_eq!(of(nested), ["three"]);
        assert_eq!(of(json!({"api_key": "four", "vault_keys": ["five"]})), ["four", "five"]);
        let known =
            json!({"ansible_ssh_private_key_file": "/k", "public_key": "ssh-ed25519", "authorized_keys": []});
        assert_eq!(of(known), [""; 0]);
    }

    #[test]
    fn shares_are_counted_of_whole_groups() {
        let inventory = sample();
        let shares =
            inventory.shares(&[group("web"), group("db"), group("none")].into(), &["web1".parse().unwrap()]);
        assert_eq!(shares[&group("web")], Share { touched: 1, of: 2 });
        assert_eq!(shares[&group("db")], Share { touched: 0, of: 1 });
        assert_eq!(shares.len(), 2);
    }

    #[test]
    fn what_may_not_be_is_refused() {
        for (json, why) in [
            (json!([]), Unusable::Shape),
            (json!({"web": {"hosts": "web1"}}), Unusable::Shape),
            (json!({"_meta": {"hostvars": {"a": {"ansible_host_key_checking": false}}}}), Unusable::HostKeys),
            (json!({"web": {"hosts": ["-e x"]}}), Unusable::Name),
            (json!({"web": {"hosts": ["web[1:9]"]}}), Unusable::Name),
            (json!({"we b": {"hosts": ["web1"]}}), Unusable::Name),
            (
                json!({"_meta": {"hostvars": {"a": {"b": [{"__ansible_vault": "x"}]}}}, "web": {"hosts": ["a"]}}),
                Unusable::Vault,
            ),
            (json!({"_meta": {"hostvars": {"a": {"b": "$ANSIBLE_VAULT;1.1;AES256"}}}}), Unusable::Vault),
            (json!({"_meta": {"hostvars": {"a": {"runcord_done": true}}}}), Unusable::Ours),
            (json!({"_meta": {"hostvars": {"a": {"x": ["{{ lookup('pipe', 'id') }}"]}}}}), Unusable::Lookup),
            (
                json!({"_meta": {"hostvars": {"a": {"x": "{% if q('pipe', 'id') %}{% endif %}"}}}}),
                Unusable::Lookup,
            ),
            (json!({"a": {"children": ["b"]}, "b": {"children": ["a"]}}), Unusable::TooLarge),
        ] {
            assert_eq!(Inventory::parse(json.to_string().as_bytes()), Err(why), "{json}");
        }
    }

    #[test]
    fn what_nobody_reviewed_is_no_template_and_says_nothing_of_how_hosts_are_reached() {
        let with = |variables: Value| {
            let json = json!({"_meta": {"hostvars": {"a": variables}}, "web": {"hosts": ["a"]}});
            Inventory::parse(json.to_string().as_bytes()).unwrap().distrusted()
        };
        let given = with(json!({"ansible_host": "10.0.0.1", "tags": {"x": "{{ y }}", "n": 1}})).unwrap();
        let given = given.of_hosts(&["a".parse().unwrap()]);
        assert_eq!(
            given["all"]["hosts"]["a"],
            json!({
                "ansible_host": {"__ansible_unsafe": "10.0.0.1"},
                "tags": {"x": {"__ansible_unsafe": "{{ y }}"}, "n": 1},
            })
        );
        for name in ["ansible_connection", "ansible_ssh_common_args", "ansible_python_interpreter"] {
            assert_eq!(with(json!({name: "x"})), Err(Unusable::Connection), "{name}");
        }
    }
}
