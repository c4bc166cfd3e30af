//! A service without a target behind it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use runcord_model::{Code, Principal, Refusal};
use runcord_runtime::browse::RunbookPage;
use runcord_runtime::progress::Progress;
use runcord_runtime::tools::{ToolHint, ToolSpec};
use serde_json::{Map, Value, json};

use crate::served::Served;

/// Remembers what reached it.
#[derive(Default)]
pub(super) struct FakeService {
    pub(super) calls: Mutex<Vec<(String, Value)>>,
    pub(super) applied: AtomicBool,
}

pub(super) fn principal() -> Principal {
    Principal { requester: "claude".parse().unwrap(), sponsor: "alice".parse().unwrap() }
}

fn spec(name: &str, hint: ToolHint) -> ToolSpec {
    let object = |value: Value| Arc::new(value.as_object().unwrap().clone());
    ToolSpec {
        name: name.to_owned(),
        title: format!("Title of {name}"),
        description: "What it does.".to_owned(),
        input: object(json!({
            "type": "object", "additionalProperties": false, "required": ["node"],
            "properties": {"node": {"type": "string", "pattern": "^[a-z0-9-]{1,63}$"}},
        })),
        output: object(json!({
            "type": "object", "additionalProperties": false, "required": ["summary"],
            "properties": {"summary": {"type": "string"}},
        })),
        hint,
    }
}

impl Served for FakeService {
    fn name(&self) -> String {
        "runcord-fake".to_owned()
    }

    fn tools(&self) -> Vec<Arc<ToolSpec>> {
        let all = [
            spec("plan_drain_node", ToolHint::Plans),
            spec("apply_plan", ToolHint::Applies),
            spec("refused", ToolHint::Plans),
            spec("long_look", ToolHint::Reads),
            spec("panics", ToolHint::Reads),
            spec("panics_while_applying", ToolHint::Applies),
        ];
        all.map(Arc::new).into()
    }

    fn runbooks(&self) -> Vec<RunbookPage> {
        vec![RunbookPage {
            name: "drain_node".to_owned(),
            title: "Drain a node".to_owned(),
            description: "Empties a node.".to_owned(),
            page: "kind: Runbook\n".to_owned(),
            prompt: "Carry it out under supervision.".to_owned(),
        }]
    }

    async fn call(
        &self,
        principal: &Principal,
        tool: &str,
        args: &Map<String, Value>,
        progress: &Progress,
    ) -> Result<Value, Refusal> {
        self.calls.lock().unwrap().push((format!("{tool} by {principal}"), Value::Object(args.clone())));
        match tool {
            "refused" => Err(Refusal::new(Code::PolicyDenied, "policy denies it", "choose a smaller change")
                .with_details(json!({"rule": "blast.nodes"}))),
            "panics" | "panics_while_applying" => panic!("a defect of ours"),
            "apply_plan" | "long_look" => {
                // Longer than rmcp waits for its handlers once a client has gone.
                tokio::time::sleep(Duration::from_secs(20)).await;
                self.applied.store(true, Ordering::SeqCst);
                Ok(json!({"summary": "begun"}))
            }
            _ => {
                for (done, message) in [(1.0, "looking"), (1.0, "looking still"), (2.0, "judging")] {
                    progress.note(done, Some(2.0), message);
                }
                Ok(json!({"summary": "planned"}))
            }
        }
    }
}
