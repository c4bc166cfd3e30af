//! Looking at claims: at their classes, the pods that use them and the quotas of their namespaces.

use futures::try_join;
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim as ApiClaim, Pod as ApiPod, ResourceQuota as ApiQuota,
};
use k8s_openapi::api::storage::v1::StorageClass as ApiClass;
use kube::api::ListParams;

use super::convert;
use super::fields::VolumeAction;
use super::seen::{Claim, Quota, User, VolumeFocus, VolumeSeen};
use crate::actions::Action;
use crate::names::{Namespace, ObjectName};
use crate::probe::ProbeError;
use crate::reader::Reader;
use crate::seen::Focus;

/// Finished pods have let go of their volumes.
const NOT_FINISHED: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// Adds what an action names.
pub(crate) fn focus(action: &Action, focus: &mut Focus) {
    let Action::Volume(action) = action else { return };
    match action {
        VolumeAction::GrowClaim(it) => {
            let named = (it.namespace.clone(), it.name.clone());
            if !focus.volumes.claims.contains(&named) {
                focus.volumes.claims.push(named);
            }
        }
    }
}

/// Everything that these actions are concerned with.
pub(crate) async fn look(reader: &Reader, focus: &VolumeFocus) -> Result<VolumeSeen, ProbeError> {
    let mut seen = VolumeSeen::default();
    for (namespace, name) in &focus.claims {
        let Some(claim) = claim(reader, namespace, name).await? else { continue };
        if let Some(name) = claim.class.as_ref().filter(|_| seen.class_of(&claim).is_none()) {
            let class: Option<ApiClass> = reader.get(None, name.as_str()).await?;
            seen.classes.extend(class.as_ref().map(convert::class).transpose()?);
        }
        let (users, quotas) = try_join!(users(reader, namespace, name), quotas(reader, namespace))?;
        seen.users.extend(users);
        // Two steps may name claims of one namespace.
        seen.quotas.retain(|quota| quota.namespace != *namespace);
        seen.quotas.extend(quotas);
        seen.claims.push(claim);
    }
    Ok(seen)
}

/// One claim; nothing when it is not there.
pub(super) async fn claim(
    reader: &Reader,
    namespace: &Namespace,
    name: &ObjectName,
) -> Result<Option<Claim>, ProbeError> {
    let found: Option<ApiClaim> = reader.get(Some(namespace), name.as_str()).await?;
    Ok(found.as_ref().map(convert::claim).transpose()?)
}

/// The pods that use a claim.
pub(super) async fn users(
    reader: &Reader,
    namespace: &Namespace,
    claim: &ObjectName,
) -> Result<Vec<User>, ProbeError> {
    let params = ListParams { field_selector: Some(NOT_FINISHED.to_owned()), ..ListParams::default() };
    let mut users = Vec::new();
    for pod in reader.list::<ApiPod>(Some(namespace), params).await? {
        users.extend(convert::user(&pod, claim)?);
    }
    Ok(users)
}

async fn quotas(reader: &Reader, namespace: &Namespace) -> Result<Vec<Quota>, ProbeError> {
    let mut quotas = Vec::new();
    for quota in reader.list::<ApiQuota>(Some(namespace), ListParams::default()).await? {
        quotas.extend(convert::quota(&quota)?);
    }
    Ok(quotas)
}
