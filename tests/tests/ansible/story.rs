//! The steps that most sessions share, and what they declare.

use anyhow::Result;
use runcord_tests::PlayBed;
use runcord_tests::session::{Answer, Session};
pub(crate) use runcord_tests::story::{apply, approve, begun, carried_out, ended, verified};
use serde_json::{Value, json};

/// The restart of the service that every host has, one host first.
pub(crate) const RESTART: &str = r#"
  restart_web:
    playbook: {shipped: restart_service}
    inventory: hosts.yaml
    groups: [web]
    variables:
      service: {value: nginx}
      service_port: {value: "80"}
      pid_file: {value: /run/nginx.pid}
    batches: [1, 2]
"#;

/// The same for the first host alone: a bed of its own kind, since the group has no other one.
pub(crate) const RESTART_CANARY: &str = r#"
  restart_canary:
    playbook: {shipped: restart_service}
    inventory: hosts.yaml
    groups: [canary]
    variables:
      service: {value: nginx}
      service_port: {value: "80"}
      pid_file: {value: /run/nginx.pid}
    batches: [1]
"#;

/// What only looks.
pub(crate) const READS: &str = r#"
  status:
    playbook: {shipped: service_status}
    reads: true
    inventory: hosts.yaml
    groups: [web]
    variables:
      service: {string: {pattern: "^[a-z][a-z0-9@.-]*$", max_length: 40}}
  facts:
    playbook: {shipped: host_facts}
    reads: true
    inventory: hosts.yaml
    groups: [web, all]
  usage:
    playbook: {shipped: disk_usage}
    reads: true
    inventory: hosts.yaml
    groups: [web]
"#;

/// A `playbooks.yaml` of these.
pub(crate) fn declaration(parts: &[&str]) -> String {
    format!("playbooks:\n{}", parts.concat())
}

/// A bed with so many hosts on which the service may be restarted, in force.
pub(crate) fn web(hosts: usize) -> Result<PlayBed> {
    let bed = PlayBed::new(hosts)?;
    bed.declare(&declaration(&[RESTART, READS]))?;
    Ok(bed)
}

/// The arguments of a tool on a playbook and a group.
pub(crate) fn on(playbook: &str, group: &str, more: Value) -> Value {
    let mut args = json!({"playbook": playbook, "group": group, "reason": "an end-to-end test"});
    if let (Value::Object(args), Value::Object(more)) = (&mut args, more) {
        args.extend(more);
    }
    args
}

/// Plans the restart on all hosts of `web`.
pub(crate) async fn plan_restart(session: &Session) -> Result<Answer> {
    session.call("plan_restart_service", on("restart_web", "web", json!({}))).await?.done()
}

/// The main process of a host's service: another one after each restart.
pub(crate) fn pid(bed: &PlayBed, host: &str) -> Result<String> {
    bed.fleet.read(host, "/run/nginx.pid")
}

/// The same of all hosts.
pub(crate) fn pids(bed: &PlayBed) -> Result<Vec<String>> {
    bed.fleet.names().iter().map(|host| pid(bed, host)).collect()
}

