//! A process that is followed for as long as it takes: its output goes to files, so that it survives us, and nothing but a
//! person ends it by force.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;

use rustix::fs::OFlags;
use rustix::process::Signal;
use tokio::process::Child;

use crate::{Command, ExecError, Pid, Status};

/// A process that was started and is still to end. If this is dropped, it goes on.
#[derive(Debug)]
pub struct Followed {
    child: Child,
    pid: Pid,
    program: String,
}

impl Command {
    /// Starts it in a group of its own, with no input and no time limit, its two outputs in new files (0600). It inherits
    /// what this process lets its children inherit, such as the lock of a run.
    pub fn follow(&self, stdout: &Path, stderr: &Path) -> Result<Followed, ExecError> {
        let unopened = |source| ExecError::Output { program: self.name(), source };
        let failed = |source| ExecError::Start { program: self.name(), source };
        let (stdout, stderr) = (new(stdout).map_err(unopened)?, new(stderr).map_err(unopened)?);
        let child = self
            .prepared()?
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .kill_on_drop(false)
            .spawn()
            .map_err(failed)?;
        let pid = child.id().map(Pid).ok_or_else(|| failed(io::Error::other("it has no process id")))?;
        Ok(Followed { child, pid, program: self.name() })
    }
}

impl Followed {
    /// Waits until it has ended. May be dropped and called again.
    pub async fn ended(&mut self) -> Result<Status, ExecError> {
        let program = self.program.clone();
        self.child.wait().await.map(Status::from).map_err(|source| ExecError::Follow { program, source })
    }

    /// Sends SIGINT, once, to its group, as a terminal does: what it has started and does not end itself would live on.
    /// Asking twice would have some programs drop what they are writing.
    pub fn interrupt(&self) {
        let pid = i32::try_from(self.pid.get()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(Err(error)) = pid.map(|pid| rustix::process::kill_process_group(pid, Signal::INT)) {
            tracing::warn!(pid = self.pid.get(), %error, "the signal was not sent");
        }
    }

    /// Its number.
    pub fn pid(&self) -> Pid {
        self.pid
    }
}

fn new(file: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).map_err(io::Error::other)?;
    OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(flags).open(file)
}
