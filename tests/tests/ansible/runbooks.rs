//! Each runbook of hosts: planned, decided, approved, applied, verified, undone. The hosts' own state is the witness.

use anyhow::{Context as _, Result};
use runcord_tests::PlayBed;
use runcord_tests::fleet::BALANCER;
use runcord_tests::session::{Answer, Session};
use serde_json::{Value, json};

use crate::story::{
    READS, RESTART, RESTART_CANARY, apply, declaration, on, pid, pids, plan_restart, verified, web,
};

async fn planned(session: &Session, tool: &str, args: Value) -> Result<Answer> {
    session.call(tool, args).await?.done()
}

/// Takes back what a run did, and sees to it that it is verified.
async fn taken_back(bed: &PlayBed, session: &Session, run: &Answer) -> Result<Answer> {
    assert_eq!(run.content["undo_available"], true, "{:#}", run.content);
    let back = session.call("undo_plan", json!({"run_id": run.str("/run_id")?})).await?.done()?;
    assert!(back.str("/headline")?.starts_with("undo: "), "{:#}", back.content);
    verified(bed, session, &back).await?;
    Ok(back)
}

#[tokio::test]
async fn a_service_is_restarted_one_host_first_and_there_is_no_way_back() -> Result<()> {
    let bed = web(3)?;
    let session = bed.session().await?;
    let before = pids(&bed)?;
    let plan = plan_restart(&session).await?;
    assert_eq!(pids(&bed)?, before, "planning restarts nothing");
    let blast = &plan.content["blast_radius"];
    assert_eq!((&blast["hosts"], &blast["restarts"]), (&json!(3), &json!(3)), "{blast:#}");
    assert_eq!(
        (&blast["hosts_percent"], &blast["hosts_at_once_percent"]),
        (&json!(100), &json!(67)),
        "{blast:#}"
    );
    assert_eq!(plan.content["decision"]["outcome"], "needs_approval", "{:#}", plan.content["decision"]);
    assert_eq!(apply(&session, &plan).await?.refusal()?, "approval_required");
    let end = verified(&bed, &session, &plan).await?;
    assert!(pids(&bed)?.iter().zip(&before).all(|(after, before)| after != before));
    assert_eq!(end.content["undo_available"], false);
    assert_eq!(apply(&session, &plan).await?.refusal()?, "plan_spent");
    let refused = session.call("undo_plan", json!({"run_id": end.str("/run_id")?})).await?;
    assert_eq!(refused.refusal()?, "undo_unavailable");
    Ok(())
}

#[tokio::test]
async fn one_host_of_several_goes_without_anybody() -> Result<()> {
    let bed = web(3)?;
    let session = bed.session().await?;
    let before = pids(&bed)?;
    let args = on("restart_web", "web", json!({"host": "web2"}));
    let plan = planned(&session, "plan_restart_service", args).await?;
    assert_eq!(plan.content["decision"]["outcome"], "allow", "{:#}", plan.content["decision"]);
    verified(&bed, &session, &plan).await?;
    let changed: Vec<_> = pids(&bed)?.iter().zip(&before).map(|(after, before)| after != before).collect();
    assert_eq!(changed, [false, true, false]);
    Ok(())
}

