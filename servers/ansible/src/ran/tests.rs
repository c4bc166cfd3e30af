use serde_json::Value;

use super::*;
use crate::playbooks::Varies;

const FOLDER: &str = "/state/ansible/run";

fn mask() -> Mask {
    Mask::new([7; 32])
}

fn read_by(lines: &[Value], normalise: &Normalise) -> Ran {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    Ran::read(text.as_bytes(), FOLDER, normalise, &mask())
}

fn read(lines: &[Value]) -> Ran {
    read_by(lines, &Normalise::default())
}

fn task(id: &str) -> Value {
    json!({
        "event": "task", "task": id, "name": format!("Task {id}"), "module": "ansible.builtin.copy",
        "place": format!("{FOLDER}/live/web.yml:{id}"), "check": true, "no_log": false, "handler": false,
    })
}

fn begin(id: &str, host: &str) -> Value {
    json!({"event": "begin", "host": host, "task": id})
}

fn result(id: &str, host: &str, status: &str, after: &str) -> Value {
    let diff = if after.is_empty() { json!([]) } else { json!([{"before": "old", "after": after}]) };
    json!({
        "event": "result", "host": host, "task": id, "name": "x", "status": status, "hidden": false, "diff": diff,
    })
}

fn end() -> Value {
    json!({"event": "end", "hosts": {"web1": {"ok": 1}}})
}

fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

fn on<'r>(ran: &'r Ran, task: usize, name: &str) -> &'r OnHost {
    &ran.tasks[task].hosts[&host(name)]
}

#[test]
fn tasks_are_read_in_the_order_in_which_they_began_with_the_place_below_the_folder() {
    let ran = read(&[
        json!({"event": "play", "name": "Web", "check": true}),
        task("2"),
        begin("2", "web1"),
        result("2", "web1", "changed", "new"),
        task("1"),
        begin("1", "web1"),
        result("1", "web1", "skipped", ""),
        end(),
    ]);
    assert!(ran.ended);
    let places: Vec<_> = ran.tasks.iter().map(|task| (task.name.as_str(), task.place.as_str())).collect();
    assert_eq!(places, [("Task 2", "live/web.yml:2"), ("Task 1", "live/web.yml:1")]);
    assert!(ran.tasks[0].check && ran.tasks[0].module == "ansible.builtin.copy");
    assert_eq!((on(&ran, 0, "web1").status, on(&ran, 1, "web1").status), (Status::Changed, Status::Skipped));
    assert_eq!(on(&ran, 0, "web1").shown[0].after, "new");
}

#[test]
fn a_task_outside_of_check_mode_is_told() {
    let mut real = task("1");
    real["check"] = json!(false);
    assert!(!read(&[real]).tasks[0].check);
}

#[test]
fn without_its_end_a_run_has_not_ended() {
    let ran = read(&[task("1"), begin("1", "web1"), result("1", "web1", "ok", "")]);
    assert!(!ran.ended);
    assert!(!read(&[json!({"event": "no_hosts"})]).ended);
    assert_eq!(read(&[]), Ran::default());
}

#[test]
fn a_task_that_was_begun_and_told_no_end_of_stays_begun() {
    let ran = read(&[task("1"), begin("1", "web1"), begin("1", "web2"), result("1", "web2", "ok", "")]);
    assert_eq!((on(&ran, 0, "web1").status, on(&ran, 0, "web2").status), (Status::Begun, Status::Ok));
    assert_eq!(ran.touched().collect::<Vec<_>>(), [&host("web1")]);
    assert_eq!(ran.failed().count(), 0, "nobody said that it failed");
}

#[test]
fn who_failed_and_who_did_not_answer_is_told_with_the_modules_words() {
    let with = |status: &str, host: &str| {
        let mut line = result("1", host, status, "");
        line["message"] = json!(format!("{status} it is"));
        line
    };
    let ran = read(&[
        task("1"),
        with("failed", "web1"),
        with("unreachable", "web2"),
        with("ignored", "web3"),
        end(),
    ]);
    let failed: Vec<_> = ran
        .failed()
        .map(|(host, task, on)| {
            (host.as_str(), task.name.as_str(), on.status, on.message.as_deref().unwrap())
        })
        .collect();
    assert_eq!(
        failed,
        [
            ("web1", "Task 1", Status::Failed, "failed it is"),
            ("web2", "Task 1", Status::Unreachable, "unreachable it is"),
        ]
    );
    assert_eq!(ran.touched().collect::<Vec<_>>(), [&host("web2")], "what became of it there is not known");
}

#[test]
fn what_a_task_hides_is_neither_shown_nor_reported_and_still_compared() {
    let hidden = |after: &str| {
        let mut line = result("1", "web1", "changed", after);
        line["hidden"] = json!(true);
        line["says"] = json!({"password": "hunter2"});
        read(&[task("1"), line])
    };
    let ran = hidden("hunter2");
    assert!(on(&ran, 0, "web1").shown.is_empty() && ran.reports.is_empty());
    assert!(!format!("{ran:?}").contains("hunter2"));
    assert_eq!(on(&ran, 0, "web1").status, Status::Changed);
    assert_ne!(on(&ran, 0, "web1").fingerprint, on(&hidden("hunter3"), 0, "web1").fingerprint);
}

#[test]
fn fingerprints_are_of_status_and_difference_under_the_mask() {
    let print = |status: &str, after: &str| {
        on(&read(&[task("1"), result("1", "web1", status, after)]), 0, "web1").fingerprint.clone()
    };
    assert_eq!(print("changed", "a"), print("changed", "a"));
    assert_ne!(print("changed", "a"), print("changed", "b"));
    assert_ne!(print("changed", "a"), print("ok", "a"));
    let text = format!("{}\n{}\n", task("1"), result("1", "web1", "changed", "a"));
    let other = Ran::read(text.as_bytes(), FOLDER, &Normalise::default(), &Mask::new([8; 32]));
    assert_ne!(on(&other, 0, "web1").fingerprint, print("changed", "a"));
}

