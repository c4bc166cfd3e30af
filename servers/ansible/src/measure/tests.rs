use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::draft::draft;
use crate::ran::{RanTask, Status};
use crate::samples::{
    COPY, SERVICE, back, finding, host, hosts, of_project, on_host, ran, run, seen, seen_back, seen_with,
    task, vetted_task,
};
use crate::vet::{Checked, Kind};

fn measured(seen: &Seen) -> Measured {
    let acts = draft(&seen.looks[0].action, seen).unwrap().acts;
    measure(seen, &[acts])
}

fn blast(alter: impl FnOnce(&mut Look)) -> BlastRadius {
    measured(&seen_with(alter)).blast_radius
}

fn known(count: i64) -> Measure {
    Measure::Known(count)
}

const FILE: &str = "ansible.builtin.file";
const REBOOT: &str = "ansible.builtin.reboot";

#[test]
fn hosts_shares_and_restarts_are_counted() {
    let expected = BlastRadius {
        hosts: known(4),
        hosts_percent: known(100),
        hosts_at_once_percent: known(75),
        restarts: known(4),
        ..BlastRadius::nothing()
    };
    assert_eq!(measured(&seen()).blast_radius, expected);
}

#[test]
fn the_largest_share_of_a_group_counts_rounded_up_and_never_guessed() {
    let share = |touched, of| percent(Share { touched, of });
    assert_eq!(share(0, 0), known(0));
    assert_eq!(share(1, 0), Measure::Unknown);
    assert_eq!(share(1, 3), known(34));
    assert_eq!(share(1, 300), known(1));
    assert_eq!(share(3, 3), known(100));
    assert_eq!(share(4, 3), known(100));
    let web = |touched, of| [("web".parse().unwrap(), Share { touched, of })];
    let of = |shares: BTreeMap<GroupName, Share>| {
        let radius = blast(|look| look.shares = shares);
        (radius.hosts_percent, radius.hosts_at_once_percent, radius.known)
    };
    assert_eq!(of(web(4, 30).into()), (known(14), known(10), true));
    assert_eq!(of(web(4, 0).into()), (Measure::Unknown, Measure::Unknown, false));
    assert_eq!(of(BTreeMap::new()), (Measure::Unknown, Measure::Unknown, false), "nobody counted the group");
    // One host of a small group beside: it may be in the largest batch.
    let mut both: BTreeMap<_, _> = web(4, 30).into();
    both.insert("db".parse().unwrap(), Share { touched: 1, of: 2 });
    assert_eq!(of(both), (known(50), known(50), true));
}

#[test]
fn steps_on_the_same_hosts_touch_them_once_and_others_add_up() {
    let second = |alter: &dyn Fn(&mut Look)| {
        let mut all = seen();
        let mut other = seen().looks.remove(0);
        other.id = "0".repeat(32).parse().unwrap();
        other.action = back();
        alter(&mut other);
        let one = draft(&run(), &all).unwrap().acts;
        let two = draft(&back(), &Seen { looks: vec![other.clone()] }).unwrap().acts;
        all.looks.push(other);
        measure(&all, &[one, two]).blast_radius
    };
    let same = second(&|_| {});
    assert_eq!((same.hosts, same.hosts_percent, same.restarts), (known(4), known(100), known(8)));
    let apart = second(&|look| {
        look.hosts = (5..=8).map(|i| host(&format!("web{i}"))).collect();
        look.shares.insert("web".parse().unwrap(), Share { touched: 4, of: 8 });
        look.shares.insert("all".parse().unwrap(), Share { touched: 4, of: 10 });
        for task in &mut look.checked.tasks {
            task.hosts = look.hosts.iter().map(|host| (host.clone(), on_host(Status::Changed))).collect();
        }
    });
    assert_eq!(apart.hosts, known(8));
    assert_eq!(apart.hosts_at_once_percent, known(75), "steps follow each other");
    assert_eq!(apart.hosts_percent, known(100));
}

/// The check run of these tasks, as a playbook of the project with these keys.
fn of(keys: Value, tasks: Vec<RanTask>) -> BlastRadius {
    blast(|look| {
        look.declared = of_project(keys);
        look.source = look.declared.playbook.clone();
        look.checked = ran(tasks);
        let vetted = |task: &RanTask| vetted_task(&task.name, &task.module, Checked::Wholly);
        look.vetted.tasks = look.checked.tasks.iter().map(vetted).collect();
    })
}

