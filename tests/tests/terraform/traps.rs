//! What a plan does not tell, what moves after it, and what would steer the tool: each refused or shown.

use std::path::PathBuf;

use anyhow::Result;
use runcord_tests::Ground;
use runcord_tests::installation::Approver;
use serde_json::json;

use crate::story::{DECLARED, NODES, apply, approve, carried_out, inputs, net, nodes, plan, verified};

/// Applies a plan that was approved, and gives the code of the refusal.
async fn refused(
    ground: &Ground,
    session: &runcord_tests::Session,
    plan: &runcord_tests::session::Answer,
) -> Result<String> {
    approve(ground, plan)?;
    let before = ground.state_file("net.tfstate").ok();
    let answer = apply(session, plan).await?;
    let code = answer.refusal()?.to_owned();
    assert_eq!(ground.state_file("net.tfstate").ok(), before, "{code}: nothing was applied");
    Ok(code)
}

#[tokio::test]
async fn a_variable_that_is_left_out_is_noticed_and_destroys_nothing() -> Result<()> {
    let ground = nodes()?;
    let session = ground.session().await?;
    verified(&ground, &session, &plan(&session).await?).await?;
    // As the facts have it: a default behind a count, and the value is not given any more.
    ground.write(
        "net/main.tf",
        &NODES.replace(
            "variable \"size\" { type = number }",
            "variable \"size\" {\n  type    = number\n  default = 0\n}",
        ),
    )?;
    ground.declare(&DECLARED.replace("      size: {value: 2, pool: {minimum: 1, maximum: 4}}\n", ""))?;
    let answer = session.call("plan_apply_workspace", net(json!({}))).await?;
    assert_eq!(answer.refusal()?, "precondition_failed", "{:#}", answer.content);
    assert!(answer.content.to_string().contains("size"), "{:#}", answer.content);
    Ok(())
}

