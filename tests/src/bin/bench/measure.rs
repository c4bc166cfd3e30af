//! What is measured: a process's processor time and memory, and how long calls take.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use serde_json::Value;

use crate::client::{Answer, Client};

/// A server to measure.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) binary: PathBuf,
    pub(crate) environment: Vec<(&'static str, PathBuf)>,
    pub(crate) stderr: PathBuf,
}

/// What a process has cost so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cost {
    /// Processor time of all its threads, in ms.
    pub(crate) cpu: f64,
    /// Resident memory, in MiB.
    pub(crate) rss: f64,
}

/// One row: the medians of many calls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Calls {
    /// From question to answer, in ms.
    pub(crate) total: f64,
    /// Without the time waited for the API server, in ms. Only our own server tells.
    pub(crate) own: Option<f64>,
    /// Processor time of the server, in ms.
    pub(crate) cpu: f64,
    /// The longest answer's text, in bytes.
    pub(crate) bytes: usize,
    /// Resident memory after the last call, in MiB.
    pub(crate) rss: f64,
}

impl Server {
    async fn start(&self) -> Result<Client> {
        Client::start(&self.binary, &self.environment, &self.stderr).await
    }

    /// From nothing to the answer of the first tools/list: the median of `times` starts.
    pub(crate) async fn starts(&self, times: usize) -> Result<Cost> {
        let mut costs = Vec::new();
        for _ in 0..times {
            let mut client = self.start().await?;
            client.tools().await?;
            costs.push(cost(&client)?);
        }
        Ok(Cost { cpu: median(costs.iter().map(|c| c.cpu)), rss: median(costs.iter().map(|c| c.rss)) })
    }

    /// `times` calls, one after the other, in a process of their own. The first, which opens connections, counts too.
    pub(crate) async fn calls(&self, tool: &str, args: &Value, times: usize) -> Result<Calls> {
        let mut client = self.start().await?;
        let (mut totals, mut owns, mut cpus, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for _ in 0..times {
            let (waited, spent) = (self.waited(), cost(&client)?.cpu);
            let answer = client.call(tool, args).await?;
            cpus.push(cost(&client)?.cpu - spent);
            totals.push(answer.took);
            if let (Some(before), Some(after)) = (waited, self.waited()) {
                owns.push(answer.took - (after - before));
            }
            bytes = bytes.max(self.text(tool, &answer)?);
        }
        let own = (owns.len() > times / 2).then(|| median(owns.into_iter()));
        let rss = cost(&client)?.rss;
        Ok(Calls { total: median(totals.into_iter()), own, cpu: median(cpus.into_iter()), bytes, rss })
    }

    /// `times` calls, all sent at once, in a process of their own.
    pub(crate) async fn calls_at_once(&self, tool: &str, args: &Value, times: usize) -> Result<Calls> {
        let mut client = self.start().await?;
        let spent = cost(&client)?.cpu;
        let answers = client.call_at_once(tool, args, times).await?;
        let Cost { cpu, rss } = cost(&client)?;
        let mut bytes = 0;
        for answer in &answers {
            bytes = bytes.max(self.text(tool, answer)?);
        }
        let total = median(answers.iter().map(|answer| answer.took));
        Ok(Calls { total, own: None, cpu: (cpu - spent) / times as f64, bytes, rss })
    }

    fn text(&self, tool: &str, answer: &Answer) -> Result<usize> {
        Ok(answer.text().with_context(|| format!("{} {tool}", self.name))?.len())
    }

    /// What the server says in its log that it has waited for the API server so far, in ms.
    fn waited(&self) -> Option<f64> {
        let log = std::fs::read_to_string(&self.stderr).ok()?;
        let (_, last) = log.rsplit_once("waited=")?;
        let digits: String = last.chars().take_while(char::is_ascii_digit).collect();
        Some(digits.parse::<f64>().ok()? / 1e3)
    }
}

fn cost(client: &Client) -> Result<Cost> {
    let process = client.process()?;
    let home = Path::new("/proc").join(process.to_string());
    // The clock of the whole process: its threads that have ended count too.
    let clock = clock_getcpuclockid(Pid::from_raw(process.try_into()?))?.now()?;
    let status = std::fs::read_to_string(home.join("status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(Cost { cpu: Duration::from(clock).as_secs_f64() * 1e3, rss: kib / 1024.0 })
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