#[test]
fn restarts_and_reboots_are_what_is_declared_and_what_these_modules_change() {
    let undo = |more: Value| {
        let mut keys = json!({"undo": {"project": "live/back.yml"}});
        keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        keys
    };
    let app = "community.app.restart";
    let tasks = || {
        vec![
            task("Restart the app", app, Status::Changed),
            task("role : Restart the app", app, Status::Changed),
            task("Do not Restart the app", app, Status::Changed),
            task("Start", "ansible.builtin.systemd_service", Status::Ok),
            task("Load", SERVICE, Status::Changed),
            task("Reboot", REBOOT, Status::Changed),
            task("Reboot again", REBOOT, Status::Changed),
        ]
    };
    let none = of(undo(json!({})), tasks());
    assert_eq!((none.restarts, none.reboots), (known(4), known(4)), "a host is rebooted once");
    let tasks_named = of(undo(json!({"restarts": {"tasks": ["Restart the app"]}})), tasks());
    assert_eq!(tasks_named.restarts, known(12));
    let modules_named = of(undo(json!({"restarts": {"modules": [app]}})), tasks());
    assert_eq!(modules_named.restarts, known(16));
    let reboots = of(undo(json!({"reboots": {"tasks": ["Restart the app"]}})), vec![tasks().remove(0)]);
    assert_eq!((reboots.restarts, reboots.reboots), (known(0), known(4)));
    for module in ["ansible.builtin.systemd", "ansible.builtin.systemd_service", "ansible.builtin.sysvinit"] {
        assert_eq!(
            of(undo(json!({})), vec![task("Restart", module, Status::Changed)]).restarts,
            known(4),
            "{module}"
        );
    }
}

/// Check mode skips a command, and so never tells whether it would notify a handler.
#[test]
fn where_a_task_is_skipped_in_check_mode_all_that_counts_is_taken_to_run() {
    let skipped = |look: &mut Look, module: &str| {
        look.declared = of_project(json!({"irreversible": ["Drop it"]}));
        look.checked.tasks.truncate(1);
        look.checked.tasks.push(task("Copy", COPY, Status::Changed));
        look.vetted.tasks = vec![
            vetted_task("Migrate", module, Checked::Not),
            vetted_task("Load", SERVICE, Checked::Wholly),
            vetted_task("Reboot", REBOOT, Checked::Wholly),
            vetted_task("Drop it", COPY, Checked::Wholly),
        ];
    };
    let radius = blast(|look| skipped(look, "ansible.builtin.command"));
    assert_eq!((radius.restarts, radius.reboots, radius.irreversible), (known(4), known(4), known(8)));
    let waits = blast(|look| {
        skipped(look, "ansible.builtin.wait_for");
        look.vetted.findings = vec![finding(Kind::LookSkipped, 61)];
    });
    assert_eq!((waits.restarts, waits.reboots, waits.irreversible), (known(0), known(0), known(4)));
}

#[test]
fn what_no_playbook_takes_back_is_irreversible_but_for_restarts() {
    let deletes = || task("Delete", FILE, Status::Changed);
    let named = || task("Drop it", FILE, Status::Changed);
    let irreversible = |keys: Value, tasks| of(keys, tasks).irreversible;
    let undo = || json!({"undo": {"project": "live/back.yml"}});
    assert_eq!(irreversible(json!({}), vec![deletes(), deletes()]), known(4), "hosts, not tasks");
    assert_eq!(irreversible(undo(), vec![deletes()]), known(0));
    assert_eq!(irreversible(json!({}), vec![task("Load", SERVICE, Status::Changed)]), known(0));
    assert_eq!(irreversible(json!({}), vec![task("Reboot", REBOOT, Status::Changed)]), known(0));
    let declared = json!({"irreversible": ["Drop it"]});
    assert_eq!(irreversible(declared.clone(), vec![named()]), known(4), "counted once");
    assert_eq!(irreversible(declared, vec![named(), deletes()]), known(8));
    let taken_back = |look: &mut Look| {
        look.action = back();
        look.declared = of_project(json!({"undo": {"project": "live/back.yml"}}));
        look.checked = ran(vec![deletes()]);
    };
    assert_eq!(blast(taken_back).irreversible, known(0), "things are as they were");
    assert_eq!(measured(&seen()).blast_radius.irreversible, known(0), "a restart loses nothing");
}

/// Deleting old files on all hosts, with what these hosts report.
fn cleaning(reports: &[(&str, Value)]) -> Seen {
    seen_with(|look| {
        look.declared.playbook = serde_json::from_value(json!({"shipped": "clean_disk"})).unwrap();
        look.source = look.declared.playbook.clone();
        let mut delete = task("Delete the old ones", FILE, Status::Changed);
        delete.hosts.insert(host("web4"), on_host(Status::Ok));
        look.checked = ran(vec![delete]);
        look.checked.reports = reports.iter().map(|(name, report)| (host(name), report.clone())).collect();
    })
}

