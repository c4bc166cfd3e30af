//! What would lie in check mode, or run although it is only checked: refused before anything of it runs, with file and line.

use anyhow::{Context as _, Result};
use runcord_tests::PlayBed;
use serde_json::json;

use crate::story::{LOOK, MAKE, UNMAKE, changing, changing_with, make, making, reading};

/// A playbook of a project, and what is said of which of its lines.
struct Bad {
    playbook: String,
    /// A part of the line, and a part of what is said.
    says: Vec<(&'static str, &'static str)>,
}

/// Tasks that would leave a marker on a host or here, in check mode too, or make check mode lie.
fn bad_tasks(bed: &PlayBed) -> Bad {
    let tasks = format!(
        r#"    - name: Run although it is only checked
      ansible.builtin.command:
        argv: [touch, /srv/marker]
      check_mode: false
      ignore_errors: true
    - name: Ask
      ansible.builtin.command:
        argv: [touch, /srv/marker]
      register: asked
    - name: Go on, since a skipped command gives 0
      ansible.builtin.file: {{path: /srv/marker, state: touch, mode: "0644"}}
      when: asked.rc == 0
    - name: Look up
      ansible.builtin.debug:
        msg: "{{{{ lookup('pipe', 'touch {here}') }}}}"
    - name: Act elsewhere
      ansible.builtin.file: {{path: /srv/marker, state: touch, mode: "0644"}}
      delegate_to: web2
    - name: Act here
      local_action:
        module: ansible.builtin.file
        path: {here}
        state: touch
    - name: Include what is computed
      ansible.builtin.include_tasks:
        file: "{{{{ which }}}}.yml"
      vars: {{which: live/more}}
    - name: Run something
      ansible.builtin.raw: touch /srv/marker
    - name: Go on behind
      ansible.builtin.file: {{path: /srv/marker, state: touch, mode: "0644"}}
      async: 600
      poll: 0
"#,
        here = bed.path("marker").display()
    );
    Bad {
        playbook: changing(&tasks),
        says: vec![
            ("check_mode: false", "check mode"),
            ("ignore_errors: true", "goes on after it has failed"),
            ("when: asked.rc == 0", "reads as a success"),
            ("lookup('pipe'", "a lookup runs where Ansible runs"),
            ("delegate_to: web2", "another host"),
            ("local_action", "where Ansible runs"),
            ("ansible.builtin.include_tasks", "computed"),
            ("ansible.builtin.raw", "check mode"),
            ("async: 600", "behind the run's back"),
        ],
    }
}

/// Plays that reach other hosts, or go on where they should stop.
fn bad_plays() -> Vec<Bad> {
    let keywords = "  max_fail_percentage: 50\n  environment: {PATH: /srv}\n  connection: local\n  \
                    vars_prompt: [{name: x}]\n  vars: {ansible_connection: local}\n  roles: [acme.web.deploy]\n";
    let one = |playbook: String, marked, says| Bad { playbook, says: vec![(marked, says)] };
    let other = format!("{}{}", changing(MAKE), changing(MAKE).replace("hosts: all", "hosts: localhost"));
    vec![
        Bad {
            playbook: changing_with(keywords, MAKE)
                .replace("any_errors_fatal: true", "any_errors_fatal: false")
                .replace("serial: \"{{ runcord_serial }}\"", "serial: 50%"),
            says: vec![
                ("max_fail_percentage", "goes on after a host has failed"),
                ("environment", "environment"),
                ("connection: local", "otherwise than the inventory"),
                ("vars_prompt", "person who is not there"),
                ("vars: {ansible_connection", "steers Ansible"),
                ("acme.web.deploy", "a role from outside"),
                ("any_errors_fatal: false", "goes on after a host has failed"),
                ("serial: 50%", "batches"),
            ],
        },
        one(changing(MAKE).replace("hosts: all", "hosts: web2"), "hosts: web2", "hosts: all"),
        one(other, "hosts: localhost", "hosts: all"),
        // Without batches it would be all hosts at once.
        one(
            changing(MAKE).replace("  serial: \"{{ runcord_serial }}\"\n", ""),
            "- name: Change hosts",
            "batches",
        ),
        one(
            changing(
                "    - name: Import\n      ansible.builtin.import_tasks:\n        file: \"{{ word }}.yml\"\n",
            ),
            "ansible.builtin.import_tasks",
            "computed",
        ),
    ]
}

#[tokio::test]
async fn what_would_lie_is_refused_with_file_and_line_and_nothing_ran() -> Result<()> {
    let bed = making(2, MAKE, "")?;
    let session = bed.session().await?;
    for bad in std::iter::once(bad_tasks(&bed)).chain(bad_plays()) {
        bed.write("live/make.yml", &bad.playbook)?;
        let refused = make(&session, json!({})).await?;
        assert_eq!(refused.refusal()?, "precondition_failed", "{}: {:#}", bad.playbook, refused.content);
        assert!(refused.str("/message")?.contains("live/make.yml:"), "{:#}", refused.content);
        let findings = refused.content["details"]["findings"].as_array().context("findings")?;
        for (marked, says) in bad.says {
            let line =
                bad.playbook.lines().position(|line| line.contains(marked)).context("it stands there")?;
            let place = format!("live/make.yml:{}: ", line + 1);
            let mut said = findings.iter().filter_map(|one| one.as_str());
            let named = said.any(|one| one.starts_with(&place) && one.contains(says));
            assert!(named, "nothing at {place}{marked} ({says}): {findings:#?}");
        }
    }
    // The way to verify is held to the same.
    bed.write("live/make.yml", &changing(MAKE))?;
    bed.write("live/look.yml", &reading(&format!("{LOOK}{UNMAKE}")))?;
    let refused = make(&session, json!({})).await?;
    let findings = refused.content["details"]["findings"].to_string();
    assert!(findings.contains("live/look.yml:") && findings.contains("only reads"), "{:#}", refused.content);
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
        "live/vars_plugins",
        "live/inventory_plugins",
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
