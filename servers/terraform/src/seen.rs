//! What a look at root modules found: everything that the pure functions decide on. Secret values are not in here; what
//! has to be compared and may be secret is a digest under the installation's mask.

use std::collections::BTreeSet;

use jiff::Timestamp;
use runcord_model::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::actions::Action;
use crate::modules::Module;
use crate::names::{Address, Lineage, LockId, ModuleName, ResourceType, WorkspaceName};

/// What was seen, for each step of a runbook.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// In the order of the steps.
    pub looks: Vec<Look>,
}

impl Seen {
    /// The same without the values that changes are shown with: a fingerprint tells them apart, and a run shows none.
    pub(crate) fn without_values(mut self) -> Self {
        for look in &mut self.looks {
            match &mut look.found {
                Found::Planned(planned) => {
                    planned.changes.iter_mut().for_each(|change| change.values = Vec::new());
                }
                Found::Lock { .. } => {}
            }
        }
        self
    }
}

/// What one step is concerned with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// The step.
    pub action: Action,
    /// The root module.
    pub module: ModuleName,
    /// The module as it was declared then: a worker goes by this, whatever is declared meanwhile.
    pub declared: Module,
    /// The workspace.
    pub workspace: WorkspaceName,
    /// What was found.
    pub found: Found,
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "found", rename_all = "snake_case")]
pub enum Found {
    /// The tool planned.
    Planned(Box<Planned>),
    /// A lock was looked for.
    Lock {
        /// The lock; none when the state is free.
        lock: Option<Lock>,
        /// The folder that the tool runs in.
        configuration: Digest,
        /// The state that it locks, where that is known; empty where it is not.
        lineage: Lineage,
    },
}

/// A saved plan, read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// All that it rests on.
    pub rests_on: RestsOn,
    /// The saved file: applied as it is, or not at all.
    pub saved: Saved,
    /// What would change.
    pub changes: Vec<ResourceChange>,
    /// Names of outputs that would change, whether or not they are sensitive.
    pub outputs: BTreeSet<String>,
    /// What has changed in the world since the state was written, by address.
    pub drifted: Vec<Address>,
    /// Instances of managed resources that the state holds.
    pub instances: i64,
    /// What the plan cannot tell, or what nobody reviewed: each is a reason not to go on, or to say so.
    pub doubts: Vec<Doubt>,
    /// How far the tool has carried out the plan that the run of this look is about.
    #[serde(default)]
    pub begun: Begun,
    /// The configuration that was applied last, where its effect is still what the state holds: the way back.
    pub applied_before: Option<Digest>,
}

/// How far a plan was carried out, as the tool's own words tell: it says of each instance that it begins before it does,
/// and at the end, if all went well, what it has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Begun {
    /// Nothing of it was begun.
    #[default]
    NotAtAll,
    /// Something was, or that cannot be told.
    InPart,
    /// The tool came to its end and all went well.
    ToItsEnd,
}

/// All that a plan rests on. What is equal here gives the same plan of the same world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestsOn {
    /// The folder that the tool runs in: root module, modules it calls, lock file, backend, variables.
    pub configuration: Digest,
    /// The providers' binaries.
    pub providers: Digest,
    /// The tool's own binary.
    pub tool: Digest,
    /// Which tool, and its version: `terraform 1.11.4`.
    pub version: String,
    /// The state as it was.
    pub state: StateMark,
}

/// Which writing of which state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateMark {
    /// The state; empty for one that was never written.
    pub lineage: Lineage,
    /// How often it was written.
    pub serial: u64,
}

/// A saved plan file, kept under its own digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The digest of its bytes.
    pub digest: Digest,
}

/// One change of one resource instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourceChange {
    /// The instance, as the tool writes its address. A key may hold anything, so it is shown only where it is an
    /// [`Address`].
    pub address: String,
    /// Where it was before, when it moves.
    pub moved_from: Option<String>,
    /// Its type.
    pub kind: ResourceType,
    /// Its provider, such as `registry.terraform.io/hashicorp/aws`.
    pub provider: String,
    /// What would be done.
    pub deed: Deed,
    /// Whether it would be taken into the state from the world.
    pub imported: bool,
    /// What is shown of the values that change: sensitive ones hidden, unknown ones said to be.
    pub values: Vec<ValueChange>,
    /// The whole change, before and after, under the mask.
    pub fingerprint: String,
}

/// What would be done to one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Nothing, but for a move or an import.
    Keep,
    /// It is made.
    Create,
    /// It is changed in place.
    Update,
    /// It is destroyed.
    Delete,
    /// It is destroyed and made anew, in one order or the other.
    Replace,
    /// The state forgets it; in the world it stays.
    Forget,
}

/// One value that changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValueChange {
    /// Where in the resource: `tags.owner`.
    pub path: String,
    /// Before.
    pub before: Shown,
    /// After.
    pub after: Shown,
}

/// A value, as far as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// It is not there.
    Absent,
    /// As it is.
    Value(Value),
    /// Sensitive: never shown.
    Hidden,
    /// Known only once it is applied.
    Unknown,
}

/// What a plan cannot tell, or what nobody reviewed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "doubt", rename_all = "snake_case")]
pub enum Doubt {
    /// A resource runs provisioners.
    Provisioner {
        /// Its address without keys.
        resource: String,
    },
    /// A data source runs a program or asks a server while planning.
    DataSource {
        /// Its address without keys.
        resource: String,
    },
    /// An action is invoked.
    ActionInvocation,
    /// A part of the plan is put off to a later one.
    Deferred,
    /// A module is called that is not in the folder.
    RemoteModule {
        /// The call.
        call: String,
    },
    /// The root module has a variable that is not declared.
    UndeclaredVariable {
        /// Its name.
        name: String,
    },
    /// A check of the configuration failed.
    Check {
        /// The address of what is checked.
        address: String,
    },
    /// A check of the configuration is put off: what it looks at is known only once applied.
    CheckPutOff {
        /// The address of what is checked.
        address: String,
    },
    /// The plan holds something that this version does not know.
    UnknownPart {
        /// Where.
        path: String,
    },
    /// The tool says that the plan is not complete, or errored.
    NotWhole,
}

/// Who holds a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Its id.
    pub id: LockId,
    /// Who took it, as they say: from the infrastructure.
    pub who: String,
    /// What for: `OperationTypeApply`.
    pub operation: String,
    /// When.
    pub created: Option<Timestamp>,
}
