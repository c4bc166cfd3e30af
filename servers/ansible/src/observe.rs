//! What CEL in a runbook sees: the documented shape of the observation.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::names::HostName;
use crate::ran::Status;
use crate::seen::{Look, Seen, Verified};

/// The observation. A runbook may name the variables that its actions observe.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Observation {
    /// What the runbook runs.
    pub run: RunView,
    /// What the check run found, before anything was done.
    pub checked: CheckedView,
    /// What verifying said of the hosts.
    pub verified: VerifiedView,
    /// Every host, in the order in which they are run on.
    pub hosts: Vec<HostView>,
}

/// What is run.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct RunView {
    /// What this run is kept under, for `take_back`; empty where nothing takes it back.
    pub look: String,
    /// How many hosts it runs on.
    pub hosts: i64,
    /// In so many batches.
    pub batches: i64,
}

/// What the check run found.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct CheckedView {
    /// Hosts on which something would change.
    pub changed: i64,
    /// Hosts on which a task failed.
    pub failed: i64,
    /// Hosts that did not answer.
    pub unreachable: i64,
    /// How many of the tasks check mode checks wholly, in percent.
    pub percent: i64,
}

/// What verifying said.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct VerifiedView {
    /// Hosts that are as they should be.
    pub holds: i64,
    /// Hosts that are not.
    pub fails: i64,
    /// Hosts that did not answer, or could not be asked.
    pub unknown: i64,
}

/// One host.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct HostView {
    /// As the inventory names it.
    pub name: HostName,
    /// How many tasks would change something on it.
    pub changed: i64,
    /// What verifying said of it: `holds`, `fails`, `unknown`; empty before it was asked.
    pub verified: String,
}

/// What CEL sees of `seen`: nothing where nothing was looked at. Of several playbooks, counts are of all together, and the
/// look is that of the first.
pub(crate) fn observe(seen: &Seen) -> Value {
    let mut variables = Map::new();
    if let Some(first) = seen.looks.first() {
        variables.insert("run".to_owned(), json!(run(first, &seen.looks)));
        variables.insert("checked".to_owned(), json!(checked(&seen.looks)));
        variables.insert("verified".to_owned(), json!(verified(&seen.looks)));
        let hosts: Vec<_> = seen.looks.iter().flat_map(hosts).collect();
        variables.insert("hosts".to_owned(), json!(hosts));
    }
    Value::Object(variables)
}

fn run(first: &Look, looks: &[Look]) -> RunView {
    let look = if first.declared.way_back().is_some() { first.id.to_string() } else { String::new() };
    RunView {
        look,
        hosts: number(looks.iter().map(|look| look.hosts.len()).sum()),
        batches: number(looks.iter().map(|look| look.batches().len()).sum()),
    }
}

fn checked(looks: &[Look]) -> CheckedView {
    let count = |is: &dyn Fn(Status) -> bool| {
        number(
            looks
                .iter()
                .map(|look| look.hosts.iter().filter(|host| statuses(look, host).any(is)).count())
                .sum(),
        )
    };
    let percent = looks.iter().map(|look| look.vetted.percent_checked()).min();
    CheckedView {
        changed: count(&|status| status == Status::Changed),
        failed: count(&|status| status == Status::Failed),
        unreachable: count(&|status| status == Status::Unreachable),
        percent: number(percent.unwrap_or(0)),
    }
}

fn statuses(look: &Look, host: &HostName) -> impl Iterator<Item = Status> {
    look.checked.tasks.iter().filter_map(|task| task.hosts.get(host)).map(|on| on.status)
}

fn verified(looks: &[Look]) -> VerifiedView {
    let count = |wanted: Verified| {
        let said = |look: &Look| look.standing.verified.values().filter(|said| **said == wanted).count();
        number(looks.iter().map(said).sum())
    };
    VerifiedView {
        holds: count(Verified::Holds),
        fails: count(Verified::Fails),
        unknown: count(Verified::Unknown),
    }
}

