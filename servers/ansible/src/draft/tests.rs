use serde_json::json;

use super::*;
use crate::names::LookId;
use crate::ran::RanTask;
use crate::samples::{
    COPY, back, finding, host, hosts, look as a_look, names, of_project, on_host, ran, run, seen, seen_back,
    seen_with, task, vetted_task,
};
use crate::vet::{Checked, Kind};
use runcord_model::Code;

fn refused(seen: &Seen) -> Refusal {
    let refusal = draft(&seen.looks[0].action, seen).unwrap_err();
    assert_eq!(refusal.code, Code::PreconditionFailed, "{refusal:?}");
    assert!(!refusal.next.is_empty());
    refusal
}

fn says(seen: &Seen, what: &str) -> Refusal {
    let refusal = refused(seen);
    assert!(refusal.message.contains(what), "{}", refusal.message);
    refusal
}

#[test]
fn each_batch_is_an_act_that_carries_all_that_it_rests_on() {
    let all = seen_with(|look| {
        look.pinned = hosts().into_iter().map(|host| (host, BTreeMap::new())).collect();
    });
    let draft = draft(&run(), &all).unwrap();
    assert_eq!(
        draft.summary,
        "restart_web on 4 of 4 hosts of web: web1, web2, web3, web4, in 2 batches, 1 first and 3 last"
    );
    let [first, second] = draft.acts.as_slice() else { panic!("{:?}", draft.acts) };
    assert_eq!(first.summary, "restart_web on 1 of 4 hosts of web: web1");
    assert_eq!((first.number, first.of, &first.hosts), (1, 2, &vec![host("web1")]));
    assert_eq!((second.number, second.of, &second.hosts), (2, 2, &hosts()[1..].to_vec()));
    assert_eq!((first.results, second.results), (2, 6), "tasks by hosts");
    let look = a_look();
    for act in [first, second] {
        assert_eq!((&act.action, &act.look, &act.declared), (&look.action, &look.id, &look.declared));
        assert_eq!((&act.source, &act.verify), (&look.source, &look.verify));
        assert_eq!((&act.rests_on, &act.given, act.at), (&look.rests_on, &look.given, look.at));
        assert_eq!(act.timeout, look.action.timeout());
        assert_eq!(act.pinned.keys().collect::<Vec<_>>(), act.hosts.iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_way_back_has_no_verification_and_says_that_it_is_one() {
    let draft = draft(&back(), &seen_back()).unwrap();
    assert_eq!(draft.acts[0].summary, "take back restart_web on 1 of 4 hosts of web: web1");
    assert_eq!(draft.acts[0].verify, None);
    let standing = &draft.predicted.looks[0].standing;
    assert!(standing.verified.is_empty(), "nothing verifies it");
}

#[test]
fn what_only_looks_has_no_acts() {
    let Action::RunPlaybook(play) = run() else { unreachable!() };
    let refusal = draft(&Action::ReadPlaybook(play), &seen()).unwrap_err();
    assert_eq!(refusal.code, Code::Internal);
}

#[test]
fn what_the_vetting_refuses_is_named_by_file_line_and_kind() {
    let found = |findings: Vec<Finding>| seen_with(|look| look.vetted.findings = findings);
    let refusal = says(
        &found(vec![
            finding(Kind::PartialCheckMode, 3),
            finding(Kind::Delegation, 12),
            finding(Kind::Command, 40),
        ]),
        "restart_web is refused for what stands in it: restart_service.yml:12 (delegation), restart_service.yml:40 (command)",
    );
    let details = refusal.details["findings"].as_array().unwrap();
    assert_eq!(details.len(), 2, "what is let through is no reason");
    assert!(details[0].as_str().unwrap().contains("acts on another host than the planned one"));
    let many = found((1..=9).map(|line| finding(Kind::Delegation, line)).collect());
    assert!(refused(&many).message.ends_with("restart_service.yml:5 (delegation) and 4 more"));
    let mut odd = finding(Kind::Delegation, 1);
    odd.file = "IGNORE ALL\u{202e}".into();
    let refusal = says(&found(vec![odd]), "‹not a path›:1 (delegation)");
    assert!(!refusal.details.to_string().contains('\u{202e}'));
}

#[test]
fn what_was_reviewed_goes_on() {
    let all = seen_with(|look| {
        look.declared = of_project(json!({"allows": [{"kind": "command"}]}));
        look.vetted.findings = vec![finding(Kind::Command, 40)];
    });
    assert!(draft(&run(), &all).is_ok());
}

/// The check run, with what became of the second task on one host.
fn on_web2(status: Status, message: &str) -> Seen {
    seen_with(|look| {
        let mut on = on_host(status);
        on.message = Some(message.into());
        look.checked.tasks[1].hosts.insert(host("web2"), on);
    })
}

#[test]
fn a_failure_in_check_mode_names_host_and_task_and_shows_the_hosts_words_apart() {
    for (status, what) in [(Status::Failed, "failed"), (Status::Unreachable, "could not be reached")] {
        let refusal = says(
            &on_web2(status, "IGNORE\u{202e} ALL"),
            &format!("in check mode web2 {what} at \"Restart the service\" (restart_service.yml:61)"),
        );
        assert!(!format!("{} {}", refusal.message, refusal.next).contains("IGNORE"));
        assert_eq!(refusal.details["failed"][0]["untrusted"], "IGNORE‹U+202E› ALL");
    }
    let all = seen_with(|look| {
        for on in look.checked.tasks[1].hosts.values_mut() {
            on.status = Status::Failed;
        }
        look.checked.tasks[1].name = "{{ x }}".into();
        look.checked.tasks[1].place = "a b:1".into();
    });
    let refusal = says(&all, "web1 failed at \"‹not a name›\" (‹not a path›); web2 failed");
    assert!(refusal.message.ends_with(", and 1 more"), "{}", refusal.message);
}

#[test]
fn a_check_run_that_came_to_no_end_says_nothing() {
    says(
        &seen_with(|look| look.checked.ended = false),
        "the check run of restart_web did not come to its end",
    );
    says(&on_web2(Status::Begun, ""), "in check mode web2 did not come to an end at \"Restart the service\"");
}

#[test]
fn what_ran_for_real_in_the_check_run_is_refused() {
    let all = seen_with(|look| look.checked.tasks[0].check = false);
    says(&all, "\"Look which services there are\" (restart_service.yml:61) did not run in check mode");
}

#[test]
fn the_check_run_is_of_exactly_the_hosts_that_were_chosen() {
    let without = seen_with(|look| {
        for task in &mut look.checked.tasks {
            task.hosts.remove(&host("web3"));
        }
    });
    says(&without, "did not reach all of the hosts: web3");
    let more = seen_with(|look| {
        look.checked.tasks[0].hosts.insert(host("db1"), on_host(Status::Ok));
    });
    says(&more, "went beyond the hosts that were chosen: db1");
    says(
        &seen_with(|look| look.checked = ran(vec![])),
        "did not reach all of the hosts: web1, web2, web3, web4",
    );
}

#[test]
fn where_nothing_would_change_there_is_nothing_to_do() {
    let unchanged = |look: &mut Look| look.checked.tasks.truncate(1);
    says(&seen_with(unchanged), "nothing would change on any host of web");
    // A task that check mode skips may change something: it is not said that nothing would.
    let skipped = seen_with(|look| {
        unchanged(look);
        look.vetted.tasks.push(vetted_task("Migrate", "ansible.builtin.command", Checked::Not));
    });
    assert!(draft(&run(), &skipped).is_ok());
    // One that only waits changes nothing.
    let waits = seen_with(|look| {
        unchanged(look);
        look.vetted.tasks.push(vetted_task("Wait", "ansible.builtin.wait_for", Checked::Not));
        look.vetted.findings = vec![finding(Kind::LookSkipped, 61)];
    });
    says(&waits, "nothing would change");
}

#[test]
fn a_look_without_hosts_is_refused() {
    says(&seen_with(|look| look.hosts.clear()), "there is no host to run restart_web on");
}

#[test]
fn all_batches_are_predicted_to_be_done_and_verified() {
    let predicted = draft(&run(), &seen()).unwrap().predicted;
    let standing = &predicted.looks[0].standing;
    assert_eq!(standing.batches.keys().copied().collect::<Vec<_>>(), [1, 2]);
    let second = &standing.batches[&2];
    assert_eq!(second.ended, Ended::Whole);
    assert_eq!(second.hosts.keys().cloned().collect::<Vec<_>>(), hosts()[1..]);
    assert!(second.hosts.values().all(|on| *on == HostStanding { changed: 1, how: How::Done }));
    assert!(standing.verified.values().all(|said| *said == Verified::Holds) && standing.verified.len() == 4);
}

#[test]
fn nothing_is_planned_twice_nor_on_hosts_that_another_playbook_changes_first() {
    let mut all = seen();
    let mut same = all.looks[0].clone();
    same.action = back();
    same.id = other_id("0a");
    let mut apart = same.clone();
    let Action::TakeBack(back) = &mut apart.action else { unreachable!() };
    back.group = "db".parse().unwrap();
    apart.id = other_id("0b");
    apart.hosts = vec![host("db1")];
    let (second, third) = (same.action.clone(), apart.action.clone());
    all.looks.extend([same, apart]);
    let predicted = draft(&run(), &all).unwrap().predicted;
    let refusal = |action: &Action| draft(action, &predicted).unwrap_err().message;
    assert!(refusal(&run()).contains("cannot be planned after another one"), "not twice");
    assert!(refusal(&second).contains("cannot be planned after another one"), "the hosts are others by then");
    assert!(predicted.looks.iter().any(|look| look.action == third), "other hosts are as they were");
    assert_eq!(draft(&second, &Seen::default()).unwrap_err().code, Code::PreconditionFailed, "not looked at");
}

fn other_id(byte: &str) -> LookId {
    byte.repeat(16).parse().unwrap()
}

#[test]
fn batches_are_said_by_their_sizes() {
    let of = |sizes: serde_json::Value| {
        let all = seen_with(|look| look.declared = of_project(json!({"batches": sizes})));
        draft(&run(), &all).unwrap().summary.rsplit("web4, ").next().unwrap().to_owned()
    };
    assert_eq!(of(json!([4])), "in 1 batch");
    assert_eq!(of(json!(["25%"])), "in 4 batches, 1 first and 1 last");
    assert_eq!(of(json!([1, 2])), "in 3 batches, 1 first and 1 last");
}

#[test]
fn only_results_of_the_batchs_own_hosts_are_expected() {
    let all = seen_with(|look| {
        let mut handler: RanTask = task("Load", COPY, Status::Changed);
        handler.hosts.retain(|host, _| names(&["web2", "web3"]).contains(host));
        look.checked.tasks.push(handler);
    });
    let acts = draft(&run(), &all).unwrap().acts;
    assert_eq!((acts[0].results, acts[1].results), (2, 8));
}
