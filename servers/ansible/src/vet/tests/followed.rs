//! What is followed, what is concluded from it, and what is let through.

use super::*;
use crate::playbooks::{Playbook, Playbooks};

/// The kinds at these lines of the playbook.
fn kinds(case: &Case) -> Vec<(u32, Kind)> {
    case.found().into_iter().map(|(_, line, kind)| (line, kind)).collect()
}

/// The declaration of a playbook with these lines of its own.
fn declared(lines: &str) -> Playbook {
    let text = format!(
        "playbooks:\n  web:\n    playbook: {{shipped: restart_service}}\n    inventory: hosts.yml\n    groups: [web]\n    \
         batches: [1]\n{lines}"
    );
    Playbooks::parse("playbooks.yaml", &text).unwrap().playbooks.into_values().next().unwrap()
}

#[test]
fn a_good_play_is_let_through() {
    let task = "when: a is defined\nnotify: Restart\nbecome: yes\ntags: [web]\nthrottle: 1\ntimeout: 9\nretries: 2\ndelay: 1";
    let case = good(task).and_last(
        "  gather_facts: true\n  gather_subset: [min]\n  gather_timeout: 9\n  force_handlers: true\n  handlers:\n    - name: Restart\n      ansible.builtin.systemd_service: {name: web, state: restarted}\n",
    );
    assert_eq!(case.found(), []);
    assert!(case.vetted().refused(&declared("")).is_empty());
    assert_eq!(case.vetted().percent_checked(), 100);
}

#[test]
fn what_only_reads_needs_no_batches_and_no_gate() {
    let reads = |lines: &str| Case::new(format!("- name: Look\n  hosts: all\n{lines}")).reads();
    assert_eq!(reads("  any_errors_fatal: false\n  tasks: []\n").found(), []);
    assert_eq!(kinds(&reads("  serial: 1\n  tasks: []\n")), [(3, Kind::Serial)]);
    assert_eq!(kinds(&reads("  any_errors_fatal: \"{{ a }}\"\n  tasks: []\n")), [(3, Kind::GoesOn)]);
    let waits = "  tasks:\n    - name: Ask\n      ansible.builtin.uri: {url: \"http://a/\"}\n      register: b\n      until: b.status == 200\n    - name: Say\n      ansible.builtin.debug: {var: b}\n";
    assert_eq!(reads(waits).found(), [], "it is run for real, so nothing is skipped");
}

#[test]
fn what_only_reads_may_try_what_changes_but_not_do_it() {
    let simulates = |lines: &str| task(&format!("ansible.builtin.apt: {{name: a}}\n{lines}")).reads();
    assert_eq!(simulates("check_mode: true\nchanged_when: false").found(), []);
    assert_eq!(kinds(&simulates("check_mode: false")), [(7, Kind::Changes), (8, Kind::CheckMode)]);
    assert_eq!(kinds(&simulates("check_mode: \"{{ a }}\"")), [(7, Kind::Changes), (8, Kind::CheckMode)]);
    let half = task("ansible.builtin.get_url: {url: a, dest: /a}\ncheck_mode: true").reads();
    assert_eq!(
        kinds(&half),
        [(7, Kind::Changes)],
        "only a module that is known to change nothing in check mode"
    );
}

#[test]
fn what_rests_on_a_skipped_command_is_found_wherever_it_stands() {
    let command = "- name: Do it\n  ansible.builtin.command: {cmd: a}\n  register: done\n";
    let uses = [
        ("  when: done.rc == 0", 11),
        ("  when:\n    - a\n    - done is success", 13),
        ("  loop: \"{{ done.stdout_lines }}\"", 11),
        ("  vars: {a: \"{{ done.rc }}\"}", 11),
        ("  until: done.rc == 0", 11),
        ("  failed_when: done.rc != 0", 11),
    ];
    for (line, at) in uses {
        let case = tasks(&format!(
            "{command}- name: Then\n  ansible.builtin.file: {{path: /a, state: absent}}\n{line}"
        ));
        assert!(kinds(&case).contains(&(at, Kind::RestsOnSkipped)), "{line}: {:?}", kinds(&case));
    }
    let template = format!("{command}- name: Then\n  ansible.builtin.template: {{src: a, dest: /a}}");
    let case = tasks(&template).and("templates/a", "x\n{{ done.rc }}\n");
    assert!(case.found().contains(&("templates/a".to_owned(), 1, Kind::RestsOnSkipped)));
}

