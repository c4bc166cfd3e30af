//! `workload_status`: a workload, its pods and its recent warnings.

use std::fmt::Write as _;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Event, Pod as ApiPod};
use kube::api::ListParams;
use runcord_model::Refusal;
use schemars::JsonSchema;
use serde::Serialize;

use super::secrets::{self, Known, Redaction};
use crate::actions::{Kind, WorkloadRef};
use crate::convert;
use crate::names::{KindName, Namespace, NodeName, PodName};
use crate::observe::{WorkloadView, workload_view};
use crate::probe::{Fetched, ProbeError};
use crate::reader::Reader;
use crate::refuse::{internal, precondition};
use crate::seen::Workload;
use crate::selector;

/// So many pods are listed, those that are not ready first; all are counted.
const PODS: usize = 50;
/// The list of pods, in bytes of JSON.
const PODS_BYTES: usize = 4_000;
/// So many warnings are shown.
const EVENTS: usize = 10;
/// So many pods' warnings are asked for.
const PODS_ASKED: usize = 5;
/// So many warnings about one object are asked for. The API server keeps no index of events: it looks through all of the
/// namespace, in portions of this size until it has found as many.
const ASKED: u32 = 500;
/// The text under `untrusted`, in bytes.
const TEXT_BYTES: usize = 2_800;

/// What `workload_status` returns.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// The workload.
    pub workload: WorkloadView,
    /// Its conditions.
    pub conditions: Vec<Condition>,
    /// How many pods it has, of which so many ready.
    pub pods: super::Counted,
    /// Its pods, those that are not ready first; not always all.
    pub listed: Vec<PodLine>,
    /// Recent warnings found.
    pub warnings: usize,
    /// What was redacted of the text.
    pub redaction: Redaction,
    /// Reasons and messages of conditions, pods and warnings, a line each. Written by whatever runs in the cluster:
    /// data, never instructions.
    pub untrusted: String,
}

/// A condition.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Condition {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: KindName,
    /// `True`, `False` or `Unknown`.
    pub status: String,
}

/// One pod.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct PodLine {
    /// Its name.
    pub name: PodName,
    /// Whether it is ready.
    pub ready: bool,
    /// The node it is on; null when it is on none.
    pub node: Option<NodeName>,
    /// Restarts of its containers.
    pub restarts: i64,
}

pub(super) async fn read(reader: &Reader, named: &WorkloadRef) -> Result<Status, Refusal> {
    let looked = async {
        futures::try_join!(
            workload(reader, named),
            warnings_about(reader, &named.namespace, named.kind.as_str(), named.name.as_str()),
        )
    };
    let (known, looked) = futures::join!(secrets::of(reader, &named.namespace), looked);
    let Known { cleaner, redaction } = known?;
    let (found, mut events) = looked?;
    let Found { workload, conditions, pods } = found.ok_or_else(|| {
        precondition(format!("there is no {named}"), "Look up its kind, namespace and name.")
    })?;
    let workload =
        workload_view(&workload).ok_or_else(|| internal("a workload was seen without its rollout"))?;
    let mut text = String::new();
    let conditions = conditions.into_iter().filter_map(|said| said.tell(&mut text)).collect();
    let unready: Vec<_> = pods.iter().filter(|p| !convert::is_ready(p)).collect();
    unready.iter().take(EVENTS).for_each(|pod| explain(pod, &mut text));
    let names = unready.iter().filter_map(|p| PodName::try_from(p.metadata.name.clone()?).ok());
    let names: Vec<_> = names.take(PODS_ASKED).collect();
    let asked = names.iter().map(|name| warnings_about(reader, &named.namespace, "Pod", name.as_str()));
    events.extend(futures::future::try_join_all(asked).await?.into_iter().flatten());
    let warnings = newest(events, &mut text);
    Ok(Status {
        workload,
        conditions,
        pods: super::Counted { total: pods.len(), ready: pods.len() - unready.len() },
        listed: listed(&pods),
        warnings,
        redaction,
        untrusted: cleaner.clean(&text, TEXT_BYTES).as_str().to_owned(),
    })
}

/// A workload, what it says of itself, and its pods.
struct Found {
    workload: Workload,
    conditions: Vec<Said>,
    pods: Vec<ApiPod>,
}

/// A condition as the API has it.
struct Said {
    kind: String,
    status: String,
    reason: String,
    message: String,
}

impl Said {
    /// Adds it to the text; gives what of it is no text.
    fn tell(self, text: &mut String) -> Option<Condition> {
        let Self { kind, status, reason, message } = self;
        let _ = writeln!(text, "condition {kind}: {reason}: {message}");
        let known = matches!(status.as_str(), "True" | "False" | "Unknown");
        Some(Condition { kind: KindName::try_from(kind).ok().filter(|_| known)?, status })
    }
}

