//! Starting a process that outlives us: the worker of a run.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::Stdio;

use rustix::fs::OFlags;

use crate::{Command, ExecError, Pid};

impl Command {
    /// Starts it and lets go of it: no input, output appended to `<name>.stdout.log` and `<name>.stderr.log` in
    /// the folder `outputs` (made if missing, 0700; the files 0600), no time limit, never killed by us. Called on
    /// a tokio runtime, which later collects its exit status so that no zombie stays.
    ///
    /// The process must call [`own_session`] before it does anything else. It cannot be put into a group of its
    /// own here, because the leader of a group may not begin a session.
    pub fn spawn_detached(self, outputs: &Path, name: &str) -> Result<Pid, ExecError> {
        let unopened = |source| ExecError::Output { program: self.name(), source };
        if name.is_empty() || name.contains(['/', '\0']) {
            return Err(unopened(io::Error::from(io::ErrorKind::InvalidFilename)));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(outputs).map_err(unopened)?;
        let stdout = append(&outputs.join(format!("{name}.stdout.log"))).map_err(unopened)?;
        let stderr = append(&outputs.join(format!("{name}.stderr.log"))).map_err(unopened)?;
        let failed = |source| ExecError::Start { program: self.name(), source };
        tokio::runtime::Handle::try_current().map_err(|e| failed(io::Error::other(e)))?;
        let child = self
            .prepared()?
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .kill_on_drop(false)
            .spawn()
            .map_err(failed)?;
        child.id().map(Pid).ok_or_else(|| failed(io::Error::other("it has no process id")))
    }
}

/// Leaves the session and the process group we were started in, so that neither a closed terminal nor a
/// client's signal to its group reaches us. To be called first thing by what [`Command::spawn_detached`] started.
pub fn own_session() -> Result<(), ExecError> {
    rustix::process::setsid().map(|_| ()).map_err(|errno| ExecError::Session { source: errno.into() })
}

/// Opens without following a link that somebody may have put there.
fn append(file: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).map_err(io::Error::other)?;
    OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(file)
}
