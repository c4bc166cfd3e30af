//! All that this server can do and see, as data: what a runbook is checked against when it is loaded.

use runcord_model::action::{BadStep, Schema, Scopes, StepCall};
use runcord_model::{ActionSpec, Catalog};

use crate::actions::{Action, AtCommit, Earlier, Named, OnModule, Replace, SetPool, Unlock};
use crate::observe::{Observation, sample};
use crate::read::{Drift, Outputs, Resources};

const PLANNED: &[&str] = &["plan", "applied"];

/// The catalog.
pub(crate) fn catalog() -> Catalog {
    Catalog {
        server: "terraform",
        actions: vec![
            ActionSpec::mutating::<OnModule>(
                "apply_configuration",
                "Makes the world as the configuration of a root module says.",
                PLANNED,
            ),
            ActionSpec::mutating::<Replace>(
                "replace_instance",
                "Makes one resource instance anew, and the world as the configuration says.",
                PLANNED,
            ),
            ActionSpec::mutating::<SetPool>(
                "set_pool",
                "Makes the world as the configuration says with another value of one variable.",
                PLANNED,
            ),
            ActionSpec::mutating::<AtCommit>(
                "apply_commit",
                "Makes the world as the configuration of an earlier commit says.",
                PLANNED,
            ),
            ActionSpec::mutating::<Earlier>(
                "apply_earlier",
                "Makes the world as a configuration says that was applied before.",
                PLANNED,
            ),
            ActionSpec::mutating::<OnModule>(
                "accept_drift",
                "Takes what has changed in the world into the state, and changes nothing in the world.",
                PLANNED,
            ),
            ActionSpec::mutating::<Unlock>("unlock_state", "Breaks the lock of a state.", &["lock"]),
            ActionSpec::reading::<Named, Drift>("detect_drift", "Compares the world with the state.", &[]),
            ActionSpec::reading::<Named, Resources>(
                "list_resources",
                "Lists the resource instances that a state holds.",
                &[],
            ),
            ActionSpec::reading::<Named, Outputs>(
                "show_outputs",
                "Shows the outputs of a state that are not sensitive.",
                &[],
            ),
        ],
        observation: Schema::of::<Observation>(),
        sample: sample(),
        check,
    }
}

fn check(call: &StepCall) -> Result<Scopes, BadStep> {
    Action::read(call).map(|action| action.scopes())
}

#[cfg(test)]
mod tests {
    use runcord_model::EffectKind;
    use serde_json::{Value, json};

    use super::*;

    fn keys(value: &Value) -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn the_sample_has_every_field_that_the_schema_documents() {
        let catalog = catalog();
        let declared = &catalog.observation.to_value()["properties"];
        assert_eq!(keys(&catalog.sample), keys(declared));
        for (name, schema) in declared.as_object().unwrap() {
            assert!(schema["description"].is_string(), "{name} is documented");
            for (field, schema) in schema["properties"].as_object().unwrap() {
                assert!(schema["description"].is_string(), "{name}.{field} is documented");
            }
            assert_eq!(keys(&catalog.sample[name]), keys(&schema["properties"]), "{name}");
        }
    }

    #[test]
    fn every_action_is_closed_and_observes_what_is_declared() {
        let catalog = catalog();
        let declared = keys(&catalog.observation.to_value()["properties"]);
        for action in &catalog.actions {
            let name = action.name;
            assert_eq!(action.with.to_value()["additionalProperties"], json!(false), "{name}");
            assert!(action.observes.iter().all(|seen| declared.contains(&(*seen).to_owned())), "{name}");
            assert!(!action.with.to_value().to_string().contains("$ref"), "{name} needs no other document");
            assert!(!action.output.to_value().to_string().contains("$ref"), "{name} needs no other document");
            assert_eq!(
                action.output.to_value() == json!(false),
                action.effect == EffectKind::Mutating,
                "{name}"
            );
        }
    }

    #[test]
    fn the_shipped_runbooks_hold_against_this_catalog() {
        let catalog = catalog();
        let ours = runcord_runbooks::shipped().iter().filter(|(file, _)| file.starts_with("terraform/"));
        let mut used = std::collections::BTreeSet::new();
        for (file, text) in ours {
            let parsed =
                runcord_runbooks::Runbook::parse(file, text).unwrap_or_else(|report| panic!("{report:?}"));
            let checked = parsed.check(&catalog, runcord_model::Digest::from_bytes([0; 32]));
            let runbook = checked.unwrap_or_else(|reports| {
                panic!("{}", reports.iter().map(runcord_runbooks::Report::page).collect::<String>())
            });
            assert!(file.ends_with(&format!("/{}.yaml", runbook.name())), "{file}");
            assert!(runbook.description().len() < 2000 && !runbook.links().is_empty(), "{file}");
            let schema = runbook.input_schema();
            jsonschema::draft202012::new(&schema).unwrap();
            assert_eq!(schema["additionalProperties"], json!(false), "{file}");
            let named =
                catalog.actions.iter().filter(|action| text.contains(&format!("action: {}\n", action.name)));
            used.extend(named.map(|action| action.name));
        }
        let all: std::collections::BTreeSet<_> = catalog.actions.iter().map(|action| action.name).collect();
        assert_eq!(used, all, "every action is used by a runbook that ships");
    }

