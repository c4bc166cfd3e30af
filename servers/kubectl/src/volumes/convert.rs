//! From the API's objects to what we keep of them. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim as ApiClaim, PersistentVolumeClaimStatus, Pod as ApiPod, ResourceQuota as ApiQuota,
    Volume,
};
use k8s_openapi::api::storage::v1::StorageClass as ApiClass;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::seen::{Claim, ClaimPhase, Class, Counted, Limit, Mode, Provisioner, Quota, Resize, User};
use super::size::Storage;
use crate::convert::{Malformed, PLAN_MARK, identity};
use crate::names::{Namespace, ObjectName, PodName};

const CLAIM: &str = "PersistentVolumeClaim";
/// Where a claim's class stands on old objects. It wins over the field.
const CLASS: &str = "volume.beta.kubernetes.io/storage-class";
/// The provisioner of a class whose volumes are made by hand.
const BY_HAND: &str = "kubernetes.io/no-provisioner";
const STORAGE: &str = "storage";
/// A quota's limit on all storage, and the end of the one on that of a class.
const REQUESTS: &str = "requests.storage";
const REQUESTS_OF_CLASS: &str = ".storageclass.storage.k8s.io/requests.storage";

type Amounts = BTreeMap<String, Quantity>;

pub(super) fn claim(api: &ApiClaim) -> Result<Claim, Malformed> {
    let bad = |field| Malformed { what: CLAIM, field };
    let spec = api.spec.as_ref().ok_or(bad("spec"))?;
    let requests = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    let requested = amount(requests, STORAGE, bad("request"))?.ok_or(bad("request"))?;
    let capacity = amount(api.status.as_ref().and_then(|s| s.capacity.as_ref()), STORAGE, bad("capacity"))?;
    let annotations = api.metadata.annotations.as_ref();
    let class = annotations.and_then(|all| all.get(CLASS)).or(spec.storage_class_name.as_ref());
    let class = class.filter(|name| !name.is_empty()).map(|name| name.parse::<ObjectName>());
    Ok(Claim {
        id: identity(CLAIM, &api.metadata)?,
        phase: phase(api.status.as_ref())?,
        deleting: api.metadata.deletion_timestamp.is_some(),
        mode: mode(spec.volume_mode.as_deref())?,
        class: class.transpose().map_err(|_| bad("storage class"))?,
        resize: resize(api.status.as_ref(), &requested, capacity.as_ref()),
        requested,
        capacity,
        mark: annotations.and_then(|all| all.get(PLAN_MARK)).cloned(),
        annotated: annotations.is_some(),
    })
}

fn phase(status: Option<&PersistentVolumeClaimStatus>) -> Result<ClaimPhase, Malformed> {
    match status.and_then(|status| status.phase.as_deref()) {
        None | Some("Pending") => Ok(ClaimPhase::Pending),
        Some("Bound") => Ok(ClaimPhase::Bound),
        Some("Lost") => Ok(ClaimPhase::Lost),
        Some(_) => Err(Malformed { what: CLAIM, field: "phase" }),
    }
}

fn mode(mode: Option<&str>) -> Result<Mode, Malformed> {
    match mode {
        None | Some("Filesystem") => Ok(Mode::Filesystem),
        Some("Block") => Ok(Mode::Block),
        Some(_) => Err(Malformed { what: CLAIM, field: "volumeMode" }),
    }
}

/// What the driver has written down of a resize. Up to Kubernetes 1.30 what cannot be done was called failed; a state
/// that we do not know is one all the same.
fn resize(
    status: Option<&PersistentVolumeClaimStatus>,
    requested: &Storage,
    capacity: Option<&Storage>,
) -> Resize {
    let Some(status) = status else { return Resize::Idle };
    let state = status.allocated_resource_statuses.as_ref().and_then(|all| all.get(STORAGE));
    let conditions = || status.conditions.iter().flatten().filter(|c| c.status == "True");
    let holds = |kind: &str| conditions().any(|c| c.type_ == kind);
    // An error may outlive the resize that met it.
    let open = state.is_some() || requested.bytes() > capacity.map_or(0, Storage::bytes);
    match state.map(String::as_str) {
        Some(
            "ControllerResizeInfeasible"
            | "NodeResizeInfeasible"
            | "ControllerResizeFailed"
            | "NodeResizeFailed",
        ) => Resize::Infeasible,
        _ if open && (holds("ControllerResizeError") || holds("NodeResizeError")) => Resize::Retried,
        Some("NodeResizePending") => Resize::OnNode,
        Some(_) => Resize::UnderWay,
        None if holds("FileSystemResizePending") => Resize::OnNode,
        None if holds("Resizing") => Resize::UnderWay,
        None => Resize::Idle,
    }
}

