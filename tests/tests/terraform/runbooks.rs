//! Each runbook of root modules: planned, decided, approved, applied, verified, undone.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use runcord_tests::Ground;
use runcord_tests::cluster::wait_for;
use serde_json::json;

use crate::story::{NODES, apply, approve, inputs, net, nodes, plan, verified};

#[tokio::test]
async fn a_configuration_is_applied_verified_and_taken_back() -> Result<()> {
    let ground = nodes()?;
    let session = ground.session().await?;
    let first = plan(&session).await?;
    assert_eq!(first.content["blast_radius"]["creates"], 3);
    assert_eq!(first.content["blast_radius"]["destroys"], 0);
    assert!(!ground.file("net.tfstate").exists(), "planning writes no state");
    let end = verified(&ground, &session, &first).await?;
    assert_eq!(end.content["undo_available"], false, "nothing of ours was there before");
    let refused = session.call("undo_plan", json!({"run_id": end.str("/run_id")?})).await?;
    assert_eq!(refused.refusal()?, "undo_unavailable");
    let before = inputs(&ground)?;
    assert_eq!(before.len(), 3, "{before:?}");
    let again = session.call("plan_apply_workspace", net(json!({}))).await?;
    assert_eq!(again.refusal()?, "precondition_failed", "there is nothing to do");

    ground.write("net/main.tf", &NODES.replace("\"node ${", "\"machine ${"))?;
    let second = plan(&session).await?;
    assert_eq!(second.content["blast_radius"]["updates"], 2);
    let end = verified(&ground, &session, &second).await?;
    assert_eq!(end.content["undo_available"], true);
    assert_ne!(inputs(&ground)?, before);

    let back = session.call("undo_plan", json!({"run_id": end.str("/run_id")?})).await?.done()?;
    assert!(back.str("/headline")?.starts_with("undo: "), "{:#}", back.content);
    verified(&ground, &session, &back).await?;
    assert_eq!(inputs(&ground)?, before);
    Ok(())
}

#[tokio::test]
async fn a_plan_is_applied_once_and_only_as_it_was_shown() -> Result<()> {
    let ground = nodes()?;
    let session = ground.session().await?;
    let first = plan(&session).await?;
    let wrong = json!({"plan_id": first.str("/plan_id")?, "expect": "something else"});
    assert_eq!(session.call("apply_plan", wrong).await?.refusal()?, "invalid_params");
    verified(&ground, &session, &first).await?;
    assert_eq!(apply(&session, &first).await?.refusal()?, "plan_spent");
    Ok(())
}

#[tokio::test]
async fn a_saved_plan_goes_when_its_plan_cannot_be_applied_any_more() -> Result<()> {
    let ground = nodes()?;
    let session = ground.session().await?;
    let first = plan(&session).await?;
    let saved = saved_plan(&ground)?.context("no saved plan")?;
    let expires: jiff::Timestamp = first.str("/expires_at")?.parse()?;
    let kept_until: jiff::Timestamp = fs::metadata(&saved)?.modified()?.try_into()?;
    // Signed in its last moment, it lives for ten minutes more.
    assert_eq!(kept_until.duration_since(expires).as_secs(), 600, "{kept_until} {expires}");

    File::options().write(true).open(&saved)?.set_modified(SystemTime::now() - Duration::from_secs(1))?;
    wait_for("the saved plan to go", Duration::from_secs(90), async || {
        Ok(saved_plan(&ground)?.is_none().then_some(()))
    })
    .await?;
    approve(&ground, &first)?;
    assert_eq!(apply(&session, &first).await?.refusal()?, "plan_drifted", "another file would be applied");
    assert!(!ground.file("net.tfstate").exists());
    Ok(())
}

/// The one that there is.
fn saved_plan(ground: &Ground) -> Result<Option<PathBuf>> {
    let mut files = fs::read_dir(ground.state().join("terraform/saved"))?;
    Ok(files.next().transpose()?.map(|file| file.path()))
}

