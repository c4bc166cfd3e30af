//! Nodes.

use k8s_openapi::api::core::v1::Node as ApiNode;

use super::{Malformed, PLAN_MARK, annotation, name};
use crate::names::{NodeName, Zone};
use crate::seen::{Amounts, Node, Taint};

const ZONE: &str = "topology.kubernetes.io/zone";
/// The taint that follows `spec.unschedulable`: it says nothing that the field does not.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// What we keep of a node.
pub(crate) fn node(api: &ApiNode) -> Result<(NodeName, Node), Malformed> {
    let meta = &api.metadata;
    let labels = meta.labels.clone().unwrap_or_default();
    let spec = api.spec.as_ref();
    let status = api.status.as_ref();
    let conditions = status.and_then(|s| s.conditions.as_ref());
    let seen = Node {
        uid: name(meta.uid.as_ref(), "Node", "uid")?,
        ready: conditions.into_iter().flatten().any(|c| c.type_ == "Ready" && c.status == "True"),
        unschedulable: spec.and_then(|s| s.unschedulable).unwrap_or(false),
        zone: name::<Zone>(Some(&labels.get(ZONE).cloned().unwrap_or_default()), "Node", "zone")?,
        mark: annotation(meta, PLAN_MARK).cloned(),
        annotated: meta.annotations.is_some(),
        taints: spec
            .and_then(|s| s.taints.as_ref())
            .into_iter()
            .flatten()
            .filter(|t| t.effect != "PreferNoSchedule" && t.key != UNSCHEDULABLE)
            .map(|t| Taint {
                key: t.key.clone(),
                value: t.value.clone().unwrap_or_default(),
                effect: t.effect.clone(),
            })
            .collect(),
        allocatable: Amounts::of_offer(status.and_then(|s| s.allocatable.as_ref())),
        labels,
    };
    Ok((name(meta.name.as_ref(), "Node", "name")?, seen))
}
