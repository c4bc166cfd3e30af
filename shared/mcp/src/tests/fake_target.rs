//! The smallest target there is: a lamp that can be looked at and switched. It counts what reaches it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use runcord_flow::{ActKind, Permit, Settled};
use runcord_model::action::{BadStep, Schema};
use runcord_model::{
    ActionSpec, BlastRadius, Catalog, Change, ChangeKind, Coverage, EffectKind, Refusal, Scopes, StepCall,
    Untrusted,
};
use runcord_runtime::target::{Acted, Actions, Draft, Fixed, Measured, Supervision, Target, Waited};
use serde_json::{Value, json};

pub(super) const RUNBOOKS: [(&str, &str); 2] = [
    (
        "switch_lamp.yaml",
        r#"apiVersion: runcord.dev/v1
kind: Runbook
metadata: {name: switch_lamp, version: 1.0.0, title: Switch the lamp, owner: platform}
spec:
  server: fake
  description: Switches the lamp.
  params:
    level: {type: integer, minimum: 0, maximum: 10, description: How bright.}
  headline: switch lamp to ${params.level}
  steps:
    - {id: switch, action: switch, with: {level: "${params.level}"}}
  verify:
    - {check: "lamp.level == params.level", message: the lamp is not as bright as asked for}
  limits: {timeout: 1m}
"#,
    ),
    (
        "lamp_status.yaml",
        r"apiVersion: runcord.dev/v1
kind: Runbook
metadata: {name: lamp_status, version: 1.0.0, title: Look at the lamp, owner: platform}
spec:
  server: fake
  description: Looks at the lamp.
  params: {}
  headline: look at the lamp
  steps:
    - {id: look, action: look, with: {}}
  limits: {timeout: 1m}
",
    ),
];

/// What a lamp can do.
#[derive(Debug, Clone)]
pub(super) struct FakeActions;

/// A lamp.
#[derive(Debug, Default)]
pub(super) struct FakeTarget {
    pub(super) touched: Arc<AtomicUsize>,
}

impl FakeTarget {
    fn touch(&self) {
        self.touched.fetch_add(1, Ordering::SeqCst);
    }
}

fn check(_call: &StepCall) -> Result<Scopes, BadStep> {
    Ok(Scopes::default())
}

fn fixed(schema: Value) -> Schema {
    Schema::made_by(move || schema.clone())
}

fn spec(name: &'static str, effect: EffectKind, with: Value, output: Value) -> ActionSpec {
    let (with, output) = (fixed(with), fixed(output));
    ActionSpec { name, doc: "a lamp", effect, with, output, observes: &["lamp"] }
}

fn catalog() -> Catalog {
    let object = |properties: Value, required: Value| json!({"type": "object", "additionalProperties": false, "properties": properties, "required": required});
    let level = json!({"level": {"type": "integer"}});
    Catalog {
        server: "fake",
        actions: vec![
            spec("switch", EffectKind::Mutating, object(level.clone(), json!(["level"])), json!(false)),
            spec(
                "look",
                EffectKind::ReadOnly,
                object(json!({}), json!([])),
                object(json!({"untrusted": {"type": "string"}}), json!(["untrusted"])),
            ),
        ],
        observation: fixed(object(json!({"lamp": object(level, json!(["level"]))}), json!(["lamp"]))),
        sample: json!({"lamp": {"level": 1}}),
        check,
    }
}

impl Actions for FakeActions {
    type Action = StepCall;
    type Seen = i64;
    type Act = i64;
    type DryRun = ();

    fn catalog() -> &'static Catalog {
        static CATALOG: LazyLock<Catalog> = LazyLock::new(catalog);
        &CATALOG
    }

    fn action(call: &StepCall) -> Result<StepCall, BadStep> {
        Ok(call.clone())
    }

    fn draft(action: &StepCall, _seen: &i64, _fixed: &Fixed) -> Result<Draft<Self>, Refusal> {
        let level = action.with["level"].as_i64().unwrap();
        Ok(Draft { acts: vec![level], predicted: level, summary: format!("switch to {level}") })
    }

    fn kind(_act: &i64) -> ActKind {
        ActKind::Mutate
    }

    fn canonical(acts: &[i64], _seen: &i64) -> Value {
        json!(acts)
    }

    fn measure(seen: &i64, steps: &[Vec<i64>], _dry_run: &()) -> Measured {
        let after = steps.iter().flatten().last().copied().unwrap_or(*seen);
        Measured {
            diff: Self::diff(seen, &after),
            blast_radius: BlastRadius::nothing(),
            coverage: Coverage::default(),
            scopes: Scopes::default(),
            remarks: Vec::new(),
        }
    }

    fn observe(seen: &i64) -> Value {
        json!({"lamp": {"level": seen}})
    }

    fn settle(act: &i64, _before: &i64, now: &i64) -> Settled {
        if act == now { Settled::Done } else { Settled::NotDone }
    }

    fn diff(before: &i64, after: &i64) -> Vec<Change> {
        vec![Change {
            object: "Lamp lamp".to_owned(),
            change: ChangeKind::Update,
            before: json!(before),
            after: json!(after),
            text: format!("level {before} to {after}"),
        }]
    }

    fn describe(act: &i64) -> String {
        format!("switch to {act}")
    }

    fn patience(_act: &i64) -> Duration {
        Duration::from_secs(1)
    }
}

impl Target for FakeTarget {
    type A = FakeActions;

    async fn identity(&self) -> Result<String, Refusal> {
        Ok("lamp:0001".to_owned())
    }

    async fn probe(&self, _actions: &[StepCall]) -> Result<i64, Refusal> {
        self.touch();
        Ok(1)
    }

    fn recall(&self, _before: &i64) {}

    async fn dry_run(&self, _acts: &[i64]) -> Result<(), Refusal> {
        self.touch();
        Ok(())
    }

    async fn keep(&self, _acts: &[i64], _until: jiff::Timestamp) -> Result<(), Refusal> {
        Ok(())
    }

    async fn apply(&self, _permit: Permit, _act: &i64, _supervision: &Supervision<'_>) -> Acted {
        self.touch();
        Acted::Done
    }

    async fn wait(&self, _act: &i64) -> Waited {
        Waited::Done
    }

    async fn read(&self, _action: &StepCall) -> Result<Value, Refusal> {
        self.touch();
        Ok(json!({"untrusted": Untrusted::clean("on\u{202e}", 100)}))
    }
}
