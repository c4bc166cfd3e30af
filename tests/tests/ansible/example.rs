//! The example does what its README says, as it stands.

use anyhow::Result;
use runcord_tests::PlayBed;
use serde_json::json;

use crate::story::verified;

#[tokio::test]
async fn one_host_is_restarted_a_file_pushed_to_all_and_taken_back() -> Result<()> {
    let bed = PlayBed::of_example()?;
    let checked = bed.runcord(["policy", "check"])?;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let session = bed.session().await?;
    let args = |playbook: &str| json!({"playbook": playbook, "group": "web", "reason": "trying the example"});

    let mut one = args("restart_nginx");
    one["host"] = json!("web1");
    let plan = session.call("plan_restart_service", one).await?.done()?;
    assert_eq!(plan.str("/decision/outcome")?, "allow", "{:#}", plan.content);
    verified(&bed, &session, &plan).await?;

    let before = bed.fleet.read("web1", "/etc/nginx/nginx.conf")?;
    let plan = session.call("plan_push_config", args("push_nginx_conf")).await?.done()?;
    assert_eq!(plan.str("/decision/outcome")?, "needs_approval");
    assert!(plan.text.contains("worker_connections 512"), "the difference is shown: {}", plan.text);
    let end = verified(&bed, &session, &plan).await?;
    let pushed = std::fs::read_to_string(bed.project().join("files/nginx.conf"))?;
    for host in bed.fleet.names() {
        assert_eq!(bed.fleet.read(host, "/etc/nginx/nginx.conf")?, pushed, "{host}");
    }

    let back = session.call("undo_plan", json!({"run_id": end.str("/run_id")?})).await?.done()?;
    verified(&bed, &session, &back).await?;
    for host in bed.fleet.names() {
        assert_eq!(bed.fleet.read(host, "/etc/nginx/nginx.conf")?, before, "{host}");
    }
    let seen =
        session.call("service_status", json!({"playbook": "nginx_status", "group": "web"})).await?.done()?;
    assert_eq!(seen.content["run"]["answered"], 4, "{:#}", seen.content);
    Ok(())
}
