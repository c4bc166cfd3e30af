//! Templates where values are meant: none of them runs, on hosts or here. A file that it would make is the witness.

use anyhow::Result;
use runcord_tests::PlayBed;
use serde_json::json;

use crate::story::{READS, RESTART, carried_out, declaration, make, making, on, pid, web};

/// A template that makes a file where Ansible runs.
fn lookup(bed: &PlayBed) -> String {
    format!("{{{{ lookup('pipe', 'touch {}') }}}}", bed.path("marker").display())
}

#[tokio::test]
async fn in_a_parameter_it_is_refused() -> Result<()> {
    let bed = web(1)?;
    let session = bed.session().await?;
    let template = lookup(&bed);
    for (tool, more) in [
        ("service_status", json!({"playbook": "status", "group": "web", "service": template})),
        ("service_status", json!({"playbook": "status", "group": template, "service": "nginx"})),
        ("service_status", json!({"playbook": template, "group": "web", "service": "nginx"})),
        (
            "service_status",
            json!({"playbook": "status", "group": "web", "host": template, "service": "nginx"}),
        ),
        ("plan_restart_service", on("restart_web", "web", json!({"service": template}))),
        ("plan_restart_service", on("restart_web", "web", json!({"host": template}))),
        ("plan_restart_service", on("restart_web", "web", json!({"timeout": template}))),
    ] {
        let refused = session.call(tool, more.clone()).await?;
        assert_eq!(refused.refusal()?, "invalid_params", "{tool} {more}: {:#}", refused.content);
    }
    assert!(!bed.path("marker").exists());
    Ok(())
}

#[tokio::test]
async fn where_a_runbook_lets_it_through_the_declaration_does_not() -> Result<()> {
    let bed = making(1, &writing_word(), WORD)?;
    let session = bed.session().await?;
    let refused = make(&session, json!({"word": lookup(&bed)})).await?;
    assert_eq!(refused.refusal()?, "invalid_params", "{:#}", refused.content);
    // Nor can a declaration let it through.
    let wide = WORD.replace("^[a-z ]*$", "^.*$");
    let declared = bed.declare(&declaration(&[&crate::story::own(&wide)]));
    let refused = declared.map_err(|error| error.to_string()).unwrap_err();
    assert!(refused.contains("lets templates through"), "{refused}");
    assert!(!bed.path("marker").exists());
    Ok(())
}

const WORD: &str = r#"    variables: {word: {string: {pattern: "^[a-z ]*$", max_length: 400}}}
"#;

/// A task that writes what it is given.
fn writing_word() -> String {
    crate::story::MAKE.replace(r#""made\n""#, r#""{{ word }}\n""#)
}

#[tokio::test]
async fn braces_that_a_pattern_lets_through_arrive_as_they_are() -> Result<()> {
    // One pair of braces is no template; the pattern is one that lets no whole template through.
    let pattern = WORD.replace("^[a-z ]*$", "^[a-z][{]x[}]$");
    let bed = making(1, &writing_word(), &pattern)?;
    let session = bed.session().await?;
    let plan = make(&session, json!({"word": "a{x}"})).await?.done()?;
    let end = carried_out(&bed, &session, &plan).await?;
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);
    assert_eq!(bed.fleet.read("web1", "/srv/made")?, "a{x}\n");
    Ok(())
}

/// Lets the inventory be a program that prints these variables of one host.
fn asked(bed: &PlayBed, variables: &str) -> Result<()> {
    let hosts = r#"{"_meta": {"hostvars": {"web1": VARIABLES}}, "web": {"hosts": ["web1"]}}"#;
    let hosts = hosts.replace("VARIABLES", variables).replace("ADDRESS", &bed.fleet.address("web1")?);
    let hosts = hosts.replace("MARKER", &bed.path("marker").display().to_string());
    bed.write_program("cloud.sh", &format!("#!/bin/sh\ncat <<'END'\n{hosts}\nEND\n"))
}

#[tokio::test]
async fn in_what_an_inventory_asks_it_runs_nothing_and_is_refused() -> Result<()> {
    let bed = PlayBed::new(1)?;
    bed.declare(&declaration(&[RESTART, READS]).replace("hosts.yaml", "cloud.sh"))?;
    let session = bed.session().await?;
    let before = pid(&bed, "web1")?;
    for variables in [
        // A tag of the cloud.
        r#"{"ansible_host": "ADDRESS", "tag": "{{ lookup('pipe', 'touch MARKER') }}"}"#,
        r#"{"ansible_host": "{{ query('pipe', 'touch MARKER') }}"}"#,
        // What says how a host is reached runs here.
        r#"{"ansible_connection": "local"}"#,
        r#"{"ansible_host": "ADDRESS", "ansible_ssh_common_args": "-o ProxyCommand='touch MARKER'"}"#,
        r#"{"ansible_host": "ADDRESS", "ansible_python_interpreter": "touch MARKER;"}"#,
        r#"{"ansible_host": "ADDRESS", "runcord_done": true}"#,
    ] {
        asked(&bed, variables)?;
        let refused = session.call("plan_restart_service", on("restart_web", "web", json!({}))).await?;
        assert_eq!(refused.refusal()?, "precondition_failed", "{variables}: {:#}", refused.content);
        assert!(refused.str("/message")?.contains("inventory"), "{:#}", refused.content);
        assert!(!refused.content.to_string().contains("MARKER"), "{:#}", refused.content);
        let args = json!({"playbook": "status", "group": "web", "service": "nginx"});
        assert_eq!(session.call("service_status", args).await?.refusal()?, "precondition_failed");
        assert!(!bed.path("marker").exists(), "{variables}");
        assert_eq!(pid(&bed, "web1")?, before);
    }
    Ok(())
}

#[tokio::test]
async fn in_an_inventory_that_was_reviewed_a_lookup_is_refused_too() -> Result<()> {
    let bed = making(1, crate::story::MAKE, "")?;
    let inventory = bed.inventory()?;
    let tagged = format!("    ansible_user: root\n    tag: \"{}\"\n", lookup(&bed));
    bed.write("hosts.yaml", &inventory.replace("    ansible_user: root\n", &tagged))?;
    let session = bed.session().await?;
    let refused = make(&session, json!({})).await?;
    assert_eq!(refused.refusal()?, "precondition_failed", "{:#}", refused.content);
    assert!(!bed.path("marker").exists() && !bed.fleet.has("web1", "/srv/made")?);
    Ok(())
}

#[tokio::test]
async fn what_a_host_says_of_itself_is_no_template() -> Result<()> {
    let tasks = format!(
        "    - name: Read what the host says\n      ansible.builtin.slurp:\n        src: /srv/said\n      register: said\n{}",
        crate::story::MAKE.replace(r#""made\n""#, r#""{{ said.content | b64decode }}""#)
    );
    let bed = making(1, &tasks, "")?;
    let template = lookup(&bed);
    bed.fleet.write("web1", "/srv/said", &template)?;
    let session = bed.session().await?;
    let plan = make(&session, json!({})).await?.done()?;
    let end = carried_out(&bed, &session, &plan).await?;
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);
    assert_eq!(bed.fleet.read("web1", "/srv/made")?, template);
    assert!(!bed.path("marker").exists());
    Ok(())
}
