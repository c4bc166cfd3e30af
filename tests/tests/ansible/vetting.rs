//! What would lie in check mode, or run although it is only checked: refused before anything of it runs, with file and line.

use anyhow::{Context as _, Result};
use runcord_tests::PlayBed;
use serde_json::json;

use crate::story::{LOOK, MAKE, UNMAKE, changing, changing_with, make, making, reading};

/// A playbook of a project, and what is said of it.
struct Bad {
    what: &'static str,
    playbook: String,
    /// The line that is named, and the kind.
    line: u32,
    says: &'static str,
}

fn bad(what: &'static str, playbook: String, marked: &str, says: &'static str) -> Bad {
    let line = playbook.lines().position(|line| line.contains(marked)).map_or(0, |at| at + 1);
    Bad { what, playbook, line: u32::try_from(line).unwrap(), says }
}

/// Each of them would leave a marker: on the host, or here.
fn all(bed: &PlayBed) -> Vec<Bad> {
    let here = bed.path("marker").display().to_string();
    let task = |lines: &str| {
        changing(&format!(
            "    - name: Do it\n{}",
            lines.lines().map(|line| format!("      {line}\n")).collect::<String>()
        ))
    };
    let touch = "ansible.builtin.command:\n  argv: [touch, /srv/marker]\n";
    vec![
        bad("check_mode", task(&format!("{touch}check_mode: false")), "check_mode: false", "check mode"),
        bad(
            "ignore_errors",
            task(&format!("{touch}ignore_errors: true")),
            "ignore_errors",
            "goes on after it has failed",
        ),
        bad(
            "a command whose result is read",
            changing(
                "    - name: Ask\n      ansible.builtin.command:\n        argv: [touch, /srv/marker]\n      register: asked\n    - name: Go on\n      ansible.builtin.file: {path: /srv/marker, state: touch, mode: \"0644\"}\n      when: asked.rc == 0\n",
            ),
            "ansible.builtin.command",
            "check mode cannot try",
        ),
        bad(
            "a lookup",
            task(&format!("ansible.builtin.debug:\n  msg: \"{{{{ lookup('pipe', 'touch {here}') }}}}\"")),
            "lookup(",
            "a lookup runs",
        ),
        bad("a delegation", task(&format!("{touch}delegate_to: web2")), "delegate_to", "another host"),
        bad(
            "an action here",
            task("local_action:\n  module: ansible.builtin.command\n  argv: [touch, /tmp/x]"),
            "local_action",
            "where Ansible runs",
        ),
        bad("other hosts", changing(MAKE).replace("hosts: all", "hosts: web2"), "hosts: web2", "hosts: all"),
        bad(
            "a second play on other hosts",
            format!("{}{}", changing(MAKE), changing(MAKE).replace("hosts: all", "hosts: localhost")),
            "hosts: localhost",
            "hosts: all",
        ),
        bad(
            "no batches of ours",
            changing(MAKE).replace("serial: \"{{ runcord_serial }}\"", "serial: 50%"),
            "serial: 50%",
            "batches",
        ),
        bad(
            "no batches",
            changing(MAKE).replace("  serial: \"{{ runcord_serial }}\"\n", ""),
            "- name: Change hosts",
            "batches",
        ),
        bad(
            "errors that are not fatal",
            changing(MAKE).replace("any_errors_fatal: true", "any_errors_fatal: false"),
            "any_errors_fatal",
            "goes on after a host has failed",
        ),
        bad(
            "half may fail",
            changing_with("  max_fail_percentage: 50\n", MAKE),
            "max_fail_percentage",
            "goes on after a host has failed",
        ),
        bad(
            "an include that is computed",
            task("ansible.builtin.include_tasks:\n  file: \"{{ which }}.yml\"\nvars: {which: live/more}"),
            "ansible.builtin.include_tasks",
            "computed",
        ),
        bad(
            "an import that is computed",
            task("ansible.builtin.import_tasks:\n  file: \"{{ word }}.yml\""),
            "ansible.builtin.import_tasks",
            "computed",
        ),
        bad(
            "a role from elsewhere",
            changing_with("  roles: [acme.web.deploy]\n", MAKE),
            "acme.web.deploy",
            "a role from outside",
        ),
        bad("raw", task("ansible.builtin.raw: touch /srv/marker"), "ansible.builtin.raw", "check mode"),
        bad(
            "what goes on behind",
            task(&format!("{touch}async: 600\npoll: 0")),
            "async",
            "behind the run's back",
        ),
        bad(
            "the environment",
            changing_with("  environment: {PATH: /srv}\n", MAKE),
            "environment",
            "environment",
        ),
        bad(
            "another connection",
            changing_with("  connection: local\n", MAKE),
            "connection: local",
            "inventory",
        ),
        bad(
            "a prompt",
            changing_with("  vars_prompt: [{name: x}]\n", MAKE),
            "vars_prompt",
            "person who is not there",
        ),
        bad(
            "variables that steer",
            changing_with("  vars: {ansible_connection: local}\n", MAKE),
            "ansible_connection",
            "steers",
        ),
    ]
}