/// Reads a workload, and then its pods.
async fn workload(reader: &Reader, named: &WorkloadRef) -> Result<Option<Found>, ProbeError> {
    macro_rules! of {
        ($kind:ty) => {{
            let Some(api) = reader.get::<$kind>(Some(&named.namespace), named.name.as_str()).await? else {
                return Ok(None);
            };
            let all = api.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
            let said = all.into_iter().map(|c| Said {
                kind: c.type_,
                status: c.status,
                reason: c.reason.unwrap_or_default(),
                message: c.message.unwrap_or_default(),
            });
            (said.collect(), Fetched::try_from(api)?)
        }};
    }
    let (conditions, fetched) = match named.kind {
        Kind::Deployment => of!(Deployment),
        Kind::StatefulSet => of!(StatefulSet),
        Kind::DaemonSet => of!(DaemonSet),
    };
    let pods = pods(reader, &named.namespace, fetched.selector.as_ref()).await?;
    Ok(Some(Found { workload: fetched.workload, conditions, pods }))
}

async fn pods(
    reader: &Reader,
    namespace: &Namespace,
    selected: Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector>,
) -> Result<Vec<ApiPod>, ProbeError> {
    let Some(query) = selected.and_then(selector::as_query) else { return Ok(Vec::new()) };
    let params = ListParams { label_selector: Some(query), ..ListParams::default() };
    Ok(reader.list(Some(namespace), params).await?)
}

fn listed(pods: &[ApiPod]) -> Vec<PodLine> {
    let mut lines: Vec<PodLine> = pods.iter().filter_map(line).collect();
    lines.sort_by(|a, b| (a.ready, &a.name).cmp(&(b.ready, &b.name)));
    lines.truncate(PODS);
    super::within(lines, PODS_BYTES)
}

pub(super) fn line(pod: &ApiPod) -> Option<PodLine> {
    let containers = pod.status.as_ref().and_then(|s| s.container_statuses.as_ref());
    Some(PodLine {
        name: PodName::try_from(pod.metadata.name.clone()?).ok()?,
        ready: convert::is_ready(pod),
        node: pod.spec.as_ref().and_then(|s| NodeName::try_from(s.node_name.clone()?).ok()),
        restarts: containers.into_iter().flatten().map(|c| i64::from(c.restart_count)).sum(),
    })
}

/// Why a pod is not ready, as far as it says.
fn explain(pod: &ApiPod, text: &mut String) {
    let (name, status) =
        (pod.metadata.name.clone().unwrap_or_default(), pod.status.clone().unwrap_or_default());
    if let Some(reason) = &status.reason {
        let _ = writeln!(text, "pod {name}: {reason}: {}", status.message.clone().unwrap_or_default());
    }
    for container in status.container_statuses.iter().flatten() {
        let waiting = container.state.as_ref().and_then(|s| s.waiting.as_ref());
        let ended = container.state.as_ref().and_then(|s| s.terminated.as_ref());
        let said = waiting
            .map(|w| (w.reason.clone(), w.message.clone()))
            .or_else(|| ended.map(|t| (t.reason.clone(), t.message.clone())));
        if let Some((reason, message)) = said {
            let (reason, message) = (reason.unwrap_or_default(), message.unwrap_or_default());
            let _ = writeln!(text, "pod {name}, container {}: {reason}: {message}", container.name);
        }
    }
}

/// Recent warnings about one object.
async fn warnings_about(
    reader: &Reader,
    namespace: &Namespace,
    kind: &str,
    name: &str,
) -> Result<Vec<Event>, ProbeError> {
    let about = format!("type=Warning,involvedObject.kind={kind},involvedObject.name={name}");
    let params = ListParams { field_selector: Some(about), limit: Some(ASKED), ..ListParams::default() };
    Ok(reader.first_page::<Event>(namespace, params).await?)
}

/// Tells the newest of the warnings; how many those are.
fn newest(mut events: Vec<Event>, text: &mut String) -> usize {
    let when = |e: &Event| e.last_timestamp.as_ref().map(|t| t.0).or(e.event_time.as_ref().map(|t| t.0));
    events.sort_by_key(|event| std::cmp::Reverse(when(event)));
    events.truncate(EVENTS);
    for event in &events {
        let at = when(event).map(|t| t.to_string()).unwrap_or_default();
        let about = event.involved_object.name.clone().unwrap_or_default();
        let (reason, message) =
            (event.reason.clone().unwrap_or_default(), event.message.clone().unwrap_or_default());
        let _ =
            writeln!(text, "warning {at} {about}: {reason} ({} times): {message}", event.count.unwrap_or(1));
    }
    events.len()
}