#[tokio::test]
async fn a_small_change_that_destroys_much_is_measured_and_not_done() -> Result<()> {
    let ground = nodes()?;
    let session = ground.session().await?;
    verified(&ground, &session, &plan(&session).await?).await?;
    ground.write("net/main.tf", &NODES.replace("count = var.size", "count = 0"))?;
    let total = plan(&session).await?;
    assert_eq!(total.content["blast_radius"]["destroys"], 2);
    assert_ne!(total.content["decision"]["outcome"], "allow", "{:#}", total.content["decision"]);
    assert!(["approval_required", "policy_denied"].contains(&apply(&session, &total).await?.refusal()?));
    assert_eq!(inputs(&ground)?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_script_that_is_edited_after_the_plan_does_not_run() -> Result<()> {
    let ground = nodes()?;
    let provisioned = NODES.replace(
        "  input = var.note\n",
        "  input = var.note\n  provisioner \"local-exec\" { command = \"${path.module}/hook.sh\" }\n",
    );
    let script = |word: &str| format!("#!/bin/sh\necho {word} >>{}\n", ground.file("ran").display());
    let write = |word: &str| -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        ground.write("net/hook.sh", &script(word))?;
        Ok(std::fs::set_permissions(ground.file("net/hook.sh"), std::fs::Permissions::from_mode(0o755))?)
    };
    ground.write("net/main.tf", &provisioned)?;
    write("reviewed")?;
    let session = ground.session().await?;
    let answer = session.call("plan_apply_workspace", net(json!({}))).await?;
    assert_eq!(answer.refusal()?, "precondition_failed", "nobody reviewed it: {:#}", answer.content);

    ground.declare(&format!("{DECLARED}    runs_code: [terraform_data.note]\n"))?;
    let first = plan(&session).await?;
    assert!(first.content["coverage"]["undetermined"].to_string().contains("terraform_data.note"));
    write("edited")?;
    assert_eq!(refused(&ground, &session, &first).await?, "plan_drifted");
    assert!(!ground.file("ran").exists());

    write("reviewed")?;
    let second = plan(&session).await?;
    verified(&ground, &session, &second).await?;
    assert_eq!(std::fs::read_to_string(ground.file("ran"))?, "reviewed\n");
    Ok(())
}

#[tokio::test]
async fn the_environment_of_the_server_does_not_reach_the_tool() -> Result<()> {
    let ground = nodes()?;
    let hijack = [
        ("TF_CLI_ARGS_plan", PathBuf::from("-destroy")),
        ("TF_CLI_ARGS_apply", PathBuf::from("-destroy")),
        ("TF_VAR_note", PathBuf::from("hijacked")),
        ("TF_DATA_DIR", PathBuf::from("/nonexistent")),
        ("TF_WORKSPACE", PathBuf::from("another")),
        ("TF_CLI_CONFIG_FILE", PathBuf::from("/nonexistent")),
        ("HTTPS_PROXY", PathBuf::from("http://127.0.0.1:1")),
    ];
    let session = ground.session_with(&hijack).await?;
    let first = plan(&session).await?;
    assert_eq!(first.content["blast_radius"]["creates"], 3);
    verified(&ground, &session, &first).await?;
    assert!(inputs(&ground)?.contains(&("terraform_data.note".to_owned(), "hello".to_owned())));
    Ok(())
}

#[tokio::test]
async fn a_state_that_moved_behind_the_plan_voids_it() -> Result<()> {
    let ground = nodes()?;
    let session = ground.session().await?;
    verified(&ground, &session, &plan(&session).await?).await?;
    ground.write("net/main.tf", &NODES.replace("\"node ${", "\"machine ${"))?;
    let second = plan(&session).await?;
    // Somebody taints an instance by hand; nothing of the configuration moves.
    let backend = r#"{"terraform":{"backend":{"local":{"path":"../net.tfstate"}}}}"#;
    ground.write("hand/backend_override.tf.json", backend)?;
    ground.write("hand/main.tf", "terraform {\n  backend \"local\" {}\n}\n")?;
    ground.by_hand("hand", &["init", "-no-color"])?;
    ground.by_hand("hand", &["taint", "-no-color", "terraform_data.note"])?;
    assert_eq!(refused(&ground, &session, &second).await?, "plan_drifted");
    Ok(())
}

#[tokio::test]
async fn a_check_that_fails_is_refused_though_the_tool_would_apply() -> Result<()> {
    let ground = nodes()?;
    let text = format!(
        "{NODES}\ncheck \"few\" {{\n  assert {{\n    condition     = var.size > 3\n    error_message = \"too few\"\n  }}\n}}\n"
    );
    ground.write("net/main.tf", &text)?;
    let session = ground.session().await?;
    let answer = session.call("plan_apply_workspace", net(json!({}))).await?;
    assert_eq!(answer.refusal()?, "precondition_failed", "{:#}", answer.content);
    assert!(
        !answer.content.to_string().contains("too few"),
        "the configuration's own words are not repeated"
    );
    Ok(())
}

#[tokio::test]
async fn what_may_not_be_destroyed_and_then_may_is_still_counted() -> Result<()> {
    let ground = nodes()?;
    let guarded =
        NODES.replace("  input = var.note\n", "  input = var.note\n  lifecycle { prevent_destroy = true }\n");
    ground.write("net/main.tf", &guarded)?;
    ground.declare(&format!("{DECLARED}    data_bearing: [terraform_data]\n"))?;
    let session = ground.session().await?;
    verified(&ground, &session, &plan(&session).await?).await?;
    // The protection goes with its block.
    let gone = NODES.replace("resource \"terraform_data\" \"note\" {\n  input = var.note\n}\n", "");
    ground.write("net/main.tf", &gone)?;
    let total = plan(&session).await?;
    assert_eq!(total.content["blast_radius"]["destroys"], 1);
    assert_eq!(total.content["blast_radius"]["irreversible"], 1, "{:#}", total.content["blast_radius"]);
    ground.approve(total.str("/plan_id")?, Approver::Ana)?;
    assert_eq!(apply(&session, &total).await?.refusal()?, "approval_required", "one person is not enough");
    Ok(())
}

#[tokio::test]
async fn a_module_that_leaves_its_folder_is_refused() -> Result<()> {
    let ground = nodes()?;
    let session = ground.session().await?;
    ground.write("elsewhere/main.tf", "resource \"terraform_data\" \"x\" {}\n")?;
    for source in ["../elsewhere", "git::https://example.org/x.git", "hashicorp/consul/aws"] {
        ground.write("net/main.tf", &format!("{NODES}\nmodule \"m\" {{ source = \"{source}\" }}\n"))?;
        let answer = session.call("plan_apply_workspace", net(json!({}))).await?;
        assert!(answer.refused, "{source}: {:#}", answer.content);
    }
    ground.write("net/main.tf", NODES)?;
    std::os::unix::fs::symlink("/etc/hostname", ground.file("net/link.tf"))?;
    let answer = session.call("plan_apply_workspace", net(json!({}))).await?;
    assert!(answer.content.to_string().contains("link"), "{:#}", answer.content);
    Ok(())
}

#[tokio::test]
async fn bad_input_is_refused_before_the_tool_is_started() -> Result<()> {
    let ground = nodes()?;
    let session = ground.session().await?;
    let long = "a".repeat(1 << 20);
    for bad in [
        "",
        "-destroy",
        "terraform_data.node[0] -destroy",
        "terraform_data.node[\"${x}\"]",
        "a\0b",
        "a\nb",
        "terraform_data.n\u{43e}de",
        "terraform_data.node[\"a\"b\"]",
        "module.",
        &long,
    ] {
        let answer = session.call("plan_replace_instance", net(json!({"address": bad}))).await?;
        assert_eq!(answer.refusal()?, "invalid_params");
        assert!(answer.content.to_string().contains("address"), "{:#}", answer.content);
    }
    for (tool, more) in [
        ("plan_resize_pool", json!({"variable": "-var=x", "size": 2})),
        ("plan_resize_pool", json!({"variable": "size", "size": "2; x"})),
        ("plan_resize_pool", json!({"variable": "size", "size": 1.5})),
        ("plan_revert_config", json!({"commit": "HEAD"})),
        ("plan_revert_config", json!({"commit": "--output=x"})),
        ("plan_unlock_state", json!({"lock_id": "-force"})),
        ("plan_apply_workspace", json!({"module": "../net"})),
        ("plan_apply_workspace", json!({"destroy": true})),
    ] {
        let answer = session.call(tool, net(more.clone())).await?;
        assert_eq!(answer.refusal()?, "invalid_params", "{tool} {more}");
    }
    assert!(!ground.state().join("terraform/configurations").exists(), "nothing was assembled");
    Ok(())
}

#[tokio::test]
async fn what_is_sensitive_is_hunted_for_and_not_found() -> Result<()> {
    const SECRET: &str = "c0rrect-h0rse-battery";
    let ground = nodes()?;
    ground.write(
        "net/main.tf",
        &format!(
            "{NODES}\nresource \"terraform_data\" \"secret\" {{\n  input = sensitive(\"{SECRET}\")\n}}\n"
        ),
    )?;
    let session = ground.session().await?;
    let first = plan(&session).await?;
    let end = carried_out(&ground, &session, &first).await?;
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);
    assert!(std::fs::read_to_string(ground.file("net.tfstate"))?.contains(SECRET), "the witness");
    for answer in [&first, &end] {
        assert!(!answer.content.to_string().contains(SECRET) && !answer.text.contains(SECRET));
    }
    for place in ["server.stderr", "state/workers"] {
        let path = ground.path(place);
        let files = if path.is_dir() {
            std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?
        } else {
            vec![path]
        };
        for file in files {
            assert!(!String::from_utf8_lossy(&std::fs::read(&file)?).contains(SECRET), "{}", file.display());
        }
    }
    for file in ["ledger.db", "ledger.db-wal"] {
        let bytes = std::fs::read(ground.state().join(file)).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains(SECRET), "{file}");
    }
    Ok(())
}

