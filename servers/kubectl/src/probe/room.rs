//! Room for evicted pods: other nodes' pods are listed one node after the other, and only until every evicted pod has
//! found a place.

use k8s_openapi::api::core::v1::Pod as ApiPod;
use kube::api::ListParams;

use super::ProbeError;
use crate::convert;
use crate::fit::{candidates, could_host_a_stranded_pod, fit};
use crate::names::NodeName;
use crate::reader::Reader;
use crate::seen::{Amounts, Seen};

pub(super) async fn find(reader: &Reader, seen: &mut Seen) -> Result<(), ProbeError> {
    let names: Vec<NodeName> = candidates(seen).map(|(name, _)| name.clone()).collect();
    for name in names {
        let so_far = fit(seen);
        if so_far.stranded.is_empty() {
            return Ok(());
        }
        let worth_it =
            seen.nodes.get(&name).is_some_and(|node| could_host_a_stranded_pod(seen, &so_far, &name, node));
        if worth_it {
            let used = used_on(reader, &name).await?;
            seen.used.insert(name, used);
        }
    }
    Ok(())
}

async fn used_on(reader: &Reader, node: &NodeName) -> Result<Amounts, ProbeError> {
    let running = format!("spec.nodeName={node},status.phase!=Succeeded,status.phase!=Failed");
    let on_node = ListParams { field_selector: Some(running), ..ListParams::default() };
    let mut used = Amounts::default();
    for pod in reader.list::<ApiPod>(None, on_node).await? {
        if let Some(spec) = pod.spec.as_ref().filter(|_| convert::runs_on(&pod)) {
            used.add(&convert::requests(spec));
        }
    }
    Ok(used)
}
