//! Who keeps a pod alive: from its ReplicaSet to its Deployment, and so on.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod as ApiPod, PodSpec, PodTemplateSpec, ReplicationController};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::{ProbeError, kind_of};
use crate::actions::{Kind, WorkloadRef};
use crate::convert::{self, Controller, ControllerKind, Malformed};
use crate::names::{Namespace, ObjectName, Uid};
use crate::reader::Reader;
use crate::secrets::SecretsSeen;
use crate::seen::{Charges, Keeper, OwnerRef, Workload};

/// So many controllers are looked up at the same time.
const TOGETHER: usize = 8;

/// A workload, with what is needed once more to look around it.
pub(crate) struct Fetched {
    pub(crate) workload: Workload,
    /// The labels of its pods, which budgets select.
    pub(crate) labels: BTreeMap<String, String>,
    /// What selects its pods.
    pub(crate) selector: Option<LabelSelector>,
    /// What its pods are made of.
    pub(crate) spec: Option<PodSpec>,
}

impl Fetched {
    fn new(workload: Workload, template: Option<PodTemplateSpec>, selector: Option<LabelSelector>) -> Self {
        let PodTemplateSpec { metadata, spec } = template.unwrap_or_default();
        let labels = metadata.and_then(|meta| meta.labels).unwrap_or_default();
        Self { workload, labels, selector, spec }
    }
}

impl TryFrom<Deployment> for Fetched {
    type Error = Malformed;

    fn try_from(api: Deployment) -> Result<Self, Malformed> {
        let workload = convert::deployment(&api)?;
        let (template, selector) = api.spec.map(|s| (s.template, s.selector)).unzip();
        Ok(Self::new(workload, template, selector))
    }
}

impl TryFrom<StatefulSet> for Fetched {
    type Error = Malformed;

    fn try_from(api: StatefulSet) -> Result<Self, Malformed> {
        let workload = convert::stateful_set(&api)?;
        let (template, selector) = api.spec.map(|s| (s.template, s.selector)).unzip();
        Ok(Self::new(workload, template, selector))
    }
}

impl TryFrom<DaemonSet> for Fetched {
    type Error = Malformed;

    fn try_from(api: DaemonSet) -> Result<Self, Malformed> {
        let workload = convert::daemon_set(&api)?;
        let (template, selector) = api.spec.map(|s| (s.template, s.selector)).unzip();
        Ok(Self::new(workload, template, selector))
    }
}

/// A workload by name; nothing when it is not there.
pub(crate) async fn fetch(reader: &Reader, named: &WorkloadRef) -> Result<Option<Fetched>, ProbeError> {
    let (namespace, name) = (Some(&named.namespace), named.name.as_str());
    let found = match named.kind {
        Kind::Deployment => reader.get::<Deployment>(namespace, name).await?.map(Fetched::try_from),
        Kind::StatefulSet => reader.get::<StatefulSet>(namespace, name).await?.map(Fetched::try_from),
        Kind::DaemonSet => reader.get::<DaemonSet>(namespace, name).await?.map(Fetched::try_from),
    };
    Ok(found.transpose()?)
}

/// An owner as it was seen before; nothing when it is gone, or another object has its name.
pub(crate) async fn fetch_owner(reader: &Reader, owner: &OwnerRef) -> Result<Option<Fetched>, ProbeError> {
    let (namespace, name) = (&owner.namespace, &owner.name);
    let found = match kind_of(owner) {
        Some(kind) => {
            let named = WorkloadRef { kind, namespace: namespace.clone(), name: name.clone() };
            fetch(reader, &named).await?
        }
        None => match owner.kind.as_str() {
            "ReplicaSet" => replica_set(reader, namespace, name).await?.map(|(fetched, _)| fetched),
            "ReplicationController" => replication_controller(reader, namespace, name).await?,
            "Job" => job(reader, namespace, name).await?,
            _ => None,
        },
    };
    Ok(found.filter(|f| f.workload.id.uid == owner.uid))
}