#[test]
fn what_is_declared_to_vary_makes_no_difference() {
    let normalise = Normalise::new(&[Varies::Pattern("[0-9]+".to_owned())]);
    let of = |after: &str| read_by(&[task("1"), result("1", "web1", "changed", after)], &normalise);
    assert_eq!(of("made at 17"), of("made at 18"));
    assert_ne!(of("made at 17"), of("lost at 17"));
}

/// A handler that is notified by two blocks of tasks runs twice: what the first run changed stays changed.
#[test]
fn a_handler_that_runs_twice_is_one_task_with_the_graver_outcome() {
    let twice = |first: &str, second: &str| {
        let run = |status: &str, after: &str| {
            vec![task("9"), begin("9", "web1"), result("9", "web1", status, after)]
        };
        read(&[run(first, "a"), run(second, "b"), vec![end()]].concat())
    };
    let ran = twice("changed", "ok");
    assert_eq!(ran.tasks.len(), 1);
    let handler = on(&ran, 0, "web1");
    assert_eq!(handler.status, Status::Changed);
    assert_eq!(handler.shown.iter().map(|one| one.after.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_ne!(handler.fingerprint, on(&twice("changed", "changed"), 0, "web1").fingerprint);
    for (first, second, status) in [
        ("ok", "changed", Status::Changed),
        ("ok", "skipped", Status::Ok),
        ("changed", "failed", Status::Failed),
        ("failed", "ok", Status::Failed),
        ("ignored", "changed", Status::Ignored),
        ("failed", "unreachable", Status::Unreachable),
        ("unreachable", "ok", Status::Unreachable),
    ] {
        assert_eq!(on(&twice(first, second), 0, "web1").status, status, "{first}, {second}");
    }
}

#[test]
fn a_handler_that_was_begun_again_is_begun_whatever_it_did_before() {
    let ran =
        read(&[task("9"), begin("9", "web1"), result("9", "web1", "ok", ""), task("9"), begin("9", "web1")]);
    assert_eq!(on(&ran, 0, "web1").status, Status::Begun);
    assert_eq!(ran.touched().collect::<Vec<_>>(), [&host("web1")]);
}

#[test]
fn batches_of_one_run_are_the_same_tasks_on_other_hosts() {
    let ran = read(&[
        task("1"),
        begin("1", "web1"),
        result("1", "web1", "changed", "a"),
        task("1"),
        begin("1", "web2"),
        result("1", "web2", "ok", ""),
    ]);
    assert_eq!(ran.tasks.len(), 1);
    assert_eq!((on(&ran, 0, "web1").status, on(&ran, 0, "web2").status), (Status::Changed, Status::Ok));
}

#[test]
fn reports_are_kept_by_host_the_last_one_where_there_are_several() {
    let says = |host: &str, says: Value| {
        let mut line = result("1", host, "ok", "");
        line["says"] = says;
        line
    };
    let ran = read(&[
        task("1"),
        says("web1", json!({"bytes": 1})),
        says("web2", json!("text")),
        says("web1", json!({"bytes": 2})),
    ]);
    let expected = [(host("web1"), json!({"bytes": 2})), (host("web2"), json!("text"))];
    assert_eq!(ran.reports, expected.into());
}

#[test]
fn half_a_last_line_and_lines_that_are_none_of_ours_say_nothing() {
    let whole = format!("{}\n{}\n", task("1"), begin("1", "web1"));
    let (result, end) = (result("1", "web1", "ok", "").to_string(), end().to_string());
    let read = |text: String| Ran::read(text.as_bytes(), FOLDER, &Normalise::default(), &mask());
    let begun = read(whole.clone());
    assert_eq!(on(&begun, 0, "web1").status, Status::Begun);
    for half in 1..=result.len() {
        assert_eq!(read(format!("{whole}{}", &result[..half])), begun, "it may still grow");
    }
    assert!(!read(format!("{whole}{result}\n{end}")).ended, "its end may still be missing");
    assert!(read(format!("{whole}{result}\n{end}\n")).ended);
    let noise = "no JSON\n{\"event\": \"other\"}\n{\"event\": \"begin\"}\n\n[]\n\u{0}\n";
    assert_eq!(read(format!("{noise}{whole}{noise}")), begun);
    let bytes = [b"\xff\xfe\n".to_vec(), whole.into_bytes()].concat();
    assert_eq!(Ran::read(&bytes, FOLDER, &Normalise::default(), &mask()), begun);
}

#[test]
fn what_names_no_host_or_no_task_that_began_is_left_out() {
    let ran = read(&[
        task("1"),
        begin("1", "web1; rm"),
        begin("1", "localhost"),
        begin("2", "web1"),
        result("1", "{{ x }}", "changed", "a"),
        result("2", "web1", "changed", "a"),
    ]);
    assert!(ran.tasks[0].hosts.is_empty() && ran.tasks.len() == 1);
}

#[test]
fn a_task_without_a_place_has_none() {
    let mut line = task("1");
    line["place"] = Value::Null;
    assert_eq!(read(&[line]).tasks[0].place, "");
    let mut elsewhere = task("1");
    elsewhere["place"] = json!("/usr/share/x.yml:3");
    assert_eq!(read(&[elsewhere]).tasks[0].place, "usr/share/x.yml:3");
}
