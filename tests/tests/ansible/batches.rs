//! One host first: what stops a run between its batches, and what is said of each host then.

use std::time::Duration;

use anyhow::Result;
use runcord_tests::cluster::wait_for;
use runcord_tests::processes::process;
use runcord_tests::session::Answer;
use serde_json::json;

use crate::story::{
    LOOK, MAKE, PATIENT, SLOW_IS_REVIEWED, apply, approve, begun, carried_out, declaration, ended, make,
    making, on, own, pid, pids, plan_restart, reading, slow, web,
};

const SITE: &str = "/etc/nginx/conf.d/site.conf";

/// All that a run says of itself.
fn said(end: &Answer) -> String {
    format!("{:#}", end.content)
}

#[tokio::test]
async fn a_canary_whose_task_fails_keeps_the_rest_untouched() -> Result<()> {
    let bed = web(3)?;
    let session = bed.session().await?;
    // What is on its disk it would not come up with: no check run can know.
    bed.fleet.write("web1", SITE, "nonsense")?;
    let before = pids(&bed)?;
    let plan = plan_restart(&session).await?;
    let end = carried_out(&bed, &session, &plan).await?;
    assert_eq!(end.str("/state")?, "failed", "{}", said(&end));
    assert!(
        end.str("/summary")?.contains("web1") && said(&end).contains("no further batch"),
        "{}",
        said(&end)
    );
    assert_eq!(["web2", "web3"].map(|host| pid(&bed, host).unwrap()).as_slice(), &before[1..]);
    assert!(apply(&session, &plan).await?.refused, "a plan is applied once");
    Ok(())
}

#[tokio::test]
async fn a_canary_that_is_not_verified_keeps_the_rest_untouched() -> Result<()> {
    let bed = making(3, MAKE, "")?;
    // It is made, and what is asserted afterwards does not hold.
    let never = LOOK.replace("made.stat.exists", "made.stat.exists and made.stat.size > 100");
    bed.write("live/look.yml", &reading(&never))?;
    let session = bed.session().await?;
    let plan = make(&session, json!({})).await?.done()?;
    let end = carried_out(&bed, &session, &plan).await?;
    assert_ne!(end.str("/state")?, "verified", "{}", said(&end));
    assert!(said(&end).contains("web1 is not as it should be"), "{}", said(&end));
    let made = ["web1", "web2", "web3"].map(|host| bed.fleet.has(host, "/srv/made").unwrap());
    assert_eq!(made, [true, false, false]);
    // What it did is taken back where it did it.
    let back = session.call("undo_plan", json!({"run_id": end.str("/run_id")?})).await?.done()?;
    assert_eq!(back.content["blast_radius"]["hosts"], 1, "{:#}", back.content);
    let end = carried_out(&bed, &session, &back).await?;
    assert_eq!(end.str("/state")?, "verified", "{}", said(&end));
    assert!(!bed.fleet.has("web1", "/srv/made")?);
    Ok(())
}

#[tokio::test]
async fn a_host_that_cannot_be_asked_afterwards_is_unknown_and_no_further_batch_begins() -> Result<()> {
    let bed = making(2, MAKE, "")?;
    bed.write("live/look.yml", &reading(&format!("{PATIENT}{LOOK}")))?;
    let session = bed.session().await?;
    let plan = make(&session, json!({})).await?.done()?;
    let run = begun(&bed, &session, &plan).await?;
    let state = bed.state().display().to_string();
    process(&["ansible-playbook", &state, "live/look.yml"]).await?;
    bed.fleet.cut("web1")?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "unknown", "{}", said(&end));
    assert!(said(&end).contains("web1") && !said(&end).contains("not as it should be"), "{}", said(&end));
    assert!(bed.fleet.has("web1", "/srv/made")? && !bed.fleet.has("web2", "/srv/made")?);
    Ok(())
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_is_named_and_nothing_is_planned() -> Result<()> {
    let bed = web(2)?;
    bed.fleet.cut("web2")?;
    let session = bed.session().await?;
    let before = pid(&bed, "web1")?;
    let refused = session.call("plan_restart_service", on("restart_web", "web", json!({}))).await?;
    assert_eq!(refused.refusal()?, "precondition_failed", "{:#}", refused.content);
    assert!(refused.str("/message")?.contains("web2"), "{:#}", refused.content);
    // Whoever only looks hears of it too, and of the other one.
    let seen =
        session.call("service_status", json!({"playbook": "status", "group": "web", "service": "nginx"}));
    let seen = seen.await?.done()?;
    let seen = &seen.content["run"];
    assert_eq!((&seen["asked"], &seen["answered"]), (&json!(2), &json!(1)), "{:#}", seen);
    assert_eq!(seen["hosts"][0]["host"], "web2");
    assert_eq!(seen["hosts"][0]["answer"], "unreachable");
    assert_eq!(pid(&bed, "web1")?, before);
    Ok(())
}

