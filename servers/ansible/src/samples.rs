//! Hand-made observations for tests: a group `web` of four hosts, and a service that is restarted on them.

use std::collections::{BTreeMap, BTreeSet};

use runcord_model::Digest;
use serde_json::json;

use crate::actions::{Action, Play, TakeBack};
use crate::inventory::Share;
use crate::names::HostName;
use crate::playbooks::Playbook;
use crate::ran::{Difference, OnHost, Ran, RanTask, Status};
use crate::seen::{Batch, Ended, HostStanding, How, Look, RestsOn, Seen, Standing, Verified};
use crate::vet::{Checked, Finding, Kind, Part, Task, Vetted};

pub(crate) const SERVICE: &str = "ansible.builtin.service";
pub(crate) const COPY: &str = "ansible.builtin.copy";

pub(crate) fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

/// `web1` to `web4`.
pub(crate) fn hosts() -> Vec<HostName> {
    (1..=4).map(|i| host(&format!("web{i}"))).collect()
}

/// One host first, then three.
pub(crate) fn declared() -> Playbook {
    serde_json::from_value(json!({
        "playbook": {"shipped": "restart_service"},
        "inventory": "hosts.yml",
        "groups": ["web", "all"],
        "variables": {"service": {"enum": ["nginx"]}},
        "batches": [1, 3],
    }))
    .unwrap()
}

/// The same playbook as one of the project, with these keys set otherwise.
pub(crate) fn of_project(keys: serde_json::Value) -> Playbook {
    let mut declared = serde_json::to_value(declared()).unwrap();
    declared["playbook"] = json!({"project": "live/app.yml"});
    declared["verify"] = json!({"project": "live/app.verify.yml"});
    for (key, value) in keys.as_object().unwrap() {
        declared[key] = value.clone();
    }
    serde_json::from_value(declared).unwrap()
}

pub(crate) fn run() -> Action {
    let play: Play = serde_json::from_value(json!({
        "playbook": "restart_web", "group": "web", "variables": {"service": "nginx"},
    }))
    .unwrap();
    Action::RunPlaybook(play)
}

pub(crate) fn back() -> Action {
    let back: TakeBack = serde_json::from_value(json!({
        "playbook": "restart_web", "group": "web", "look": "0".repeat(32),
    }))
    .unwrap();
    Action::TakeBack(back)
}

pub(crate) fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

pub(crate) fn on_host(status: Status) -> OnHost {
    let shown = match status {
        Status::Changed => vec![Difference {
            before_header: String::new(),
            before: "workers 2\n".into(),
            after: "workers 4\n".into(),
            prepared: String::new(),
        }],
        Status::Begun
        | Status::Ok
        | Status::Skipped
        | Status::Failed
        | Status::Ignored
        | Status::Unreachable => Vec::new(),
    };
    let fingerprint = format!("hmac-sha256:{status:?}");
    OnHost { status, fingerprint, shown, message: None }
}

/// A task that came to the same on all four hosts.
pub(crate) fn task(name: &str, module: &str, status: Status) -> RanTask {
    RanTask {
        name: name.into(),
        place: "restart_service.yml:61".into(),
        module: module.into(),
        check: true,
        hosts: hosts().into_iter().map(|host| (host, on_host(status))).collect(),
    }
}

pub(crate) fn ran(tasks: Vec<RanTask>) -> Ran {
    Ran { tasks, ended: true, reports: BTreeMap::new() }
}

/// A task as it was vetted.
pub(crate) fn vetted_task(name: &str, module: &str, checked: Checked) -> Task {
    Task {
        play: "Restart a service".into(),
        file: "restart_service.yml".into(),
        line: 61,
        name: name.into(),
        module: module.parse().unwrap(),
        part: Part::Task,
        checked,
    }
}

pub(crate) fn finding(kind: Kind, line: u32) -> Finding {
    Finding { file: "restart_service.yml".into(), line, kind, task: Some("Restart".into()), about: None }
}

/// What was seen for restarting a service on all four hosts.
pub(crate) fn look() -> Look {
    Look {
        action: run(),
        id: "5e".repeat(16).parse().unwrap(),
        declared: declared(),
        source: declared().playbook,
        verify: declared().verification(),
        rests_on: RestsOn {
            content: digest(1),
            inventory: "hmac-sha256:1".into(),
            version: "ansible-core 2.19.4".into(),
        },
        hosts: hosts(),
        shares: [
            ("web".parse().unwrap(), Share { touched: 4, of: 4 }),
            ("all".parse().unwrap(), Share { touched: 4, of: 10 }),
        ]
        .into(),
        given: [("service".parse().unwrap(), json!("nginx"))].into(),
        pinned: BTreeMap::new(),
        at: 1_764_000_000,
        vetted: Vetted {
            tasks: vec![
                vetted_task(
                    "Look which services there are",
                    "ansible.builtin.service_facts",
                    Checked::Wholly,
                ),
                vetted_task("Restart the service", SERVICE, Checked::Wholly),
            ],
            findings: vec![],
        },
        checked: ran(vec![
            task("Look which services there are", "ansible.builtin.service_facts", Status::Ok),
            task("Restart the service", SERVICE, Status::Changed),
        ]),
        standing: Standing::default(),
    }
}

pub(crate) fn seen_with(alter: impl FnOnce(&mut Look)) -> Seen {
    let mut look = look();
    alter(&mut look);
    Seen { looks: vec![look] }
}

pub(crate) fn seen() -> Seen {
    seen_with(|_| {})
}

/// What was seen for taking it back on the first two hosts.
pub(crate) fn seen_back() -> Seen {
    seen_with(|look| {
        look.action = back();
        look.verify = None;
        look.hosts.truncate(2);
        for task in &mut look.checked.tasks {
            task.hosts.retain(|host, _| ["web1", "web2"].contains(&host.as_str()));
        }
    })
}

/// How a batch stands.
pub(crate) fn batch(ended: Ended, hosts: &[(&str, How)]) -> Batch {
    let hosts = hosts.iter().map(|(name, how)| {
        let changed = u32::from(matches!(how, How::Done));
        (host(name), HostStanding { changed, how: how.clone() })
    });
    Batch { ended, hosts: hosts.collect() }
}

pub(crate) fn verified(hosts: &[(&str, Verified)]) -> BTreeMap<HostName, Verified> {
    hosts.iter().map(|(name, verified)| (host(name), *verified)).collect()
}

pub(crate) fn names(hosts: &[&str]) -> BTreeSet<HostName> {
    hosts.iter().map(|name| host(name)).collect()
}
