use runcord_model::text::Cleaner;
use serde_json::json;

use super::*;
use crate::draft::draft;
use crate::measure::measure;
use crate::ran::Difference;
use crate::samples::{COPY, batch, host, on_host, ran, seen, seen_back, seen_with, task, verified};

fn diff(seen: &Seen) -> Vec<Change> {
    let acts = draft(&seen.looks[0].action, seen).unwrap().acts;
    measure(seen, &[acts]).diff
}

fn lines(changes: &[Change]) -> Vec<String> {
    changes.iter().map(|change| format!("{}: {}", change.object, change.text)).collect()
}

/// A file that a task would change on all hosts.
fn copies(differences: Vec<Difference>) -> Seen {
    seen_with(|look| {
        let mut copy = task("Put the file in place", COPY, Status::Changed);
        for on in copy.hosts.values_mut() {
            on.shown = differences.clone();
        }
        look.checked = ran(vec![copy]);
    })
}

fn difference(before: &str, after: &str) -> Difference {
    Difference { before: before.into(), after: after.into(), ..Difference::default() }
}

#[test]
fn each_host_and_task_is_told_in_the_order_of_the_batches() {
    let all = seen_with(|look| {
        look.checked.tasks.push(task("Put the file in place", COPY, Status::Changed));
        look.checked.tasks[2].hosts.insert(host("web2"), on_host(Status::Ok));
        look.checked.tasks[1].hosts.insert(host("web2"), on_host(Status::Skipped));
    });
    let changes = diff(&all);
    assert_eq!(
        lines(&changes)[..4],
        [
            "host web1: Restart the service: - workers 2; + workers 4",
            "host web1: Put the file in place: - workers 2; + workers 4",
            "host web2: nothing would change",
            "host web3: Restart the service: - workers 2; + workers 4",
        ]
    );
    assert_eq!((changes[0].change, changes[1].change), (ChangeKind::Run, ChangeKind::Update));
    assert_eq!((&changes[0].before, &changes[0].after), (&json!("workers 2\n"), &json!("workers 4\n")));
}

#[test]
fn what_a_host_is_given_of_its_own_report_is_shown_with_it() {
    let all = seen_with(|look| {
        let versions = vec!["nginx=1.2".to_owned(), "openssl=3.0\u{1b}[2J".to_owned()];
        look.pinned = [(host("web1"), [("packages".parse().unwrap(), versions)].into())].into();
    });
    let changes = diff(&all);
    assert!(changes[0].text.starts_with("packages: nginx=1.2, openssl=3.0"), "{}", changes[0].text);
    assert!(!changes[0].text.contains('\u{1b}'));
    assert!(changes[0].after["packages"].as_str().unwrap().contains("nginx=1.2"));
    let given: Vec<_> = changes.iter().filter(|change| change.text.starts_with("packages:")).collect();
    assert_eq!(given.len(), 1, "{given:?}");
}

#[test]
fn only_what_differs_is_in_the_line() {
    let line = |before: &str, after: &str| text::in_line(&[difference(before, after)]);
    assert_eq!(line("a\nb\nc\n", "a\nx\ny\nc\n").unwrap(), "- b; + x; + y");
    assert_eq!(line("a\na\n", "a\na\na\n").unwrap(), "+ a");
    assert_eq!(line("a\nb\n", "a\n").unwrap(), "- b");
    assert_eq!(line("", "x").unwrap(), "+ x");
    assert_eq!(line("x", "").unwrap(), "- x");
    assert_eq!(line("a\n", "a").unwrap(), "- ", "only the last line break");
    assert_eq!(line("a", "a"), None);
    let headed = Difference { before_header: "/etc/a.conf".into(), ..difference("a", "b") };
    assert_eq!(text::in_line(&[headed]).unwrap(), "/etc/a.conf: - a; + b");
    let prepared = Difference { prepared: "will be upgraded:\n\n  nginx\n".into(), ..Difference::default() };
    assert_eq!(text::in_line(&[prepared]).unwrap(), "will be upgraded:;   nginx");
}

#[test]
fn what_may_not_be_shown_is_said_not_to_be() {
    let changes = diff(&copies(vec![]));
    assert_eq!(changes[0].text, "Put the file in place: what exactly is not shown");
    assert_eq!((&changes[0].before, &changes[0].after), (&Value::Null, &Value::Null));
}

