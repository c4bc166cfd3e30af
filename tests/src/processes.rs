//! Processes of this machine, found by their command lines and killed as `kill -9` does.

use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::cluster::wait_for;

/// The first process whose command line holds all of these words, once there is one.
///
/// # Errors
///
/// There is none in time.
pub async fn process(words: &[&str]) -> Result<i32> {
    wait_for("a process", Duration::from_secs(60), async || Ok(processes(words)?.into_iter().next())).await
}

/// All processes whose command lines hold all of these words.
///
/// # Errors
///
/// They cannot be listed.
pub fn processes(words: &[&str]) -> Result<Vec<i32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if words.iter().all(|word| line.contains(word)) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// Kills one at once.
///
/// # Errors
///
/// It is not there any more.
pub fn kill(pid: i32) -> Result<()> {
    Ok(kill_process(Pid::from_raw(pid).context("no pid")?, Signal::KILL)?)
}
