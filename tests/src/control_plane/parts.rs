//! One server process and its end.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

/// A running server. It is killed when this is dropped: nothing it holds is worth a slower end.
#[derive(Debug)]
pub(crate) struct Part {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Part {
    /// Starts `assets/name` with its output in `home/name.log`.
    ///
    /// The kernel kills the process when the *thread* that calls this ends (`setpriv --pdeathsig`, since setting it
    /// ourselves takes unsafe code): so it cannot outlive the tests, whatever happens to them.
    pub(crate) fn spawn(assets: &Path, home: &Path, name: &'static str, args: &[String]) -> Result<Self> {
        let log = home.join(format!("{name}.log"));
        let output = File::create(&log)?;
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(assets.join(name))
            .args(args)
            .current_dir(home)
            .env_clear()
            .env("HOME", home)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name} through setpriv (of util-linux)"))?;
        Ok(Self { name, child, log })
    }

    /// An error, with the end of its log, once it has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n");
        bail!("{} ended ({status}); the end of its log:\n{tail}", self.name)
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