#[tokio::test]
async fn what_would_lie_is_refused_with_file_and_line_and_nothing_ran() -> Result<()> {
    let bed = making(2, MAKE, "")?;
    let session = bed.session().await?;
    for bad in all(&bed) {
        bed.write("live/make.yml", &bad.playbook)?;
        let refused = make(&session, json!({})).await?;
        assert_eq!(refused.refusal()?, "precondition_failed", "{}: {:#}", bad.what, refused.content);
        let findings = refused.content["details"]["findings"].as_array().context("findings")?;
        let place = format!("live/make.yml:{}: ", bad.line);
        let named = findings.iter().filter_map(|one| one.as_str());
        let named = named.filter(|one| one.starts_with(&place) && one.contains(bad.says)).count();
        assert!(named > 0, "{}: not at {place}({}): {findings:#?}", bad.what, bad.says);
    }
    // The way to verify and the way back are held to the same.
    bed.write("live/make.yml", &changing(MAKE))?;
    bed.write("live/look.yml", &reading(&format!("{LOOK}{UNMAKE}")))?;
    let refused = make(&session, json!({})).await?;
    assert!(
        refused.content["details"]["findings"].to_string().contains("only reads"),
        "{:#}",
        refused.content
    );
    for host in ["web1", "web2"] {
        assert!(!bed.fleet.has(host, "/srv/marker")? && !bed.fleet.has(host, "/srv/made")?, "{host}");
    }
    assert!(!bed.path("marker").exists());
    Ok(())
}

#[tokio::test]
async fn plugins_that_a_project_brings_are_refused() -> Result<()> {
    let bed = making(1, MAKE, "")?;
    let session = bed.session().await?;
    let plugin = format!("open({:?}, 'w').close()\n", bed.path("marker"));
    for folder in [
        "action_plugins",
        "callback_plugins",
        "filter_plugins",
        "lookup_plugins",
        "library",
        "live/library",
        "live/filter_plugins",
    ] {
        let file = format!("{folder}/copy.py");
        bed.write(&file, &plugin)?;
        let answer = make(&session, json!({})).await?;
        assert!(!bed.path("marker").exists(), "{folder}");
        assert!(
            !answer.refused || answer.content.to_string().contains("code that Ansible would load"),
            "{folder}: {:#}",
            answer.content
        );
        std::fs::remove_file(bed.project().join(&file))?;
    }
    Ok(())
}

#[tokio::test]
async fn a_doubt_that_was_reviewed_is_let_through_and_stays_undetermined() -> Result<()> {
    let command = "    - name: Run it\n      ansible.builtin.command:\n        argv: [touch, /srv/made]\n        creates: /srv/made\n";
    let bed = making(1, command, "")?;
    let session = bed.session().await?;
    assert_eq!(make(&session, json!({})).await?.refusal()?, "precondition_failed");
    bed.declare(&crate::story::declaration(&[&crate::story::own(
        "    allows: [{kind: command, task: \"live/make.yml:Run it\"}]\n",
    )]))?;
    let plan = make(&session, json!({})).await?.done()?;
    assert!(plan.content["coverage"]["undetermined"].to_string().contains("Run it"), "{:#}", plan.content);
    assert!(!bed.fleet.has("web1", "/srv/made")?);
    Ok(())
}
