//! Who uses a Secret, a ConfigMap or a volume claim: found in pod templates and in the pods that are there.
//!
//! Pure: the types here and `uses`. With effects: `find`.

mod find;
mod uses;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{Namespace, ObjectName};
use crate::seen::OwnerRef;

pub(crate) use find::find;

/// What can be used by pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum SourceKind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
    /// A claim on a volume.
    PersistentVolumeClaim,
}

/// One Secret, ConfigMap or volume claim.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source {
    /// What it is.
    pub kind: SourceKind,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
}

/// In which way a pod uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Way {
    /// One variable of the environment: read when the container starts.
    Env,
    /// All its keys as variables: read when the container starts.
    EnvFrom,
    /// Mounted as files, which follow within a minute or two.
    Volume,
    /// A single file mounted by `subPath`: read when the container starts.
    SubPath,
    /// One of several sources of a projected volume, whose files follow within a minute or two.
    Projected,
    /// By the driver of a volume, when the volume is attached or mounted.
    Driver,
    /// To pull images.
    ImagePull,
}

impl Way {
    /// Whether a container that runs keeps what it read at its start.
    pub fn keeps_until_restart(self) -> bool {
        match self {
            Self::Env | Self::EnvFrom | Self::SubPath | Self::Driver => true,
            Self::Volume | Self::Projected | Self::ImagePull => false,
        }
    }

    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Env => "env",
            Self::EnvFrom => "envFrom",
            Self::Volume => "volume",
            Self::SubPath => "subPath",
            Self::Projected => "projected volume",
            Self::Driver => "volume driver",
            Self::ImagePull => "imagePullSecrets",
        }
    }
}

/// Somebody who uses it: a workload by its template or its pods, or a pod that no workload keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumer {
    /// The top-level controller, or the pod itself.
    pub who: OwnerRef,
    /// In which ways.
    pub ways: BTreeSet<Way>,
    /// Pods of it that are not finished and use it now.
    pub pods: i64,
}

impl Source {
    /// Its kind by name.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            SourceKind::Secret => "Secret",
            SourceKind::ConfigMap => "ConfigMap",
            SourceKind::PersistentVolumeClaim => "PersistentVolumeClaim",
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind_name(), self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_follow_need_no_restart() {
        for way in [Way::Env, Way::EnvFrom, Way::SubPath, Way::Driver] {
            assert!(way.keeps_until_restart(), "{}", way.as_str());
        }
        for way in [Way::Volume, Way::Projected, Way::ImagePull] {
            assert!(!way.keeps_until_restart(), "{}", way.as_str());
        }
    }
}
