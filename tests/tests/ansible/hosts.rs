//! Which hosts are meant: exactly those, never all of them because none was meant.

use anyhow::Result;
use serde_json::json;

use crate::story::{RESTART, declaration, on, pids, web};

#[tokio::test]
async fn what_names_no_host_is_refused_and_never_means_all() -> Result<()> {
    let bed = web(2)?;
    let inventory = bed.inventory()?;
    bed.write(
        "hosts.yaml",
        &format!("{inventory}    empty: {{hosts: {{}}}}\n    other: {{hosts: {{db1: {{}}}}}}\n"),
    )?;
    let groups = RESTART.replace("groups: [web]", "groups: [web, empty, nosuch, other]");
    bed.declare(&declaration(&[&groups]))?;
    let session = bed.session().await?;
    let before = pids(&bed)?;
    for (group, more, code) in [
        ("nosuch", json!({}), "precondition_failed"),
        ("empty", json!({}), "precondition_failed"),
        // Not in that group, though there is one of that name; not there at all.
        ("web", json!({"host": "db1"}), "precondition_failed"),
        ("web", json!({"host": "web9"}), "precondition_failed"),
        // Not declared.
        ("all", json!({}), "invalid_params"),
        ("canary", json!({}), "invalid_params"),
        ("ungrouped", json!({}), "invalid_params"),
        // A pattern, an option, a file of names, quotes, a line more.
        ("*", json!({}), "invalid_params"),
        ("web:!eu", json!({}), "invalid_params"),
        ("-e", json!({}), "invalid_params"),
        ("@hosts", json!({}), "invalid_params"),
        ("", json!({}), "invalid_params"),
        (" ", json!({}), "invalid_params"),
        (",", json!({}), "invalid_params"),
        ("web\n", json!({}), "invalid_params"),
        ("web", json!({"host": ""}), "invalid_params"),
        ("web", json!({"host": " "}), "invalid_params"),
        ("web", json!({"host": ","}), "invalid_params"),
        ("web", json!({"host": "all"}), "invalid_params"),
        ("web", json!({"host": "localhost"}), "invalid_params"),
        ("web", json!({"host": "-i/etc/passwd"}), "invalid_params"),
        ("web", json!({"host": "web*"}), "invalid_params"),
        ("web", json!({"host": "web1,web2"}), "invalid_params"),
        ("web", json!({"host": "web1\nweb2"}), "invalid_params"),
        ("web", json!({"host": "web1\" --limit \"web2"}), "invalid_params"),
        ("web", json!({"host": ["web1", "web2"]}), "invalid_params"),
    ] {
        let refused = session.call("plan_restart_service", on("restart_web", group, more.clone())).await?;
        assert_eq!(refused.refusal()?, code, "{group} {more}: {:#}", refused.content);
    }
    assert_eq!(pids(&bed)?, before);
    Ok(())
}

#[tokio::test]
async fn an_inventory_with_names_that_could_be_read_otherwise_is_refused() -> Result<()> {
    let bed = web(1)?;
    let inventory = bed.inventory()?;
    let session = bed.session().await?;
    for (more, says) in [
        ("    spare: {hosts: {'-e x': {}}}\n", "name"),
        ("    spare: {hosts: {'{{ x }}': {}}}\n", "name"),
        ("    spare: {hosts: {localhost: {}}}\n", "name"),
        ("    spare: {hosts: {db1: {password: !vault \"$ANSIBLE_VAULT;1.1;AES256\\n6162\"}}}\n", "vault"),
        ("    spare: {vars: {runcord_done: true}, hosts: {web1: {}}}\n", "runcord_"),
    ] {
        bed.write("hosts.yaml", &format!("{inventory}{more}"))?;
        let refused = session.call("plan_restart_service", on("restart_web", "web", json!({}))).await?;
        let code = refused.refusal()?;
        assert!(
            ["precondition_failed", "target_unreachable"].contains(&code),
            "{more}: {:#}",
            refused.content
        );
        assert!(refused.content.to_string().contains(says), "{more}: {:#}", refused.content);
    }
    for broken in ["all: {hosts: [", "", "#!/bin/sh\nexit 1\n"] {
        bed.write("hosts.yaml", broken)?;
        let refused = session.call("plan_restart_service", on("restart_web", "web", json!({}))).await?;
        assert!(refused.refused, "{broken}: {:#}", refused.content);
    }
    std::fs::remove_file(bed.project().join("hosts.yaml"))?;
    let refused = session.call("plan_restart_service", on("restart_web", "web", json!({}))).await?;
    assert_eq!(refused.refusal()?, "precondition_failed", "{:#}", refused.content);
    Ok(())
}
