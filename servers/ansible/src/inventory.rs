//! The hosts of an inventory, as `ansible-inventory --list` tells them, evaluated once: from then on there are exactly these,
//! and what Ansible is given names exactly those of one batch.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::names::{GroupName, HostName};

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
        if meta.hostvars.values().flat_map(Map::values).any(is_encrypted) {
            return Err(Unusable::Vault);
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

    /// How many hosts each of these groups has, and how many of `hosts` are in it.
    pub fn shares(&self, groups: &BTreeSet<GroupName>, hosts: &[HostName]) -> BTreeMap<GroupName, Share> {
        let share = |group: &GroupName| {
            let members = self.groups.get(group)?;
            let touched = members.iter().filter(|member| hosts.contains(member)).count();
            Some((group.clone(), Share { touched, of: members.len() }))
        };
        groups.iter().filter_map(share).collect()
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
            (json!({"web": {"hosts": ["-e x"]}}), Unusable::Name),
            (json!({"web": {"hosts": ["web[1:9]"]}}), Unusable::Name),
            (json!({"we b": {"hosts": ["web1"]}}), Unusable::Name),
            (
                json!({"_meta": {"hostvars": {"a": {"b": [{"__ansible_vault": "x"}]}}}, "web": {"hosts": ["a"]}}),
                Unusable::Vault,
            ),
            (json!({"_meta": {"hostvars": {"a": {"b": "$ANSIBLE_VAULT;1.1;AES256"}}}}), Unusable::Vault),
            (json!({"a": {"children": ["b"]}, "b": {"children": ["a"]}}), Unusable::TooLarge),
        ] {
            assert_eq!(Inventory::parse(json.to_string().as_bytes()), Err(why), "{json}");
        }
    }
}
