//! What processes cost: time on the clock, processor time with that of all children that were waited for, and memory.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// Linux counts processor time for `/proc` in hundredths of a second, whatever the machine.
const TICK: Duration = Duration::from_millis(10);

/// Two times of one piece of work, in ms.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// On the clock.
    pub wall: f64,
    /// Of processors.
    pub cpu: f64,
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { wall: self.wall + other.wall, cpu: self.cpu + other.cpu }
    }
}

/// Processor time in ms of a process (`self` or its number) and of its children that have ended and were waited for.
///
/// # Errors
///
/// There is no such process.
pub fn processor_time(process: &str, whose: Whose) -> Result<f64> {
    let text = std::fs::read_to_string(Path::new("/proc").join(process).join("stat"))?;
    // Its name is in parentheses and may hold anything.
    let (_, behind) = text.rsplit_once(')').context("no name in /proc/…/stat")?;
    let fields: Vec<f64> = behind.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    // The state, a letter, is left out: utime, stime, cutime and cstime are fields 14 to 17, counted from 1.
    let of = |field: usize| fields.get(field - 4).copied().unwrap_or_default();
    let ticks = match whose {
        Whose::Children => of(16) + of(17),
        Whose::Both => of(14) + of(15) + of(16) + of(17),
    };
    Ok(ticks * ms(TICK))
}

/// Whose time is counted.
#[derive(Debug, Clone, Copy)]
pub enum Whose {
    /// That of its children which were waited for.
    Children,
    /// Its own too.
    Both,
}

/// The most memory that a process had resident, in MiB; none once it has ended.
pub fn peak(process: &str) -> Option<f64> {
    let text = std::fs::read_to_string(Path::new("/proc").join(process).join("status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib / 1024.0)
}

/// The process that carries out this run, if it runs.
pub fn worker_of(run: &str) -> Option<String> {
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        if words.any(|word| word == b"run-worker") && words.any(|word| word == run.as_bytes()) {
            return entry.file_name().into_string().ok();
        }
    }
    None
}

/// In ms.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// What children cost that were waited for meanwhile.
///
/// # Errors
///
/// The work failed, or `/proc` cannot be read.
pub fn timed(work: impl FnOnce() -> Result<()>) -> Result<Cost> {
    let (since, spent) = (Instant::now(), processor_time("self", Whose::Children)?);
    work()?;
    Ok(Cost { wall: ms(since.elapsed()), cpu: processor_time("self", Whose::Children)? - spent })
}

/// The middle one of some figures.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The load averages of the machine.
pub fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