pub(super) fn class(api: &ApiClass) -> Result<Class, Malformed> {
    let name = api.metadata.name.as_ref().and_then(|name| name.parse().ok());
    Ok(Class {
        name: name.ok_or(Malformed { what: "StorageClass", field: "name" })?,
        expands: api.allow_volume_expansion == Some(true),
        provisioner: if api.provisioner == BY_HAND { Provisioner::Nobody } else { Provisioner::Driver },
    })
}

/// The pod as a user of the claim; none when it does not use it.
pub(super) fn user(api: &ApiPod, claim: &ObjectName) -> Result<Option<User>, Malformed> {
    let bad = |field| Malformed { what: "Pod", field };
    let (meta, spec) = (&api.metadata, api.spec.as_ref().ok_or(bad("spec"))?);
    let name = meta.name.as_deref().unwrap_or_default();
    if !spec.volumes.iter().flatten().any(|volume| mounts(volume, name, claim)) {
        return Ok(None);
    }
    let namespace = meta.namespace.as_ref().and_then(|text| text.parse::<Namespace>().ok());
    let made_by = meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    let stateful_set =
        made_by.filter(|owner| owner.kind == "StatefulSet").and_then(|owner| owner.name.parse().ok());
    let running = api.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Running");
    Ok(Some(User {
        namespace: namespace.ok_or(bad("namespace"))?,
        claim: claim.clone(),
        pod: name.parse::<PodName>().map_err(|_| bad("name"))?,
        running: running && meta.deletion_timestamp.is_none(),
        stateful_set,
    }))
}

/// An ephemeral volume has a claim of its own, named after pod and volume.
fn mounts(volume: &Volume, pod: &str, claim: &ObjectName) -> bool {
    let named = volume.persistent_volume_claim.as_ref().map(|source| source.claim_name.clone());
    let own = volume.ephemeral.as_ref().map(|_| format!("{pod}-{}", volume.name));
    named.or(own).is_some_and(|name| name == claim.as_str())
}

/// What a quota says of storage; none when it says nothing. One with scopes is left to the dry-run, which tells whether
/// the claim is within them.
pub(super) fn quota(api: &ApiQuota) -> Result<Option<Quota>, Malformed> {
    let bad = |field| Malformed { what: "ResourceQuota", field };
    let Some(spec) = &api.spec else { return Ok(None) };
    if spec.scopes.as_ref().is_some_and(|scopes| !scopes.is_empty()) || spec.scope_selector.is_some() {
        return Ok(None);
    }
    let status = api.status.as_ref();
    let mut limits = Vec::new();
    for key in spec.hard.iter().flatten().map(|(key, _)| key) {
        let class = match (key.as_str(), key.strip_suffix(REQUESTS_OF_CLASS)) {
            (REQUESTS, _) => None,
            (_, Some(class)) => Some(class.parse::<ObjectName>().map_err(|_| bad("storage class"))?),
            (_, None) => continue,
        };
        // The API server goes by what it has counted, not by what is wanted.
        let hard = amount(status.and_then(|s| s.hard.as_ref()), key, bad("limit"))?;
        let used = amount(status.and_then(|s| s.used.as_ref()), key, bad("count"))?;
        limits.push(Limit { class, counted: hard.zip(used).map(|(hard, used)| Counted { hard, used }) });
    }
    let name = api.metadata.name.as_ref().and_then(|name| name.parse().ok());
    let namespace = api.metadata.namespace.as_ref().and_then(|name| name.parse().ok());
    Ok(Some(Quota { namespace: namespace.ok_or(bad("namespace"))?, name: name.ok_or(bad("name"))?, limits }))
}

/// The amount under that key; none when there is none.
fn amount(list: Option<&Amounts>, key: &str, bad: Malformed) -> Result<Option<Storage>, Malformed> {
    let found = list.and_then(|list| list.get(key)).map(|quantity| quantity.0.clone());
    found.map(Storage::try_from).transpose().map_err(|_| bad)
}

#[cfg(test)]
mod tests;
