//! What a probe saw of claims, and of what decides whether they can grow.

use serde::{Deserialize, Serialize};

use super::size::Storage;
use crate::names::{Namespace, ObjectName, PodName};
use crate::seen::OwnerRef;

/// What the actions name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeFocus {
    /// PersistentVolumeClaims.
    pub claims: Vec<(Namespace, ObjectName)>,
}

/// What a probe saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeSeen {
    /// The claims.
    pub claims: Vec<Claim>,
    /// The storage classes of the claims.
    pub classes: Vec<Class>,
    /// The pods that use the claims.
    pub users: Vec<User>,
    /// The quotas on storage of the claims' namespaces.
    pub quotas: Vec<Quota>,
}

/// One PersistentVolumeClaim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What it is.
    pub id: OwnerRef,
    /// Where it is in its life.
    pub phase: ClaimPhase,
    /// Whether it is being deleted: it goes when the last pod lets go of it.
    pub deleting: bool,
    /// What pods get of it.
    pub mode: Mode,
    /// The name of its storage class.
    pub class: Option<ObjectName>,
    /// What it asks for.
    pub requested: Storage,
    /// What it has; none while it has no volume.
    pub capacity: Option<Storage>,
    /// How far a resize is that its driver knows of.
    pub resize: Resize,
    /// The plan that last touched it, as our annotation says.
    pub mark: Option<String>,
    /// Whether it has annotations at all.
    pub annotated: bool,
}

/// Where a claim is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClaimPhase {
    /// It has no volume yet.
    Pending,
    /// It has a volume.
    Bound,
    /// Its volume is gone.
    Lost,
}

/// What pods get of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// A file system, which must grow too.
    Filesystem,
    /// The raw device.
    Block,
}

/// How far a resize is that the driver of the volume knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// There is none.
    Idle,
    /// It is under way.
    UnderWay,
    /// It met an error and is tried again.
    Retried,
    /// The volume has grown; what is left is done on a node, when a pod mounts it.
    OnNode,
    /// The driver says that it cannot be done.
    Infeasible,
}

/// One StorageClass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// Its name.
    pub name: ObjectName,
    /// Whether claims of it may grow.
    pub expands: bool,
    /// Who makes its volumes.
    pub provisioner: Provisioner,
}

/// Who makes the volumes of a class, and lets them grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provisioner {
    /// A storage driver.
    Driver,
    /// Nobody: they are made by hand, and no controller lets them grow.
    Nobody,
}

/// A pod that uses a claim and is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its namespace, which is the claim's.
    pub namespace: Namespace,
    /// The claim.
    pub claim: ObjectName,
    /// The pod.
    pub pod: PodName,
    /// Whether it runs.
    pub running: bool,
    /// The StatefulSet that made it.
    pub stateful_set: Option<ObjectName>,
}

/// What one ResourceQuota says of storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// Its limits on storage.
    pub limits: Vec<Limit>,
}

/// One limit on the storage that claims ask for together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The only storage class that it counts; none when it counts all claims.
    pub class: Option<ObjectName>,
    /// Limit and count; none while the API server has not counted, and then lets nothing be asked for.
    pub counted: Option<Counted>,
}

/// A limit and what counts against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The limit.
    pub hard: Storage,
    /// What is asked for already.
    pub used: Storage,
}

impl ClaimPhase {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Bound => "Bound",
            Self::Lost => "Lost",
        }
    }
}

impl Claim {
    /// What it has, in bytes.
    pub fn bytes(&self) -> i64 {
        self.capacity.as_ref().map_or(0, Storage::bytes)
    }

    /// Whether a resize is not over: the driver has one to do, or more is asked for than there is.
    pub fn is_resizing(&self) -> bool {
        self.resize != Resize::Idle || self.requested.bytes() > self.bytes()
    }
}

impl Class {
    /// Whether somebody lets its claims grow.
    pub fn can_grow(&self) -> bool {
        match self.provisioner {
            Provisioner::Driver => self.expands,
            Provisioner::Nobody => false,
        }
    }
}

impl VolumeSeen {
    /// The claim of that name.
    pub fn claim(&self, namespace: &Namespace, name: &ObjectName) -> Option<&Claim> {
        self.claims.iter().find(|c| c.id.namespace == *namespace && c.id.name == *name)
    }

    /// The storage class of a claim.
    pub fn class_of(&self, claim: &Claim) -> Option<&Class> {
        self.classes.iter().find(|class| claim.class.as_ref() == Some(&class.name))
    }

    /// The pods that use a claim.
    pub fn users_of<'a>(&'a self, claim: &'a OwnerRef) -> impl Iterator<Item = &'a User> {
        self.users.iter().filter(|user| user.namespace == claim.namespace && user.claim == claim.name)
    }

    /// The limits that count a claim, each with its quota.
    pub fn limits_of<'a>(&'a self, claim: &'a Claim) -> impl Iterator<Item = (&'a Quota, &'a Limit)> {
        let here = self.quotas.iter().filter(|quota| quota.namespace == claim.id.namespace);
        here.flat_map(|quota| quota.limits.iter().map(move |limit| (quota, limit)))
            .filter(|(_, limit)| limit.class.is_none() || limit.class == claim.class)
    }
}
