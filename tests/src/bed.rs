//! Everything that a server needs to be itself: a namespace with nodes, a user of its own in the cluster, policy,
//! people with keys, a state folder, and an authority in force.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::control_plane::MASTERS;
use crate::session::{Era, Session};
use crate::{BedName, Cluster, ControlPlane, binaries};

/// The name that a bed's target has.
pub const TARGET: &str = "test-eu";

/// The agent of a bed.
pub const AGENT: &str = "claude";

/// A bed to run servers in. Its folder goes when this is dropped; its namespace goes with the control plane.
pub struct Bed {
    /// The name of its namespace, of its user in the audit log, and of its nodes before `-n1`, `-n2`, …
    pub name: BedName,
    /// An administrator's client, under another user than the servers'.
    pub cluster: Cluster,
    kubeconfig: PathBuf,
    folder: TempDir,
}

/// A person who approves in a bed. Both are in the groups `approvers` and `sre`.
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

impl Bed {
    /// A bed on the shared control plane with `nodes` nodes in three zones. Its target is named [`TARGET`] and counts as
    /// production; the authority in force is the one it was made with.
    ///
    /// # Errors
    ///
    /// Any of it failed.
    pub async fn new(word: &str, nodes: usize) -> Result<Self> {
        Self::on(ControlPlane::shared()?, word, nodes).await
    }

    /// A bed on a control plane of one's own.
    ///
    /// # Errors
    ///
    /// Any of it failed.
    pub async fn on(plane: &ControlPlane, word: &str, nodes: usize) -> Result<Self> {
        let (name, cluster) = (BedName::new(word), plane.cluster().await?);
        cluster.namespace(name.as_str()).await?;
        cluster.nodes(name.as_str(), nodes, 3).await?;
        let kubeconfig = plane.kubeconfig_for(name.as_str(), &[MASTERS])?;
        let bed = Self { name, cluster, kubeconfig, folder: TempDir::with_prefix("runcord-bed-")? };
        bed.make_people()?;
        bed.name_target("prod")?;
        bed.activate(Approver::Ana)?;
        Ok(bed)
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

    /// The kubeconfig file of its servers, for a test to change.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The private key of an approver; its public half is beside it.
    pub fn key(&self, approver: Approver) -> PathBuf {
        self.path("keys").join(approver.name())
    }

    /// The whole environment of servers and commands: nothing of the caller's but `PATH`.
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("PATH", std::env::var_os("PATH").map(PathBuf::from).unwrap_or_default()),
            ("HOME", self.path("home")),
            ("XDG_STATE_HOME", self.path("home/state")),
            ("XDG_CONFIG_HOME", self.path("home/config")),
            ("KUBECONFIG", self.kubeconfig.clone()),
            ("RUNCORD_POLICY", self.policy()),
            ("RUNCORD_STATE", self.state()),
            ("RUNCORD_CONFIG", self.path("runcord.yaml")),
        ]
    }

    /// A session with a new `runcord-kubectl`.
    ///
    /// # Errors
    ///
    /// It does not start or does not greet.
    pub async fn session(&self, era: Era) -> Result<Session> {
        self.session_with(era, &[]).await
    }

    /// The same with these variables on top of the bed's own.
    ///
    /// # Errors
    ///
    /// It does not start or does not greet.
    pub async fn session_with(&self, era: Era, more: &[(&'static str, PathBuf)]) -> Result<Session> {
        let binary = binaries::find("runcord-kubectl")?;
        let stderr = self.path("server.stderr");
        let environment = self.environment().into_iter().chain(more.iter().cloned());
        Session::start(&binary, &[], environment, &stderr, era).await
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

    /// What the target is to its servers: `k8s:…`, as `runcord doctor` prints it.
    ///
    /// # Errors
    ///
    /// The command does not print one.
    pub fn identity(&self) -> Result<String> {
        let output = self.runcord(["doctor", "--json"])?;
        let text = String::from_utf8_lossy(&output.stdout);
        let identity =
            regex::Regex::new("k8s:[0-9a-f-]{36}:[0-9a-z-]+")?.find(&text).map(|found| found.as_str());
        Ok(identity.with_context(|| format!("doctor names no identity: {}", printed(&output)))?.to_owned())
    }

    /// Names the target [`TARGET`], of an environment (`dev`, `staging` or `prod`), in `targets.yaml`.
    ///
    /// # Errors
    ///
    /// The identity is not known, or the file cannot be written.
    pub fn name_target(&self, environment: &str) -> Result<()> {
        let identity = self.identity()?;
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
fn printed(output: &Output) -> String {
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
