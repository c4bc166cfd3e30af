//! The tool that plans and applies, `terraform` or `tofu`, and how it is started: in a configuration's folder, with an
//! environment of ours and what the module's declaration names, and nothing else.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runcord_exec::{AfterGrace, Command, ExecError, Finished, Followed, Status, Timed, find_program};
use runcord_model::Refusal;
use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::modules::Module;
use crate::names::{Address, DEFAULT_WORKSPACE, LockId, WorkspaceName};
use crate::seen::StateMark;
use crate::snapshot::Configuration;
use crate::state;
use runcord_runtime::refusals::{internal, surroundings, unusable};

/// How long a start that only reads may take. Planning asks the providers about every resource.
const PLANNING: Duration = Duration::from_secs(15 * 60);
const READING: Duration = Duration::from_secs(5 * 60);
/// How long an interrupted start is waited for. It writes what it knows and lets its lock go.
const GRACE: Duration = Duration::from_secs(120);
/// Its answers on a pipe, at most; what may be larger goes to a file.
const ANSWER: usize = 1 << 20;
/// What is read of what a plan says, at most.
const SAID: u64 = 1 << 20;
/// How long a start waits for a lock that somebody else holds.
const LOCK_PATIENCE: &str = "-lock-timeout=5s";

/// The oldest version whose plans say enough of what they would do.
const OLDEST: (u32, u32) = (1, 5);

/// The tool, found once.
#[derive(Debug)]
pub(crate) struct Tool {
    name: &'static str,
    program: PathBuf,
    /// Once it was asked.
    version: OnceCell<String>,
    places: Places,
}

/// Where the tool keeps what is not a module's.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// Our own configuration of its command line: no development overrides, and where providers come from.
    pub(crate) cli_config: PathBuf,
    /// A home in which nobody has left anything.
    pub(crate) home: PathBuf,
    /// Temporary files.
    pub(crate) temporary: PathBuf,
}

/// What `version -json` says, of both tools.
#[derive(Deserialize)]
struct Version {
    terraform_version: String,
}

/// What kind of plan is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// What the configuration asks for.
    Changes,
    /// The same, and one instance anew.
    Replace(Address),
    /// What has changed in the world, taken into the state.
    RefreshOnly,
}

/// Whether a plan changes anything, as its exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It does.
    Changes,
    /// It does not.
    Nothing,
}

impl Tool {
    /// `terraform` on our PATH, and `tofu` where there is none. It is not asked for its version yet.
    pub(crate) fn find(places: Places) -> Result<Self, Refusal> {
        let (name, program) = ["terraform", "tofu"]
            .into_iter()
            .find_map(|name| Some((name, find_program(name)?)))
            .ok_or_else(|| surroundings("neither terraform nor tofu is on the PATH of this server"))?;
        // A link may be pointed elsewhere while we run: what was looked at is what is started.
        let program = std::fs::canonicalize(program)
            .map_err(|_| surroundings(format!("{name} on the PATH of this server cannot be found")))?;
        match is_binary(&program) {
            Ok(true) => Ok(Self { name, program, version: OnceCell::new(), places }),
            Ok(false) => Err(surroundings(format!(
                "{name} on the PATH of this server is a script: which binary it starts is not for sure"
            ))),
            Err(_) => Err(surroundings(format!("{name} on the PATH of this server cannot be read"))),
        }
    }

    /// Its file.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Its name and version, `terraform 1.11.4`. It is asked the first time.
    ///
    /// # Errors
    /// `target_unreachable` when it does not start, or is older than plans that say enough.
    pub(crate) async fn version(&self) -> Result<&str, Refusal> {
        let version = self.version.get_or_try_init(|| self.ask_version()).await?;
        Ok(version)
    }

    /// Lets it be known that this binary has told its version before.
    pub(crate) fn is_of(&self, version: &str) {
        // Whoever asked meanwhile got the same.
        let _ = self.version.set(version.to_owned());
    }

    async fn ask_version(&self) -> Result<String, Refusal> {
        let name = self.name;
        let _timed = Timed::start("version");
        let answer = self.bare().args(["version", "-json"]).run().await.map_err(|e| unstarted(&e))?;
        let said: Version = serde_json::from_slice(&answer.stdout)
            .map_err(|_| surroundings(format!("{name} does not say its version")))?;
        let version = said.terraform_version;
        match numbers(&version) {
            Some(found) if found >= OLDEST => Ok(format!("{name} {version}")),
            Some(_) | None => {
                let (major, minor) = OLDEST;
                Err(surroundings(format!("{name} is older than {major}.{minor}, or of no known version")))
            }
        }
    }

