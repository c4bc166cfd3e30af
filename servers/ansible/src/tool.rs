//! Ansible, and how it is started: in a content's folder, with an environment of ours and what the declaration of the
//! playbook names, and nothing else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runcord_exec::{AfterGrace, Command, ExecError, Finished, Followed, Timed, find_program};
use runcord_model::Refusal;

use crate::content::{Content, HostsFrom};
use crate::desk::Desk;
use crate::names::{HostName, ModuleFqcn, ProjectPath, Tag};
use crate::playbooks::{Playbook, Source};
use crate::refuse::{surroundings, unusable};

/// How long a start that asks no host may take.
const READING: Duration = Duration::from_secs(5 * 60);
/// How long an interrupted start is waited for.
const GRACE: Duration = Duration::from_secs(60);
/// An inventory, or what modules say of themselves, at most.
const ANSWER: usize = 64 << 20;
/// The oldest version that is known to behave as this server takes for granted.
const OLDEST: (u32, u32) = (2, 17);

/// Ansible's programs, found once.
#[derive(Debug)]
pub(crate) struct Tool {
    playbook: PathBuf,
    inventory: PathBuf,
    doc: PathBuf,
    /// Where it was said to be.
    venv: Option<PathBuf>,
    desk: Desk,
}

/// How a playbook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// In check mode, with the differences.
    Check,
    /// For real.
    Real,
}

/// A playbook that is to run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) playbook: &'a Path,
    /// The inventory of exactly its hosts.
    pub(crate) inventory: &'a Path,
    pub(crate) variables: &'a Path,
    pub(crate) tags: &'a BTreeSet<Tag>,
    pub(crate) mode: Mode,
    /// How long one task may take.
    pub(crate) task: Duration,
    /// Where our callback plugin writes.
    pub(crate) events: &'a Path,
}

impl Tool {
    /// In the virtual environment, or on our PATH. It is not started yet.
    pub(crate) fn find(venv: Option<&Path>, desk: Desk) -> Result<Self, Refusal> {
        let venv = venv.map(std::path::absolute).transpose();
        let venv = venv.map_err(|_| surroundings("the virtual environment (--ansible) cannot be found"))?;
        let program = |name: &str| match &venv {
            Some(venv) => Some(venv.join("bin").join(name)).filter(|program| program.is_file()),
            None => find_program(name),
        };
        let missing = || {
            surroundings(match &venv {
                Some(_) => "the virtual environment (--ansible) has no bin/ansible-playbook",
                None => {
                    "ansible-playbook was not found on the PATH; name a virtual environment with --ansible"
                }
            })
        };
        Ok(Self {
            playbook: program("ansible-playbook").ok_or_else(missing)?,
            inventory: program("ansible-inventory").ok_or_else(missing)?,
            doc: program("ansible-doc").ok_or_else(missing)?,
            venv,
            desk,
        })
    }

    /// Where it was said to be.
    pub(crate) fn venv(&self) -> Option<&Path> {
        self.venv.as_deref()
    }

    /// Its version, `ansible-core 2.19.4`. It is asked each time: it may be exchanged while we run.
    ///
    /// # Errors
    /// `target_unreachable` when it does not start, or is too old.
    pub(crate) async fn version(&self) -> Result<String, Refusal> {
        let _timed = Timed::start("version");
        let answer = self.bare(&self.playbook).arg("--version").run().await.map_err(|e| unstarted(&e))?;
        let version = version_in(&String::from_utf8_lossy(&answer.stdout)).map(str::to_owned);
        match version.as_deref().map(|version| (version, numbers(version))) {
            Some((version, Some(found))) if found >= OLDEST => Ok(format!("ansible-core {version}")),
            Some(_) | None => {
                let (major, minor) = OLDEST;
                Err(surroundings(format!(
                    "ansible-core is older than {major}.{minor}, or of no known version"
                )))
            }
        }
    }

