//! The thread that starts the servers, sees them become ready, and keeps them until it is told to stop.

use std::fs;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};

use super::assets;
use super::bring_up::{bring_up, write_files};
use super::flags::Ports;
use super::home::Home;
use super::parts::Part;
use super::pki::Authority;

/// Owns the thread that owns the servers: the kernel ends them with that thread, which no test's end takes along.
#[derive(Debug)]
pub(crate) struct Keeper {
    server: String,
    store: u16,
    processes: Vec<(&'static str, u32)>,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    pub(crate) fn start(home: &Home, authority: &Authority, without: &[&str]) -> Result<Self> {
        let assets = assets::find()?;
        let ports = Ports::free()?;
        write_files(home.path(), authority, &ports)?;
        let (stop, stopped) = mpsc::channel();
        let (report, ready) = mpsc::channel();
        let (dir, server, store) = (home.path().to_owned(), ports.url(), ports.etcd);
        let without: Vec<String> = without.iter().map(|version| (*version).to_owned()).collect();
        let thread = thread::spawn(move || {
            let mut parts = Vec::new();
            let outcome = bring_up(&assets, &dir, &ports, &without, &mut parts);
            let processes = parts.iter().map(|part: &Part| (part.name(), part.id())).collect();
            if report.send(outcome.map(|()| processes)).is_ok() {
                // Ends with an error too, when the owner is gone.
                let _: Result<(), mpsc::RecvError> = stopped.recv();
            }
            // The API server before the store that it writes to.
            parts.reverse();
        });
        let mut keeper =
            Self { server, store, processes: Vec::new(), stop: Some(stop), thread: Some(thread) };
        keeper.processes = ready.recv().context("the keeper of the control plane ended")??;
        Ok(keeper)
    }

    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// The port of etcd.
    pub(crate) fn store(&self) -> u16 {
        self.store
    }

    pub(crate) fn memory(&self) -> Vec<(&'static str, u64)> {
        self.processes.iter().map(|(name, id)| (*name, resident(*id).unwrap_or_default())).collect()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already.
            let _ = thread.join();
        }
    }
}

/// Bytes, from `/proc`.
fn resident(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