    fn shipped(name: &str) -> runcord_runbooks::Runbook {
        let file = format!("terraform/{name}.yaml");
        let (file, text) = runcord_runbooks::shipped().iter().find(|(it, _)| *it == file).unwrap();
        let parsed = runcord_runbooks::Runbook::parse(file, text).unwrap();
        parsed.check(&catalog(), runcord_model::Digest::from_bytes([0; 32])).unwrap()
    }

    fn filled(runbook: &runcord_runbooks::Runbook, with: Value) -> runcord_runbooks::Filled {
        let mut args = with.as_object().unwrap().clone();
        args.insert("module".to_owned(), json!("network"));
        if runbook.effect() == EffectKind::Mutating {
            args.insert("reason".to_owned(), json!("a test"));
        }
        runbook.fill(&args).unwrap()
    }

    #[test]
    fn what_callers_fill_in_is_typed_and_named_in_the_headline() {
        let commit = "3b18e512dba79e4c8300dd08aeb37f8e728b8dad";
        for (name, with, headline) in [
            ("apply_workspace", json!({}), "apply root module network".to_owned()),
            (
                "replace_instance",
                json!({"address": "module.pool[\"eu 1\"].aws_instance.node[\"a/b\"]"}),
                "replace module.pool[\"eu 1\"].aws_instance.node[\"a/b\"] of root module network".to_owned(),
            ),
            (
                "resize_pool",
                json!({"variable": "node_count", "size": 0}),
                "set node_count of root module network to 0".to_owned(),
            ),
            (
                "revert_config",
                json!({"commit": commit}),
                format!("apply root module network as of commit {commit}"),
            ),
            ("accept_drift", json!({}), "accept the drift of root module network".to_owned()),
            ("unlock_state", json!({"lock_id": "a-1"}), "break lock a-1 of root module network".to_owned()),
            ("detect_drift", json!({}), "compare root module network with the world".to_owned()),
        ] {
            let runbook = shipped(name);
            let filled = filled(&runbook, with);
            assert_eq!(runbook.headline(&filled), headline);
            let steps = runbook.steps(&filled).unwrap();
            let action = Action::read(&steps[0]).unwrap();
            assert_eq!(action.module().as_str(), "network", "{name}");
            if runbook.effect() == EffectKind::Mutating {
                assert_eq!(
                    runbook.concurrency(&filled).unwrap().key,
                    "module/network",
                    "one at a time: {name}"
                );
            }
        }
    }

    #[test]
    fn the_way_back_is_what_was_applied_before_and_there_is_none_without_it() {
        let before = |digest: &str| {
            let mut before = sample();
            before["applied"]["configuration"] = json!(digest);
            before
        };
        let digest = format!("sha256:{}", "ab".repeat(32));
        for (name, with) in [
            ("apply_workspace", json!({})),
            ("resize_pool", json!({"variable": "size", "size": 2})),
            ("revert_config", json!({"commit": "0".repeat(40)})),
        ] {
            let runbook = shipped(name);
            let filled = filled(&runbook, with);
            let undo = runbook.undo_steps(&filled, &before(&digest)).unwrap().unwrap();
            let Action::ApplyEarlier(earlier) = Action::read(&undo[0]).unwrap() else { panic!("{undo:?}") };
            assert_eq!(earlier.configuration.as_str(), digest);
            let nothing = runbook.undo_steps(&filled, &before(""));
            let read = nothing.unwrap().map(|undo| Action::read(&undo[0]).map_err(|bad| bad.field));
            assert!(!matches!(read, Ok(Ok(_))), "{name}: {read:?}");
        }
        for name in ["replace_instance", "accept_drift", "unlock_state"] {
            let with = match name {
                "replace_instance" => json!({"address": "aws_instance.node"}),
                "unlock_state" => json!({"lock_id": "a-1"}),
                _ => json!({}),
            };
            let runbook = shipped(name);
            assert!(runbook.undo_steps(&filled(&runbook, with), &sample()).is_none(), "{name}");
        }
    }
}
