//! One round: the same change by bare Ansible and by us, on the same hosts, each in a folder of its own on them.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use runcord_tests::PlayBed;
use runcord_tests::cost::{Cost, Whose, ms, peak, processor_time, timed, worker_of};
use runcord_tests::fleet::playbook_assets;
use runcord_tests::play_bed::INVENTORY;
use runcord_tests::session::{Era, Session};
use runcord_tests::starts::{self, Start};
use runcord_tests::story::{approve, ended};
use serde_json::json;

/// How often the worker's memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How the hosts are reached.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Hosts {
    /// So many real ones.
    Ssh(usize),
    /// So many names of this machine.
    Local(usize),
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ssh(count) => write!(f, "{count} hosts over SSH"),
            Self::Local(count) => write!(f, "{count} hosts over the local connection"),
        }
    }
}

/// What one round has cost.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    pub(crate) bare_check: Cost,
    pub(crate) bare_run: Cost,
    /// The call of the tool that plans.
    pub(crate) plan: Cost,
    /// From the call of `apply_plan` until the run is verified.
    pub(crate) apply: Cost,
    /// The starts of Ansible within it: by the server for the plan, by the server before the run, by the worker.
    pub(crate) first: Vec<Start>,
    pub(crate) second: Vec<Start>,
    pub(crate) worker: Vec<Start>,
    /// The most resident memory, in MiB.
    pub(crate) server_peak: f64,
    pub(crate) worker_peak: f64,
}

/// A file is put in place on every host, half of them at a time.
pub(crate) async fn round(server: &Path, hosts: Hosts) -> Result<Round> {
    let (bed, count) = match hosts {
        Hosts::Ssh(count) => (PlayBed::new(count)?, count),
        Hosts::Local(count) => (PlayBed::new(1)?, count),
    };
    let place = tempfile::TempDir::with_prefix("runcord-bench-")?;
    if let Hosts::Local(count) = hosts {
        let names: String = (1..=count).map(|n| format!("        h{n}: {{}}\n")).collect();
        let python = "ansible_connection: local\n    ansible_python_interpreter: /usr/bin/python3";
        let text = format!("all:\n  vars:\n    {python}\n  children:\n    web:\n      hosts:\n{names}");
        bed.write(INVENTORY, &text)?;
    }
    let at = |who: &str| place.path().join(who).to_string_lossy().into_owned();
    prepare(&bed, &at("ours"))?;
    let serial = count.div_ceil(2);
    let bare_check = timed(|| bare(&bed, serial, &at("bare"), &["--check", "--diff"]))?;
    let bare_run = timed(|| bare(&bed, serial, &at("bare"), &[]))?;
    let by_us = by_us(server, &bed).await?;
    Ok(Round { bare_check, bare_run, ..by_us })
}

/// The playbook, what verifies it, and their declaration.
fn prepare(bed: &PlayBed, place: &str) -> Result<()> {
    bed.write("bench.yml", include_str!("bench.yml"))?;
    bed.write("bench.verify.yml", include_str!("bench.verify.yml"))?;
    bed.offer("put_file", include_str!("put_file.yaml"))?;
    bed.declare(&format!(
        "playbooks:\n  bench:\n    playbook: {{project: bench.yml}}\n    verify: {{project: bench.verify.yml}}\n    inventory: {INVENTORY}\n    groups: [web]\n    become: false\n    variables:\n      place: {{value: {place}}}\n    batches: [\"50%\"]\n"
    ))
}

/// With as many forks as we have, and our batches.
fn bare(bed: &PlayBed, serial: usize, place: &str, more: &[&str]) -> Result<()> {
    let home = bed.path("bare");
    std::fs::create_dir_all(&home)?;
    let variables = json!({"runcord_serial": [serial], "runcord_become": false, "place": place});
    let output = Command::new(playbook_assets()?.join("bin/ansible-playbook"))
        .args(["-i", INVENTORY, "-e", &variables.to_string()])
        .args(more)
        .arg("bench.yml")
        .current_dir(bed.project())
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("LANG", "C.UTF-8"), ("ANSIBLE_FORKS", "25")])
        .env("HOME", &home)
        .stdin(Stdio::null())
        .output()?;
    ensure!(output.status.success(), "bare Ansible: {}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

async fn by_us(server: &Path, bed: &PlayBed) -> Result<Round> {
    let log = bed.path("bench.stderr");
    let told = [("RUNCORD_LOG", PathBuf::from("warn,runcord::tool=debug"))];
    let environment = bed.environment().into_iter().chain(told);
    let environment = environment.map(|(name, value)| (OsStr::new(name), value));
    let session = Session::start::<&OsStr, PathBuf>(server, &[], environment, &log, Era::Stateless).await?;
    let process = session.process().context("the server has ended")?.to_string();
    let asked = json!({"playbook": "bench", "group": "web", "reason": "a benchmark"});
    // What modules say of themselves is asked once for each Ansible: by whatever looks first.
    session.call("plan_put_file", asked.clone()).await?.done()?;

    let before = starts::all(&log)?.len();
    let (since, spent) = (Instant::now(), processor_time(&process, Whose::Both)?);
    let plan = session.call("plan_put_file", asked).await?.done()?;
    let planned = Cost { wall: ms(since.elapsed()), cpu: processor_time(&process, Whose::Both)? - spent };
    let first = starts::all(&log)?;
    approve(bed, &plan)?;

    let (since, spent) = (Instant::now(), processor_time(&process, Whose::Both)?);
    let expected = json!({"plan_id": plan.str("/plan_id")?, "expect": plan.str("/headline")?});
    let run = session.call("apply_plan", expected).await?.done()?;
    let run = run.str("/run_id")?;
    let (end, worker_peak) = tokio::join!(ended(&session, run), watched(run));
    let wall = ms(since.elapsed());
    let end = end?;
    ensure!(end.str("/state")? == "verified", "the run is not verified: {:#}", end.content);
    let second = starts::all(&log)?;
    let worker = starts::all(&bed.state().join("workers").join(format!("{run}.stderr.log")))?;
    while worker_of(run).is_some() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    tokio::time::sleep(LOOK_EVERY).await;
    let applied = Cost { wall, cpu: processor_time(&process, Whose::Both)? - spent };
    let server_peak = peak(&process).context("the server has ended")?;
    session.close().await?;
    Ok(Round {
        bare_check: Cost::default(),
        bare_run: Cost::default(),
        plan: planned,
        apply: applied,
        second: second.get(first.len()..).unwrap_or_default().to_vec(),
        first: first.get(before..).unwrap_or_default().to_vec(),
        worker,
        server_peak,
        worker_peak,
    })
}

/// The most memory that the worker of a run had, looked at until it is gone.
async fn watched(run: &str) -> f64 {
    let mut most = 0.0_f64;
    // It is started before `apply_plan` answers.
    let Some(process) = worker_of(run) else { return f64::NAN };
    while let Some(now) = peak(&process) {
        most = most.max(now);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    most
}
