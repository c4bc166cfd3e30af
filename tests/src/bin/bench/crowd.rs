//! A cluster of a given size. Pods are bound by their template, so that no scheduler stands between, and every workload's
//! pods are on one node.

use std::time::Duration;

use anyhow::Result;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{ListParams, PostParams};
use runcord_tests::cluster::{is_ready, wait_for};
use runcord_tests::{Bed, objects};
use serde_json::json;

/// Pods of each workload.
const REPLICAS: usize = 10;
/// Pods of the node that is drained.
const DRAINED: usize = 100;
/// Warnings in the namespace that is read.
const WARNINGS: usize = 50;
/// So many objects are made at once.
const AT_ONCE: usize = 16;

/// How large.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) nodes: usize,
    pub(crate) workloads: usize,
}

impl Size {
    pub(crate) fn pods(self) -> usize {
        self.workloads * REPLICAS
    }
}

/// The objects that are asked about.
#[derive(Debug, Clone)]
pub(crate) struct Crowd {
    /// The namespace that is read.
    pub(crate) namespace: String,
    /// The workload that is read and restarted.
    pub(crate) workload: String,
    /// One of its pods.
    pub(crate) pod: String,
    /// A node with a hundred pods.
    pub(crate) node: String,
}

/// Fills the bed. The first tenth of the workloads is in the bed's own namespace; the others are in nine more.
pub(crate) async fn fill(bed: &Bed, size: Size) -> Result<Crowd> {
    let name = |n: usize| if n == 0 { bed.name.to_string() } else { format!("{}-{n}", bed.name) };
    for n in 1..10 {
        bed.cluster.namespace(&name(n)).await?;
    }
    let full = DRAINED / REPLICAS;
    stream::iter(0..size.workloads)
        .map(|n| {
            let node = if n < full { 1 } else { n % (size.nodes - 1) + 2 };
            deploy(bed, name(n * 10 / size.workloads), n, format!("{}-n{node}", bed.name))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    let namespace = name(0);
    stream::iter(0..WARNINGS)
        .map(|n| warn(bed, &namespace, n))
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    for n in 0..10 {
        ready(bed, &name(n), size.pods() / 10).await?;
    }
    let pods = bed.cluster.pods(&namespace, "app=w0").await?;
    let pod = pods.first().and_then(|pod| pod.metadata.name.clone()).unwrap_or_default();
    Ok(Crowd { namespace, workload: "w0".to_owned(), pod, node: format!("{}-n1", bed.name) })
}

async fn deploy(bed: &Bed, namespace: String, n: usize, node: String) -> Result<()> {
    let mut object = objects::deployment(&format!("w{n}"), u32::try_from(REPLICAS)?);
    if let Some(spec) = object.pointer_mut("/spec/template/spec").and_then(|spec| spec.as_object_mut()) {
        spec.insert("nodeName".to_owned(), json!(node));
    }
    if let Some(requests) = object.pointer_mut("/spec/template/spec/containers/0/resources/requests") {
        *requests = json!({"cpu": "10m"});
    }
    let api = bed.cluster.api::<Deployment>(&namespace);
    api.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
    Ok(())
}

async fn warn(bed: &Bed, namespace: &str, n: usize) -> Result<()> {
    let now = format!("{:.0}", jiff::Timestamp::now());
    let event: Event = serde_json::from_value(json!({
        "metadata": {"name": format!("warning-{n}"), "namespace": namespace},
        "involvedObject": {"kind": "Pod", "name": format!("w{n}-x"), "namespace": namespace},
        "reason": "BackOff", "message": "Back-off restarting failed container main in pod", "type": "Warning",
        "count": 3, "firstTimestamp": now, "lastTimestamp": now,
    }))?;
    bed.cluster.api::<Event>(namespace).create(&PostParams::default(), &event).await?;
    Ok(())
}

async fn ready(bed: &Bed, namespace: &str, count: usize) -> Result<()> {
    let api = bed.cluster.api::<Pod>(namespace);
    wait_for(&format!("{count} pods in {namespace}"), Duration::from_secs(600), async || {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let pods = api.list(&ListParams::default()).await?;
        Ok((pods.iter().filter(|pod| is_ready(pod)).count() >= count).then_some(()))
    })
    .await
}
