//! What is secret is hunted for, in everything that anybody reads and in everything that is kept.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use runcord_tests::hunt::files_with;
use runcord_tests::session::Answer;
use runcord_tests::{PlayBed, Session};
use rusqlite::types::ValueRef;
use serde_json::json;

use crate::story::{MAKE, carried_out, make, making};

/// Each is at one place, and nothing else in a test has this text.
const BECOME: &str = "sw0rdfish-becoming-root";
const APP: &str = "tr0ub4dor-of-the-app";
const TOKEN: &str = "t0ken-of-the-registry";
const HIDDEN: &str = "h1dden-by-no-log-only";

fn hunted() -> Vec<String> {
    [BECOME, APP, TOKEN, HIDDEN].map(str::to_owned).into()
}

/// Nothing of these in what somebody is told.
fn not_in(answers: &[&Answer], session: &Session, hunted: &[String]) -> Result<()> {
    let log = session.stderr()?;
    let progress = session.progress().join("\n");
    for secret in hunted {
        for answer in answers {
            assert!(!answer.content.to_string().contains(secret), "{secret}: {:#}", answer.content);
            assert!(!answer.text.contains(secret), "{secret}: {}", answer.text);
        }
        assert!(!log.contains(secret) && !progress.contains(secret), "{secret}: {log}");
    }
    Ok(())
}

/// Every row of every table of the ledger.
fn rows(bed: &PlayBed) -> Result<String> {
    let ledger = rusqlite::Connection::open(bed.state().join("ledger.db"))?;
    let mut tables = ledger.prepare("select name from sqlite_master where type = 'table'")?;
    let tables = tables.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let mut dump = String::new();
    for table in tables {
        let mut all = ledger.prepare(&format!("select * from \"{table}\""))?;
        let columns = all.column_count();
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                let bytes = match row.get_ref(column)? {
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
                    ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => continue,
                };
                dump += &String::from_utf8_lossy(bytes);
                dump.push('\n');
            }
        }
    }
    Ok(dump)
}

/// The files of the state folder that hold a secret: with the secret.
fn kept(bed: &PlayBed) -> Result<Vec<PathBuf>> {
    let found = files_with(&bed.state(), &hunted())?;
    let path = |line: &String| line.split_once(" in ").map(|(_, path)| PathBuf::from(path)).context("a path");
    found.iter().map(path).collect()
}

/// What Ansible wrote of batches, and copies of the project, which may hold what the project holds: its owner's alone.
fn is_private(path: &Path) -> Result<bool> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 == 0 || {
        let mut folders = path.ancestors().skip(1);
        folders.any(|folder| fs::metadata(folder).is_ok_and(|meta| meta.permissions().mode() & 0o077 == 0))
    })
}

/// The tasks of a deployment: secrets in a diff, behind `no_log`, and in the message of a failure.
const DEPLOY: &str = r#"    - name: Write the settings
      ansible.builtin.copy:
        content: "as {{ app.login.password }}\nnote=plain\n"
        dest: /srv/settings
        owner: root
        group: root
        mode: "0600"
    - name: Write the rest
      ansible.builtin.copy:
        content: "hidden={{ hidden_note }}\n"
        dest: /srv/rest
        owner: root
        group: root
        mode: "0600"
      no_log: true
"#;

/// A bed whose inventory holds them.
fn bed(tasks: &str) -> Result<PlayBed> {
    let bed = making(1, tasks, "    environment: [APP_REGISTRY_TOKEN]\n")?;
    let secrets = format!(
        "    ansible_user: root\n    ansible_become_pass: {BECOME}\n    app: {{login: {{password: {APP}}}}}\n    hidden_note: {HIDDEN}\n"
    );
    bed.write("hosts.yaml", &bed.inventory()?.replace("    ansible_user: root\n", &secrets))?;
    Ok(bed)
}

#[tokio::test]
async fn what_is_secret_is_in_no_answer_no_log_and_no_row() -> Result<()> {
    let bed = bed(&format!("{DEPLOY}{MAKE}"))?;
    let session = bed.session_with(&[("APP_REGISTRY_TOKEN", TOKEN)]).await?;
    let plan = make(&session, json!({})).await?.done()?;
    assert!(
        plan.content["diff"].to_string().contains("note=plain"),
        "what is not secret is shown: {:#}",
        plan.content["diff"]
    );
    let end = carried_out(&bed, &session, &plan).await?;
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);
    assert!(bed.fleet.read("web1", "/srv/settings")?.contains(APP), "the witness: it got there");
    assert!(bed.fleet.read("web1", "/srv/rest")?.contains(HIDDEN));
    not_in(&[&plan, &end], &session, &hunted())?;
    let rows = rows(&bed)?;
    assert!(rows.contains("run_playbook"), "the ledger was read");
    for secret in hunted() {
        assert!(!rows.contains(&secret), "{secret} is in the ledger");
    }
    for args in [["plan", "show", plan.str("/plan_id")?], ["run", "show", end.str("/run_id")?]] {
        let output = bed.runcord(args)?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{args:?}");
        for secret in hunted() {
            assert!(!printed.contains(&secret), "{args:?}: {secret}");
        }
    }
    let kept = kept(&bed)?;
    assert!(!kept.is_empty(), "the copy of the project holds what the project holds");
    for path in kept {
        let below = path.strip_prefix(bed.state())?;
        let says_so = ["ansible/contents", "ansible/batches"].iter().any(|folder| below.starts_with(folder));
        assert!(says_so && is_private(&path)?, "{} holds a secret", path.display());
    }
    Ok(())
}

