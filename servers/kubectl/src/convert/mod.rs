//! From the API's objects to what we keep of them. Pure; everything that a name must be is checked here.

mod network;
mod node;
mod pod;
mod quota;
mod workload;

pub(crate) use network::{Slice, autoscaler, budget, ingress, services};
pub(crate) use node::node;
pub(crate) use pod::{Controller, ControllerKind, controller, is_ready, pod, requests, runs_on};
pub(crate) use quota::{Bounds, REPLICA_SETS};
pub(crate) use workload::{daemon_set, deployment, job, replica_set, replication_controller, stateful_set};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::names::{KindName, Namespace, ObjectName, Uid};
use crate::seen::{OwnerRef, Share};

/// The annotation that names the plan that last wrote to an object.
pub(crate) const PLAN_MARK: &str = "runcord.dev/plan";

/// The annotation of a pod template that `kubectl rollout restart` sets.
pub(crate) const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// An object that does not follow the API's own rules: nothing is decided on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the API server returned a {what} whose {field} cannot be read")]
pub(crate) struct Malformed {
    /// The kind of object.
    pub(crate) what: &'static str,
    /// The field at fault.
    pub(crate) field: &'static str,
}

/// Reads a text into a name.
fn name<T: TryFrom<String>>(
    text: Option<&String>,
    what: &'static str,
    field: &'static str,
) -> Result<T, Malformed> {
    text.cloned().and_then(|t| T::try_from(t).ok()).ok_or(Malformed { what, field })
}

pub(crate) fn identity(kind: &'static str, meta: &ObjectMeta) -> Result<OwnerRef, Malformed> {
    Ok(OwnerRef {
        kind: KindName::try_from(kind.to_owned()).map_err(|_| Malformed { what: kind, field: "kind" })?,
        namespace: name::<Namespace>(meta.namespace.as_ref(), kind, "namespace")?,
        name: name::<ObjectName>(meta.name.as_ref(), kind, "name")?,
        uid: name::<Uid>(meta.uid.as_ref(), kind, "uid")?,
    })
}

fn annotation<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a String> {
    meta.annotations.as_ref().and_then(|all| all.get(key))
}

/// A count or a percentage; neither when it cannot be read.
fn share(value: &IntOrString) -> Option<Share> {
    match value {
        IntOrString::Int(n) => Some(Share::Count(i64::from(*n))),
        IntOrString::String(text) => Some(Share::Percent(text.strip_suffix('%')?.parse().ok()?)),
    }
}

impl Share {
    /// How many of `whole` it is; a broken pod counts as a whole one.
    pub fn up(self, whole: i64) -> i64 {
        match self {
            Self::Count(n) => n,
            Self::Percent(p) => p.saturating_mul(whole).saturating_add(99).div_euclid(100),
        }
    }

    /// How many of `whole` it is; a broken pod counts as none.
    pub fn down(self, whole: i64) -> i64 {
        match self {
            Self::Count(n) => n,
            Self::Percent(p) => p.saturating_mul(whole).div_euclid(100),
        }
    }
}

#[cfg(test)]
mod tests;
