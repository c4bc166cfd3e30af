//! The actions of this server, typed: what a filled-in step must be before the tool is started.

use runcord_model::Digest;
use runcord_model::bounds::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

fn half_an_hour() -> Span {
    Span::HALF_AN_HOUR
}
