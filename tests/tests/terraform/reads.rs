//! What only looks: it changes nothing, and shows nothing that is secret.

use anyhow::Result;
use serde_json::json;

use crate::story::{net, nodes, plan, verified};

fn named() -> serde_json::Value {
    json!({"module": "net"})
}

#[tokio::test]
async fn resources_and_outputs_are_shown_and_nothing_sensitive() -> Result<()> {
    const SECRET: &str = "tr0ub4dor-and-3";
    let ground = nodes()?;
    let text = format!(
        "{}\noutput \"password\" {{\n  value     = \"{SECRET}\"\n  sensitive = true\n}}\n",
        crate::story::NODES
    );
    ground.write("net/main.tf", &text)?;
    let session = ground.session().await?;
    let first = plan(&session).await?;
    let end = verified(&ground, &session, &first).await?;
    let listed = session.call("list_resources", named()).await?.done()?;
    assert!(listed.text.contains("terraform_data.node[1]"), "{}", listed.text);
    let shown = session.call("show_outputs", named()).await?.done()?;
    assert!(shown.text.contains("password") && shown.text.contains("size"), "{}", shown.text);
    let state = std::fs::read_to_string(ground.file("net.tfstate"))?;
    assert!(state.contains(SECRET), "the witness: it is there to be found");
    for answer in [&first, &end, &listed, &shown] {
        assert!(!answer.text.contains(SECRET) && !answer.content.to_string().contains(SECRET));
    }
    Ok(())
}

#[tokio::test]
async fn drift_is_found_and_accepted() -> Result<()> {
    let ground = nodes()?;
    let text = format!(
        "{}\nresource \"local_file\" \"motd\" {{\n  filename = \"{}\"\n  content  = \"welcome\"\n}}\n",
        crate::story::NODES,
        ground.file("motd").display()
    );
    let with_provider = format!(
        "terraform {{\n  required_providers {{\n    local = {{ source = \"hashicorp/local\" }}\n  }}\n}}\n{text}"
    );
    ground.write("net/main.tf", &with_provider)?;
    ground.by_hand("net", &["init", "-backend=false", "-no-color"])?;
    let session = ground.session().await?;
    verified(&ground, &session, &plan(&session).await?).await?;
    let nothing = session.call("detect_drift", named()).await?.done()?;
    assert!(!nothing.text.contains("local_file.motd"), "{}", nothing.text);
    std::fs::remove_file(ground.file("motd"))?;
    let found = session.call("detect_drift", named()).await?.done()?;
    assert!(found.text.contains("local_file.motd"), "{}", found.text);
    let before = ground.state_file("net.tfstate")?["serial"].clone();
    let accept = session.call("plan_accept_drift", net(json!({}))).await?.done()?;
    assert_eq!(ground.state_file("net.tfstate")?["serial"], before, "planning writes nothing");
    verified(&ground, &session, &accept).await?;
    let found = session.call("detect_drift", named()).await?.done()?;
    assert!(!found.text.contains("local_file.motd"), "{}", found.text);
    let again = session.call("plan_accept_drift", net(json!({}))).await?;
    assert_eq!(again.refusal()?, "precondition_failed");
    Ok(())
}
