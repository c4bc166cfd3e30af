//! What became of a process, and its output while it is read.

use std::io;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};

use std::os::unix::process::ExitStatusExt;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinHandle;

/// The number of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pid(pub(crate) u32);

impl Pid {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl std::fmt::Display for Pid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// With this exit code.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
}

impl Status {
    /// Whether it ended with exit code 0.
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }
}

impl From<ExitStatus> for Status {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, signal) => Self::Signalled(signal.unwrap_or_default()),
        }
    }
}

/// A process that has ended. Its output is raw: it goes through `runcord_model::Untrusted` before anybody reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// How it ended.
    pub status: Status,
    /// What it wrote to standard output, up to the limit.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error, up to the limit; empty where that was the terminal.
    pub stderr: Vec<u8>,
    /// Whether some of its output is missing: it wrote more than the limit, or a child of it still held a
    /// pipe when it ended.
    pub truncated: bool,
}

/// One output while it is read, in a task of its own: the process never waits for us, even if nobody waits
/// for the process any more.
pub(crate) struct Capture {
    kept: Arc<Mutex<Kept>>,
    reader: JoinHandle<io::Result<()>>,
}

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    dropped: bool,
}

impl Capture {
    /// Begins to read; keeps the first `limit` bytes.
    pub(crate) fn begin(pipe: Option<impl AsyncRead + Unpin + Send + 'static>, limit: usize) -> Self {
        let kept = Arc::new(Mutex::new(Kept::default()));
        let reader = tokio::spawn(read(pipe, Arc::clone(&kept), limit));
        Self { kept, reader }
    }

    /// Until the end of the output.
    pub(crate) async fn ended(&mut self) -> io::Result<()> {
        (&mut self.reader).await.map_err(io::Error::other)?
    }

    /// What was kept, and whether all of it.
    pub(crate) fn take(self) -> (Vec<u8>, bool) {
        let complete = self.reader.is_finished();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut kept.bytes), complete && !kept.dropped)
    }
}

async fn read(
    pipe: Option<impl AsyncRead + Unpin + Send>,
    kept: Arc<Mutex<Kept>>,
    limit: usize,
) -> io::Result<()> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    let mut buffer = vec![0; 8 << 10];
    loop {
        let read = pipe.read(&mut buffer).await?;
        let Some(new) = buffer.get(..read).filter(|new| !new.is_empty()) else { return Ok(()) };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = limit.saturating_sub(kept.bytes.len()).min(read);
        kept.bytes.extend(new.iter().take(room));
        kept.dropped |= room < read;
    }
}