#[test]
fn secrets_and_what_cannot_be_seen_are_cleaned() {
    let key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n";
    let before = format!("password = hunter2hunter2\n{key}x\u{202e}y\n");
    let after = format!("password = 3retnuh3retnuh\n{}x\u{1b}[2Jy\n", key.replace("MIIE", "NIIE"));
    let headed = Difference { before_header: "a\u{202e}b\nc".into(), ..difference(&before, &after) };
    let mut all = copies(vec![headed]);
    all.looks[0].checked = std::mem::take(&mut all.looks[0].checked).cleaned(&Cleaner::default());
    let changes = diff(&all);
    assert!(!changes[0].text.contains(['\n', '\t']), "one line: {}", changes[0].text);
    let written = serde_json::to_string(&changes).unwrap();
    for bad in ["hunter2", "3retnuh", "MIIEvQ", "NIIEvQ", "\u{202e}", "\u{1b}"] {
        assert!(!written.contains(bad), "{bad:?}: {written}");
    }
    assert!(written.contains("password = ‹redacted›") && written.contains("x‹U+202E›y"), "{written}");
    assert!(!written.contains("‹U+2039›"), "cleaned once: {written}");
}

#[test]
fn long_differences_are_cut() {
    let many = |sign: &str| (0..500).map(|i| format!("{sign}{i}{}\n", "z".repeat(300))).collect::<String>();
    let changes = diff(&copies(vec![difference(&many("a"), &many("b"))]));
    assert!(changes[0].text.ends_with("; and 988 more lines"), "{}", changes[0].text);
    assert!(changes[0].text.chars().count() < 12 * 165 + 60);
    assert!(changes[0].before.as_str().unwrap().chars().count() <= 4097);
}

#[test]
fn many_hosts_and_tasks_are_told_in_little_room() {
    let many: Vec<HostName> = (0..200).map(|i| host(&format!("web{i}"))).collect();
    let all = seen_with(|look| {
        look.hosts = many.clone();
        let tasks = (0..20).map(|i| {
            let mut task = task(&format!("Task {i}"), COPY, Status::Changed);
            task.hosts = many.iter().map(|host| (host.clone(), on_host(Status::Changed))).collect();
            task
        });
        look.checked = ran(tasks.collect());
    });
    let changes = diff(&all);
    assert_eq!(changes.len(), 1_150, "fifty hosts task by task, and a line for each of the others");
    assert!(changes[99].after.is_string() && changes[100].after == Value::Null);
    assert_eq!(changes[100].text, "Task 0");
    assert_eq!(
        (changes[1_149].object.as_str(), changes[1_149].text.as_str()),
        ("host web199", "20 more tasks change it")
    );
    assert!(serde_json::to_string(&changes).unwrap().len() < 200_000);
}

#[test]
fn after_a_run_each_host_is_told() {
    let before = seen();
    let mut after = before.clone();
    let standing = &mut after.looks[0].standing;
    let at = |name: &str| Some(name.parse().unwrap());
    standing.batches = [
        (1, batch(Ended::Whole, &[("web1", How::Done)])),
        (
            2,
            batch(
                Ended::Not,
                &[("web2", How::Failed { task: at("Restart") }), ("web3", How::Unknown { task: None })],
            ),
        ),
    ]
    .into();
    standing.verified =
        verified(&[("web1", Verified::Holds), ("web2", Verified::Fails), ("web3", Verified::Unknown)]);
    let changes = observed(&before, &after);
    assert_eq!(
        lines(&changes),
        [
            "host web1: done: 1 task changed it; verified",
            "host web2: failed at \"Restart\": no task changed it; not as it should be",
            "host web3: unknown: a task was begun there and may still go on; no task changed it; could not be verified",
            "host web4: its batch was not begun, or nothing is known of it",
        ]
    );
    assert_eq!(changes[0].after, json!({"changed": 1, "how": "done", "verified": "holds"}));
    let mut other = after;
    other.looks[0].id = "0".repeat(32).parse().unwrap();
    assert_eq!(observed(&before, &other), [], "nothing is known of another run");
}

#[test]
fn a_host_that_was_not_touched_or_not_verified_is_said_to_be() {
    let told = |before: &Seen, how: How, ended: Ended| {
        let mut after = before.clone();
        after.looks[0].standing.batches = [(1, batch(ended, &[("web1", how)]))].into();
        observed(before, &after).remove(0).text
    };
    assert_eq!(told(&seen(), How::Untouched, Ended::Whole), "nothing was begun on it; not verified");
    assert_eq!(told(&seen_back(), How::Done, Ended::Whole), "done: 1 task changed it; nothing verifies it");
    let says = "its tasks ended, and Ansible did not come to its end: 1 task changed it; not verified";
    assert_eq!(told(&seen(), How::Done, Ended::Not), says);
}