#[test]
fn bytes_are_summed_as_hosts_report_them_and_unknown_where_one_does_not() {
    let all = |third: Value| {
        cleaning(&[("web1", json!({"bytes": 4096})), ("web2", json!({"bytes": "1024"})), ("web3", third)])
    };
    let bytes = |seen: &Seen| measured(seen).blast_radius.bytes_deleted;
    assert_eq!(bytes(&all(json!({"bytes": 0}))), known(5120));
    assert_eq!(measured(&all(json!({"bytes": 0}))).blast_radius.irreversible, known(3));
    for odd in [
        json!({"bytes": -1}),
        json!({"bytes": 1.5}),
        json!({"bytes": ""}),
        json!({"bytes": "1e9"}),
        json!({"bytes": "-1"}),
        json!({"bytes": "99999999999999999999"}),
        json!({"bytes": i64::MAX}),
        json!({"bytes": null}),
        json!({"bytes": true}),
        json!({"files": []}),
        json!("bytes"),
    ] {
        assert_eq!(bytes(&all(odd.clone())), Measure::Unknown, "{odd}");
    }
    assert_eq!(bytes(&cleaning(&[])), Measure::Unknown, "it always reports");
    assert!(!measured(&cleaning(&[])).blast_radius.known);
    // What reports no bytes at all deletes none that anybody could count.
    assert_eq!(bytes(&seen()), known(0));
    let one = seen_with(|look| look.checked.reports = [(host("web1"), json!({"bytes": 7}))].into());
    assert_eq!(bytes(&one), Measure::Unknown, "where one host reports, all have to");
}

#[test]
fn a_look_that_is_not_there_is_unknown() {
    let acts = draft(&run(), &seen()).unwrap().acts;
    let measured = measure(&Seen::default(), &[acts]);
    let radius = &measured.blast_radius;
    assert!(!radius.known);
    for measure in [
        radius.hosts,
        radius.hosts_percent,
        radius.hosts_at_once_percent,
        radius.restarts,
        radius.reboots,
        radius.bytes_deleted,
        radius.irreversible,
    ] {
        assert_eq!(measure, Measure::Unknown);
    }
    assert!(measured.diff.is_empty());
    assert_eq!(measured.coverage.undetermined, ["what would be run: it was not looked at"]);
    assert_eq!(measured.remarks, ["What would be run was not looked at."]);
}

#[test]
fn coverage_says_first_how_much_was_truly_checked_and_then_what_cannot_be() {
    let all = seen_with(|look| {
        look.vetted.tasks.push(vetted_task("Wait", "ansible.builtin.wait_for", Checked::Not));
        look.vetted.findings = vec![finding(Kind::LookSkipped, 61), finding(Kind::ChangedWhen, 70)];
    });
    let coverage = measured(&all).coverage;
    assert_eq!(
        coverage.checked,
        [
            "restart_web: 2 of 3 tasks truly checked (66 %), by ansible-core 2.19.4 on each of 4 hosts",
            "restart_service.yml:61: Look which services there are (ansible.builtin.service_facts): check mode",
            "restart_service.yml:61: Restart the service (ansible.builtin.service): check mode",
        ]
    );
    let undetermined = coverage.undetermined;
    assert_eq!(
        undetermined[0],
        "restart_service.yml:61: Wait (ansible.builtin.wait_for): skipped in check mode"
    );
    assert!(undetermined[2].starts_with("restart_service.yml:70: says by itself when it has changed"));
    let last = undetermined[3..].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(
        last,
        [
            "what becomes of a task when the connection is lost or this side ends: once begun on a host, it goes on there",
            "whether what is restarted comes back: check mode stops and starts nothing",
        ]
    );
    let copies = seen_with(|look| look.checked = ran(vec![task("Copy", COPY, Status::Changed)]));
    let undetermined = measured(&copies).coverage.undetermined;
    assert!(!undetermined.iter().any(|line| line.contains("comes back")), "nothing is restarted");
}

#[test]
fn a_doubt_that_was_let_through_is_said() {
    let all = seen_with(|look| {
        look.declared = of_project(json!({"allows": [{"kind": "command"}]}));
        look.vetted.findings = vec![finding(Kind::Command, 40)];
    });
    let undetermined = measured(&all).coverage.undetermined;
    assert!(
        undetermined.iter().any(|line| line.starts_with("restart_service.yml:40: a command")),
        "{undetermined:?}"
    );
}

#[test]
fn scopes_are_the_playbook_and_the_group() {
    let scopes = measured(&seen()).scopes;
    assert_eq!(scopes.playbooks.into_iter().collect::<Vec<_>>(), ["restart_web"]);
    assert_eq!(scopes.groups.into_iter().collect::<Vec<_>>(), ["web"]);
}

