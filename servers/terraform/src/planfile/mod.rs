//! Reads a saved plan: `terraform show -json PLAN`, and the copy of the state within the plan file itself.
//!
//! The JSON holds the whole state several times over, and every sensitive value in clear. So it is read from a stream, one
//! resource after the other, and what is kept of each is what would change of it: shown as far as nothing sensitive is in
//! it, and compared by a fingerprint under the installation's mask. What this version does not know is a [`Doubt`],
//! never passed over.
//!
//! A number that fits neither 64 bits nor a double is compared and shown as the double nearest to it: what was approved is
//! held by the digest of the saved file besides.

mod change;
mod configuration;
mod document;
mod secrets;
mod state;
mod values;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::{BufReader, Read};

use runcord_model::Digest;
use runcord_runtime::mask::Mask;
use serde::{Deserialize, Serialize};

use crate::actions::Action;
use crate::modules::Module;
use crate::names::Address;
use crate::seen::{Begun, Doubt, Planned, ResourceChange, RestsOn, Saved};

pub use state::state_mark;

/// A plan as it was read. Nothing that the tool calls sensitive is in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// What would change, in the order of addresses; of what stays as it is, only what moves or is imported.
    pub changes: Vec<ResourceChange>,
    /// What has changed in the world since the state was written, in the order of addresses. What is gone from the world
    /// is [`Deed::Forget`](crate::seen::Deed::Forget): taking that into the state destroys nothing.
    pub drift: Vec<ResourceChange>,
    /// The same by address; the address without keys where a key cannot be shown.
    pub drifted: Vec<Address>,
    /// Names of outputs that would change, whether or not they are sensitive.
    pub outputs: BTreeSet<String>,
    /// Instances of managed resources that the state holds, as it was refreshed.
    pub instances: i64,
    /// What the plan cannot tell, or what nobody reviewed.
    pub doubts: Vec<Doubt>,
}

impl Reading {
    /// What was found, for an action: accepting drift changes what has drifted, everything else what is planned.
    pub fn planned(
        self,
        action: &Action,
        rests_on: RestsOn,
        saved: Saved,
        applied_before: Option<Digest>,
    ) -> Planned {
        let changes = match action {
            Action::AcceptDrift(_) => self.drift,
            Action::ApplyConfiguration(_)
            | Action::ReplaceInstance(_)
            | Action::SetPool(_)
            | Action::ApplyCommit(_)
            | Action::ApplyEarlier(_)
            | Action::UnlockState(_)
            | Action::DetectDrift(_)
            | Action::ListResources(_)
            | Action::ShowOutputs(_) => self.changes,
        };
        Planned {
            rests_on,
            saved,
            changes,
            outputs: self.outputs,
            drifted: self.drifted,
            instances: self.instances,
            doubts: self.doubts,
            begun: Begun::NotAtAll,
            applied_before,
        }
    }
}

/// Why a plan could not be read. Holds nothing of what stands in it.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It cannot be read at all, or ends too early.
    #[error("the plan cannot be read, or not to its end")]
    Broken,
    /// It is not what the tool writes for a plan.
    #[error("the plan is not in the form that is known")]
    NotAPlan,
    /// The plan file holds no copy of the state, or none that is known.
    #[error("the plan file holds no state that can be read")]
    NoState,
}

/// Reads a plan from what `show -json` writes.
///
/// # Errors
/// It is no plan, or no whole one.
pub fn read(json: impl Read, declared: &Module, mask: &Mask) -> Result<Reading, Unreadable> {
    let mut stream = serde_json::Deserializer::from_reader(BufReader::with_capacity(64 * 1024, json));
    let document = document::read(&mut stream, mask).map_err(|error| unreadable(&error))?;
    stream.end().map_err(|error| unreadable(&error))?;
    document.finish(declared)
}

fn unreadable(error: &serde_json::Error) -> Unreadable {
    match error.classify() {
        serde_json::error::Category::Io | serde_json::error::Category::Eof => Unreadable::Broken,
        serde_json::error::Category::Syntax | serde_json::error::Category::Data => Unreadable::NotAPlan,
    }
}

/// Whether the plan may go on with a doubt: what runs code is listed in the module's declaration, by those who reviewed it.
pub fn reviewed(doubt: &Doubt, declared: &Module) -> bool {
    match doubt {
        Doubt::Provisioner { resource } | Doubt::DataSource { resource } => {
            declared.runs_code.contains(resource)
        }
        // Nothing is wrong yet, and nobody can tell more: it is said with what is undetermined.
        Doubt::CheckPutOff { .. } => true,
        Doubt::ActionInvocation
        | Doubt::Deferred
        | Doubt::RemoteModule { .. }
        | Doubt::UndeclaredVariable { .. }
        | Doubt::Check { .. }
        | Doubt::UnknownPart { .. }
        | Doubt::NotWhole => false,
    }
}
