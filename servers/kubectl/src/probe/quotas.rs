//! Resource quotas, and the default limits that new pods get before they are counted.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::{LimitRange, PodSpec, ResourceQuota};
use kube::api::ListParams;

use super::ProbeError;
use crate::convert::Bounds;
use crate::names::Namespace;
use crate::reader::Reader;
use crate::seen::{Charges, Quota};

/// The quotas of some namespaces.
#[derive(Default)]
pub(crate) struct Quotas(BTreeMap<Namespace, Bounds>);

impl Quotas {
    pub(super) async fn read(reader: &Reader, namespaces: &BTreeSet<Namespace>) -> Result<Self, ProbeError> {
        // The wire bounds how many are asked for at once.
        let each = namespaces.iter().cloned().map(|namespace| async move {
            let bounds = bounds(reader, &namespace).await?;
            Ok::<_, ProbeError>((namespace, bounds))
        });
        Ok(Self(try_join_all(each).await?.into_iter().collect()))
    }

    /// What a new pod of that specification counts as.
    pub(crate) fn charges(&self, namespace: &Namespace, spec: &PodSpec) -> Charges {
        self.0.get(namespace).map(|bounds| bounds.charges(spec)).unwrap_or_default()
    }

    pub(super) fn all(&self) -> Vec<Quota> {
        self.0.values().flat_map(Bounds::quotas).cloned().collect()
    }
}

/// Where there is no quota, it does not matter which limits pods get.
async fn bounds(reader: &Reader, namespace: &Namespace) -> Result<Bounds, ProbeError> {
    let quotas: Vec<ResourceQuota> = reader.list(Some(namespace), ListParams::default()).await?;
    let defaults: Vec<LimitRange> = match quotas.is_empty() {
        true => Vec::new(),
        false => reader.list(Some(namespace), ListParams::default()).await?,
    };
    Ok(Bounds::of(&quotas, defaults)?)
}
