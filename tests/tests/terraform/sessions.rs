//! One whole session, with its golden transcript, and what an operator's commands say of it afterwards.

use anyhow::{Context as _, Result};
use runcord_tests::installation::{Approver, Installation, TARGET};
use runcord_tests::{Transcript, session::Answer};
use serde_json::{Value, json};

use crate::story::{NODES, apply, ended, net, nodes, plan, verified};

fn applying(plan: &Answer) -> Result<Value> {
    Ok(json!({"plan_id": plan.str("/plan_id")?, "expect": plan.str("/headline")?}))
}

#[tokio::test]
async fn a_whole_session_is_golden() -> Result<()> {
    let ground = nodes()?;
    let session = ground.session().await?;
    let first = plan(&session).await?;
    let sponsor = format!("for {}", runcord_tests::transcript::login()?);
    let mut transcript = Transcript::new(&[(&sponsor, "for LOGIN"), (first.str("/target/name")?, "TARGET")])?;
    verified(&ground, &session, &first).await?;
    // One node is changed and one goes, which people are asked for.
    let fewer =
        NODES.replace("\"node ${", "\"machine ${").replace("count = var.size", "count = var.size - 1");
    ground.write("net/main.tf", &fewer)?;
    let args = net(json!({}));
    let plan = session.call("plan_apply_workspace", args.clone()).await?.done()?;
    transcript.call("plan_apply_workspace", &args, &plan);

    let early = apply(&session, &plan).await?;
    transcript.call("apply_plan", &applying(&plan)?, &early);
    assert_eq!(early.refusal()?, "approval_required");

    let people = plan.content["decision"]["approvals_needed"][0][0]["count"].as_u64().context("nobody")?;
    assert!((1..=2).contains(&people), "{:#}", plan.content["decision"]);
    for approver in [Approver::Ana, Approver::Ben].into_iter().take(usize::try_from(people)?) {
        let printed = ground.approve(plan.str("/plan_id")?, approver)?;
        transcript.command(&format!("runcord approve PLAN --as {}", approver.name()), &printed);
    }
    let run = apply(&session, &plan).await?.done()?;
    let end = ended(&session, run.str("/run_id")?).await?;
    transcript.call("run_status", &json!({"id": run.str("/run_id")?, "wait_seconds": 10}), &end);
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);
    transcript.check("apply_workspace")
}

/// What a command prints, and whether it says that all is well.
fn said(installation: &Installation, args: &[&str]) -> Result<(bool, String)> {
    let output = installation.runcord(args)?;
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok((output.status.success(), text))
}

#[tokio::test]
async fn the_operators_commands_tell_what_was_planned_and_done() -> Result<()> {
    let ground = nodes()?;
    let session = ground.session().await?;
    let plan = plan(&session).await?;
    let end = verified(&ground, &session, &plan).await?;
    let (run, plan_id) = (end.str("/run_id")?, plan.str("/plan_id")?);
    for (args, parts) in [
        (vec!["plan", "show", plan_id], vec![plan_id, plan.str("/headline")?, "terraform_data.node[1]"]),
        (vec!["run", "list"], vec![run, "verified"]),
        (vec!["run", "show", run], vec![run, "verified", "apply net: 3 to create"]),
        (vec!["log", "verify"], vec!["records"]),
    ] {
        let (well, text) = said(&ground, &args)?;
        assert!(well, "{args:?}: {text}");
        for part in parts {
            assert!(text.contains(part), "{args:?} does not say {part}: {text}");
        }
    }

    let root = ground.root().display().to_string();
    let doctor = ["doctor", "--root", &root];
    let (_, unnamed) = said(&ground, &doctor)?;
    assert!(unnamed.contains("not mapped, so it counts as production"), "{unnamed}");
    let from = unnamed.find("tf:").context("no identity")?;
    let identity = unnamed[from..].split(|c: char| c == ';' || c == '"' || c.is_whitespace()).next();
    ground.name_target(identity.context("no identity")?, "staging")?;
    ground.activate(Approver::Ana)?;
    let (_, named) = said(&ground, &doctor)?;
    assert!(named.contains(&format!("{TARGET} (staging)")), "{named}");
    assert!(!named.contains("not mapped"), "{named}");
    Ok(())
}
