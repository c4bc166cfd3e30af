//! Everything that a server of playbooks needs to be itself: hosts, a folder with their inventory, a real Ansible, and an
//! installation with an authority in force.

use std::ffi::OsStr;
use std::fs;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::binaries;
use crate::fleet::{Fleet, playbook_assets};
use crate::installation::{AGENT, Approver, Installation};
use crate::session::{Era, Session};

/// A bed to run servers in, on hosts of its own. Both go when this is dropped.
pub struct PlayBed {
    /// The hosts, for a test to look at and to break.
    pub fleet: Fleet,
    installation: Installation,
}

/// A bed is an installation, with hosts.
impl Deref for PlayBed {
    type Target = Installation;

    fn deref(&self) -> &Installation {
        &self.installation
    }
}

/// The inventory of a bed, below its project's folder.
pub const INVENTORY: &str = "hosts.yaml";

const PROJECT: &str = "project";

impl PlayBed {
    /// A bed with so many hosts, and no playbook declared yet. Its target is not named, so it counts as production.
    ///
    /// # Errors
    ///
    /// There is no Ansible, or any of it failed.
    pub fn new(hosts: usize) -> Result<Self> {
        Self::on(Fleet::start(hosts)?)
    }

    /// The same, and [`crate::fleet::BALANCER`].
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn balanced(hosts: usize) -> Result<Self> {
        Self::on(Fleet::balanced(hosts)?)
    }

    fn on(fleet: Fleet) -> Result<Self> {
        let installation = Installation::new(vec![
            ("PATH", PathBuf::from("/usr/bin:/bin")),
            ("RUNCORD_PROJECT", fleet.path(PROJECT)),
            ("RUNCORD_ANSIBLE", playbook_assets()?),
        ])?;
        let bed = Self { fleet, installation };
        bed.write(INVENTORY, &bed.inventory()?)?;
        Ok(bed)
    }

    /// A bed of four hosts with the example of `examples/ansible`, as it stands there but for the hosts.
    ///
    /// # Errors
    ///
    /// The example is not whole, or is refused.
    pub fn of_example() -> Result<Self> {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/ansible");
        let bed = Self::new(4)?;
        let file = "files/nginx.conf";
        bed.write(file, &fs::read_to_string(example.join("project").join(file))?)?;
        bed.declare(&fs::read_to_string(example.join("playbooks.yaml"))?)?;
        Ok(bed)
    }

    /// The project's folder, for a test to change.
    pub fn project(&self) -> PathBuf {
        self.fleet.path(PROJECT)
    }

    /// The fleet's own inventory.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn inventory(&self) -> Result<String> {
        Ok(fs::read_to_string(self.fleet.inventory())?)
    }

    /// Writes a file below the project's folder.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        write(&self.project().join(name), text)
    }

    /// Writes a program below the project's folder.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn write_program(&self, name: &str, text: &str) -> Result<()> {
        self.write(name, text)?;
        Ok(fs::set_permissions(self.project().join(name), fs::Permissions::from_mode(0o755))?)
    }

    /// Puts this `playbooks.yaml` in force.
    ///
    /// # Errors
    ///
    /// It was refused; the error shows what was printed.
    pub fn declare(&self, playbooks: &str) -> Result<()> {
        write(&self.policy().join("playbooks.yaml"), playbooks)?;
        self.activate(Approver::Ana).map(drop)
    }

    /// Takes this runbook instead of those that ship. It counts from the next [`Self::declare`] on.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn offer(&self, name: &str, runbook: &str) -> Result<()> {
        write(&self.path("runbooks").join(format!("{name}.yaml")), runbook)?;
        write(&self.path("runcord.yaml"), &format!("agent: {}\nrunbooks: runbooks\n", AGENT))
    }

    /// A session with a new `runcord-ansible`.
    ///
    /// # Errors
    ///
    /// It does not start or does not greet.
    pub async fn session(&self) -> Result<Session> {
        self.session_with::<&str>(&[]).await
    }

    /// The same with these variables on top of the bed's own.
    ///
    /// # Errors
    ///
    /// It does not start or does not greet.
    pub async fn session_with<V: AsRef<OsStr>>(&self, more: &[(&'static str, V)]) -> Result<Session> {
        let binary = binaries::find("runcord-ansible")?;
        let more = more.iter().map(|(name, value)| (*name, PathBuf::from(value.as_ref())));
        let environment = self.environment().into_iter().chain(more);
        Session::start(&binary, &[], environment, &self.path("server.stderr"), Era::Stateless).await
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::create_dir_all(path.parent().context("a file has a folder")?)?;
    Ok(fs::write(path, text)?)
}
