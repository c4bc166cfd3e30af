//! What a person configures, from options, environment and one YAML file, in that order.

use std::path::{Path, PathBuf};

use clap::Args;
use miette::Diagnostic;
use runcord_model::{AgentName, Refusal, RunbookName};
use serde::Deserialize;

use crate::refusals;

/// The options that every command shares.
#[derive(Debug, Clone, Default, Args)]
pub struct Options {
    /// Folder of runbook files [default: the shipped library, built in]
    #[arg(long, value_name = "DIR", env = "RUNCORD_RUNBOOKS", global = true)]
    pub runbooks: Option<PathBuf>,
    /// Folder of policy: *.cedar, schema.cedarschema, people.yaml, approvers, targets.yaml, modules.yaml, playbooks.yaml [default: the shipped policy, built in]
    #[arg(long, value_name = "DIR", env = "RUNCORD_POLICY", global = true)]
    pub policy: Option<PathBuf>,
    /// Folder of the ledger and its locks [default: $XDG_STATE_HOME/runcord]
    #[arg(long, value_name = "DIR", env = "RUNCORD_STATE", global = true)]
    pub state: Option<PathBuf>,
    /// Configuration file [default: $XDG_CONFIG_HOME/runcord/runcord.yaml]
    #[arg(long, value_name = "FILE", env = "RUNCORD_CONFIG", global = true)]
    pub config: Option<PathBuf>,
}

/// The configuration file. Configuration is not authority: nothing in it permits anything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    /// The name of the agent that this installation serves; `agent` when not given.
    agent: Option<AgentName>,
    runbooks: Option<PathBuf>,
    /// Names of runbooks that are loaded only where they are named: those in a folder `optional`.
    optional_runbooks: Vec<RunbookName>,
    policy: Option<PathBuf>,
    state: Option<PathBuf>,
    /// Names of further environment variables that the run worker keeps, such as those a credential plugin reads.
    worker_environment: Vec<String>,
}

/// Where a set of files comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built into the binary.
    Shipped,
    /// Read from a folder, anew whenever it changes.
    Folder(PathBuf),
}

impl Origin {
    /// An optional file of it; an empty text where there is none.
    ///
    /// # Errors
    /// `target_unreachable` when it is there and cannot be read.
    pub fn text(&self, file: &str) -> Result<String, Refusal> {
        let Self::Folder(folder) = self else { return Ok(String::new()) };
        match std::fs::read_to_string(folder.join(file)) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(_) => Err(refusals::surroundings(format!("{file} in the policy folder cannot be read"))),
        }
    }
}

/// The settings in force, complete.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where runbooks come from.
    pub runbooks: Origin,
    /// The optional ones among them that are loaded.
    pub optional_runbooks: Vec<RunbookName>,
    /// Where policy comes from.
    pub policy: Origin,
    /// Where the ledger lives.
    pub state: PathBuf,
    /// Where the configuration file is, whether or not it exists.
    pub config: PathBuf,
    /// The agent's name.
    pub agent: AgentName,
    /// Further environment variables for the run worker.
    pub worker_environment: Vec<String>,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum SettingsError {
    /// There is no home to put the state in.
    #[error("neither XDG_STATE_HOME, XDG_CONFIG_HOME nor HOME is set")]
    #[diagnostic(help("set HOME, or give --state and --config"))]
    NoHome,
    /// The configuration file is there and cannot be read.
    #[error("cannot read the configuration file {path}")]
    #[diagnostic(help("mend its permissions, or name another with --config"))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The configuration file is not what it should be.
    #[error("the configuration file {path} is not valid: {reason}")]
    #[diagnostic(help(
        "allowed keys: agent, runbooks, optional_runbooks, policy, state, worker_environment"
    ))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        reason: String,
    },
}

impl Settings {
    /// The settings that follow from `options`, the environment and the configuration file.
    ///
    /// # Errors
    /// When a named configuration file is missing, or one that exists cannot be read or understood.
    pub fn resolve(options: &Options) -> Result<Self, SettingsError> {
        let config = match &options.config {
            Some(path) => path.clone(),
            None => home("XDG_CONFIG_HOME", ".config")?.join("runcord/runcord.yaml"),
        };
        let file = match std::fs::read_to_string(&config) {
            Ok(text) => parse(&config, &text)?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && options.config.is_none() => File::default(),
            Err(source) => return Err(SettingsError::Unreadable { path: config, source }),
        };
        let base = config.parent().map(Path::to_path_buf).unwrap_or_default();
        let folder = |option: &Option<PathBuf>, from_file: Option<PathBuf>| {
            // A relative path in a file means: relative to that file.
            option.clone().or_else(|| from_file.map(|path| base.join(path)))
        };
        let state = match folder(&options.state, file.state) {
            Some(path) => path,
            None => home("XDG_STATE_HOME", ".local/state")?.join("runcord"),
        };
        Ok(Self {
            runbooks: folder(&options.runbooks, file.runbooks).map_or(Origin::Shipped, Origin::Folder),
            optional_runbooks: file.optional_runbooks,
            policy: folder(&options.policy, file.policy).map_or(Origin::Shipped, Origin::Folder),
            state,
            agent: file.agent.unwrap_or_else(default_agent),
            worker_environment: file.worker_environment,
            config,
        })
    }

    /// The same with the default set of the shipped library: what to look at policy alone with.
    #[must_use]
    pub fn with_shipped_runbooks(self) -> Self {
        Self { runbooks: Origin::Shipped, optional_runbooks: Vec::new(), ..self }
    }
}

fn parse(path: &Path, text: &str) -> Result<File, SettingsError> {
    if text.trim().is_empty() {
        return Ok(File::default());
    }
    serde_saphyr::from_str(text)
        .map_err(|e| SettingsError::Invalid { path: path.to_path_buf(), reason: e.to_string() })
}

fn home(variable: &str, below_home: &str) -> Result<PathBuf, SettingsError> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set(variable)
        .filter(|path| path.is_absolute())
        .or_else(|| set("HOME").map(|home| home.join(below_home)))
        .ok_or(SettingsError::NoHome)
}

fn default_agent() -> AgentName {
    // The literal follows the grammar; were it ever changed to one that does not, the test below says so.
    AgentName::try_from("agent".to_owned()).unwrap_or_else(|_| unreachable!())
}

/// The operating-system user, as the kernel says: never what a client or the environment says.
pub fn login() -> String {
    let uid = nix::unistd::geteuid();
    nix::unistd::User::from_uid(uid).ok().flatten().map_or_else(|| format!("uid-{uid}"), |user| user.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_in_the_file_is_refused_with_its_place() {
        let error = parse(Path::new("runcord.yaml"), "agent: claude\npolicies: x\n").unwrap_err();
        assert!(error.to_string().contains("policies"), "{error}");
    }

    #[test]
    fn the_default_agent_follows_its_grammar() {
        assert_eq!(default_agent().as_str(), "agent");
    }
}