    /// Ansible in one content's folder, for one playbook.
    pub(crate) fn at<'t>(&'t self, content: &'t Content, declared: &'t Playbook) -> Session<'t> {
        Session { tool: self, content, declared }
    }

    fn bare(&self, program: &Path) -> Command {
        Command::new(program)
            .keep_env(&["PATH", "SSH_AUTH_SOCK"])
            .env("HOME", self.desk.home())
            .env("ANSIBLE_HOME", self.desk.home())
            .env("TMPDIR", self.desk.temporary())
            .env("ANSIBLE_LOCAL_TEMP", self.desk.temporary())
            // Ansible refuses to start where it cannot write every letter.
            .env("LANG", "C.UTF-8")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .directory(&self.desk.home())
            .limits(READING, ANSWER)
            .after_time_out(GRACE, AfterGrace::Kill)
    }
}

fn version_in(text: &str) -> Option<&str> {
    text.lines().next()?.split_once("[core ")?.1.split_once(']').map(|(version, _)| version)
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Ansible in one content's folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session<'t> {
    tool: &'t Tool,
    content: &'t Content,
    declared: &'t Playbook,
}

impl Session<'_> {
    /// The whole inventory, in JSON, with the variables that lie beside a playbook of the project. Secrets may be in it. What
    /// it asks, it asks now, once.
    pub(crate) async fn inventory(
        &self,
        inventory: &ProjectPath,
        from: HostsFrom,
    ) -> Result<Vec<u8>, Refusal> {
        let command = self.command(&self.tool.inventory).args(["--list", "-i", inventory.as_str()]);
        let command = match from {
            // What is taken for written down can be nothing else: neither a program nor a plugin reads it.
            HostsFrom::Files | HostsFrom::Nowhere => command.env("ANSIBLE_INVENTORY_ENABLED", "yaml,ini"),
            HostsFrom::Elsewhere => command,
        };
        let command = match &self.declared.playbook {
            Source::Project(playbook) => command.args(["--playbook-dir", folder_of(playbook)]),
            Source::Shipped(_) => command,
        };
        let _timed = Timed::start("inventory");
        let said = command.run().await.map_err(|e| unstarted(&e))?;
        if !said.status.success() || said.truncated {
            return Err(unusable(
                "the inventory cannot be read: it is not valid, or what it asks does not answer",
                "Run `ansible-inventory --list` with it in the project's folder to see why.",
            ));
        }
        Ok(said.stdout)
    }

    /// What these modules say of themselves, in JSON.
    pub(crate) async fn documented(&self, modules: &BTreeSet<ModuleFqcn>) -> Result<Vec<u8>, Refusal> {
        let names = modules.iter().map(ModuleFqcn::to_string);
        let command = self.command(&self.tool.doc).args(["-j", "-t", "module"]).args(names);
        let _timed = Timed::start("doc");
        let said = command.run().await.map_err(|e| unstarted(&e))?;
        if said.truncated {
            return Err(unusable(
                "the documentation of modules is too large",
                "Use fewer modules in one playbook.",
            ));
        }
        // Modules that are not there are left out, and with that unknown.
        Ok(said.stdout)
    }

    /// The hosts that Ansible itself says a playbook would run on.
    pub(crate) async fn list_hosts(&self, run: &Run<'_>) -> Result<BTreeSet<HostName>, Refusal> {
        let _timed = Timed::start("list-hosts");
        let said = self.play(run).arg("--list-hosts").limits(READING, ANSWER).run().await;
        let said = said.map_err(|e| unstarted(&e))?;
        if !said.status.success() || said.truncated {
            return Err(unusable(
                "Ansible cannot read the playbook",
                "Run `ansible-playbook --syntax-check` with it in the project's folder to see why.",
            ));
        }
        listed(&String::from_utf8_lossy(&said.stdout)).ok_or_else(|| {
            unusable(
                "the hosts that Ansible lists are not in the form that is known",
                "Report this as a fault of Runcord.",
            )
        })
    }

    /// Runs a playbook to its end, however it ends, within `time`.
    pub(crate) async fn run(&self, run: &Run<'_>, time: Duration) -> Result<Finished, ExecError> {
        let _timed = Timed::start(match run.mode {
            Mode::Check => "check",
            Mode::Real => "read",
        });
        self.play(run).limits(time, 1 << 20).run().await
    }

    /// Starts a playbook; what it says goes to these new files, and it outlives us.
    pub(crate) fn follow(&self, run: &Run<'_>, stdout: &Path, stderr: &Path) -> Result<Followed, ExecError> {
        self.play(run).follow(stdout, stderr)
    }

    fn play(&self, run: &Run<'_>) -> Command {
        let command = self
            .command(&self.tool.playbook)
            .env("RUNCORD_EVENTS", run.events)
            // What we give it is in this one form: nothing else is to guess at it.
            .env("ANSIBLE_INVENTORY_ENABLED", "yaml")
            // All variables of hosts are in there, frozen; none is found beside a playbook on top of them.
            .env("ANSIBLE_VARS_ENABLED", "")
            .env("ANSIBLE_TASK_TIMEOUT", run.task.as_secs().to_string())
            .arg("-i")
            .arg(run.inventory)
            .arg("-e")
            .arg(prefixed("@", run.variables));
        let command = match run.mode {
            Mode::Check => command.args(["--check", "--diff"]),
            Mode::Real => command,
        };
        let tags: Vec<_> = run.tags.iter().map(Tag::to_string).collect();
        let command = if tags.is_empty() { command } else { command.arg("--tags").arg(tags.join(",")) };
        command.arg(run.playbook)
    }

    fn command(&self, program: &Path) -> Command {
        let names: Vec<&str> = self.declared.environment.iter().map(String::as_str).collect();
        self.tool
            .bare(program)
            .keep_env(&names)
            .env("ANSIBLE_CONFIG", self.content.config())
            .directory(&self.content.project())
    }
}