    /// The tool in one configuration's folder, for one workspace.
    pub(crate) fn at<'t>(
        &'t self,
        configuration: &'t Configuration,
        declared: &'t Module,
        workspace: &'t WorkspaceName,
    ) -> Session<'t> {
        Session { tool: self, configuration, declared, workspace }
    }

    fn bare(&self) -> Command {
        Command::new(&self.program)
            .keep_env(&["PATH"])
            .env("HOME", &self.places.home)
            .env("TMPDIR", &self.places.temporary)
            .env("LANG", "C")
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .env("TF_CLI_CONFIG_FILE", &self.places.cli_config)
            .directory(&self.places.home)
            .limits(READING, ANSWER)
            // Killed, it would leave its lock.
            .after_time_out(GRACE, AfterGrace::Leave)
    }
}

/// Whether a file is a program itself, and not the script of a version manager that chooses one each time.
fn is_binary(program: &Path) -> std::io::Result<bool> {
    let mut begins = [0; 2];
    File::open(program)?.read_exact(&mut begins)?;
    Ok(&begins != b"#!")
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The tool in one configuration's folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session<'t> {
    tool: &'t Tool,
    configuration: &'t Configuration,
    declared: &'t Module,
    workspace: &'t WorkspaceName,
}

impl Session<'_> {
    /// Makes the data folder: the backend, the modules and the providers, as the lock file pins them. Then looks whether
    /// the workspace is there: the tool would make one that is not, and nobody has approved that.
    pub(crate) async fn init(&self) -> Result<(), Refusal> {
        let args = ["init", "-input=false", "-no-color", "-lockfile=readonly"];
        let _timed = Timed::start("init");
        let made = self.anywhere().args(args).run().await.map_err(|e| unstarted(&e))?;
        if !made.status.success() {
            return Err(unusable(
                "the module cannot be initialised: its providers are not what its lock file pins, or its backend cannot be reached",
                "Run the tool's own `init` in the module's folder, and review and commit .terraform.lock.hcl.",
            ));
        }
        if self.workspace.is_default() {
            return Ok(());
        }
        let listed = self.anywhere().args(["workspace", "list"]).run().await.map_err(|e| unstarted(&e))?;
        if listed.status.success() && names(&listed.stdout).any(|name| name == self.workspace.as_str()) {
            return Ok(());
        }
        Err(unusable(
            format!("there is no workspace {}", self.workspace),
            "Make it with the tool's own `workspace new`, or name another one with --workspace.",
        ))
    }

    /// Plans into the file `out`.
    pub(crate) async fn plan(&self, asked: &Asked, out: &Path) -> Result<Outcome, Refusal> {
        let mut args: Vec<OsString> =
            ["plan", "-input=false", "-no-color", "-detailed-exitcode", LOCK_PATIENCE]
                .map(OsString::from)
                .into();
        match asked {
            Asked::Changes => {}
            Asked::Replace(address) => args.push(format!("-replace={address}").into()),
            Asked::RefreshOnly => args.push("-refresh-only".into()),
        }
        args.push(option("-out=", out));
        let _timed = Timed::start("plan");
        match self.planning(self.command().args(args), out).await?.0 {
            Status::Exited(0) => Ok(Outcome::Nothing),
            Status::Exited(2) => Ok(Outcome::Changes),
            Status::Exited(_) | Status::Signalled(_) => Err(unusable(
                "the tool could not plan: the configuration is not valid, its state cannot be read, or a provider failed",
                "Run the tool's own `plan` in the module's folder to see why.",
            )),
        }
    }

    /// Plans into `out`, and gives what the tool said on its standard output. That is in a file meanwhile and not in a pipe:
    /// a pipe that nobody reads any more, since this process has died, would kill the tool at its next word, and its lock
    /// would stay for good.
    async fn planning(&self, command: Command, out: &Path) -> Result<(Status, Vec<u8>), Refusal> {
        let (said, errors) = (out.with_extension("said"), out.with_extension("errors"));
        let mut started = command.follow(&said, &errors).map_err(|e| unstarted(&e))?;
        let mut ended = tokio::time::timeout(PLANNING, started.ended()).await;
        if ended.is_err() {
            started.interrupt();
            ended = tokio::time::timeout(GRACE, started.ended()).await;
        }
        let mut text = Vec::new();
        let read = File::open(&said).and_then(|file| file.take(SAID).read_to_end(&mut text));
        for file in [said, errors] {
            let _ = std::fs::remove_file(file);
        }
        let late = |_| unusable("the tool does not end", "Look what it waits for, and end it by hand.");
        let status = ended.map_err(late)?.map_err(|e| unstarted(&e))?;
        read.map_err(|_| internal("what the tool said cannot be read"))?;
        Ok((status, text))
    }

    /// Writes what a saved plan says, as JSON, into the new file `out`. Secrets are in it in clear.
    pub(crate) async fn show(&self, plan: &Path, out: &Path) -> Result<(), Refusal> {
        self.shown(self.command().args(["show", "-no-color", "-json"]).arg(plan), out).await
    }

    /// The same of the state.
    pub(crate) async fn show_state(&self, out: &Path) -> Result<(), Refusal> {
        self.shown(self.command().args(["show", "-no-color", "-json"]), out).await
    }

    async fn shown(&self, command: Command, out: &Path) -> Result<(), Refusal> {
        let errors = out.with_extension("errors");
        let _timed = Timed::start("show");
        let mut started = command.follow(out, &errors).map_err(|e| unstarted(&e))?;
        let status = started.ended().await.map_err(|e| unstarted(&e))?;
        let _ = std::fs::remove_file(errors);
        match status.success() {
            true => Ok(()),
            false => Err(unusable("the tool cannot show a plan or state of its own", "Plan again.")),
        }
    }

    /// Applies a saved plan and nothing else; what it says goes to these new files.
    pub(crate) fn apply(&self, plan: &Path, stdout: &Path, stderr: &Path) -> Result<Followed, ExecError> {
        let args = ["apply", "-input=false", "-no-color", "-json", LOCK_PATIENCE];
        self.command().args(args).arg(plan).follow(stdout, stderr)
    }

    /// Which state it is, and which writing of it; none where it is not understood. No lock is taken. A state in a file is
    /// read there: of any other the tool has to be asked, which takes a start.
    pub(crate) async fn state_mark(&self) -> Result<Option<StateMark>, Refusal> {
        let read = self.configuration.state_file(self.workspace).and_then(|file| state::mark_in(&file));
        match read {
            Some(mark) => Ok(Some(mark)),
            None => Ok(state::mark(&self.answer(&["state", "pull"]).await?)),
        }
    }

    /// All outputs, in JSON. Secrets are in it in clear.
    pub(crate) async fn outputs(&self) -> Result<Vec<u8>, Refusal> {
        self.answer(&["output", "-no-color", "-json"]).await
    }

    /// Breaks the lock of that id, and no other.
    pub(crate) async fn unlock(&self, lock: &LockId) -> Result<Finished, ExecError> {
        let _timed = Timed::start("force-unlock");
        self.command().args(["force-unlock", "-force", lock.as_str()]).run().await
    }

    /// Tries for the state's lock; gives whether it got it and, in JSON lines, who has it.
    pub(crate) async fn try_lock(&self, out: &Path) -> Result<(Status, Vec<u8>), Refusal> {
        let args = ["plan", "-input=false", "-no-color", "-json", "-refresh=false", "-lock-timeout=0s"];
        let _timed = Timed::start("plan for its lock");
        self.planning(self.command().args(args).arg(option("-out=", out)), out).await
    }

    async fn answer(&self, args: &[&'static str]) -> Result<Vec<u8>, Refusal> {
        let _timed = Timed::start(args.first().copied().unwrap_or_default());
        let finished = self.command().args(args.iter().copied()).limits(READING, 64 << 20).run().await;
        let finished = finished.map_err(|e| unstarted(&e))?;
        if !finished.status.success() || finished.truncated {
            return Err(unusable(
                "the state cannot be read",
                "Run the tool's own `state list` in the module's folder to see why.",
            ));
        }
        Ok(finished.stdout)
    }

    fn command(&self) -> Command {
        self.anywhere().env("TF_WORKSPACE", self.workspace.as_str())
    }

    /// In the workspace that is always there.
    fn anywhere(&self) -> Command {
        let names: Vec<&str> = self.declared.environment.iter().map(String::as_str).collect();
        self.tool
            .bare()
            .keep_env(&names)
            .env("TF_DATA_DIR", &self.configuration.data)
            .env("TF_WORKSPACE", DEFAULT_WORKSPACE)
            .directory(&self.configuration.directory)
    }
}

/// The workspaces that the tool lists, one a line, the chosen one behind a star.
fn names(listed: &[u8]) -> impl Iterator<Item = &str> {
    let text = std::str::from_utf8(listed).unwrap_or_default();
    text.lines().map(|line| line.trim_start_matches('*').trim()).filter(|name| !name.is_empty())
}

fn option(name: &str, value: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(value);
    option
}

/// What the tool wrote is not repeated: it may be anything.
fn unstarted(error: &ExecError) -> Refusal {
    tracing::error!(error = error as &dyn std::error::Error, "the tool gave no result");
    surroundings(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (text, new_enough) in [("1.5.0", true), ("1.11.4", true), ("1.4.9", false), ("2.0.0-rc1", true)] {
            assert_eq!(numbers(text).is_some_and(|found| found >= OLDEST), new_enough, "{text}");
        }
        assert_eq!(numbers("dev"), None);
    }

    #[test]
    fn a_script_is_not_the_tool() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("terraform");
        for (bytes, binary) in [(&b"\x7fELF\x02"[..], true), (b"#!/usr/bin/env bash\n", false)] {
            std::fs::write(&program, bytes).unwrap();
            assert_eq!(is_binary(&program).unwrap(), binary);
        }
        std::fs::write(&program, "#").unwrap();
        assert!(is_binary(&program).is_err(), "too short to be one");
    }

    #[test]
    fn a_workspace_is_one_that_is_listed_by_its_whole_name() {
        let listed: Vec<_> = names(b"* default\n  prod\n\n").collect();
        assert_eq!(listed, ["default", "prod"]);
    }
}
