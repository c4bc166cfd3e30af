//! One round: the same change by the bare tool and by us, each in a folder of its own that was initialised before.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use runcord_tests::Ground;
use runcord_tests::cost::{Cost, Whose, ms, peak, processor_time, timed, worker_of};
use runcord_tests::installation::Approver;
use runcord_tests::session::{Era, Session};
use runcord_tests::starts::{self, Start};
use serde_json::{Value, json};

/// The longest that a run is waited for.
const PATIENCE: Duration = Duration::from_secs(20 * 60);
/// How often the worker's memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What one round has cost.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    pub(crate) bare_plan: Cost,
    pub(crate) bare_apply: Cost,
    /// The call of the tool that plans.
    pub(crate) plan: Cost,
    /// From the call of `apply_plan` until the run is verified.
    pub(crate) apply: Cost,
    /// The starts of the tool within it: by the server for the plan, by the server before the apply, by the worker.
    pub(crate) first: Vec<Start>,
    pub(crate) second: Vec<Start>,
    pub(crate) worker: Vec<Start>,
    /// The most resident memory, in MiB.
    pub(crate) server_peak: f64,
    pub(crate) worker_peak: f64,
    /// The size of the plan's JSON, in bytes.
    pub(crate) json: usize,
}

/// So many instances of a built-in type, made by each of the two.
pub(crate) async fn round(server: &Path, resources: usize) -> Result<Round> {
    let ground = Ground::new()?;
    for folder in ["bare", "ours"] {
        let text = format!(
            "resource \"terraform_data\" \"node\" {{\n  count = {resources}\n  input = \"node ${{count.index}}\"\n}}\n"
        );
        ground.write(&format!("{folder}/main.tf"), &text)?;
    }
    ground.declare(
        "modules:\n  ours:\n    directory: ours\n    workspaces: [default]\n    backend: {type: local, config: {path: ours.tfstate}}\n",
    )?;
    ground.by_hand("bare", &["init", "-input=false"])?;
    let bare_plan = timed(|| ground.by_hand("bare", &["plan", "-input=false", "-out=plan"]).map(drop))?;
    let json = ground.by_hand("bare", &["show", "-json", "plan"])?.stdout.len();
    let bare_apply = timed(|| ground.by_hand("bare", &["apply", "-input=false", "plan"]).map(drop))?;
    let by_us = by_us(server, &ground).await?;
    Ok(Round { bare_plan, bare_apply, json, ..by_us })
}

async fn by_us(server: &Path, ground: &Ground) -> Result<Round> {
    let log = ground.path("bench.stderr");
    let environment = ground.environment().into_iter().chain([("RUNCORD_LOG", told())]);
    let session = Session::start::<&OsStr, PathBuf>(
        server,
        &[],
        environment.map(|(name, value)| (OsStr::new(name), value)),
        &log,
        Era::Stateless,
    )
    .await?;
    let process = session.process().context("the server has ended")?.to_string();
    // As the bare tool's folder, ours is initialised before: by whatever looks first.
    session.call("detect_drift", json!({"module": "ours"})).await?.done()?;

    let before = starts::all(&log)?.len();
    let (since, spent) = (Instant::now(), processor_time(&process, Whose::Both)?);
    let asked = json!({"module": "ours", "reason": "a benchmark"});
    let plan = session.call("plan_apply_workspace", asked).await?.done()?;
    let planned = Cost { wall: ms(since.elapsed()), cpu: processor_time(&process, Whose::Both)? - spent };
    let first = starts::all(&log)?;
    if plan.str("/decision/outcome")? != "allow" {
        ground.approve(plan.str("/plan_id")?, Approver::Ana)?;
    }

    let (since, spent) = (Instant::now(), processor_time(&process, Whose::Both)?);
    let expected = json!({"plan_id": plan.str("/plan_id")?, "expect": plan.str("/headline")?});
    let run = session.call("apply_plan", expected).await?.done()?;
    let run = run.str("/run_id")?;
    let (state, worker_peak) = tokio::join!(ended(&session, run), watched(run));
    let wall = ms(since.elapsed());
    ensure!(state? == "verified", "the run is not verified");
    let second = starts::all(&log)?;
    let worker = starts::all(&ground.state().join("workers").join(format!("{run}.stderr.log")))?;
    // The worker counts once the server has waited for it.
    while worker_of(run).is_some() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    tokio::time::sleep(LOOK_EVERY).await;
    let applied = Cost { wall, cpu: processor_time(&process, Whose::Both)? - spent };
    let server_peak = peak(&process).context("the server has ended")?;
    session.close().await?;
    Ok(Round {
        bare_plan: Cost::default(),
        bare_apply: Cost::default(),
        plan: planned,
        apply: applied,
        second: second.get(first.len()..).unwrap_or_default().to_vec(),
        first: first.get(before..).unwrap_or_default().to_vec(),
        worker,
        server_peak,
        worker_peak,
        json: 0,
    })
}

fn told() -> PathBuf {
    PathBuf::from("warn,runcord::tool=debug")
}

/// The state in which a run ends.
async fn ended(session: &Session, run: &str) -> Result<String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let status = session.call("run_status", json!({"id": run, "wait_seconds": 10})).await?.done()?;
        let state = status.content.get("state").and_then(Value::as_str).unwrap_or_default();
        if !matches!(state, "applying" | "applied" | "reconciling") {
            return Ok(state.to_owned());
        }
        ensure!(Instant::now() < until, "the run does not end");
    }
}

/// The most memory that the worker of a run had, looked at until it is gone.
async fn watched(run: &str) -> f64 {
    let mut most = 0.0_f64;
    // It is started before `apply_plan` answers.
    let Some(process) = worker_of(run) else { return f64::NAN };
    // None once it has ended, waited for or not.
    while let Some(now) = peak(&process) {
        most = most.max(now);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    most
}
