//! Running a process to its end.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncWriteExt;
use tokio::process::Child;
use tokio::time::timeout;

use crate::output::Capture;
use crate::{AfterGrace, Command, ExecError, Finished, Pid, Status, Stdin};

/// How long we read on after a process has ended while a child of it still holds its output open.
const AFTERMATH: Duration = Duration::from_secs(1);

impl Command {
    /// Runs it to its end, or to its time limit: then SIGINT to its group, the grace, and SIGKILL only where
    /// [`AfterGrace::Kill`] allows it. Any exit code is a result; a time-out is an error.
    ///
    /// If the returned future is dropped, a process that may be killed is; one that may not is left alone.
    pub async fn run(self) -> Result<Finished, ExecError> {
        let mut running = self.start()?;
        let (limit, program) = (self.time, self.name());
        let follow = |source| ExecError::Follow { program: program.clone(), source };
        if let Ok(status) = timeout(limit, running.child.wait()).await {
            return running.finished(status.map_err(follow)?.into()).await.map_err(follow);
        }
        tracing::warn!(program, pid = running.pid.get(), "time is up: interrupting");
        running.signal(Signal::INT);
        let status = match (timeout(self.grace, running.child.wait()).await, self.after_grace) {
            (Ok(status), _) => status,
            (Err(_), AfterGrace::Leave) => {
                return Err(ExecError::LeftRunning { program, limit, pid: running.pid });
            }
            (Err(_), AfterGrace::Kill) => {
                running.signal(Signal::KILL);
                running.child.wait().await
            }
        };
        let finished = running.finished(status.map_err(follow)?.into()).await.map_err(follow)?;
        Err(ExecError::TimedOut { program, limit, finished: Box::new(finished) })
    }

    fn start(&self) -> Result<Running, ExecError> {
        let mut command = self.prepared()?;
        command.stdout(Stdio::piped()).kill_on_drop(self.after_grace == AfterGrace::Kill);
        let reach = match self.stdin {
            Stdin::Null | Stdin::Bytes(_) => Reach::Group,
            Stdin::Terminal => Reach::Process,
        };
        match self.stdin {
            Stdin::Null => command.stdin(Stdio::null()).stderr(Stdio::piped()).process_group(0),
            Stdin::Bytes(_) => command.stdin(Stdio::piped()).stderr(Stdio::piped()).process_group(0),
            Stdin::Terminal => command.stdin(Stdio::inherit()).stderr(Stdio::inherit()),
        };
        let failed = |source| ExecError::Start { program: self.name(), source };
        let mut child = command.spawn().map_err(failed)?;
        let pid = child.id().map(Pid).ok_or_else(|| failed(io::Error::other("it has no process id")))?;
        self.feed(&mut child);
        let stdout = Capture::begin(child.stdout.take(), self.output_bytes);
        let stderr = Capture::begin(child.stderr.take(), self.output_bytes);
        Ok(Running { child, pid, reach, stdout, stderr })
    }

    /// Writes in a task of its own. A process that does not read its input to the end is within its rights, so
    /// a broken pipe is no error.
    fn feed(&self, child: &mut Child) {
        if let (Stdin::Bytes(bytes), Some(mut pipe)) = (&self.stdin, child.stdin.take()) {
            let bytes = bytes.clone();
            tokio::spawn(async move { pipe.write_all(&bytes).await });
        }
    }
}

/// Whom a signal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// The process and what it started.
    Group,
    /// The process alone, since its group is ours.
    Process,
}

/// A process that was started.
struct Running {
    child: Child,
    pid: Pid,
    reach: Reach,
    stdout: Capture,
    stderr: Capture,
}

impl Running {
    /// Sends a signal. Only while the process is not waited for, so that its number is still its own. That it
    /// has just ended by itself is no failure: the wait that follows sees it.
    fn signal(&self, signal: Signal) {
        let Some(pid) = i32::try_from(self.pid.get()).ok().and_then(rustix::process::Pid::from_raw) else {
            return;
        };
        let sent = match self.reach {
            Reach::Group => rustix::process::kill_process_group(pid, signal),
            Reach::Process => rustix::process::kill_process(pid, signal),
        };
        if let Err(error) = sent {
            tracing::warn!(pid = self.pid.get(), %error, "the signal was not sent");
        }
    }

    async fn finished(mut self, status: Status) -> io::Result<Finished> {
        let both = async { self.stdout.ended().await.and(self.stderr.ended().await) };
        if let Ok(read) = timeout(AFTERMATH, both).await {
            read?;
        }
        let ((stdout, all_out), (stderr, all_err)) = (self.stdout.take(), self.stderr.take());
        Ok(Finished { status, stdout, stderr, truncated: !(all_out && all_err) })
    }
}
