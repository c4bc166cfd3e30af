//! One whole session, with its golden transcript, and what an operator's commands say of it afterwards.

use anyhow::Result;
use runcord_tests::Transcript;
use runcord_tests::installation::Approver;
use runcord_tests::session::Answer;
use runcord_tests::story::people_needed;
use serde_json::{Value, json};

use crate::story::{MAKE, apply, begun, ended, make, making, on, verified};

fn applying(plan: &Answer) -> Result<Value> {
    Ok(json!({"plan_id": plan.str("/plan_id")?, "expect": plan.str("/headline")?}))
}

#[tokio::test]
async fn a_whole_session_is_golden() -> Result<()> {
    let bed = making(3, MAKE, "")?;
    let session = bed.session().await?;
    let args = on("make", "web", json!({}));
    let plan = session.call("plan_change_hosts", args.clone()).await?.done()?;
    let sponsor = format!("for {}", runcord_tests::transcript::login()?);
    let mut transcript = Transcript::new(&[(&sponsor, "for LOGIN"), (plan.str("/target/name")?, "TARGET")])?;
    transcript.call("plan_change_hosts", &args, &plan);

    let early = apply(&session, &plan).await?;
    transcript.call("apply_plan", &applying(&plan)?, &early);
    assert_eq!(early.refusal()?, "approval_required");
    for approver in [Approver::Ana, Approver::Ben].into_iter().take(people_needed(&plan)?) {
        let printed = bed.approve(plan.str("/plan_id")?, approver)?;
        transcript.command(&format!("runcord approve PLAN --as {}", approver.name()), &printed);
    }
    let run = apply(&session, &plan).await?.done()?;
    let end = ended(&session, run.str("/run_id")?).await?;
    transcript.call("run_status", &json!({"id": run.str("/run_id")?, "wait_seconds": 10}), &end);
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);

    let back = json!({"run_id": run.str("/run_id")?});
    let plan = session.call("undo_plan", back.clone()).await?.done()?;
    transcript.call("undo_plan", &back, &plan);
    let run = begun(&bed, &session, &plan).await?;
    let end = ended(&session, &run).await?;
    transcript.call("run_status", &json!({"id": run, "wait_seconds": 10}), &end);
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);
    assert!(!bed.fleet.has("web3", "/srv/made")?);
    transcript.check("change_hosts")
}

#[tokio::test]
async fn the_operators_commands_tell_what_was_planned_and_done() -> Result<()> {
    let bed = making(1, MAKE, "")?;
    let session = bed.session().await?;
    let plan = make(&session, json!({})).await?.done()?;
    let end = verified(&bed, &session, &plan).await?;
    let (run, plan_id) = (end.str("/run_id")?, plan.str("/plan_id")?);
    for (args, parts) in [
        (vec!["plan", "show", plan_id], vec![plan_id, plan.str("/headline")?, "web1"]),
        (vec!["run", "list"], vec![run, "verified"]),
        (vec!["run", "show", run], vec![run, "verified", "web1"]),
        (vec!["log", "verify"], vec!["records"]),
        (vec!["doctor"], vec!["ansible-core"]),
    ] {
        let output = bed.runcord(&args)?;
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() || args == ["doctor"], "{args:?}: {text}");
        for part in parts {
            assert!(text.contains(part), "{args:?} does not say {part}: {text}");
        }
    }
    Ok(())
}
