//! The actions of this server, typed: what a filled-in step must be before the tool is started.

use runcord_model::action::{BadStep, read_fields};
use runcord_model::bounds::Span;
use runcord_model::{Digest, Scopes, StepCall};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::names::{Address, Commit, LockId, ModuleName, VariableName};

/// A typed step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Makes the world as the configuration says.
    ApplyConfiguration(OnModule),
    /// The same, and makes one instance anew.
    ReplaceInstance(Replace),
    /// The same, with another value of one variable.
    SetPool(SetPool),
    /// Makes the world as the configuration of an earlier commit says.
    ApplyCommit(AtCommit),
    /// Makes the world as a configuration says that was applied before: the way back.
    ApplyEarlier(Earlier),
    /// Takes what has changed in the world into the state.
    AcceptDrift(OnModule),
    /// Breaks the lock of the state.
    UnlockState(Unlock),
    /// Compares the world with the state.
    DetectDrift(Named),
    /// Lists what the state holds.
    ListResources(Named),
    /// Shows the outputs that are not sensitive.
    ShowOutputs(Named),
}

/// `apply_configuration`, `accept_drift`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnModule {
    /// The root module.
    pub module: ModuleName,
    /// How long applying may take; 30m unless given. Then it is interrupted.
    #[serde(default = "half_an_hour")]
    pub timeout: Span,
}

/// `replace_instance`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// The root module.
    pub module: ModuleName,
    /// The instance.
    pub address: Address,
    /// How long applying may take; 30m unless given. Then it is interrupted.
    #[serde(default = "half_an_hour")]
    pub timeout: Span,
}

/// `set_pool`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPool {
    /// The root module.
    pub module: ModuleName,
    /// The variable that says how large the pool is.
    pub variable: VariableName,
    /// How large it should be.
    pub size: i64,
    /// How long applying may take; 30m unless given. Then it is interrupted.
    #[serde(default = "half_an_hour")]
    pub timeout: Span,
}

/// `apply_commit`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AtCommit {
    /// The root module.
    pub module: ModuleName,
    /// The commit.
    pub commit: Commit,
    /// How long applying may take; 30m unless given. Then it is interrupted.
    #[serde(default = "half_an_hour")]
    pub timeout: Span,
}

/// `apply_earlier`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Earlier {
    /// The root module.
    pub module: ModuleName,
    /// The digest of the configuration.
    #[schemars(with = "String")]
    pub configuration: Digest,
    /// How long applying may take; 30m unless given. Then it is interrupted.
    #[serde(default = "half_an_hour")]
    pub timeout: Span,
}

/// `unlock_state`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unlock {
    /// The root module.
    pub module: ModuleName,
    /// The id of the lock that is to be broken: another one is left alone.
    pub lock_id: LockId,
}

/// What only looks at a root module.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The root module.
    pub module: ModuleName,
}

impl Action {
    /// Reads a filled-in step.
    ///
    /// # Errors
    /// Names the field at fault and its rule, never the text that broke it.
    pub fn read(call: &StepCall) -> Result<Self, BadStep> {
        let with = &call.with;
        match call.action.as_str() {
            "apply_configuration" => fields(with).map(Self::ApplyConfiguration),
            "replace_instance" => fields(with).map(Self::ReplaceInstance),
            "set_pool" => fields(with).map(Self::SetPool),
            "apply_commit" => fields(with).map(Self::ApplyCommit),
            "apply_earlier" => fields(with).map(Self::ApplyEarlier),
            "accept_drift" => fields(with).map(Self::AcceptDrift),
            "unlock_state" => fields(with).map(Self::UnlockState),
            "detect_drift" => fields(with).map(Self::DetectDrift),
            "list_resources" => fields(with).map(Self::ListResources),
            "show_outputs" => fields(with).map(Self::ShowOutputs),
            _ => Err(BadStep { field: "action".to_owned(), rule: "not an action of terraform".to_owned() }),
        }
    }

    /// What the action names, before anything is looked at.
    pub fn scopes(&self) -> Scopes {
        Scopes { modules: [self.module().to_string()].into(), ..Scopes::default() }
    }

    /// The root module it is about.
    pub fn module(&self) -> &ModuleName {
        match self {
            Self::ApplyConfiguration(on) | Self::AcceptDrift(on) => &on.module,
            Self::ReplaceInstance(replace) => &replace.module,
            Self::SetPool(set) => &set.module,
            Self::ApplyCommit(at) => &at.module,
            Self::ApplyEarlier(earlier) => &earlier.module,
            Self::UnlockState(unlock) => &unlock.module,
            Self::DetectDrift(named) | Self::ListResources(named) | Self::ShowOutputs(named) => &named.module,
        }
    }
}

