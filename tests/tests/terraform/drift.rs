//! `runcord runbook drift --root`: what a nightly job sees when root modules or their declaration have moved.

use anyhow::{Context as _, Result};
use runcord_tests::Ground;
use serde_json::Value;

use crate::story::{DECLARED, NODES, nodes, plan, verified};

/// The exit code, and what was printed for programs. The folder is in the ground's environment.
fn drift(ground: &Ground, more: &[&str]) -> Result<(i32, Value)> {
    let args = ["runbook", "drift", "--json"].into_iter().chain(more.iter().copied());
    let output = ground.runcord(args)?;
    let printed = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok((output.status.code().context("killed")?, printed))
}

/// Drift, and all that is said of one runbook that does not hold.
fn said(ground: &Ground, more: &[&str]) -> Result<(i32, Vec<String>)> {
    let (code, printed) = drift(ground, more)?;
    let of = of(&printed, "apply_workspace");
    let findings = of["findings"].as_array().cloned().unwrap_or_default();
    let says = findings.iter().filter(|one| one["state"] != "holds").filter_map(|one| one["says"].as_str());
    Ok((code, says.map(str::to_owned).collect()))
}

fn of(printed: &Value, name: &str) -> Value {
    let all = printed["runbooks"].as_array().into_iter().flatten();
    all.into_iter().find(|one| one["runbook"] == name).cloned().unwrap_or_default()
}

#[tokio::test]
async fn what_no_longer_fits_is_named_and_nothing_is_changed() -> Result<()> {
    let ground = nodes()?;
    let session = ground.session().await?;
    verified(&ground, &session, &plan(&session).await?).await?;
    let state = std::fs::read(ground.file("net.tfstate"))?;

    let (code, printed) = drift(&ground, &[])?;
    assert_eq!((code, &printed["holds"]), (0, &Value::Bool(true)), "{printed:#}");
    assert!(of(&printed, "apply_workspace")["last_success"].is_string(), "{printed:#}");
    assert!(of(&printed, "resize_pool")["last_success"].is_null());
    assert!(of(&printed, "drain_node").is_null(), "another server's");
    let (code, printed) = drift(&ground, &["--param", "apply_workspace.module=net"])?;
    assert_eq!((code, &of(&printed, "apply_workspace")["checks"]["evaluated_on"]), (0, &"target".into()));

    // The resource that may be named is called otherwise now.
    ground.write("net/main.tf", &NODES.replace("\"node\"", "\"machine\""))?;
    let (code, says) = said(&ground, &[])?;
    assert_eq!(code, 1);
    let gone = "may_name names terraform_data.node, which root module net does not have any more";
    assert_eq!(says, [gone]);
    ground.write("net/main.tf", NODES)?;

    // Its credentials are not there; another workspace was never declared.
    ground.declare(&format!("{DECLARED}    environment: [EXAMPLE_TOKEN]\n"))?;
    let (code, says) = said(&ground, &[])?;
    assert_eq!(code, 1);
    assert_eq!(says, ["root module net needs the environment variable EXAMPLE_TOKEN, which is not set here"]);
    let (code, says) = said(&ground, &["--workspace", "prod"])?;
    assert_eq!((code, says), (1, vec!["modules.yaml declares no root module for the workspace prod".into()]));
    ground.declare(&DECLARED.replace(
        "workspaces: [default]\n    backend: {type: local, config: {path: net.tfstate}}",
        "workspaces: [prod]\n    backend: {type: local, config: {path: net.tfstate, workspace_dir: states}}",
    ))?;
    let (code, says) = said(&ground, &["--workspace", "prod"])?;
    assert_eq!((code, says), (1, vec!["root module net: there is no workspace prod".into()]));
    ground.declare(DECLARED)?;

    // A provider that no lock file pins, then no folder at all.
    ground.write("net/id.tf", "resource \"random_pet\" \"name\" {}\n")?;
    let (code, says) = said(&ground, &[])?;
    assert_eq!(code, 1);
    assert!(says.len() == 1 && says[0].contains("not what its lock file pins"), "{says:?}");
    std::fs::rename(ground.file("net"), ground.file("elsewhere"))?;
    let (code, says) = said(&ground, &[])?;
    assert_eq!(code, 1);
    assert_eq!(says, ["root module net cannot be used: there is no such folder"]);

    assert_eq!(std::fs::read(ground.file("net.tfstate"))?, state);
    Ok(())
}