/// The folder that a playbook lies in, from the project's.
fn folder_of(playbook: &ProjectPath) -> &str {
    playbook.as_str().rsplit_once('/').map_or(".", |(folder, _)| folder)
}

fn prefixed(prefix: &str, path: &Path) -> std::ffi::OsString {
    let mut argument = std::ffi::OsString::from(prefix);
    argument.push(path);
    argument
}

/// What stands under `hosts (N):` of each play; nothing where the form is another.
fn listed(text: &str) -> Option<BTreeSet<HostName>> {
    let mut hosts = BTreeSet::new();
    let mut left = 0_usize;
    for line in text.lines().map(str::trim) {
        if let Some(count) = line.strip_prefix("hosts (").and_then(|rest| rest.strip_suffix("):")) {
            left = count.parse().ok()?;
        } else if left > 0 {
            hosts.insert(line.parse().ok()?);
            left -= 1;
        }
    }
    Some(hosts)
}

fn unstarted(error: &ExecError) -> Refusal {
    tracing::error!(error = error as &dyn std::error::Error, "Ansible did not come to its end");
    match error {
        ExecError::TimedOut { .. } | ExecError::LeftRunning { .. } => {
            unusable("Ansible did not end in time", "Look which host does not answer, then plan again.")
        }
        ExecError::NotAbsolute { .. }
        | ExecError::Start { .. }
        | ExecError::Output { .. }
        | ExecError::Follow { .. }
        | ExecError::Session { .. } => surroundings("Ansible cannot be started"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_old_ones_known() {
        assert_eq!(version_in("ansible-playbook [core 2.19.14]\n  config"), Some("2.19.14"));
        assert_eq!(version_in("ansible-playbook 2.9.6"), None);
        for (text, new_enough) in [("2.16.3", false), ("2.17.0", true), ("2.19.14", true), ("3.0.0rc1", true)]
        {
            assert_eq!(numbers(text).is_some_and(|found| found >= OLDEST), new_enough, "{text}");
        }
        assert_eq!(numbers("devel"), None);
    }

    #[test]
    fn hosts_are_read_as_ansible_lists_them() {
        let text = "\nplaybook: x.yml\n\n  play #1 (all): Web\tTAGS: []\n    pattern: ['all']\n    hosts (2):\n      web1\n      web2\n\n  play #2 (db): Db\n    pattern: ['db']\n    hosts (0):\n";
        let hosts = listed(text).unwrap();
        assert_eq!(hosts.iter().map(HostName::as_str).collect::<Vec<_>>(), ["web1", "web2"]);
        assert_eq!(listed("  hosts (1):\n    -e x\n"), None);
        assert_eq!(listed("  hosts (x):\n"), None);
    }
}