/// What keeps each pod alive, by the uid of its controller. Workloads found on the way are added to `fetched`.
pub(crate) async fn keepers(
    reader: &Reader,
    pods: &[ApiPod],
    fetched: &mut Vec<Fetched>,
) -> Result<BTreeMap<Uid, Keeper>, ProbeError> {
    let mut controllers = BTreeSet::new();
    for pod in pods {
        controllers.extend(convert::controller(&pod.metadata)?);
    }
    let asked: Vec<_> = controllers.iter().map(|controller| resolve(reader, controller)).collect();
    let resolved: Vec<_> = stream::iter(asked).buffered(TOGETHER).try_collect().await?;
    let mut keepers = BTreeMap::new();
    for (controller, found) in controllers.iter().zip(resolved) {
        let keeper = match controller.known {
            ControllerKind::DaemonSet => Keeper::DaemonSet(as_owner(controller)),
            ControllerKind::Foreign => {
                let workload = Workload {
                    id: as_owner(controller),
                    counts: None,
                    rollout: None,
                    budgets: BTreeSet::new(),
                    charges: Charges::default(),
                };
                add(fetched, Fetched::new(workload, None, None));
                Keeper::Owner(as_owner(controller))
            }
            ControllerKind::Deployment
            | ControllerKind::ReplicaSet
            | ControllerKind::StatefulSet
            | ControllerKind::ReplicationController
            | ControllerKind::Job => match found {
                // Its controller is gone, so nobody makes it anew.
                None => Keeper::Nobody,
                Some(found) => {
                    let id = found.workload.id.clone();
                    add(fetched, found);
                    Keeper::Owner(id)
                }
            },
        };
        keepers.insert(controller.uid.clone(), keeper);
    }
    Ok(keepers)
}

/// Adds workloads that were seen before and have no pods in view any more.
pub(super) async fn remember(
    reader: &Reader,
    remembered: &BTreeSet<OwnerRef>,
    fetched: &mut Vec<Fetched>,
) -> Result<(), ProbeError> {
    for owner in remembered {
        if !fetched.iter().any(|f| f.workload.id.uid == owner.uid)
            && let Some(found) = fetch_owner(reader, owner).await?
        {
            add(fetched, found);
        }
    }
    Ok(())
}

/// Adds the workloads that use Secrets which are rotated.
pub(crate) async fn consumers(
    reader: &Reader,
    secrets: &SecretsSeen,
    fetched: &mut Vec<Fetched>,
) -> Result<(), ProbeError> {
    for consumer in secrets.secrets.iter().flat_map(|secret| &secret.consumers) {
        if kind_of(&consumer.who).is_some()
            && let Some(found) = fetch_owner(reader, &consumer.who).await?
        {
            add(fetched, found);
        }
    }
    Ok(())
}

fn add(fetched: &mut Vec<Fetched>, found: Fetched) {
    if !fetched.iter().any(|f| f.workload.id.uid == found.workload.id.uid) {
        fetched.push(found);
    }
}

fn as_owner(controller: &Controller) -> OwnerRef {
    OwnerRef {
        kind: controller.kind.clone(),
        namespace: controller.namespace.clone(),
        name: controller.name.clone(),
        uid: controller.uid.clone(),
    }
}

/// The controller itself, or the Deployment above it; nothing when it is gone, or is none whose replicas count here.
async fn resolve(reader: &Reader, controller: &Controller) -> Result<Option<Fetched>, ProbeError> {
    match controller.known {
        ControllerKind::DaemonSet | ControllerKind::Foreign => return Ok(None),
        ControllerKind::Deployment
        | ControllerKind::StatefulSet
        | ControllerKind::ReplicationController
        | ControllerKind::Job => return fetch_owner(reader, &as_owner(controller)).await,
        ControllerKind::ReplicaSet => {}
    }
    let Some((own, above)) = replica_set(reader, &controller.namespace, &controller.name).await? else {
        return Ok(None);
    };
    if own.workload.id.uid != controller.uid {
        return Ok(None);
    }
    match above.filter(|above| above.known == ControllerKind::Deployment) {
        Some(above) => Ok(Some(fetch_owner(reader, &as_owner(&above)).await?.unwrap_or(own))),
        None => Ok(Some(own)),
    }
}

async fn replica_set(
    reader: &Reader,
    namespace: &Namespace,
    name: &ObjectName,
) -> Result<Option<(Fetched, Option<Controller>)>, ProbeError> {
    let Some(api) = reader.get::<ReplicaSet>(Some(namespace), name.as_str()).await? else { return Ok(None) };
    let (workload, above) = (convert::replica_set(&api)?, convert::controller(&api.metadata)?);
    let (template, selector) = api.spec.map(|s| (s.template, s.selector)).unzip();
    Ok(Some((Fetched::new(workload, template.flatten(), selector), above)))
}

async fn replication_controller(
    reader: &Reader,
    namespace: &Namespace,
    name: &ObjectName,
) -> Result<Option<Fetched>, ProbeError> {
    let Some(api) = reader.get::<ReplicationController>(Some(namespace), name.as_str()).await? else {
        return Ok(None);
    };
    let workload = convert::replication_controller(&api)?;
    Ok(Some(Fetched::new(workload, api.spec.and_then(|s| s.template), None)))
}

async fn job(
    reader: &Reader,
    namespace: &Namespace,
    name: &ObjectName,
) -> Result<Option<Fetched>, ProbeError> {
    let Some(api) = reader.get::<Job>(Some(namespace), name.as_str()).await? else { return Ok(None) };
    let workload = convert::job(&api)?;
    Ok(Some(Fetched::new(workload, api.spec.map(|s| s.template), None)))
}