#[test]
fn a_task_may_ask_for_its_own_result_and_others_for_what_is_looked_at() {
    let own = task("ansible.builtin.wait_for: {port: 1}\nregister: done\nuntil: done.elapsed > 1");
    assert_eq!(kinds(&own), [(7, Kind::LookSkipped)]);
    let looked = tasks(
        "- name: Look\n  ansible.builtin.stat: {path: /a}\n  register: seen\n- name: Do it\n  \
         ansible.builtin.file: {path: /a, state: absent}\n  when: seen.stat.exists",
    );
    assert_eq!(looked.found(), []);
}

#[test]
fn what_is_skipped_in_check_mode_is_not_checked_and_nothing_may_rest_on_it() {
    let case = tasks(
        "- name: Look\n  ansible.builtin.stat: {path: /a}\n  register: seen\n  when: not ansible_check_mode\n\
         - name: Do it\n  ansible.builtin.file: {path: /a, state: absent}\n  when: seen.stat.exists",
    );
    assert_eq!(kinds(&case), [(9, Kind::SkippedInCheck), (12, Kind::RestsOnSkipped)]);
    let block =
        tasks("- when: not ansible_check_mode\n  block:\n    - name: Do it\n      ansible.builtin.ping:");
    let inside = block.vetted().tasks.into_iter().find(|task| task.name == "Do it").unwrap();
    assert_eq!(inside.checked, Checked::Not);
}

#[test]
fn a_command_that_says_whether_it_would_run_is_checked_in_part_but_nothing_may_rest_on_it() {
    let case = tasks(
        "- name: Do it\n  ansible.builtin.command: {cmd: a, creates: /a}\n  register: done\n- name: Then\n  \
         ansible.builtin.ping:\n  when: done.rc == 0",
    );
    assert_eq!(kinds(&case), [(7, Kind::Command), (11, Kind::RestsOnSkipped)]);
    let checked: Vec<_> = case.vetted().tasks.iter().map(|task| task.checked).collect();
    assert!(checked.contains(&Checked::InPart) && !checked.contains(&Checked::Not), "{checked:?}");
}

#[test]
fn hosts_may_not_be_made_or_grouped_while_it_runs() {
    for module in ["add_host: {name: a}", "group_by: {key: a}"] {
        let case = task(&format!("ansible.builtin.{module}"));
        assert!(kinds(&case).contains(&(7, Kind::Inventory)), "{module}");
    }
}

#[test]
fn a_module_that_cannot_say_what_would_change_is_let_through_and_said() {
    let case = task("ansible.builtin.systemd_service: {name: a, state: restarted}");
    assert_eq!(case.found(), []);
    assert!(case.vetted().findings.iter().any(|finding| (finding.line, finding.kind) == (7, Kind::NoDiff)));
}

#[test]
fn roles_are_followed_into_all_that_they_load() {
    let lookup = "\"{{ lookup('pipe', 'x') }}\"";
    let file = "ansible.builtin.file: {path: /a, state: absent}";
    let case = play("roles: [web]")
        .and("roles/web/tasks/main.yml", "- name: More\n  ansible.builtin.import_tasks: more.yml\n")
        .and("roles/web/tasks/more.yml", &format!("- name: Do it\n  {file}\n  when: lookup('env', 'A')\n"))
        .and("roles/web/tasks/unused.yml", "no tasks at all")
        .and("roles/web/handlers/main.yaml", &format!("- name: Restart\n  {file}\n  ignore_errors: true\n"))
        .and("roles/web/defaults/main/a.yml", &format!("a: {lookup}\n"))
        .and("roles/web/vars/main.yml", &format!("a: {lookup}\n"))
        .and("roles/web/meta/main.yml", "dependencies: [db]\n")
        .and("roles/db/tasks/main.yml", &format!("- name: Do it\n  {file}\n  async: 1\n"));
    let found: Vec<_> = case.found();
    let expected = [
        ("roles/db/tasks/main.yml", 3, Kind::Async),
        ("roles/web/defaults/main/a.yml", 1, Kind::Lookup),
        ("roles/web/handlers/main.yaml", 3, Kind::IgnoreErrors),
        ("roles/web/tasks/more.yml", 3, Kind::Lookup),
        ("roles/web/vars/main.yml", 1, Kind::Lookup),
    ];
    assert_eq!(found, expected.map(|(file, line, kind)| (file.to_owned(), line, kind)));
    let tasks = case.vetted().tasks;
    let restart = tasks.iter().find(|task| task.name == "Restart").unwrap();
    assert_eq!((restart.part, restart.play.as_str()), (Part::Handler, "Play"));
}