#[tokio::test]
async fn packages_are_pinned_as_they_are_offered_patched_and_brought_back() -> Result<()> {
    let bed = PlayBed::new(2)?;
    bed.declare(&declaration(&[r#"
  patch:
    playbook: {shipped: patch_hosts}
    inventory: hosts.yaml
    groups: [web]
    variables:
      package_names: {value: [fleet-greeting]}
      packages: {pinned: {by: {shipped: patch_hosts.look}, fields: [newer, installed]}}
      packages_before: {pinned: {by: {shipped: patch_hosts.look}, fields: [installed]}}
    batches: [1]
"#]))?;
    for host in ["web1", "web2"] {
        bed.fleet.said_on(host, &["apt-get", "update", "-qq"])?;
    }
    let greeting = || bed.fleet.read("web1", "/usr/share/fleet-greeting/greeting");
    let session = bed.session().await?;
    let plan = planned(&session, "plan_patch_hosts", on("patch", "web", json!({"host": "web1"}))).await?;
    assert!(plan.content.to_string().contains("1.1"), "the versions are shown: {:#}", plan.content);
    assert_eq!(greeting()?, "hello from 1.0\n", "planning installs nothing");
    let end = verified(&bed, &session, &plan).await?;
    assert_eq!(greeting()?, "hello from 1.1\n");
    taken_back(&bed, &session, &end).await?;
    assert_eq!(greeting()?, "hello from 1.0\n");
    Ok(())
}

#[tokio::test]
async fn old_files_are_listed_with_their_bytes_and_deleted_for_good() -> Result<()> {
    let old = ["/var/cache/reports/old-1.csv", "/var/cache/reports/old-2.csv"];
    let bed = PlayBed::new(2)?;
    bed.declare(&declaration(&[r#"
  clean:
    playbook: {shipped: clean_disk}
    inventory: hosts.yaml
    groups: [web]
    variables:
      area: {enum: [reports, crashes]}
      older_than_days: {integer: {minimum: 7, maximum: 365}}
    batches: [1]
"#]))?;
    let session = bed.session().await?;
    let args = |area: &str, days: i64| {
        on("clean", "web", json!({"host": "web1", "area": area, "older_than_days": days}))
    };
    for (area, days) in [("rotated_logs", 7), ("reports", 1), ("/etc", 7)] {
        let refused = session.call("plan_clean_disk", args(area, days)).await?;
        assert_eq!(refused.refusal()?, "invalid_params", "{area} {days}: {:#}", refused.content);
    }
    let plan = planned(&session, "plan_clean_disk", args("reports", 7)).await?;
    let blast = &plan.content["blast_radius"];
    assert_eq!(blast["bytes_deleted"], 4096, "{blast:#}");
    assert_eq!(blast["irreversible"], 1, "{blast:#}");
    for path in old {
        assert!(plan.content["diff"].to_string().contains(path), "{:#}", plan.content["diff"]);
        assert!(bed.fleet.has("web1", path)?);
    }
    let end = verified(&bed, &session, &plan).await?;
    assert_eq!(end.content["undo_available"], false);
    for path in old {
        assert!(!bed.fleet.has("web1", path)? && bed.fleet.has("web2", path)?, "{path}");
    }
    assert!(bed.fleet.has("web1", "/var/cache/reports/new.csv")?);
    Ok(())
}

#[tokio::test]
async fn hosts_are_rebooted_one_after_the_other() -> Result<()> {
    let id = "/proc/sys/kernel/random/boot_id";
    let bed = PlayBed::new(2)?;
    bed.declare(&declaration(&[r#"
  reboot:
    playbook: {shipped: reboot_hosts}
    inventory: hosts.yaml
    groups: [web]
    variables: {service: {value: nginx}}
    batches: [1]
"#]))?;
    let session = bed.session().await?;
    let both = planned(&session, "plan_reboot_hosts", on("reboot", "web", json!({}))).await?;
    assert_eq!(both.content["blast_radius"]["reboots"], 2);
    assert_eq!(apply(&session, &both).await?.refusal()?, "policy_denied", "{:#}", both.content["decision"]);
    let before = ["web1", "web2"].map(|host| bed.fleet.read(host, id).unwrap());
    let plan = planned(&session, "plan_reboot_hosts", on("reboot", "web", json!({"host": "web2"}))).await?;
    assert_eq!(plan.content["decision"]["outcome"], "needs_approval", "{:#}", plan.content["decision"]);
    verified(&bed, &session, &plan).await?;
    assert_eq!(bed.fleet.read("web1", id)?, before[0]);
    assert_ne!(bed.fleet.read("web2", id)?, before[1]);
    Ok(())
}

#[tokio::test]
async fn a_certificate_is_rotated_served_and_changed_back() -> Result<()> {
    let bed = PlayBed::new(2)?;
    bed.declare(&declaration(&[r#"
  rotate:
    playbook: {shipped: rotate_host_certificate}
    inventory: hosts.yaml
    groups: [web]
    variables:
      service: {value: nginx}
      certificate: {value: site}
      certificate_version: {string: {pattern: "^[a-z0-9][a-z0-9.-]*$", max_length: 40}}
      certificate_days: {value: "30"}
      certificate_port: {value: "443"}
    batches: [1]
    allows: [{kind: command, task: "rotate_host_certificate.yml:Make the new key and certificate"}]
"#]))?;
    let current = || bed.fleet.read("web1", "/etc/ssl/site/current/cert.pem");
    let session = bed.session().await?;
    let old = current()?;
    let args = on("rotate", "web", json!({"host": "web1", "certificate_version": "second"}));
    let plan = planned(&session, "plan_rotate_host_certificate", args).await?;
    assert_eq!(current()?, old);
    let end = verified(&bed, &session, &plan).await?;
    assert_ne!(current()?, old);
    let key = bed.fleet.read("web1", "/etc/ssl/site/current/key.pem")?;
    let key: String = key.lines().nth(1).context("a key has lines")?.to_owned();
    assert_eq!(runcord_tests::hunt::files_with(&bed.state(), &[key])?, Vec::<String>::new());
    taken_back(&bed, &session, &end).await?;
    assert_eq!(current()?, old);
    Ok(())
}

#[tokio::test]
async fn a_configuration_is_pushed_loaded_and_put_back_where_it_was_changed() -> Result<()> {
    let path = "/etc/nginx/nginx.conf";
    let bed = PlayBed::new(3)?;
    let old = bed.fleet.read("web1", path)?;
    let new = format!("{old}\n# pushed by a test\n");
    bed.write("files/nginx.conf", &new)?;
    // One host has it already: it is not changed, and not changed back.
    bed.fleet.write("web3", path, &new)?;
    bed.fleet.said_on("web3", &["/etc/init.d/nginx", "restart"])?;
    bed.declare(&declaration(&[r#"
  push:
    playbook: {shipped: push_config}
    inventory: hosts.yaml
    groups: [web]
    variables:
      config_source: {file: files/nginx.conf}
      config_digest: {digest_of: files/nginx.conf}
      config_path: {value: /etc/nginx/nginx.conf}
      config_check: {value: "/usr/sbin/nginx -t -c %s"}
      service: {value: nginx}
      pid_file: {value: /run/nginx.pid}
    batches: [1, 2]
"#]))?;
    let session = bed.session().await?;
    let plan = planned(&session, "plan_push_config", on("push", "web", json!({}))).await?;
    assert!(plan.content["diff"].to_string().contains("# pushed by a test"), "{:#}", plan.content["diff"]);
    assert_eq!(bed.fleet.read("web1", path)?, old);
    let end = verified(&bed, &session, &plan).await?;
    for host in ["web1", "web2", "web3"] {
        assert_eq!(bed.fleet.read(host, path)?, new, "{host}");
    }
    let back = taken_back(&bed, &session, &end).await?;
    assert_eq!(back.content["blast_radius"]["hosts"], 2, "{:#}", back.content["blast_radius"]);
    assert_eq!(bed.fleet.read("web2", path)?, old);
    assert_eq!(bed.fleet.read("web3", path)?, new);
    Ok(())
}

#[tokio::test]
async fn a_host_leaves_the_pool_and_is_taken_in_again() -> Result<()> {
    let bed = PlayBed::balanced(2)?;
    let status = format!("http://{}:8404/stats;csv", bed.fleet.address(BALANCER)?);
    bed.declare(&declaration(&[&format!(
        r#"
  pool:
    playbook: {{shipped: pool_member}}
    inventory: hosts.yaml
    groups: [web]
    variables:
      membership: {{enum: [in, out]}}
      membership_file: {{value: /srv/pool/in}}
      balancer_status: {{value: "{status}"}}
    batches: [1]
"#
    )]))?;
    let session = bed.session().await?;
    let args = on("pool", "web", json!({"host": "web2", "membership": "out"}));
    let plan = planned(&session, "plan_pool_member", args).await?;
    assert!(bed.fleet.has("web2", "/srv/pool/in")?);
    let end = verified(&bed, &session, &plan).await?;
    assert!(!bed.fleet.has("web2", "/srv/pool/in")? && bed.fleet.has("web1", "/srv/pool/in")?);
    taken_back(&bed, &session, &end).await?;
    assert!(bed.fleet.has("web2", "/srv/pool/in")?);
    // As it is already: there is nothing to do.
    let args = on("pool", "web", json!({"host": "web1", "membership": "in"}));
    assert_eq!(session.call("plan_pool_member", args).await?.refusal()?, "precondition_failed");
    Ok(())
}

#[tokio::test]
async fn what_only_looks_tells_what_is_there() -> Result<()> {
    let bed = web(2)?;
    bed.fleet.said_on("web2", &["/etc/init.d/nginx", "stop"])?;
    let session = bed.session().await?;
    let of = |answer: &Answer, host: &str| -> Result<String> {
        let hosts = answer.content["run"]["hosts"].as_array().cloned().unwrap_or_default();
        let one = hosts
            .into_iter()
            .find(|one| one["host"] == host)
            .with_context(|| format!("{host} was asked: {:#}", answer.content))?;
        Ok(one["untrusted"].to_string())
    };
    let look = |tool: &'static str, playbook: &str, more: Value| {
        let mut args = on(playbook, "web", more);
        args.as_object_mut().unwrap().remove("reason");
        session.call(tool, args)
    };
    let status = look("service_status", "status", json!({"service": "nginx"})).await?.done()?;
    assert!(
        of(&status, "web1")?.contains("running") && of(&status, "web2")?.contains("stopped"),
        "{:#}",
        status.content
    );
    let unknown =
        look("service_status", "status", json!({"service": "nosuch", "host": "web1"})).await?.done()?;
    assert!(of(&unknown, "web1")?.contains("unknown"), "{:#}", unknown.content);
    assert_eq!(unknown.content["run"]["asked"], 1);
    let facts = look("host_facts", "facts", json!({})).await?.done()?;
    assert!(of(&facts, "web1")?.contains("sysvinit"), "{:#}", facts.content);
    let usage = look("disk_usage", "usage", json!({})).await?.done()?;
    assert!(of(&usage, "web2")?.contains("free_bytes"), "{:#}", usage.content);
    Ok(())
}

#[tokio::test]
async fn a_runbook_runs_nothing_else_than_it_says() -> Result<()> {
    let bed = PlayBed::new(1)?;
    bed.declare(&declaration(&[RESTART, RESTART_CANARY, READS]))?;
    let session = bed.session().await?;
    let before = pid(&bed, "web1")?;
    for (tool, args) in [
        ("plan_reboot_hosts", on("restart_web", "web", json!({}))),
        ("plan_restart_service", on("status", "web", json!({}))),
        ("plan_restart_service", on("nosuch", "web", json!({}))),
        ("plan_restart_service", on("restart_web", "web", json!({"service": "haproxy"}))),
    ] {
        let refused = session.call(tool, args.clone()).await?;
        let code = refused.refusal()?;
        assert!(
            ["invalid_params", "precondition_failed"].contains(&code),
            "{tool} {args}: {:#}",
            refused.content
        );
    }
    let plan = planned(&session, "plan_restart_service", on("restart_canary", "canary", json!({}))).await?;
    assert_eq!(plan.content["decision"]["outcome"], "needs_approval", "{:#}", plan.content["decision"]);
    assert_eq!(pid(&bed, "web1")?, before);
    Ok(())
}
