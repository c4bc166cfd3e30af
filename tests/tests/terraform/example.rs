//! The example does what its README says, as it stands.

use anyhow::Result;
use runcord_tests::Ground;
use runcord_tests::session::{Answer, Session};
use serde_json::{Value, json};

use crate::story::{carried_out, verified};

/// The arguments of a tool on the example's module.
fn pool(more: Value) -> Value {
    let mut args = json!({"module": "pool", "reason": "trying the example"});
    if let (Value::Object(args), Value::Object(more)) = (&mut args, more) {
        args.extend(more);
    }
    args
}

async fn resize(session: &Session, nodes: i64) -> Result<Answer> {
    session.call("plan_resize_pool", pool(json!({"variable": "nodes", "size": nodes}))).await
}

async fn nodes(session: &Session) -> Result<usize> {
    let listed = session.call("list_resources", json!({"module": "pool"})).await?.done()?;
    Ok(listed.text.matches("terraform_data.node[").count())
}

#[tokio::test]
async fn it_is_declared_applied_resized_and_undone() -> Result<()> {
    let ground = Ground::of_example()?;
    let checked = ground.runcord(["policy", "check"])?;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let session = ground.session().await?;

    let plan = session.call("plan_apply_workspace", pool(json!({}))).await?.done()?;
    assert_eq!(plan.content["blast_radius"]["creates"], 3);
    assert_eq!(plan.str("/decision/outcome")?, "allow");
    verified(&ground, &session, &plan).await?;
    assert_eq!(nodes(&session).await?, 2);

    assert_eq!(resize(&session, 7).await?.refusal()?, "invalid_params");
    let larger = resize(&session, 4).await?.done()?;
    let end = verified(&ground, &session, &larger).await?;
    assert_eq!(nodes(&session).await?, 4);

    let back = session.call("undo_plan", json!({"run_id": end.str("/run_id")?})).await?.done()?;
    assert_eq!(back.content["blast_radius"]["destroys"], 2);
    assert_eq!(back.str("/decision/outcome")?, "needs_approval");
    assert_eq!(carried_out(&ground, &session, &back).await?.str("/state")?, "verified");
    assert_eq!(nodes(&session).await?, 2);
    Ok(())
}
