//! One installation of Runcord: policy, people with keys, a state folder, and the commands of its operator.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::binaries;

/// The name that an installation's target has.
pub const TARGET: &str = "test-eu";

/// The agent of an installation.
pub const AGENT: &str = "claude";

/// An installation in a folder of its own, which goes when this is dropped.
pub struct Installation {
    folder: TempDir,
    /// What its servers and commands find their target by.
    target: Vec<(&'static str, PathBuf)>,
}

/// A person who approves. Both are in the groups `approvers` and `sre`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approver {
    /// `ana`.
    Ana,
    /// `ben`, for what takes two.
    Ben,
}

impl Approver {
    /// The name in `people.yaml` and `approvers`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ana => "ana",
            Self::Ben => "ben",
        }
    }
}

impl Installation {
    /// The shipped policy, two people with keys, an empty state folder, nothing in force yet. `target` are the variables by
    /// which servers find their target.
    ///
    /// # Errors
    ///
    /// Any of it failed.
    pub fn new(target: Vec<(&'static str, PathBuf)>) -> Result<Self> {
        let installation = Self { folder: TempDir::with_prefix("runcord-bed-")?, target };
        installation.make_people()?;
        Ok(installation)
    }

    /// The folder of policy files, for a test to change.
    pub fn policy(&self) -> PathBuf {
        self.path("policy")
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// A file or folder of the bed.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The private key of an approver; its public half is beside it.
    pub fn key(&self, approver: Approver) -> PathBuf {
        self.path("keys").join(approver.name())
    }

    /// The whole environment of servers and commands: nothing of the caller's but `PATH`.
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let own = vec![
            ("PATH", std::env::var_os("PATH").map(PathBuf::from).unwrap_or_default()),
            ("HOME", self.path("home")),
            ("XDG_STATE_HOME", self.path("home/state")),
            ("XDG_CONFIG_HOME", self.path("home/config")),
            ("RUNCORD_POLICY", self.policy()),
            ("RUNCORD_STATE", self.state()),
            ("RUNCORD_CONFIG", self.path("runcord.yaml")),
        ];
        // The later of two values counts.
        own.into_iter().chain(self.target.iter().cloned()).collect()
    }

    /// Runs `runcord` with these arguments, whatever comes of it.
    ///
    /// # Errors
    ///
    /// It is not built or cannot be started.
    pub fn runcord<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Result<Output> {
        let mut command = Command::new(binaries::find("runcord")?);
        command.args(args).env_clear().envs(self.environment()).stdin(Stdio::null());
        Ok(command.output()?)
    }

    /// Approves a plan (by id or file) as somebody, with their key.
    ///
    /// # Errors
    ///
    /// It was refused; the error shows what was printed.
    pub fn approve(&self, plan: &str, approver: Approver) -> Result<String> {
        succeeded("approve", &self.runcord(self.signed(["approve", plan], approver))?)
    }

    /// Puts the policy, people, approvers, runbooks and targets that lie there now in force.
    ///
    /// # Errors
    ///
    /// It was refused; the error shows what was printed.
    pub fn activate(&self, approver: Approver) -> Result<String> {
        succeeded("activate", &self.runcord(self.signed(["activate", "--json"], approver))?)
    }

    /// Names a target [`TARGET`], of an environment (`dev`, `staging` or `prod`), in `targets.yaml`.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn name_target(&self, identity: &str, environment: &str) -> Result<()> {
        let targets = format!(
            "targets:\n  - {{identity: \"{identity}\", name: {TARGET}, environment: {environment}}}\n"
        );
        Ok(fs::write(self.policy().join("targets.yaml"), targets)?)
    }

    /// The shipped policy, with two people and their keys.
    fn make_people(&self) -> Result<()> {
        for folder in ["keys", "home", "policy"] {
            fs::create_dir(self.path(folder))?;
        }
        // As `runcord init` makes it: nobody else's.
        fs::DirBuilder::new().mode(0o700).create(self.state())?;
        fs::write(self.path("runcord.yaml"), format!("agent: {AGENT}\n"))?;
        copy_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../policy/rules"), &self.policy())?;
        let (mut people, mut approvers) = (String::from("people:\n"), String::new());
        for approver in [Approver::Ana, Approver::Ben] {
            let name = approver.name();
            people += &format!("  {name}: {{login: {name}, groups: [approvers, sre]}}\n");
            let key = make_key(&self.key(approver))?;
            approvers += &format!("{name} namespaces=\"runcord-approval,runcord-authority\" {key}\n");
        }
        fs::write(self.policy().join("approvers"), approvers)?;
        let file = self.policy().join("people.yaml");
        let shipped = fs::read_to_string(&file)?;
        ensure!(shipped.contains("\npeople: {}\n"), "the shipped people.yaml names people");
        Ok(fs::write(file, shipped.replace("people: {}\n", &people))?)
    }

    fn signed(&self, command: [&str; 2], approver: Approver) -> Vec<std::ffi::OsString> {
        let mut args: Vec<std::ffi::OsString> = command.into_iter().map(Into::into).collect();
        args.extend(["--yes".into(), "--as".into(), approver.name().into()]);
        args.extend(["--key".into(), self.key(approver).into()]);
        args
    }
}

/// Standard output of a command that succeeded.
fn succeeded(what: &str, output: &Output) -> Result<String> {
    ensure!(output.status.success(), "runcord {what} failed ({}): {}", output.status, printed(output));
    Ok(String::from_utf8(output.stdout.clone())?)
}

/// All that a command printed.
pub(crate) fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A new key without a passphrase; gives its public half, `ssh-ed25519 AAAA…`.
fn make_key(path: &Path) -> Result<String> {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .context("cannot start ssh-keygen (of openssh-client)")?;
    ensure!(made.status.success(), "ssh-keygen failed: {}", printed(&made));
    let public = fs::read_to_string(path.with_extension("pub"))?;
    Ok(public.trim_end().trim_end_matches(" test").to_owned())
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