/// A runbook for whatever playbook is declared, as somebody writes it who has playbooks of their own.
pub(crate) const CHANGE_HOSTS: &str = r#"
apiVersion: runcord.dev/v1
kind: Runbook
metadata:
  name: change_hosts
  version: 1.0.0
  title: Change hosts
  owner: platform
  links: [https://example.org/runbooks/change-hosts]
spec:
  server: ansible
  description: |
    Runs a playbook of this project on the hosts of a group. Use it as its own documentation says.
  params:
    playbook: {type: string, pattern: "[a-z][a-z0-9_-]{0,62}", example: deploy, description: "The playbook, as it is declared."}
    group: {type: string, pattern: "[A-Za-z_][A-Za-z0-9_]{0,63}", example: web, description: "The group whose hosts are meant."}
    host: {type: string, pattern: "[A-Za-z0-9][A-Za-z0-9._-]{0,252}", example: web1, required: false, description: "Only this host."}
    word: {type: string, pattern: "[ -~]{1,200}", example: hello, required: false, description: "What the playbook takes, if it takes a word."}
    timeout: {type: duration, default: 10m, minimum: 1s, maximum: 1h, description: "How long one batch may take."}
  headline: run ${params.playbook} on hosts of ${params.group}
  steps:
    - id: run
      action: run_playbook
      with:
        playbook: ${params.playbook}
        group: ${params.group}
        host: ${params.host}
        variables: {word: "${params.word}"}
        timeout: ${params.timeout}
  verify:
    - check: verified.holds == run.hosts
      message: not every host is as it should be
      within: 2m
  undo:
    - action: take_back
      with:
        playbook: ${params.playbook}
        group: ${params.group}
        look: ${before.run.look}
        timeout: ${params.timeout}
  limits:
    plan_ttl: 30m
    timeout: 2h
    concurrency: {key: "group/${params.group}", max: 1}
    irreversible: 0
"#;

/// A playbook that changes hosts, with these tasks between the gate and the note that every one has.
pub(crate) fn changing(tasks: &str) -> String {
    changing_with("", tasks)
}

/// The same with more lines of the play itself.
pub(crate) fn changing_with(play: &str, tasks: &str) -> String {
    format!(
        r#"- name: Change hosts
  hosts: all
  serial: "{{{{ runcord_serial }}}}"
  any_errors_fatal: true
  gather_facts: false
  become: "{{{{ runcord_become }}}}"
{play}  tasks:
    - name: Go on only if all hosts of the batches before are done
      ansible.builtin.assert:
        that: batches_before | map('extract', hostvars) | selectattr('runcord_done', 'defined') | length == batches_before | length
        quiet: true
      vars:
        batches_before: "{{{{ ansible_play_hosts_all[: ansible_play_hosts_all.index(ansible_play_batch[0])] }}}}"
{tasks}    - name: Let handlers run before the next batch
      ansible.builtin.meta: flush_handlers
    - name: Note that this host is done
      ansible.builtin.set_fact:
        runcord_done: true
"#
    )
}

/// A playbook that only reads, with these tasks.
pub(crate) fn reading(tasks: &str) -> String {
    format!(
        "- name: Look at hosts\n  hosts: all\n  any_errors_fatal: false\n  gather_facts: false\n  become: \"{{{{ runcord_become }}}}\"\n  tasks:\n{tasks}"
    )
}

/// A task that writes a text into `/srv/made`.
pub(crate) const MAKE: &str = r#"    - name: Make the file
      ansible.builtin.copy:
        content: "made\n"
        dest: /srv/made
        owner: root
        group: root
        mode: "0644"
"#;

/// Tasks that assert that the file is there.
pub(crate) const LOOK: &str = r#"    - name: Look at the file
      ansible.builtin.stat:
        path: /srv/made
      register: made
    - name: Assert that it is there
      ansible.builtin.assert:
        that: made.stat.exists
        quiet: true
"#;

/// A task that counts in `/srv/begun` how often it was begun, and takes a while.
pub(crate) fn slow(seconds: u32) -> String {
    format!(
        r#"    - name: Take a while
      ansible.builtin.command:
        argv: [sh, -c, "echo begun >>/srv/begun; sleep {seconds}; echo made >/srv/made"]
        creates: /srv/made
"#
    )
}

/// What is declared of it.
pub(crate) const SLOW_IS_REVIEWED: &str =
    "    allows: [{kind: command, task: \"live/make.yml:Take a while\"}]\n";

/// A task of a verification that takes as long as a test wants: until there is `/srv/open`.
pub(crate) const PATIENT: &str = r#"    - name: Wait for the file
      ansible.builtin.wait_for:
        path: /srv/open
        timeout: 60
"#;

/// A task that takes the file away.
pub(crate) const UNMAKE: &str = r#"    - name: Take the file away
      ansible.builtin.file:
        path: /srv/made
        state: absent
"#;

/// What is declared of a playbook of the project's own, with these lines more.
pub(crate) fn own(more: &str) -> String {
    format!(
        r#"
  make:
    playbook: {{project: live/make.yml}}
    verify: {{project: live/look.yml}}
    undo: {{project: live/unmake.yml}}
    inventory: hosts.yaml
    groups: [web]
    batches: [1, 2]
{more}"#
    )
}

/// A bed with so many hosts and a playbook of the project's own, which makes a file by these tasks.
pub(crate) fn making(hosts: usize, tasks: &str, more: &str) -> Result<PlayBed> {
    let bed = PlayBed::new(hosts)?;
    bed.offer("change_hosts", CHANGE_HOSTS)?;
    bed.write("live/make.yml", &changing(tasks))?;
    bed.write("live/look.yml", &reading(LOOK))?;
    bed.write("live/unmake.yml", &changing(UNMAKE))?;
    bed.declare(&declaration(&[&own(more)]))?;
    Ok(bed)
}

/// Plans that playbook on all hosts of `web`, whatever comes of it.
pub(crate) async fn make(session: &Session, more: Value) -> Result<Answer> {
    session.call("plan_change_hosts", on("make", "web", more)).await
}
