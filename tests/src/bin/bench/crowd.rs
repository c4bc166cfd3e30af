//! A cluster of a given size. Pods are bound by their template, so that no scheduler stands between, and every workload's
//! pods are on one node. Every workload has a Service.

use std::time::Duration;

use anyhow::Result;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Service};
use kube::api::{Api, ListParams, PostParams};
use runcord_tests::cluster::wait_for;
use runcord_tests::{Bed, objects};
use serde_json::json;

/// Pods of each workload.
const REPLICAS: usize = 10;
/// Workloads on the first node, which is drained.
const DRAINED: usize = 10;
/// Namespaces that share the workloads.
const NAMESPACES: usize = 10;
/// Warnings in the namespace that is read.
const WARNINGS: usize = 50;
/// So many objects are made at once.
const AT_ONCE: usize = 16;
/// How long the controllers are left alone after the last pod is ready: endpoints follow pods.
const CALM: Duration = Duration::from_secs(15);

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

    /// A tenth, as far as it still holds the nodes that are drained and some more.
    pub(crate) fn tenth(self) -> Self {
        Self { nodes: (self.nodes / 10).max(5), workloads: (self.workloads / 10).max(20) }
    }

    /// The node of a workload: ten are on the first, one on the second, the others on the rest.
    fn node(self, workload: usize) -> usize {
        match workload {
            ..DRAINED => 1,
            DRAINED => 2,
            _ => workload % (self.nodes - 2) + 3,
        }
    }

    /// The namespace of a workload: those that are drained are all in the first.
    fn namespace(self, workload: usize) -> usize {
        if workload <= DRAINED { 0 } else { workload * NAMESPACES / self.workloads }
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
    pub(crate) full: String,
    /// A node with ten.
    pub(crate) light: String,
}

/// Fills the bed, and waits until nothing moves any more.
pub(crate) async fn fill(bed: &Bed, size: Size) -> Result<Crowd> {
    let name = |n: usize| if n == 0 { bed.name.to_string() } else { format!("{}-{n}", bed.name) };
    let node = |n: usize| format!("{}-n{n}", bed.name);
    for n in 1..NAMESPACES {
        bed.cluster.namespace(&name(n)).await?;
    }
    stream::iter(0..size.workloads)
        .map(|n| deploy(bed, name(size.namespace(n)), n, node(size.node(n))))
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    let namespace = name(0);
    stream::iter(0..WARNINGS)
        .map(|n| warn(bed, &namespace, n))
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    ready(bed, size.pods()).await?;
    tokio::time::sleep(CALM).await;
    let pods = bed.cluster.pods(&namespace, "app=w0").await?;
    let pod = pods.first().and_then(|pod| pod.metadata.name.clone()).unwrap_or_default();
    Ok(Crowd { namespace, workload: "w0".to_owned(), pod, full: node(1), light: node(2) })
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
    let service = serde_json::from_value(objects::service(&format!("w{n}")))?;
    bed.cluster.api::<Service>(&namespace).create(&PostParams::default(), &service).await?;
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

async fn ready(bed: &Bed, pods: usize) -> Result<()> {
    let api: Api<Deployment> = Api::all(bed.cluster.client());
    wait_for(&format!("{pods} pods"), Duration::from_secs(900), async || {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let all = api.list(&ListParams::default()).await?;
        let ready =
            all.iter().filter_map(|one| one.status.as_ref()?.ready_replicas).map(i64::from).sum::<i64>();
        Ok((ready >= i64::try_from(pods)?).then_some(()))
    })
    .await
}