#[tokio::test]
async fn a_failure_tells_no_secret() -> Result<()> {
    let failing = r#"    - name: Say it
      ansible.builtin.assert:
        that: false
        fail_msg: "cannot log in with {{ app.login.password }} as {{ hidden_note }} {{ ansible_become_pass }}"
      when: not ansible_check_mode
"#;
    let bed = bed(&format!("{DEPLOY}{failing}"))?;
    let session = bed.session_with(&[("APP_REGISTRY_TOKEN", TOKEN)]).await?;
    let plan = make(&session, json!({})).await?.done()?;
    let end = carried_out(&bed, &session, &plan).await?;
    assert_eq!(end.str("/state")?, "failed", "{:#}", end.content);
    not_in(&[&plan, &end], &session, &hunted())?;
    let rows = rows(&bed)?;
    for secret in hunted() {
        assert!(!rows.contains(&secret), "{secret} is in the ledger");
    }
    // While planning it fails as well, and says as little.
    bed.write(
        "live/make.yml",
        &crate::story::changing(&failing.replace("      when: not ansible_check_mode\n", "")),
    )?;
    let refused = make(&session, json!({})).await?;
    assert_eq!(refused.refusal()?, "precondition_failed", "{:#}", refused.content);
    // What only the task hides that uses it is not known to be secret where another one says it.
    not_in(&[&refused], &session, &[BECOME, APP, TOKEN].map(str::to_owned))
}

#[tokio::test]
async fn variables_beside_the_playbook_are_known_as_those_of_the_inventory_are() -> Result<()> {
    let bed = making(1, &MAKE.replace("made\\n", "as {{ app_password }}\\n"), "")?;
    bed.write("live/group_vars/all.yml", &format!("app_password: {APP}\n"))?;
    let session = bed.session().await?;
    let plan = make(&session, json!({})).await?.done()?;
    assert!(plan.content["diff"].to_string().contains("+ as "), "{:#}", plan.content["diff"]);
    let end = carried_out(&bed, &session, &plan).await?;
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);
    assert_eq!(bed.fleet.read("web1", "/srv/made")?, format!("as {APP}\n"), "the witness: it is taken");
    not_in(&[&plan, &end], &session, &hunted())?;
    bed.write("live/host_vars/web1.yml", "runcord_done: true\n")?;
    let refused = make(&session, json!({})).await?;
    assert_eq!(refused.refusal()?, "precondition_failed", "{:#}", refused.content);
    assert!(refused.content.to_string().contains("runcord_"), "{:#}", refused.content);
    Ok(())
}

#[tokio::test]
async fn credentials_reach_ansible_only_where_they_are_declared() -> Result<()> {
    // What is in the environment of the server, as a module on the host that is this machine's own process would see it.
    let bed = making(1, MAKE, "")?;
    bed.write_program(
        "hosts.sh",
        &format!(
            "#!/bin/sh\nenv >{}\ncat <<'END'\n{{\"web\": {{\"hosts\": [\"web1\"]}}}}\nEND\n",
            bed.path("environment").display()
        ),
    )?;
    let declared =
        |more: &str| crate::story::declaration(&[&crate::story::own(more)]).replace("hosts.yaml", "hosts.sh");
    bed.declare(&declared(""))?;
    let session = bed.session_with(&[("APP_REGISTRY_TOKEN", TOKEN), ("OTHER", "x")]).await?;
    make(&session, json!({})).await?;
    let environment = fs::read_to_string(bed.path("environment"))?;
    assert!(!environment.contains(TOKEN) && !environment.contains("OTHER"), "{environment}");
    bed.declare(&declared("    environment: [APP_REGISTRY_TOKEN]\n"))?;
    make(&session, json!({})).await?;
    let environment = fs::read_to_string(bed.path("environment"))?;
    assert!(environment.contains(TOKEN) && !environment.contains("OTHER"), "{environment}");
    assert_eq!(files_with(&bed.state(), &[TOKEN.to_owned()])?, Vec::<String>::new());
    Ok(())
}