fn fields<T: DeserializeOwned + JsonSchema>(with: &Map<String, Value>) -> Result<T, BadStep> {
    read_fields(with, &probe_field, ("module", MODULE))
}

const MODULE: &str = "must be a declared root module: a-z, 0-9, `-` and `_`, beginning with a letter";

/// Reads one field by itself; fields of one name have one type in all actions.
fn probe_field(name: &str, value: &Value) -> Result<(), String> {
    fn is<T: DeserializeOwned>(value: &Value, rule: &str) -> Result<(), String> {
        T::deserialize(value.clone()).map(|_| ()).map_err(|_| format!("must be {rule}"))
    }
    match name {
        "module" => is::<ModuleName>(value, "").map_err(|_| MODULE.to_owned()),
        "address" => {
            is::<Address>(value, "the address of one resource instance, such as `aws_instance.web[\"eu\"]`")
        }
        "variable" => is::<VariableName>(value, "the name of a variable: letters, digits and `_`"),
        "size" => is::<i64>(value, "a whole number"),
        "commit" => is::<Commit>(value, "the 40 or 64 hexadecimal digits of a commit, in lower case"),
        "configuration" => is::<Digest>(value, "the digest of a configuration that was applied before"),
        "lock_id" => is::<LockId>(value, "the id of a lock: letters, digits, `-`, `_`, `.`, `:` and `/`"),
        "timeout" => is::<Span>(value, "a duration from 1s to 24h such as `90s`, `15m` or `1h30m`"),
        _ => Err("must be of its type".to_owned()),
    }
}

fn half_an_hour() -> Span {
    Span::HALF_AN_HOUR
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(action: &str, with: Value) -> Result<Action, BadStep> {
        let with = with.as_object().cloned().unwrap();
        Action::read(&StepCall { id: "s".into(), action: action.into(), with })
    }

    #[test]
    fn actions_are_read_and_written_back() {
        for (action, with) in [
            ("apply_configuration", json!({"module": "network"})),
            (
                "replace_instance",
                json!({"module": "network", "address": "aws_instance.web[0]", "timeout": "1h"}),
            ),
            ("set_pool", json!({"module": "network", "variable": "size", "size": -3, "timeout": null})),
            (
                "apply_commit",
                json!({"module": "network", "commit": "0123456789012345678901234567890123456789"}),
            ),
            (
                "apply_earlier",
                json!({"module": "network", "configuration": format!("sha256:{}", "0".repeat(64))}),
            ),
            ("accept_drift", json!({"module": "network"})),
            ("unlock_state", json!({"module": "network", "lock_id": "a-1"})),
            ("detect_drift", json!({"module": "network"})),
            ("list_resources", json!({"module": "network"})),
            ("show_outputs", json!({"module": "network"})),
        ] {
            let read = read(action, with).unwrap();
            let written = serde_json::to_value(&read).unwrap();
            assert_eq!(written["action"], action);
            assert_eq!(serde_json::from_value::<Action>(written).unwrap(), read);
            assert_eq!(read.scopes().modules.into_iter().collect::<Vec<_>>(), ["network"]);
        }
    }

    #[test]
    fn a_bad_step_names_the_field_and_never_the_text() {
        for (action, with, field) in [
            ("apply_configuration", json!({}), "module"),
            ("apply_configuration", json!({"module": "-EVIL"}), "module"),
            ("apply_configuration", json!({"module": "network", "target": "EVIL"}), "target"),
            ("apply_configuration", json!({"module": "network", "timeout": "EVIL"}), "timeout"),
            ("replace_instance", json!({"module": "network", "address": "-target=EVIL"}), "address"),
            ("replace_instance", json!({"module": "network", "address": "x.y[\"${EVIL}\"]"}), "address"),
            ("replace_instance", json!({"module": "network"}), "address"),
            ("set_pool", json!({"module": "network", "variable": "EVIL=1", "size": 1}), "variable"),
            ("set_pool", json!({"module": "network", "variable": "size", "size": "EVIL"}), "size"),
            ("set_pool", json!({"module": "network", "variable": "size", "size": 1.5}), "size"),
            ("apply_commit", json!({"module": "network", "commit": "HEAD"}), "commit"),
            ("apply_earlier", json!({"module": "network", "configuration": ""}), "configuration"),
            ("unlock_state", json!({"module": "network", "lock_id": "-force"}), "lock_id"),
            ("destroy", json!({"module": "network"}), "action"),
        ] {
            let bad = read(action, with).unwrap_err();
            assert_eq!(bad.field, field);
            assert!(!bad.to_string().contains("EVIL"), "{bad}");
        }
    }
}
