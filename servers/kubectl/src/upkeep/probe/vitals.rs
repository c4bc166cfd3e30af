//! A node's signs of life. How old its lease is, the leases of the other nodes tell, and not this machine's clock: should
//! the control plane have stopped taking renewals, all leases are equally old, and nobody is declared dead.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node as ApiNode, Pod as ApiPod};
use kube::api::ListParams;

use crate::convert::{self, Malformed, PLAN_MARK};
use crate::names::{Namespace, NodeName};
use crate::probe::ProbeError;
use crate::reader::Reader;
use crate::upkeep::seen::{Condition, Vitals};

/// Where the leases of nodes are.
const LEASES: &str = "kube-node-lease";
/// The period of a lease that names none, as the kubelet's default.
const PERIOD: i64 = 40;

/// Looks at one node; nothing when it is not there.
pub(crate) async fn vitals(reader: &Reader, node: &NodeName) -> Result<Option<Vitals>, ProbeError> {
    let Some(api) = reader.get::<ApiNode>(None, node.as_str()).await? else { return Ok(None) };
    let namespace: Namespace =
        LEASES.parse().map_err(|_| Malformed { what: "namespace of the leases", field: "name" })?;
    let leases: Vec<Lease> = reader.list(Some(&namespace), ListParams::default()).await?;
    let on_node =
        ListParams { field_selector: Some(format!("spec.nodeName={node}")), ..ListParams::default() };
    let pods: Vec<ApiPod> = reader.list(None, on_node).await?;
    let (_, known) = convert::node(&api)?;
    let ready_pods = pods.iter().filter(|pod| convert::is_ready(pod)).count();
    let (lease_behind, lease_period) = behind(node, &leases);
    Ok(Some(Vitals {
        node: node.clone(),
        uid: known.uid,
        ready: condition(&api),
        lease_behind,
        lease_period,
        ready_pods: i64::try_from(ready_pods).unwrap_or(i64::MAX),
        taints: taints(&api),
        mark: api.metadata.annotations.as_ref().and_then(|all| all.get(PLAN_MARK)).cloned(),
        annotated: api.metadata.annotations.is_some(),
    }))
}

fn condition(api: &ApiNode) -> Option<(usize, Condition)> {
    let conditions = api.status.as_ref()?.conditions.as_ref()?;
    let (at, ready) = conditions.iter().enumerate().find(|(_, c)| c.type_ == "Ready")?;
    let status = match ready.status.as_str() {
        "True" => Condition::True,
        "False" => Condition::False,
        "Unknown" => Condition::Unknown,
        _ => return None,
    };
    Some((at, status))
}

fn taints(api: &ApiNode) -> Vec<(String, String, String)> {
    let taints = api.spec.as_ref().and_then(|s| s.taints.as_ref()).into_iter().flatten();
    taints.map(|t| (t.key.clone(), t.value.clone().unwrap_or_default(), t.effect.clone())).collect()
}

/// By how many seconds the node's lease is behind the second newest of the others (one fast clock condemns nobody), and
/// its period. Without a lease, or without two others, nothing can be told.
fn behind(node: &NodeName, leases: &[Lease]) -> (Option<i64>, i64) {
    let renewed = |lease: &Lease| Some(lease.spec.as_ref()?.renew_time.as_ref()?.0.as_second());
    let is_its = |lease: &&Lease| lease.metadata.name.as_deref() == Some(node.as_str());
    let own = leases.iter().find(is_its);
    let period =
        own.and_then(|lease| lease.spec.as_ref()?.lease_duration_seconds).map_or(PERIOD, i64::from).max(1);
    let mut others: Vec<i64> = leases.iter().filter(|lease| !is_its(lease)).filter_map(renewed).collect();
    others.sort_unstable_by(|a, b| b.cmp(a));
    let behind = others.get(1).zip(own.and_then(renewed)).map(|(now, own)| now - own);
    (behind, period)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lease(name: &str, second: u32) -> Lease {
        let time = format!("2026-11-22T10:{:02}:{:02}.000000Z", second / 60, second % 60);
        let spec = json!({"leaseDurationSeconds": 40, "renewTime": time});
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
    }

    #[test]
    fn a_lease_is_measured_by_those_of_two_other_nodes() {
        let node: NodeName = "n1".parse().unwrap();
        let three = [lease("n1", 10), lease("n2", 900), lease("n3", 310)];
        assert_eq!(behind(&node, &three), (Some(300), 40), "one fast clock condemns nobody");
        assert_eq!(behind(&node, &[lease("n1", 10), lease("n2", 900)]).0, None);
        assert_eq!(behind(&node, &[lease("n2", 900), lease("n3", 310)]).0, None, "no lease tells nothing");
    }
}
