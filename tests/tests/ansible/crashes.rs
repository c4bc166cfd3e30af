//! What is left when a process dies, and what stops a run: nothing is run twice, and what is not known is called unknown.

use std::time::Duration;

use anyhow::{Context as _, Result};
use runcord_tests::PlayBed;
use runcord_tests::cluster::wait_for;
use runcord_tests::processes::{kill, process, processes};
use runcord_tests::session::{Answer, Session};
use serde_json::json;

use crate::story::{LOOK, PATIENT, SLOW_IS_REVIEWED, apply, begun, ended, make, making, reading, slow};

const SOON: Duration = Duration::from_secs(60);

/// A bed with that task, and its approved plan begun.
async fn running(hosts: usize, seconds: u32) -> Result<(PlayBed, Session, Answer, String)> {
    let bed = making(hosts, &slow(seconds), SLOW_IS_REVIEWED)?;
    let session = bed.session().await?;
    let plan = make(&session, json!({})).await?.done()?;
    let run = begun(&bed, &session, &plan).await?;
    Ok((bed, session, plan, run))
}

async fn has(bed: &PlayBed, host: &str, path: &str) -> Result<()> {
    wait_for(path, SOON, async || Ok(bed.fleet.has(host, path)?.then_some(()))).await
}

/// How often it was begun on a host.
fn times(bed: &PlayBed, host: &str) -> Result<usize> {
    Ok(if bed.fleet.has(host, "/srv/begun")? {
        bed.fleet.read(host, "/srv/begun")?.lines().count()
    } else {
        0
    })
}

/// The real run of a playbook: the one without `--check`, of this bed.
async fn playing(bed: &PlayBed, playbook: &str) -> Result<i32> {
    let state = bed.state().display().to_string();
    wait_for("ansible-playbook", SOON, async || {
        let all = processes(&["ansible-playbook", &state, playbook])?;
        let checks = processes(&["ansible-playbook", &state, playbook, "--check"])?;
        Ok(all.into_iter().find(|pid| !checks.contains(pid)))
    })
    .await
}

#[tokio::test]
async fn a_worker_that_dies_in_the_middle_leaves_ansible_which_ends_and_is_settled_by_looking() -> Result<()>
{
    let (bed, session, plan, run) = running(1, 5).await?;
    has(&bed, "web1", "/srv/begun").await?;
    kill(process(&["run-worker", &run]).await?)?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);
    assert_eq!(times(&bed, "web1")?, 1);
    assert!(apply(&session, &plan).await?.refused, "a plan is applied once");
    Ok(())
}

#[tokio::test]
async fn ansible_that_is_killed_in_the_middle_leaves_a_host_that_is_unknown_and_nothing_runs_twice()
-> Result<()> {
    let (bed, session, plan, run) = running(2, 60).await?;
    has(&bed, "web1", "/srv/begun").await?;
    kill(playing(&bed, "make.yml").await?)?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "unknown", "{:#}", end.content);
    assert!(end.content.to_string().contains("web1"), "{:#}", end.content);
    assert!(apply(&session, &plan).await?.refused);
    assert_eq!((times(&bed, "web1")?, times(&bed, "web2")?), (1, 0));
    Ok(())
}

#[tokio::test]
async fn ansible_and_its_worker_both_killed_are_settled_by_what_verifying_asserts() -> Result<()> {
    let (bed, session, _, run) = running(1, 3).await?;
    has(&bed, "web1", "/srv/begun").await?;
    let worker = process(&["run-worker", &run]).await?;
    kill(playing(&bed, "make.yml").await?)?;
    kill(worker)?;
    // The host goes on alone, and what the run was for comes true.
    has(&bed, "web1", "/srv/made").await?;
    let end = ended(&session, &run).await?;
    assert!(["verified", "unknown"].contains(&end.str("/state")?), "{:#}", end.content);
    assert_eq!(times(&bed, "web1")?, 1, "it is not run again");
    Ok(())
}

#[tokio::test]
async fn a_worker_that_dies_before_the_first_task_does_nothing_twice() -> Result<()> {
    let (bed, session, _, run) = running(1, 1).await?;
    // Whether the batch was begun by then, or is by the next worker: once.
    kill(process(&["run-worker", &run]).await?)?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);
    assert_eq!(times(&bed, "web1")?, 1);
    Ok(())
}

#[tokio::test]
async fn ansible_that_is_killed_before_its_first_task_has_done_nothing_and_that_is_said() -> Result<()> {
    let (bed, session, plan, run) = running(2, 1).await?;
    kill(playing(&bed, "make.yml").await?)?;
    let end = ended(&session, &run).await?;
    let times = (times(&bed, "web1")?, times(&bed, "web2")?);
    assert!(["failed", "unknown"].contains(&end.str("/state")?), "{times:?} {:#}", end.content);
    assert!(times == (0, 0) || times == (1, 0), "{times:?}");
    assert!(apply(&session, &plan).await?.refused);
    Ok(())
}

