//! What a probe saw of Secrets and of those who use them. No value, and nothing made of one.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::consumers::Consumer;
use crate::exec::{Nowhere, Place};
use crate::names::{DataKey, KindName, Namespace, ObjectName, ResourceVersion, Uid};
use crate::numbers::VersionNumber;
use crate::seen::OwnerRef;

/// The annotation of a Secret that says under which number its values are kept.
pub const VERSION: &str = "runcord.dev/secret-version";
/// The annotation of a kept copy that names the uid of the Secret that it is of.
pub const COPY_OF: &str = "runcord.dev/copy-of";

/// What the actions name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecretsFocus {
    /// Secrets, in the order of the actions.
    pub secrets: Vec<(Namespace, ObjectName)>,
    /// Numbers of kept values that are to be put back.
    pub versions: BTreeSet<(Namespace, ObjectName, VersionNumber)>,
    /// The containers in which backends learn values.
    pub backends: Vec<Place>,
}

/// What a probe saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecretsSeen {
    /// The Secrets named, as far as they are there.
    pub secrets: Vec<Secret>,
    /// The containers in which backends learn values.
    pub backends: Vec<(Place, Backend)>,
}

/// Where a backend learns values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// A command can be run in that pod.
    There {
        /// The pod's uid.
        uid: Uid,
    },
    /// None can.
    Nowhere(Nowhere),
}

/// One Secret, the copies kept of it, and everybody who uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// What it is.
    pub id: OwnerRef,
    /// It changes with every write: nothing but its values and metadata is there to be written.
    pub resource_version: ResourceVersion,
    /// Whether its values are anybody's to choose.
    pub content: Content,
    /// The names of its keys.
    pub keys: BTreeSet<DataKey>,
    /// Whether it is immutable.
    pub immutable: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Who keeps it by other means than by hand, and would put the values back or hand others out.
    pub keepers: BTreeSet<SecretKeeper>,
    /// The number that its annotation gives its values; 1 when it gives none.
    pub version: VersionNumber,
    /// The copies that are there, from that number on, and those that are to be put back.
    pub copies: Vec<Copy>,
    /// The first of two numbers in a row that no object stands in the way of.
    pub free: VersionNumber,
    /// The plan that last touched it, as our annotation says.
    pub mark: Option<String>,
    /// Whether it has annotations at all.
    pub annotated: bool,
    /// Who uses it.
    pub consumers: Vec<Consumer>,
}

/// Whether the values of a Secret are anybody's to choose, as its type says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// They are: `Opaque` or `kubernetes.io/basic-auth`.
    Free,
    /// Their form or origin is given by the type, such as `kubernetes.io/tls`.
    Given {
        /// The type, when it may be shown.
        of: Option<String>,
    },
}

/// Who keeps a Secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretKeeper {
    /// An object that owns it.
    Owner {
        /// Its kind.
        kind: KindName,
        /// Its name.
        name: ObjectName,
    },
    /// A tool, as its annotations or labels say.
    Tool {
        /// Which, in our words.
        name: String,
    },
}

/// An object with the name of a kept copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// The number in its name.
    pub version: VersionNumber,
    /// Its uid.
    pub uid: Uid,
    /// Whether it is an immutable copy of this Secret, as its annotation says.
    pub ours: bool,
    /// Whether it holds what the Secret holds now.
    pub same: bool,
    /// The names of its keys.
    pub keys: BTreeSet<DataKey>,
    /// The plan that made it.
    pub mark: Option<String>,
}

impl Copy {
    /// The name of the copy of that number: `db-v3`; none when the Secret's name leaves no room for it.
    pub fn name(of: &ObjectName, version: VersionNumber) -> Option<ObjectName> {
        format!("{of}-v{version}").parse().ok()
    }
}

impl Secret {
    /// The copy of that number.
    pub fn copy(&self, version: VersionNumber) -> Option<&Copy> {
        self.copies.iter().find(|copy| copy.version == version)
    }

    /// The number under which what it holds now is kept, or would be kept before anything else is put in.
    pub fn kept_as(&self) -> VersionNumber {
        if self.is_kept() { self.version } else { self.free }
    }

    /// Whether what it holds now is kept under its number already.
    pub fn is_kept(&self) -> bool {
        self.copy(self.version).is_some_and(|copy| copy.ours && copy.same)
    }
}

impl SecretsSeen {
    /// The Secret of that name.
    pub fn secret(&self, namespace: &Namespace, name: &ObjectName) -> Option<&Secret> {
        self.secrets.iter().find(|s| s.id.namespace == *namespace && s.id.name == *name)
    }

    /// What was found of a backend.
    pub fn backend(&self, at: &Place) -> Option<&Backend> {
        self.backends.iter().find(|(place, _)| place == at).map(|(_, backend)| backend)
    }

    /// Whether a workload uses one of them.
    pub fn is_consumer(&self, workload: &OwnerRef) -> bool {
        self.secrets.iter().flat_map(|s| &s.consumers).any(|c| c.who.uid == workload.uid)
    }
}
