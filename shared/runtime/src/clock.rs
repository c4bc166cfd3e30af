//! The edge where time and randomness come in; everything inside takes them as data.

use std::sync::OnceLock;

use jiff::Timestamp;
use runcord_model::{Code, Moment, PlanId, Refusal, RunId};
use rustix::time::{ClockId, clock_gettime};

/// Reads both clocks.
///
/// # Errors
/// `internal` when the identity of this boot cannot be read: without it, time limits could not be kept.
pub fn now() -> Result<Moment, Refusal> {
    let since_boot = clock_gettime(ClockId::Boottime);
    let boot_ms = u64::try_from(since_boot.tv_sec).unwrap_or(0).saturating_mul(1000)
        + u64::try_from(since_boot.tv_nsec).unwrap_or(0) / 1_000_000;
    Ok(Moment { utc: Timestamp::now(), boot_id: boot_id()?.to_owned(), boot_ms })
}

/// It is read once: no process outlives the boot that it belongs to.
fn boot_id() -> Result<&'static str, Refusal> {
    static BOOT: OnceLock<String> = OnceLock::new();
    if let Some(known) = BOOT.get() {
        return Ok(known);
    }
    let read = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map_err(|_| {
        Refusal::new(
            Code::Internal,
            "the identity of this boot cannot be read, so time limits cannot be kept",
            "run on a Linux system with /proc mounted",
        )
    })?;
    Ok(BOOT.get_or_init(|| read.trim().to_owned()))
}

/// Sixteen bytes from the system's random source.
///
/// # Errors
/// `internal` when there is none: a guessable id is refused rather than made.
pub fn entropy() -> Result<[u8; 16], Refusal> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| {
        Refusal::new(
            Code::Internal,
            "the system's random source cannot be read",
            "mend the system, then call again",
        )
    })?;
    Ok(bytes)
}

/// A fresh plan id.
///
/// # Errors
/// As [`entropy`].
pub fn plan_id() -> Result<PlanId, Refusal> {
    Ok(PlanId::from_entropy(entropy()?))
}

/// A fresh run id.
///
/// # Errors
/// As [`entropy`].
pub fn run_id() -> Result<RunId, Refusal> {
    Ok(RunId::from_entropy(entropy()?))
}
