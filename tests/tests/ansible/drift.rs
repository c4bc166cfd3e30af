//! What moves between the plan and its application voids it.

use std::fs;

use anyhow::Result;
use runcord_tests::PlayBed;
use runcord_tests::session::{Answer, Session};
use serde_json::json;

use crate::story::{MAKE, apply, approve, changing, make, making, own, verified};

/// What an approved plan is refused as.
async fn refused(bed: &PlayBed, session: &Session, plan: &Answer) -> Result<String> {
    approve(bed, plan)?;
    let answer = apply(session, plan).await?;
    Ok(answer.refusal()?.to_owned())
}

fn untouched(bed: &PlayBed) -> Result<()> {
    for host in bed.fleet.names() {
        assert!(!bed.fleet.has(host, "/srv/made")?, "{host}");
    }
    Ok(())
}

/// A role that makes the file, with its defaults.
fn with_role(bed: &PlayBed) -> Result<()> {
    let tasks: String =
        MAKE.lines().map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line))).collect();
    bed.write("roles/maker/tasks/main.yml", &tasks)?;
    bed.write(
        "live/make.yml",
        &changing("    - name: Make it\n      ansible.builtin.import_role:\n        name: maker\n"),
    )
}

#[tokio::test]
async fn a_group_that_grew_or_shrank_is_another_group() -> Result<()> {
    let bed = making(3, MAKE, "")?;
    let inventory = bed.inventory()?;
    let without = |host: &str| -> String {
        inventory
            .lines()
            .filter(|line| !line.trim_start().starts_with(&format!("{host}:")))
            .map(|line| format!("{line}\n"))
            .collect()
    };
    let session = bed.session().await?;
    bed.write("hosts.yaml", &without("web3"))?;
    let two = make(&session, json!({})).await?.done()?;
    assert_eq!(two.content["blast_radius"]["hosts"], 2);
    bed.write("hosts.yaml", &inventory)?;
    assert_eq!(refused(&bed, &session, &two).await?, "plan_drifted");
    let three = make(&session, json!({})).await?.done()?;
    bed.write("hosts.yaml", &without("web3"))?;
    assert_eq!(refused(&bed, &session, &three).await?, "plan_drifted");
    untouched(&bed)
}

#[tokio::test]
async fn a_file_of_the_project_that_was_edited_is_another_project() -> Result<()> {
    let bed = making(1, MAKE, "")?;
    with_role(&bed)?;
    bed.write("notes.txt", "first")?;
    let session = bed.session().await?;
    let role = fs::read_to_string(bed.project().join("roles/maker/tasks/main.yml"))?;
    for (file, then, now) in [
        ("roles/maker/tasks/main.yml", role.as_str(), role.replace("made\\n", "edited\\n").as_str()),
        (
            "live/look.yml",
            &crate::story::reading(crate::story::LOOK),
            &crate::story::reading(crate::story::LOOK).replace("made.stat.exists", "true"),
        ),
        ("notes.txt", "first", "second"),
    ] {
        let plan = make(&session, json!({})).await?.done()?;
        bed.write(file, now)?;
        assert_eq!(refused(&bed, &session, &plan).await?, "plan_drifted", "{file}");
        bed.write(file, then)?;
    }
    untouched(&bed)
}

#[tokio::test]
async fn a_host_that_changed_so_that_something_else_would_be_done_voids_the_plan() -> Result<()> {
    let bed = making(2, MAKE, "")?;
    let session = bed.session().await?;
    let plan = make(&session, json!({})).await?.done()?;
    bed.fleet.write("web2", "/srv/made", "somebody else's\n")?;
    approve(&bed, &plan)?;
    let answer = apply(&session, &plan).await?;
    assert_eq!(answer.refusal()?, "plan_drifted", "{:#}", answer.content);
    let differences = answer.content["details"]["differences"].to_string();
    assert!(differences.contains("web2") && !differences.contains("web1"), "{differences}");
    assert!(!bed.fleet.has("web1", "/srv/made")?);
    assert_eq!(bed.fleet.read("web2", "/srv/made")?, "somebody else's\n");
    // As it is to be already, on one host: that is another plan too.
    bed.fleet.remove("web2", "/srv/made")?;
    let plan = make(&session, json!({})).await?.done()?;
    bed.fleet.write("web2", "/srv/made", "made\n")?;
    assert_eq!(refused(&bed, &session, &plan).await?, "plan_drifted");
    Ok(())
}

#[tokio::test]
async fn a_plan_is_applied_once_and_what_is_done_is_not_done_again() -> Result<()> {
    let bed = making(2, MAKE, "")?;
    let session = bed.session().await?;
    let plan = make(&session, json!({})).await?.done()?;
    let wrong = json!({"plan_id": plan.str("/plan_id")?, "expect": "something else"});
    assert_eq!(session.call("apply_plan", wrong).await?.refusal()?, "invalid_params");
    let end = verified(&bed, &session, &plan).await?;
    assert_eq!(apply(&session, &plan).await?.refusal()?, "plan_spent");
    let again = make(&session, json!({})).await?;
    assert_eq!(again.refusal()?, "precondition_failed", "there is nothing to do: {:#}", again.content);
    // The way back drifts as well, when somebody was there before.
    let back = session.call("undo_plan", json!({"run_id": end.str("/run_id")?})).await?.done()?;
    bed.fleet.remove("web2", "/srv/made")?;
    assert_eq!(refused(&bed, &session, &back).await?, "plan_drifted");
    assert!(bed.fleet.has("web1", "/srv/made")?);
    Ok(())
}

#[tokio::test]
async fn what_was_declared_to_vary_voids_nothing_and_all_else_does() -> Result<()> {
    let dated = MAKE.replace("made\\n", "made {{ stamp }}\\n");
    let tasks = format!(
        "    - name: Take the time of the host\n      ansible.builtin.slurp:\n        src: /proc/uptime\n      register: up\n{dated}      vars:\n        stamp: \"{{{{ up.content | b64decode }}}}\"\n"
    );
    let varies = "    normalise: [{pattern: \"made [0-9]+[.][0-9]{2} [0-9]+[.][0-9]{2}\"}]\n";
    let bed = making(1, &tasks, "")?;
    let session = bed.session().await?;
    let plan = make(&session, json!({})).await?.done()?;
    assert_eq!(refused(&bed, &session, &plan).await?, "plan_drifted", "nobody declared that it varies");
    bed.declare(&crate::story::declaration(&[&own(varies)]))?;
    let plan = make(&session, json!({})).await?.done()?;
    let end = verified(&bed, &session, &plan).await?;
    assert_eq!(end.str("/state")?, "verified");
    assert!(bed.fleet.read("web1", "/srv/made")?.starts_with("made "));
    Ok(())
}

#[tokio::test]
async fn another_machine_under_the_same_name_is_another_host() -> Result<()> {
    let bed = making(2, MAKE, "")?;
    let session = bed.session().await?;
    let plan = make(&session, json!({"host": "web1"})).await?.done()?;
    let inventory = bed.inventory()?;
    let (one, other) = (bed.fleet.address("web1")?, bed.fleet.address("web2")?);
    bed.write(
        "hosts.yaml",
        &inventory.replace(&format!("{{ansible_host: {one}}}"), &format!("{{ansible_host: {other}}}")),
    )?;
    assert_eq!(refused(&bed, &session, &plan).await?, "plan_drifted");
    untouched(&bed)
}