#[tokio::test]
async fn a_review_that_was_taken_back_counts_at_the_next_plan() -> Result<()> {
    let ground = nodes()?;
    let session = ground.session().await?;
    let text = format!(
        "terraform {{\n  required_providers {{\n    http = {{ source = \"hashicorp/http\" }}\n  }}\n}}\n{NODES}\ndata \"http\" \"x\" {{\n  url = \"http://127.0.0.1:1/\"\n}}\n"
    );
    ground.write("net/main.tf", &text)?;
    ground.by_hand("net", &["init", "-backend=false", "-no-color"])?;
    ground.declare(&format!("{DECLARED}    runs_code: [data.http.x]\n"))?;
    // Reviewed, so the tool is let go out; nobody answers it, and its plan fails.
    let reviewed = session.call("plan_apply_workspace", net(json!({}))).await?;
    assert_eq!(reviewed.refusal()?, "target_unreachable", "{:#}", reviewed.content);
    ground.declare(DECLARED)?;
    let refused = session.call("plan_apply_workspace", net(json!({}))).await?;
    assert_eq!(refused.refusal()?, "precondition_failed", "{:#}", refused.content);
    assert!(refused.str("/message")?.contains("provider http"), "{:#}", refused.content);
    Ok(())
}

#[tokio::test]
async fn a_provisioner_for_what_is_removed_is_found_in_called_folders_too() -> Result<()> {
    let ground = nodes()?;
    ground.write("net/main.tf", &format!("{NODES}\nmodule \"m\" {{ source = \"../part\" }}\n"))?;
    let removed = "removed {\n  from = terraform_data.gone\n  provisioner \"local-exec\" {\n    when    = destroy\n    command = \"true\"\n  }\n}\n";
    ground.write("part/main.tf", removed)?;
    ground.declare(&format!("{DECLARED}    with: [part]\n"))?;
    let session = ground.session().await?;
    let refused = session.call("plan_apply_workspace", net(json!({}))).await?;
    assert_eq!(refused.refusal()?, "precondition_failed", "{:#}", refused.content);
    assert!(refused.str("/message")?.contains("removed"), "{:#}", refused.content);
    Ok(())
}
