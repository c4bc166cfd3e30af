//! What a process that we start does with the signals by which it is told to end: what it does by itself.
//!
//! A signal that is ignored or blocked stays so in whatever is started, until that changes it. If we were started with
//! SIGINT ignored, as a shell starts what `&` or `nohup` keeps from its terminal, no child of ours could be interrupted.

use std::io;

use nix::sys::signal::{SigSet, Signal};
use tokio::signal::unix::{SignalKind, signal};

/// The signals by which a process is told to end. SIGHUP is not among them: whoever has us ignore it means what we start
/// to outlive the terminal too. SIGPIPE is set to its default by the standard library.
const ENDINGS: [Signal; 3] = [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

/// Makes the next process that this thread starts heed [`ENDINGS`].
///
/// What is ignored is caught from here on, and nobody listens: to us that is the same, and it ends where another program
/// begins. Whatever is blocked is let through to this thread, where it does what it does to us.
pub(crate) fn let_children_heed() -> io::Result<()> {
    let ignored = ignored(&std::fs::read_to_string("/proc/self/status")?)?;
    for ending in ENDINGS.into_iter().filter(|ending| ignored & bit(*ending) != 0) {
        drop(signal(SignalKind::from_raw(ending as i32))?);
    }
    Ok(ENDINGS.into_iter().collect::<SigSet>().thread_unblock()?)
}

/// The set of ignored signals, the first in the lowest bit.
fn ignored(status: &str) -> io::Result<u64> {
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the signals we ignore cannot be read"))
}

fn bit(signal: Signal) -> u64 {
    1 << (signal as i32 - 1)
}