#[tokio::test]
async fn one_instance_is_made_anew() -> Result<()> {
    let ground = nodes()?;
    let session = ground.session().await?;
    verified(&ground, &session, &plan(&session).await?).await?;
    let id = |ground: &runcord_tests::Ground| -> Result<Vec<serde_json::Value>> {
        let state = ground.state_file("net.tfstate")?;
        let node =
            state["resources"].as_array().unwrap().iter().find(|r| r["name"] == "node").cloned().unwrap();
        Ok(node["instances"].as_array().unwrap().iter().map(|i| i["attributes"]["id"].clone()).collect())
    };
    let before = id(&ground)?;
    let address = json!({"address": "terraform_data.node[1]"});
    let replace = session.call("plan_replace_instance", net(address)).await?.done()?;
    assert_eq!(replace.content["blast_radius"]["replaces"], 1);
    assert_eq!(replace.content["decision"]["outcome"], "needs_approval", "{:#}", replace.content["decision"]);
    verified(&ground, &session, &replace).await?;
    let after = id(&ground)?;
    assert_eq!(after[0], before[0]);
    assert_ne!(after[1], before[1]);
    for (address, code) in [
        // It may not be named; there is no such instance.
        ("terraform_data.note", "invalid_params"),
        ("terraform_data.node[7]", "precondition_failed"),
    ] {
        let refused = session.call("plan_replace_instance", net(json!({"address": address}))).await?;
        assert_eq!(refused.refusal()?, code, "{:#}", refused.content);
    }
    Ok(())
}

#[tokio::test]
async fn a_pool_is_resized_within_its_bounds_and_back() -> Result<()> {
    let ground = nodes()?;
    let session = ground.session().await?;
    verified(&ground, &session, &plan(&session).await?).await?;
    let larger = json!({"variable": "size", "size": 4});
    let larger = session.call("plan_resize_pool", net(larger)).await?.done()?;
    assert_eq!(larger.content["blast_radius"]["creates"], 2);
    let end = verified(&ground, &session, &larger).await?;
    assert_eq!(inputs(&ground)?.len(), 5);
    let back = session.call("undo_plan", json!({"run_id": end.str("/run_id")?})).await?.done()?;
    assert_eq!(back.content["blast_radius"]["destroys"], 2);
    verified(&ground, &session, &back).await?;
    assert_eq!(inputs(&ground)?.len(), 3);
    for (variable, size) in [("size", 5), ("size", 0), ("note", 2), ("other", 2)] {
        let refused = json!({"variable": variable, "size": size});
        let refused = session.call("plan_resize_pool", net(refused)).await?;
        assert!(
            ["precondition_failed", "invalid_params"].contains(&refused.refusal()?),
            "{variable}={size}: {:#}",
            refused.content
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_module_goes_back_to_an_earlier_commit() -> Result<()> {
    let ground = nodes()?;
    let git = |args: &[&str]| -> Result<String> {
        let output = std::process::Command::new("git")
            .args(["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"])
            .args(args)
            .current_dir(ground.root())
            .output()?;
        anyhow::ensure!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    git(&["init", "--quiet"])?;
    git(&["add", "net"])?;
    git(&["commit", "--quiet", "--message", "first"])?;
    let first = git(&["rev-parse", "HEAD"])?;
    let session = ground.session().await?;
    verified(&ground, &session, &plan(&session).await?).await?;
    let before = inputs(&ground)?;
    ground.write("net/main.tf", &NODES.replace("\"node ${", "\"machine ${"))?;
    git(&["commit", "--quiet", "--all", "--message", "second"])?;
    verified(&ground, &session, &plan(&session).await?).await?;
    let revert = session.call("plan_revert_config", net(json!({"commit": first}))).await?.done()?;
    verified(&ground, &session, &revert).await?;
    assert_eq!(inputs(&ground)?, before);
    let strange = json!({"commit": "0123456789012345678901234567890123456789"});
    let strange = session.call("plan_revert_config", net(strange)).await?;
    assert_eq!(strange.refusal()?, "precondition_failed", "{:#}", strange.content);
    Ok(())
}
