use runcord_model::Effect;

use super::*;
use crate::draft::draft;
use crate::playbooks::Source;
use crate::samples::{digest, finding, host, on_host, run, seen, seen_with, task, vetted_task};
use crate::vet::Kind;

fn effect(seen: &Seen) -> Value {
    let acts = draft(&seen.looks[0].action, seen).unwrap().acts;
    canonical(&acts, seen)
}

fn other(alter: impl FnOnce(&mut Look)) -> Value {
    effect(&seen_with(alter))
}

fn places(now: Value) -> Vec<String> {
    let planned = Effect { equal: effect(&seen()) };
    planned.differences(&Effect { equal: now }).into_iter().map(|(at, ..)| at).collect()
}

#[test]
fn nothing_that_was_approved_changes_unnoticed() {
    let was = effect(&seen());
    assert_eq!(was, effect(&seen()));
    let pins = |look: &mut Look, version: &str| {
        let packages = [("packages".parse().unwrap(), vec![format!("nginx={version}")])];
        look.pinned = [(host("web1"), packages.into())].into();
    };
    let others = [
        other(|look| look.rests_on.content = digest(9)),
        other(|look| look.rests_on.inventory = "hmac-sha256:9".into()),
        other(|look| look.rests_on.version = "ansible-core 2.19.5".into()),
        other(|look| look.source = Source::Project("live/other.yml".parse().unwrap())),
        other(|look| look.verify = None),
        other(|look| look.declared.environment = ["TOKEN".to_owned()].into()),
        other(|look| look.declared.batches.truncate(1)),
        other(|look| look.given = [("service".parse().unwrap(), json!("haproxy"))].into()),
        other(|look| pins(look, "1.2")),
        other(|look| look.hosts.swap(0, 1)),
        other(|look| {
            look.hosts.pop();
            for task in &mut look.checked.tasks {
                task.hosts.remove(&host("web4"));
            }
        }),
        other(|look| look.vetted.findings = vec![finding(Kind::ChangedWhen, 7)]),
        other(|look| look.vetted.tasks[0].checked = Checked::InPart),
        other(|look| drop(look.vetted.tasks.pop())),
        other(|look| look.checked.tasks[0].name = "Look".into()),
        other(|look| look.checked.tasks[0].place = "restart_service.yml:62".into()),
        other(|look| look.checked.tasks[1].name = "Restart".into()),
        other(|look| look.checked.tasks[1].place = "restart_service.yml:62".into()),
        other(|look| {
            look.checked.tasks[1].hosts.get_mut(&host("web2")).unwrap().fingerprint = "hmac-sha256:0".into();
        }),
        other(|look| {
            look.checked.tasks[1].hosts.get_mut(&host("web2")).unwrap().status = Status::Ignored;
        }),
        other(|look| {
            look.checked.tasks[1].hosts.insert(host("web2"), on_host(Status::Ok));
        }),
        other(|look| {
            look.checked.tasks[0].hosts.insert(host("web2"), on_host(Status::Skipped));
        }),
        other(|look| {
            look.checked.tasks[0].hosts.get_mut(&host("web2")).unwrap().fingerprint = "hmac-sha256:0".into();
        }),
        other(|look| look.checked.tasks.push(task("Load", "ansible.builtin.service", Status::Changed))),
        other(|look| look.checked.tasks.push(task("Look", "ansible.builtin.stat", Status::Ok))),
    ];
    for (i, other) in others.iter().enumerate() {
        assert_ne!(other, &was, "{i}");
        assert!(!others[..i].contains(other), "{i} is told apart");
    }
    assert_ne!(other(|look| pins(look, "1.2")), other(|look| pins(look, "1.3")));
}

#[test]
fn what_may_differ_is_left_out() {
    let was = effect(&seen());
    assert_eq!(other(|look| look.id = "0".repeat(32).parse().unwrap()), was);
    assert_eq!(other(|look| look.at += 60), was);
    assert_eq!(other(|look| look.shares.clear()), was, "a group that grew: the share may only be smaller");
}

#[test]
fn a_difference_names_host_and_task() {
    let now = other(|look| {
        look.checked.tasks[1].hosts.get_mut(&host("web2")).unwrap().fingerprint = "hmac-sha256:0".into();
    });
    assert_eq!(places(now), ["/checked/web2/changing/restart_service.yml:61 Restart the service/0"]);
    let now = other(|look| {
        look.checked.tasks[0].hosts.insert(host("web3"), on_host(Status::Skipped));
    });
    assert_eq!(places(now), ["/checked/web3/rest"]);
    let now = other(|look| look.vetted.findings = vec![finding(Kind::ChangedWhen, 7)]);
    assert_eq!(places(now), ["/vetted/findings/restart_service.yml:7"]);
    let now = other(|look| {
        look.vetted.tasks[0].checked = Checked::Not;
        look.vetted.findings = vec![finding(Kind::LookSkipped, 61)];
    });
    let first = "/vetted/not_wholly_checked/restart_service.yml:61 Look which services there are";
    assert_eq!(places(now).last().unwrap(), first);
}

#[test]
fn an_act_without_its_look_is_never_equal_to_one_with_it() {
    let acts = draft(&run(), &seen()).unwrap().acts;
    assert_ne!(canonical(&acts, &Seen::default()), effect(&seen()));
    assert_eq!(canonical(&acts, &Seen::default()), json!({"look": null}));
    assert_eq!(canonical(&[], &seen()), json!([]));
}

/// 200 hosts and 20 tasks that change on all of them: what is compared stays small enough to be kept and read.
#[test]
fn many_hosts_are_compared_in_little_room() {
    let many: Vec<HostName> = (0..200).map(|i| host(&format!("web{i}"))).collect();
    let all = seen_with(|look| {
        look.hosts = many.clone();
        look.checked.tasks = (0..20)
            .map(|i| {
                let mut task = task(&format!("Task {i}"), "ansible.builtin.copy", Status::Changed);
                let mut on = on_host(Status::Changed);
                on.fingerprint = format!("hmac-sha256:{}", "0f".repeat(32));
                task.hosts = many.iter().map(|host| (host.clone(), on.clone())).collect();
                task
            })
            .collect();
        look.vetted.tasks = (0..20)
            .map(|i| vetted_task(&format!("Task {i}"), "ansible.builtin.copy", Checked::Wholly))
            .collect();
    });
    let written = effect(&all).to_string();
    assert!(written.len() < 450_000, "{}", written.len());
    assert!(written.contains(&format!("\"changed {}\"", "0f".repeat(16))));
    assert_eq!(effect(&all)["batches"][1].as_array().unwrap().len(), 3);
}