#[tokio::test]
async fn a_host_that_is_cut_off_in_the_middle_is_unknown_and_named_and_no_further_batch_begins() -> Result<()>
{
    let bed = making(3, &slow(4), SLOW_IS_REVIEWED)?;
    let session = bed.session().await?;
    let plan = make(&session, json!({})).await?.done()?;
    let run = begun(&bed, &session, &plan).await?;
    let has_begun = async || Ok(bed.fleet.has("web1", "/srv/begun")?.then_some(()));
    wait_for("the task to begin", Duration::from_secs(60), has_begun).await?;
    bed.fleet.cut("web1")?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "unknown", "{}", said(&end));
    assert!(said(&end).contains("web1") && said(&end).contains("may go on there"), "{}", said(&end));
    let went_on = async || Ok(bed.fleet.has("web1", "/srv/made")?.then_some(()));
    wait_for("the host to go on alone", Duration::from_secs(30), went_on).await?;
    for host in ["web2", "web3"] {
        assert!(!bed.fleet.has(host, "/srv/begun")?, "{host}");
    }
    assert_eq!(bed.fleet.read("web1", "/srv/begun")?, "begun\n", "and it was not run again");
    Ok(())
}

#[tokio::test]
async fn a_host_that_dies_in_the_middle_is_unknown_and_the_other_of_its_batch_is_told_of() -> Result<()> {
    let bed = making(4, &slow(5), SLOW_IS_REVIEWED)?;
    bed.declare(&declaration(&[&own(SLOW_IS_REVIEWED).replace("batches: [1, 2]", "batches: [2]")]))?;
    let session = bed.session().await?;
    let plan = make(&session, json!({})).await?.done()?;
    approve(&bed, &plan)?;
    let run = apply(&session, &plan).await?.done()?.str("/run_id")?.to_owned();
    let has_begun = async || {
        Ok((bed.fleet.has("web1", "/srv/begun")? && bed.fleet.has("web2", "/srv/begun")?).then_some(()))
    };
    wait_for("both to begin", Duration::from_secs(60), has_begun).await?;
    bed.fleet.kill("web2")?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "unknown", "{}", said(&end));
    assert!(end.str("/summary")?.contains("web2"), "{}", said(&end));
    assert!(bed.fleet.has("web1", "/srv/made")?, "what it had begun there went on");
    for host in ["web3", "web4"] {
        assert!(!bed.fleet.has(host, "/srv/begun")?, "{host}");
    }
    Ok(())
}

#[tokio::test]
async fn a_service_that_is_broken_stops_the_plan_and_is_not_started() -> Result<()> {
    let bed = web(2)?;
    bed.fleet.said_on("web2", &["/etc/init.d/nginx", "stop"])?;
    let session = bed.session().await?;
    let before = pid(&bed, "web1")?;
    let refused = session.call("plan_restart_service", on("restart_web", "web", json!({}))).await?;
    assert_eq!(refused.refusal()?, "precondition_failed", "{:#}", refused.content);
    let message = refused.str("/message")?;
    assert!(message.contains("web2") && message.contains("Check that the service runs"), "{message}");
    assert_eq!(pid(&bed, "web1")?, before);
    assert!(bed.fleet.on("web2", &["pgrep", "nginx"])?.stdout.is_empty());
    Ok(())
}
