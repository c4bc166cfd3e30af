//! What is to be started, as data.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{ExecError, signals};

/// What the process reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stdin {
    /// Nothing.
    Null,
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// The terminal of whoever started us. Standard error is the terminal's too, and the process stays in our
    /// own group: one in the background that reads the terminal (a passphrase) would be stopped.
    Terminal,
}

/// What happens to a process that runs on after SIGINT and its grace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterGrace {
    /// Its whole group gets SIGKILL.
    Kill,
    /// It is left running: killing it would do more harm, such as to a state file that it is writing.
    Leave,
}

/// A process that is to be started. Nothing of our own environment reaches it but what is named here.
#[derive(Debug, Clone)]
#[must_use = "a command does nothing until it is run"]
pub struct Command {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: BTreeMap<OsString, OsString>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) stdin: Stdin,
    pub(crate) time: Duration,
    pub(crate) output_bytes: usize,
    pub(crate) grace: Duration,
    pub(crate) after_grace: AfterGrace,
}

impl Command {
    /// A command with an empty environment, no input, one minute of time, 1 MiB for each of its two outputs,
    /// and ten seconds between SIGINT and SIGKILL. `program` is an absolute path: see [`crate::find_program`].
    pub fn new(program: &Path) -> Self {
        Self {
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            directory: None,
            stdin: Stdin::Null,
            time: Duration::from_secs(60),
            output_bytes: 1 << 20,
            grace: Duration::from_secs(10),
            after_grace: AfterGrace::Kill,
        }
    }

    /// One more argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// More arguments.
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets one variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.insert(name.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    /// Passes on these variables of our own environment, where they are set.
    pub fn keep_env(mut self, names: &[&str]) -> Self {
        let kept =
            names.iter().filter_map(|name| std::env::var_os(name).map(|value| (OsString::from(name), value)));
        self.environment.extend(kept);
        self
    }

    /// Where it runs. Otherwise where we do.
    pub fn directory(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// What it reads.
    pub fn stdin(mut self, stdin: Stdin) -> Self {
        self.stdin = stdin;
        self
    }

    /// How long it may run, and how many bytes of each of its two outputs are kept. What it writes beyond
    /// that is read and dropped, so that it never waits for us.
    pub fn limits(mut self, time: Duration, output_bytes: usize) -> Self {
        (self.time, self.output_bytes) = (time, output_bytes);
        self
    }

    /// How long it has after SIGINT, and what then.
    pub fn after_time_out(mut self, grace: Duration, then: AfterGrace) -> Self {
        (self.grace, self.after_grace) = (grace, then);
        self
    }

    /// The program's name, for messages.
    pub(crate) fn name(&self) -> String {
        self.program.file_name().unwrap_or(self.program.as_os_str()).to_string_lossy().into_owned()
    }

    /// What both ways of starting have in common. To be started by the thread that prepared it.
    pub(crate) fn prepared(&self) -> Result<tokio::process::Command, ExecError> {
        if !self.program.is_absolute() {
            return Err(ExecError::NotAbsolute { program: self.name() });
        }
        signals::let_children_heed().map_err(|source| ExecError::Start { program: self.name(), source })?;
        let mut command = tokio::process::Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(&self.environment);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        Ok(command)
    }
}