#[tokio::test]
async fn a_worker_that_dies_between_the_last_task_and_the_verification_is_settled_by_another() -> Result<()> {
    // Verifying takes a while, so there is a moment to kill in.
    let bed = making(2, &slow(1), SLOW_IS_REVIEWED)?;
    bed.write("live/look.yml", &reading(&format!("{PATIENT}{LOOK}")))?;
    let session = bed.session().await?;
    let plan = make(&session, json!({})).await?.done()?;
    let run = begun(&bed, &session, &plan).await?;
    let worker = process(&["run-worker", &run]).await?;
    let verifying = playing(&bed, "look.yml").await?;
    kill(worker)?;
    kill(verifying).unwrap_or_default(); // it may have gone with its worker
    for host in ["web1", "web2"] {
        bed.fleet.write(host, "/srv/open", "")?;
    }
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);
    assert_eq!((times(&bed, "web1")?, times(&bed, "web2")?), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_run_outlives_its_server_and_another_one_tells_how_far_it_is() -> Result<()> {
    let (bed, session, _, run) = running(1, 6).await?;
    drop(session);
    let session = bed.session().await?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);
    assert_eq!(times(&bed, "web1")?, 1);
    let heard = session.progress();
    assert!(heard.iter().any(|message| message.contains("parts are done")), "{heard:?}");
    Ok(())
}

/// What was begun ends, on its own hosts; nothing else begins.
async fn stops(how: &str, args: serde_json::Value, says: &str) -> Result<()> {
    let (bed, session, _, run) = running(3, 5).await?;
    has(&bed, "web1", "/srv/begun").await?;
    let args = if how == "run_cancel" { json!({"id": run}) } else { args };
    session.call(how, args).await?.done()?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "stopped", "{:#}", end.content);
    assert!(end.str("/summary")?.contains(says), "{:#}", end.content);
    assert!(bed.fleet.has("web1", "/srv/made")?, "the batch that ran came to its end");
    assert_eq!((times(&bed, "web1")?, times(&bed, "web2")?, times(&bed, "web3")?), (1, 0, 0));
    Ok(())
}

#[tokio::test]
async fn the_cord_lets_a_batch_end_and_no_further_one_begin() -> Result<()> {
    stops("pull_cord", json!({"reason": "a test"}), "cord").await
}

#[tokio::test]
async fn a_cancel_lets_a_batch_end_and_no_further_one_begin() -> Result<()> {
    stops("run_cancel", json!({}), "cancelled").await
}

#[tokio::test]
async fn a_batch_whose_time_is_over_is_interrupted_once_and_its_host_is_unknown() -> Result<()> {
    let bed = making(2, &slow(40), SLOW_IS_REVIEWED)?;
    let session = bed.session().await?;
    let plan = make(&session, json!({"timeout": "8s"})).await?.done()?;
    let run = begun(&bed, &session, &plan).await?;
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "unknown", "{:#}", end.content);
    assert!(end.content.to_string().contains("web1"), "{:#}", end.content);
    assert_eq!((times(&bed, "web1")?, times(&bed, "web2")?), (1, 0));
    let mut log = String::new();
    for file in std::fs::read_dir(bed.state().join("workers"))? {
        log += &String::from_utf8_lossy(&std::fs::read(file?.path())?);
    }
    assert_eq!(log.matches("interrupting Ansible").count(), 1, "{log}");
    Ok(())
}

/// A full disk is the fault that is forced: `/dev/full` takes nothing. What cannot be told is not begun.
#[test]
fn ansible_that_cannot_tell_what_it_begins_begins_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let playbook = folder.path().join("play.yml");
    let witness = folder.path().join("witness");
    let task = format!("ansible.builtin.file: {{path: {}, state: touch, mode: \"0600\"}}", witness.display());
    std::fs::write(&playbook, format!("- hosts: all\n  gather_facts: false\n  tasks:\n    - {task}\n"))?;
    let plugins = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../servers/ansible/src/content");
    for assets in ["RUNCORD_ANSIBLE_ASSETS", "RUNCORD_ANSIBLE_OLDEST"] {
        let assets = std::path::PathBuf::from(std::env::var_os(assets).context("tests/run sets it")?);
        let ends = |events: &str| -> Result<Option<i32>> {
            let ran = std::process::Command::new(assets.join("bin/ansible-playbook"))
                .args(["-i", "here,", "-c", "local"])
                .arg(&playbook)
                .env_clear()
                .envs([("PATH", "/usr/bin:/bin"), ("LANG", "C.UTF-8"), ("RUNCORD_EVENTS", events)])
                .envs([("ANSIBLE_STDOUT_CALLBACK", "runcord_events"), ("ANSIBLE_NOCOLOR", "1")])
                .env("ANSIBLE_CALLBACK_PLUGINS", &plugins)
                .env("PYTHONDONTWRITEBYTECODE", "1")
                .env("HOME", folder.path())
                .stdin(std::process::Stdio::null())
                .output()?;
            Ok(ran.status.code())
        };
        assert_eq!(ends("/dev/full")?, Some(98), "{}", assets.display());
        assert!(!witness.exists());
        assert_eq!(ends("/dev/null")?, Some(0), "what is told does not stop it");
        std::fs::remove_file(&witness)?;
    }
    Ok(())
}
