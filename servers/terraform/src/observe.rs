//! What CEL in a runbook sees: the documented shape of the observation.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::names::{ModuleName, WorkspaceName};
use crate::seen::{Deed, Found, Look, Planned, Seen};

/// The observation. A runbook may name the variables that its actions observe.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Observation {
    /// What is left to do in the root module that the runbook names.
    pub plan: PlanView,
    /// What was applied to it before.
    pub applied: AppliedView,
    /// The lock of its state.
    pub lock: LockView,
}

/// What is left to do in a root module.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct PlanView {
    /// The root module.
    pub module: ModuleName,
    /// The workspace.
    pub workspace: WorkspaceName,
    /// Resource instances to make.
    pub creates: i64,
    /// Resource instances to change in place.
    pub updates: i64,
    /// Resource instances to destroy.
    pub deletes: i64,
    /// Resource instances to destroy and make anew.
    pub replaces: i64,
    /// Resource instances to manage no more.
    pub forgets: i64,
    /// All of these, and those that only move or are imported.
    pub changes: i64,
    /// Resource instances that have changed in the world since the state was written.
    pub drifted: i64,
}

/// What was applied before.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct AppliedView {
    /// The digest of the configuration that was applied last; empty where the state holds the effect of none that is kept.
    pub configuration: String,
}

/// The lock of a state.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct LockView {
    /// Its id; empty when the state is free.
    pub id: String,
    /// Whether somebody holds it.
    pub held: bool,
}

/// What CEL sees of `seen`: the variables that were looked at.
pub fn observe(seen: &Seen) -> Value {
    let mut variables = Map::new();
    let planned = seen.looks.iter().find_map(|look| match &look.found {
        Found::Planned(planned) => Some((look, planned)),
        Found::Lock { .. } => None,
    });
    if let Some((look, planned)) = planned {
        let configuration = planned.applied_before.as_ref().map(ToString::to_string).unwrap_or_default();
        variables.insert("plan".to_owned(), json!(plan_view(look, planned)));
        variables.insert("applied".to_owned(), json!(AppliedView { configuration }));
    }
    let lock = seen.looks.iter().find_map(|look| match &look.found {
        Found::Lock { lock, .. } => Some(lock),
        Found::Planned(_) => None,
    });
    if let Some(lock) = lock {
        let id = lock.as_ref().map(|lock| lock.id.to_string()).unwrap_or_default();
        variables.insert("lock".to_owned(), json!(LockView { held: lock.is_some(), id }));
    }
    Value::Object(variables)
}

fn plan_view(look: &Look, planned: &Planned) -> PlanView {
    let count = |deed: Deed| number(planned.changes.iter().filter(|change| change.deed == deed).count());
    PlanView {
        module: look.module.clone(),
        workspace: look.workspace.clone(),
        creates: count(Deed::Create),
        updates: count(Deed::Update),
        deletes: count(Deed::Delete),
        replaces: count(Deed::Replace),
        forgets: count(Deed::Forget),
        changes: number(planned.changes.len()),
        drifted: number(planned.drifted.len()),
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// One of each, for the catalog.
pub(crate) fn sample() -> Value {
    json!({
        "plan": {
            "module": "network", "workspace": "default", "creates": 1, "updates": 2, "deletes": 0, "replaces": 1,
            "forgets": 0, "changes": 4, "drifted": 0,
        },
        "applied": {"configuration": format!("sha256:{}", "5e".repeat(32))},
        "lock": {"id": "6d9e1a52-6a2c-4d3e-9a3b-0f5d7c1b2a34", "held": true},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::{Action, Unlock};
    use crate::samples::{change, digest, look, module, seen};
    use crate::seen::Lock;

    fn fields(value: &Value) -> Vec<&String> {
        value.as_object().unwrap().keys().collect()
    }

    #[test]
    fn every_variable_has_the_fields_of_its_schema() {
        let schema = schemars::schema_for!(Observation).to_value();
        let mut all =
            seen(vec![change("aws_instance.node", Deed::Replace), change("aws_subnet.a", Deed::Create)]);
        let lock =
            Lock { id: "a-1".parse().unwrap(), who: "ann".into(), operation: "apply".into(), created: None };
        let unlock = Action::UnlockState(Unlock { module: module(), lock_id: "a-1".parse().unwrap() });
        let found = |lock| Found::Lock { lock, configuration: digest(1), lineage: "".parse().unwrap() };
        all.looks.push(look(unlock.clone(), found(Some(lock))));
        let observed = observe(&all);
        assert_eq!(fields(&observed), fields(&schema["properties"]));
        for (name, value) in observed.as_object().unwrap() {
            assert_eq!(fields(value), fields(&schema["properties"][name]["properties"]), "{name}");
        }
        assert_eq!(observed["plan"]["replaces"], 1);
        assert_eq!(observed["plan"]["changes"], 2);
        assert_eq!(observed["applied"]["configuration"], digest(5).to_string());
        assert_eq!(observed["lock"], json!({"id": "a-1", "held": true}));
        let free = observe(&Seen { looks: vec![look(unlock, found(None))] });
        assert_eq!(free, json!({"lock": {"id": "", "held": false}}), "what was not looked at is not there");
    }

    #[test]
    fn without_a_way_back_there_is_no_digest() {
        let mut seen = seen(vec![]);
        let Found::Planned(planned) = &mut seen.looks[0].found else { unreachable!() };
        planned.applied_before = None;
        assert_eq!(observe(&seen)["applied"]["configuration"], "");
    }
}