#[test]
fn the_part_of_a_role_that_is_named_is_the_one_that_is_followed() {
    let case = task("ansible.builtin.import_role: {name: web, tasks_from: other, handlers_from: other.yml}")
        .and("roles/web/tasks/main.yml", "- name: Do it\n  async: 1\n")
        .and("roles/web/tasks/other.yml", "- name: Do it\n  ansible.builtin.ping:\n  no_log: false\n")
        .and("roles/web/handlers/other.yml", "- name: Do it\n  ansible.builtin.ping:\n  diff: false\n");
    let expected =
        [("roles/web/handlers/other.yml", Kind::DiffHidden), ("roles/web/tasks/other.yml", Kind::LogShown)];
    assert_eq!(case.found(), expected.map(|(file, kind)| (file.to_owned(), 3, kind)));
}

#[test]
fn blocks_imports_and_imported_playbooks_are_followed() {
    let bad = |line: &str| format!("- name: Do it\n  ansible.builtin.ping:\n  {line}\n");
    let case = tasks(
        "- block:\n    - name: In\n      ansible.builtin.import_tasks: {file: in.yml}\n  always:\n    - name: Out\n      \
         ansible.builtin.import_tasks: out.yml\n  rescue:\n    - name: Else\n      \
         ansible.builtin.import_tasks: else.yml",
    )
    .but(Kind::Rescue)
    .and("else.yml", &bad("no_log: false"))
    .and("in.yml", &bad("poll: 0"))
    .and("out.yml", &bad("delegate_to: a"))
    .and_last("- name: Next\n  ansible.builtin.import_playbook: plays/next.yml\n")
    .and("plays/next.yml", "- name: Next\n  hosts: web\n");
    let expected = [
        ("else.yml", 3, Kind::LogShown),
        ("in.yml", 3, Kind::Async),
        ("out.yml", 3, Kind::Delegation),
        ("plays/next.yml", 1, Kind::Serial),
        ("plays/next.yml", 1, Kind::GoesOn),
        ("plays/next.yml", 1, Kind::Gate),
        ("plays/next.yml", 2, Kind::Hosts),
    ];
    let expected: BTreeSet<_> = expected.map(|(file, line, kind)| (file.to_owned(), line, kind)).into();
    assert_eq!(case.found().into_iter().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn files_that_multiply_are_not_followed_for_ever() {
    let twice = |next: &str| {
        format!(
            "- name: A\n  ansible.builtin.import_tasks: {next}\n- name: B\n  ansible.builtin.import_tasks: {next}\n"
        )
    };
    let mut case = task("ansible.builtin.import_tasks: f0.yml");
    for number in 0..14 {
        case = case.and(&format!("f{number}.yml"), &twice(&format!("f{}.yml", number + 1)));
    }
    let case = case.and("f14.yml", "[]");
    assert!(case.found().iter().all(|(_, _, kind)| *kind == Kind::TooMuch) && !case.found().is_empty());
}

#[test]
fn a_template_that_is_chosen_by_a_variable_may_be_any_of_them() {
    let case = task("ansible.builtin.template: {src: \"{{ a }}\", dest: /a}").enumerated("a");
    let case = case.and("roles/x/templates/b.j2", "{{ lookup('pipe', 'x') }}");
    assert_eq!(case.found(), [("roles/x/templates/b.j2".to_owned(), 1, Kind::Lookup)]);
}

#[test]
fn files_go_out_from_the_project_alone() {
    let copy = |src: &str| task(&format!("ansible.builtin.copy: {{src: {src}, dest: /a}}"));
    assert_eq!(copy("a.conf").and("files/a.conf", "x").found(), []);
    assert_eq!(copy("conf.d/").and("files/conf.d/a", "x").found(), [], "a whole folder");
    assert_eq!(copy("\"{{ a }}\"").enumerated("a").found(), []);
    assert_eq!(task("ansible.builtin.copy: {src: /etc/a, dest: /a, remote_src: true}").found(), []);
    assert_eq!(
        kinds(&task("ansible.builtin.copy: {src: /etc/a, dest: /a, remote_src: \"{{ a }}\"}")),
        [(7, Kind::OutsideProject)]
    );
    assert_eq!(
        kinds(&task("ansible.builtin.assemble: {src: /etc/a, dest: /a, remote_src: false}")),
        [(7, Kind::OutsideProject)]
    );
    assert_eq!(
        kinds(&task("ansible.builtin.unarchive: {src: /a.tgz, dest: /a}")),
        [(7, Kind::OutsideProject), (7, Kind::PartialCheckMode)]
    );
}

#[test]
fn a_collection_is_pinned_by_one_exact_version() {
    let with = |version: &str| {
        let text = format!("collections:\n  - name: community.general\n    version: {version}\n");
        task("community.general.ufw: {state: enabled}").and("collections/requirements.yml", &text).found()
    };
    for exact in ["9.1.0", "==9.1.0", "\"9.1.0-rc.1\""] {
        assert_eq!(with(exact), [], "{exact}");
    }
    for range in ["'*'", "'>=9.1.0'", "9.1", "'9.1.0,<10'", "!=9.1.0", "\"{{ a }}\""] {
        assert_eq!(with(range).len(), 1, "{range}");
    }
}

#[test]
fn a_doubt_is_let_through_where_it_was_reviewed_and_nowhere_else() {
    let case = task("ansible.builtin.command: {cmd: a}\nrun_once: true");
    let vetted = case.vetted();
    let refused =
        |lines: &str| -> Vec<Kind> { vetted.refused(&declared(lines)).iter().map(|one| one.kind).collect() };
    assert_eq!(refused(""), [Kind::Command, Kind::RunOnce]);
    assert_eq!(refused("    allows: [{kind: command}]\n"), [Kind::RunOnce]);
    assert_eq!(refused("    allows: [{kind: command, task: \"site.yml:Do it\"}, {kind: run_once}]\n"), []);
    assert_eq!(refused("    allows: [{kind: command, task: \"other.yml:Do it\"}]\n").len(), 2);
    assert_eq!(refused("    allows: [{kind: command, task: \"site.yml:Do that\"}]\n").len(), 2);
    let denied = good("ignore_errors: true").vetted();
    let mut allowing = declared("    allows: [{kind: command}]\n");
    allowing.allows[0].kind = Kind::IgnoreErrors;
    assert_eq!(denied.refused(&allowing).len(), 1, "what is denied is denied, whatever is declared");
}

#[test]
fn coverage_names_each_task_and_what_is_undetermined() {
    let case = tasks(
        "- name: Remove it\n  ansible.builtin.file: {path: /a, state: absent}\n- name: Load it\n  \
         ansible.builtin.get_url: {url: a, dest: /a}\n- name: Wait\n  ansible.builtin.wait_for: {port: 1}",
    );
    let vetted = case.vetted();
    let coverage = vetted.coverage();
    assert!(
        coverage.checked.contains(&"site.yml:7: Remove it (ansible.builtin.file): check mode".to_owned()),
        "{coverage:?}"
    );
    let in_part = "site.yml:9: Load it (ansible.builtin.get_url): check mode in part";
    let skipped = "site.yml:11: Wait (ansible.builtin.wait_for): skipped in check mode";
    assert_eq!(coverage.undetermined[..2], [in_part.to_owned(), skipped.to_owned()]);
    assert_eq!(vetted.percent_checked(), 60, "three of five, with the gate and its note");
}

#[test]
fn a_finding_says_where_what_and_what_to_write_instead() {
    let vetted = good("ignore_errors: true").vetted();
    let said = vetted.findings[0].to_string();
    assert_eq!(said, "site.yml:8: goes on after it has failed (`ignore_errors`); take `ignore_errors` out");
    let hostile = template("{{ lookup('a\u{202e}b', 'c') }}{{ x | bad\u{202e} }}").vetted();
    assert!(hostile.findings.iter().all(|finding| !finding.to_string().contains('\u{202e}')));
}

#[test]
fn handlers_are_found_by_name_topic_and_role() {
    let notify = |name: &str| good(&format!("notify: ['{name}']"));
    let handlers =
        "  handlers:\n    - name: Restart\n      listen: web changed\n      ansible.builtin.ping:\n";
    for name in ["Restart", "web changed"] {
        assert_eq!(notify(name).and_last(handlers).found(), [], "{name}");
    }
    let role = "- name: Restart\n  ansible.builtin.ping:\n";
    let case = notify("web : Restart").and_last("  roles: [web]\n").and("roles/web/handlers/main.yml", role);
    assert_eq!(case.found(), []);
    let other_play = notify("Restart").and_last("- name: Other\n  hosts: all\n").and_last(handlers);
    assert!(kinds(&other_play).contains(&(8, Kind::LostHandler)), "handlers are those of the play");
}

#[test]
fn code_that_would_be_loaded_is_found_without_any_playbook() {
    let files = |paths: &[&str]| paths.iter().map(|path| ((*path).to_owned(), String::new())).collect();
    let found = |paths: &[&str]| loaded(&files(paths)).into_iter().map(|one| one.file).collect::<Vec<_>>();
    assert_eq!(found(&["live/web.yml", "roles/app/tasks/main.yml", "group_vars/all.yml"]), [""; 0]);
    let code = ["live/vars_plugins/x.py", "library/y.py"];
    assert_eq!(found(&code).len(), 2, "{:?}", found(&code));
}
