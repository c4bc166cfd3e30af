//! The steps that most sessions share.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use runcord_tests::bed::Bed;
use runcord_tests::cluster::{is_ready, wait_for};
use runcord_tests::control_plane::AuditEvent;
use runcord_tests::session::{Answer, Session};
use runcord_tests::{ControlPlane, Transcript, objects};
use serde_json::{Value, json};

/// How long controllers may take: on a machine that does much else too, they back off.
pub(crate) const SOON: Duration = Duration::from_secs(90);

/// A Deployment `web` with so many ready pods, and a Service before it.
pub(crate) async fn web(bed: &Bed, replicas: u32) -> Result<()> {
    deploy(bed, objects::deployment("web", replicas)).await?;
    bed.cluster.apply(bed.name.as_str(), objects::service("web")).await?;
    Ok(())
}

/// Applies a Deployment named `web` and waits until it is rolled out.
pub(crate) async fn deploy(bed: &Bed, deployment: Value) -> Result<()> {
    bed.cluster.apply(bed.name.as_str(), deployment).await?;
    bed.cluster.rolled_out(bed.name.as_str(), "deployments", "web", SOON).await?;
    Ok(())
}

/// A budget over `web`, once its controller has counted.
pub(crate) async fn budget(bed: &Bed, min_available: u32, allowed: i32) -> Result<()> {
    use k8s_openapi::api::policy::v1::PodDisruptionBudget;
    bed.cluster.apply(bed.name.as_str(), objects::disruption_budget("web", min_available)).await?;
    let api = bed.cluster.api::<PodDisruptionBudget>(bed.name.as_str());
    wait_for("the budget to be counted", SOON, async || {
        let status = api.get("web").await?.status;
        Ok(status.filter(|s| s.disruptions_allowed == allowed && s.expected_pods > 0).map(|_| ()))
    })
    .await
}

/// The ready pods of `web`.
pub(crate) async fn pods(bed: &Bed) -> Result<Vec<Pod>> {
    let pods = bed.cluster.pods(bed.name.as_str(), "app=web").await?;
    Ok(pods.into_iter().filter(is_ready).collect())
}

/// An empty transcript in which nothing names this run.
pub(crate) fn transcript(bed: &Bed, names: &[(&str, &str)]) -> Result<Transcript> {
    let (identity, sponsor) = (bed.identity()?, format!("for {}", runcord_tests::transcript::login()?));
    let mut names = names.to_vec();
    names.extend([(bed.name.as_str(), "NAMESPACE"), (&identity, "IDENTITY"), (&sponsor, "for LOGIN")]);
    Transcript::new(&names)
}

/// The node that the fewest pods of `web` are on, but one at least.
pub(crate) async fn quietest_node(bed: &Bed) -> Result<String> {
    let counts = pods_by_node(bed).await?;
    Ok(counts.into_iter().min_by_key(|(_, count)| *count).context("no pod of web is on a node")?.0)
}

/// The node that the most pods of `web` are on, and how many.
pub(crate) async fn busiest_node(bed: &Bed) -> Result<(String, usize)> {
    pods_by_node(bed).await?.into_iter().max_by_key(|(_, count)| *count).context("no pod of web is on a node")
}

async fn pods_by_node(bed: &Bed) -> Result<BTreeMap<String, usize>> {
    let mut counts = BTreeMap::new();
    for pod in pods(bed).await? {
        *counts.entry(node_of(&pod)?).or_default() += 1;
    }
    Ok(counts)
}

pub(crate) fn node_of(pod: &Pod) -> Result<String> {
    pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).context("the pod is on no node")
}

pub(crate) async fn node(bed: &Bed, name: &str) -> Result<Node> {
    Ok(Api::<Node>::all(bed.cluster.client()).get(name).await?)
}

/// Whether new pods may be placed on the node.
pub(crate) async fn schedulable(bed: &Bed, name: &str) -> Result<bool> {
    Ok(!node(bed, name).await?.spec.and_then(|spec| spec.unschedulable).unwrap_or(false))
}

/// The arguments of a runbook over `web`.
pub(crate) fn of_web(bed: &Bed) -> Value {
    json!({"kind": "Deployment", "namespace": bed.name.as_str(), "name": "web", "reason": "an end-to-end test"})
}

pub(crate) fn with(mut args: Value, more: Value) -> Value {
    if let (Value::Object(args), Value::Object(more)) = (&mut args, more) {
        args.extend(more);
    }
    args
}

pub(crate) fn drain_of(node: &str) -> Value {
    json!({"node": node, "reason": "an end-to-end test"})
}

/// Applies a plan as its headline says, and gives the first answer.
pub(crate) async fn apply(session: &Session, plan: &Answer) -> Result<Answer> {
    session
        .call("apply_plan", json!({"plan_id": plan.str("/plan_id")?, "expect": plan.str("/headline")?}))
        .await
}

/// Applies a plan that is refused, and gives the code. Nothing but reads and dry-runs reached the API server.
pub(crate) async fn refused(bed: &Bed, session: &Session, plan: &Answer) -> Result<String> {
    let plane = ControlPlane::shared()?;
    let mark = plane.mark()?;
    let answer = apply(session, plan).await?;
    let code = answer.refusal()?.to_owned();
    let writes = plane.writes_since(mark, bed.name.as_str()).await?;
    anyhow::ensure!(writes.iter().all(AuditEvent::is_dry_run), "{code}: {writes:#?}");
    Ok(code)
}

/// Waits until a run is over.
pub(crate) async fn ended(session: &Session, run: &str) -> Result<Answer> {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let status = session.call("run_status", json!({"id": run, "wait_seconds": 10})).await?.done()?;
        match status.str("/state")? {
            "applying" | "applied" | "reconciling" if Instant::now() < until => {}
            "applying" | "applied" | "reconciling" => bail!("the run does not end: {:#}", status.content),
            _ => return Ok(status),
        }
    }
}

/// Applies a plan and waits until its run is verified.
pub(crate) async fn verified(session: &Session, plan: &Answer) -> Result<Answer> {
    let run = apply(session, plan).await?.done()?;
    let end = ended(session, run.str("/run_id")?).await?;
    anyhow::ensure!(end.str("/state")? == "verified", "not verified: {:#}", end.content);
    Ok(end)
}

/// The pids of the processes whose command line holds `word`.
pub(crate) fn processes(word: &str) -> Result<Vec<i32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let line =
            std::fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(word) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// The worker of a run, once it is there.
pub(crate) async fn worker_of(run: &str) -> Result<i32> {
    wait_for("the run's worker", SOON, async || Ok(processes(run)?.first().copied())).await
}

/// The worker of a run once it is there, or `None` once the run is over.
pub(crate) async fn worker_unless_over(session: &Session, run: &str) -> Result<Option<i32>> {
    wait_for("the run's worker, or its end", SOON, async || {
        if let Some(pid) = processes(run)?.first() {
            return Ok(Some(Some(*pid)));
        }
        let status = session.call("run_status", json!({"id": run})).await?.done()?;
        let going = matches!(status.str("/state")?, "applying" | "applied" | "reconciling");
        Ok((!going).then_some(None))
    })
    .await
}

/// `kill -9`.
pub(crate) fn kill(pid: i32) -> Result<()> {
    let pid = rustix::process::Pid::from_raw(pid).context("no pid")?;
    Ok(rustix::process::kill_process(pid, rustix::process::Signal::KILL)?)
}