fn hosts(look: &Look) -> Vec<HostView> {
    let view = |host: &HostName| HostView {
        name: host.clone(),
        changed: number(statuses(look, host).filter(|status| *status == Status::Changed).count()),
        verified: match look.standing.verified.get(host) {
            Some(Verified::Holds) => "holds",
            Some(Verified::Fails) => "fails",
            Some(Verified::Unknown) => "unknown",
            None => "",
        }
        .to_owned(),
    };
    look.hosts.iter().map(view).collect()
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// One of each, for the catalog.
pub(crate) fn sample() -> Value {
    json!({
        "run": {"look": "5e".repeat(16), "hosts": 2, "batches": 2},
        "checked": {"changed": 2, "failed": 0, "unreachable": 0, "percent": 80},
        "verified": {"holds": 1, "fails": 0, "unknown": 1},
        "hosts": [
            {"name": "web1", "changed": 1, "verified": "holds"},
            {"name": "web2", "changed": 1, "verified": "unknown"},
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{back, host, of_project, on_host, seen, seen_with, verified as said};

    fn fields(value: &Value) -> Vec<&String> {
        value.as_object().unwrap().keys().collect()
    }

    #[test]
    fn every_variable_has_the_fields_of_its_schema() {
        let schema = schemars::schema_for!(Observation).to_value();
        let observed = observe(&seen());
        assert_eq!(fields(&observed), fields(&schema["properties"]));
        for (name, value) in observed.as_object().unwrap() {
            let schema = &schema["properties"][name];
            let (value, schema) = match value.as_array() {
                Some(items) => (&items[0], &schema["items"]),
                None => (value, schema),
            };
            assert_eq!(fields(value), fields(&schema["properties"]), "{name}");
        }
        assert_eq!(observe(&Seen::default()), json!({}), "what was not looked at is not there");
    }

    #[test]
    fn hosts_are_counted_and_not_tasks() {
        let all = seen_with(|look| {
            look.declared.undo = Some(look.source.clone());
            let service = &mut look.checked.tasks[1].hosts;
            service.insert(host("web1"), on_host(Status::Unreachable));
            service.insert(host("web2"), on_host(Status::Failed));
            look.checked.tasks.push(look.checked.tasks[1].clone());
            look.standing.verified =
                said(&[("web1", Verified::Unknown), ("web2", Verified::Fails), ("web3", Verified::Holds)]);
        });
        let observed = observe(&all);
        assert_eq!(observed["run"], json!({"look": "5e".repeat(16), "hosts": 4, "batches": 2}));
        assert_eq!(observed["checked"], json!({"changed": 2, "failed": 1, "unreachable": 1, "percent": 100}));
        assert_eq!(observed["verified"], json!({"holds": 1, "fails": 1, "unknown": 1}));
        assert_eq!(observed["hosts"][0], json!({"name": "web1", "changed": 0, "verified": "unknown"}));
        assert_eq!(observed["hosts"][3], json!({"name": "web4", "changed": 2, "verified": ""}));
    }

    #[test]
    fn without_a_way_back_there_is_no_look_to_take_back() {
        let look = |declared| observe(&seen_with(|look| look.declared = declared))["run"]["look"].clone();
        assert_eq!(look(of_project(json!({}))), "");
        assert_eq!(look(of_project(json!({"undo": {"project": "live/back.yml"}}))), json!("5e".repeat(16)));
    }

    #[test]
    fn several_playbooks_are_counted_together() {
        let mut all = seen();
        let mut other = all.looks[0].clone();
        other.action = back();
        other.hosts.truncate(1);
        all.looks.push(other);
        let observed = observe(&all);
        assert_eq!((&observed["run"]["hosts"], &observed["run"]["batches"]), (&json!(5), &json!(3)));
        assert_eq!(observed["hosts"].as_array().unwrap().len(), 5);
    }
}
