//! The steps that most sessions share.

use anyhow::Result;
use runcord_tests::Ground;
use runcord_tests::session::{Answer, Session};
pub(crate) use runcord_tests::story::{apply, approve, begun, carried_out, ended, verified};
use serde_json::{Value, json};

/// A module of built-in resources: so many nodes, and a note.
pub(crate) const NODES: &str = r#"
variable "size" { type = number }
variable "note" { type = string }

resource "terraform_data" "node" {
  count = var.size
  input = "node ${count.index}"
}

resource "terraform_data" "note" {
  input = var.note
}

output "size" { value = var.size }
"#;

/// What is declared of it.
pub(crate) const DECLARED: &str = r#"
modules:
  net:
    directory: net
    workspaces: [default]
    backend: {type: local, config: {path: net.tfstate}}
    variables:
      size: {value: 2, pool: {minimum: 1, maximum: 4}}
      note: {value: hello}
    may_name: [terraform_data.node]
"#;

/// Ground with that module, declared and in force.
pub(crate) fn nodes() -> Result<Ground> {
    let ground = Ground::new()?;
    ground.write("net/main.tf", NODES)?;
    ground.declare(DECLARED)?;
    Ok(ground)
}

/// The arguments of a tool on the module `net`.
pub(crate) fn net(more: Value) -> Value {
    let mut args = json!({"module": "net", "reason": "an end-to-end test"});
    if let (Value::Object(args), Value::Object(more)) = (&mut args, more) {
        args.extend(more);
    }
    args
}

/// Plans the configuration as it stands.
pub(crate) async fn plan(session: &Session) -> Result<Answer> {
    session.call("plan_apply_workspace", net(json!({}))).await?.done()
}

/// The inputs of all instances of `terraform_data` in a state file, by address.
pub(crate) fn inputs(ground: &Ground) -> Result<Vec<(String, String)>> {
    let state = ground.state_file("net.tfstate")?;
    let mut found = Vec::new();
    for resource in state["resources"].as_array().into_iter().flatten() {
        for instance in resource["instances"].as_array().into_iter().flatten() {
            let key = &instance["index_key"];
            let key = if key.is_null() { String::new() } else { format!("[{key}]") };
            let address = format!(
                "{}.{}{key}",
                resource["type"].as_str().unwrap_or_default(),
                resource["name"].as_str().unwrap_or_default()
            );
            let input = &instance["attributes"]["input"];
            let input = input.get("value").unwrap_or(input);
            found.push((address, input.as_str().unwrap_or_default().to_owned()));
        }
    }
    found.sort();
    Ok(found)
}
