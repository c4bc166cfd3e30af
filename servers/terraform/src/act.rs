//! Acts: what is done to the state and the world, with everything it carries decided beforehand.

use runcord_model::Digest;
use runcord_model::bounds::Span;
use serde::{Deserialize, Serialize};

use crate::modules::Module;
use crate::names::{Lineage, LockId, ModuleName, WorkspaceName};
use crate::seen::{RestsOn, Saved};

/// One mutation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// Applies a saved plan.
    Apply(ApplySaved),
    /// Breaks the lock of a state.
    Unlock(BreakLock),
}

/// Applies one saved plan file, and nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApplySaved {
    /// The root module.
    pub module: ModuleName,
    /// As it was declared.
    pub declared: Module,
    /// The workspace.
    pub workspace: WorkspaceName,
    /// What the plan rests on, the state as it was included.
    pub rests_on: RestsOn,
    /// The file.
    pub saved: Saved,
    /// How many instances change.
    pub changes: usize,
    /// One line for a person: `apply network: 2 to create, 1 to destroy`.
    pub summary: String,
    /// How long it may take before it is interrupted.
    pub timeout: Span,
}

/// Breaks one lock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BreakLock {
    /// The root module.
    pub module: ModuleName,
    /// As it was declared.
    pub declared: Module,
    /// The workspace.
    pub workspace: WorkspaceName,
    /// The folder that the tool runs in.
    pub configuration: Digest,
    /// The lock.
    pub lock: LockId,
    /// The state that it locks, where that is known.
    pub lineage: Lineage,
}