#[test]
fn the_gravest_is_said_first() {
    let mut all = cleaning(&["web1", "web2", "web3", "web4"].map(|host| (host, json!({"bytes": 750}))));
    all.looks[0].checked.tasks.push(task("Load", SERVICE, Status::Changed));
    all.looks[0].checked.tasks.push(task("Reboot", REBOOT, Status::Changed));
    all.looks[0].vetted.tasks.push(vetted_task("Wait", "ansible.builtin.wait_for", Checked::InPart));
    assert_eq!(
        measured(&all).remarks,
        [
            "3000 bytes are deleted.",
            "4 hosts are rebooted.",
            "4 services are restarted.",
            "web1 first, then 3 more in 1 batch of 3; a batch begins only where the one before is verified.",
            "4 of 4 hosts of web, 4 of 10 hosts of all.",
            "There is no way back.",
            "Not wholly checked by check mode: 1 of 3 tasks.",
        ]
    );
}

#[test]
fn batches_are_said_as_they_follow() {
    let said = |alter: &dyn Fn(&mut Look)| {
        let all = seen_with(|look| alter(look));
        let remarks = measured(&all).remarks;
        remarks.into_iter().find(|remark| remark.contains("web1")).unwrap()
    };
    let sized = |sizes: Value| said(&|look| look.declared = of_project(json!({"batches": sizes})));
    assert_eq!(sized(json!([4])), "All at once: web1, web2, web3, web4.");
    let says = "web1 first, then 3 more in 2 batches of at most 2; a batch begins only where the one before is verified.";
    assert_eq!(sized(json!([1, 2])), says);
    let one = said(&|look| {
        look.hosts.truncate(1);
        look.checked.tasks.iter_mut().for_each(|task| task.hosts.retain(|host, _| host.as_str() == "web1"));
    });
    assert_eq!(one, "One host: web1.");
}

#[test]
fn a_way_back_says_that_nothing_verifies_it() {
    let remarks = measured(&seen_back()).remarks;
    assert!(
        remarks.iter().any(|remark| remark.ends_with("only where the one before is done.")),
        "{remarks:?}"
    );
    assert!(remarks.last().unwrap().starts_with("Nothing asserts afterwards"), "{remarks:?}");
    assert!(!remarks.iter().any(|remark| remark.contains("no way back")), "it is one");
}

#[test]
fn tasks_that_are_declared_to_last_are_said_where_the_rest_is_taken_back() {
    let all = seen_with(|look| {
        look.declared = of_project(json!({"undo": {"project": "live/b.yml"}}));
        look.declared.irreversible = ["Restart the service".parse().unwrap()].into();
    });
    let says = "4 tasks cannot be taken back, summed over the hosts.".to_owned();
    assert!(measured(&all).remarks.contains(&says), "{:?}", measured(&all).remarks);
}

#[test]
fn many_groups_are_not_all_named() {
    let all = seen_with(|look| {
        look.shares.extend((0..9).map(|i| (format!("g{i}").parse().unwrap(), Share { touched: 1, of: 9 })));
        look.shares.insert("none".parse().unwrap(), Share { touched: 0, of: 9 });
    });
    let says = "4 of 4 hosts of web, 4 of 10 hosts of all, 1 of 9 hosts of g0, 1 of 9 hosts of g1, 1 of 9 hosts of g2, \
                and hosts of 6 more groups.";
    assert!(measured(&all).remarks.contains(&says.to_owned()), "{:?}", measured(&all).remarks);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in names of tasks, in places and in what hosts say: what cannot be seen is never shown, and what
    /// hosts say in words of their own is said nowhere but in a difference.
    #[test]
    fn text_of_hosts_is_not_said(odd in "[ -~é]{0,20}") {
        let odd = format!("ZqXj\u{202e}{odd}");
        let all = seen_with(|look| {
            for task in &mut look.checked.tasks {
                task.name = odd.clone();
                task.place = odd.clone();
            }
            let on = look.checked.tasks[1].hosts.get_mut(&host("web1")).unwrap();
            on.message = Some(odd.clone());
            look.checked.reports = hosts().into_iter().map(|host| (host, json!({"says": odd}))).collect();
        });
        let measured = measured(&all);
        let shown = format!("{:?} {:?} {:?}", measured.remarks, measured.coverage, measured.scopes);
        prop_assert!(!shown.contains("ZqXj"), "{shown}");
        let diff = serde_json::to_string(&measured.diff).unwrap();
        prop_assert!(!diff.contains("ZqXj") && !diff.contains('\u{202e}'), "{diff}");
    }
}
