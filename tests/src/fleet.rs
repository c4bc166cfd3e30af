//! Real hosts to try Ansible on: `tests/ansible/fleet`, driven from a test. They need root, for their namespaces.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::installation::printed;

/// Hosts `web1`, `web2`, … in the groups `web`, `canary` (the first), `eu` and `us` (the halves), each with an sshd and an
/// nginx of its own. All of it goes when this is dropped, and when the process that has it ends in any other way.
pub struct Fleet {
    /// The hosts are tied to its standard input, which nobody else holds.
    process: Child,
    folder: TempDir,
    names: Vec<String>,
}

/// The host that balances the load of the others, where there is one.
pub const BALANCER: &str = "lb1";

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

const LOOK_EVERY: Duration = Duration::from_millis(10);

impl Fleet {
    /// So many hosts, all up.
    ///
    /// # Errors
    ///
    /// They are not up in time; the error shows what was said.
    pub fn start(hosts: usize) -> Result<Self> {
        Self::begin(hosts, None)
    }

    /// The same, and [`BALANCER`] in a group of its own, `balancers`: an `HAProxy` with its statistics on port 8404.
    ///
    /// # Errors
    ///
    /// They are not up in time; the error shows what was said.
    pub fn balanced(hosts: usize) -> Result<Self> {
        Self::begin(hosts, Some(BALANCER))
    }

    fn begin(hosts: usize, balancer: Option<&str>) -> Result<Self> {
        let folder = TempDir::with_prefix("runcord-fleet-")?;
        let said = File::create(folder.path().join("said"))?;
        let process = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("ansible/fleet"))
            .arg(folder.path())
            .arg(hosts.to_string())
            .args(balancer.map(|_| "balancer"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .context("tests/ansible/fleet cannot be started")?;
        let names = (1..=hosts).map(|number| format!("web{number}"));
        let names = names.chain(balancer.map(str::to_owned)).collect();
        let mut fleet = Self { process, folder, names };
        fleet.wait_for_inventory()?;
        for name in fleet.names.clone() {
            fleet.wait_until_up(&name)?;
        }
        fleet.configure()?;
        Ok(fleet)
    }

    /// The names of all hosts, in the order of the inventory.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The inventory.
    pub fn inventory(&self) -> PathBuf {
        self.path("hosts.yaml")
    }

    /// The host keys, which the inventory names too.
    pub fn known_hosts(&self) -> PathBuf {
        self.path("known_hosts")
    }

    /// The private key that every host takes, which the inventory names too.
    pub fn client_key(&self) -> PathBuf {
        self.path("client")
    }

    /// A file or folder of the fleet's own, outside of its hosts.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The address of a host.
    ///
    /// # Errors
    ///
    /// There is no such host.
    pub fn address(&self, host: &str) -> Result<String> {
        let text = fs::read_to_string(self.path(host).join("address"));
        Ok(text.with_context(|| format!("there is no host {host}"))?.trim_end().to_owned())
    }

    /// Runs a program on a host by hand: not over the network, and whatever comes of it.
    ///
    /// # Errors
    ///
    /// The host is not alive.
    pub fn on(&self, host: &str, command: &[&str]) -> Result<Output> {
        Ok(self.inside(host)?.args(command).stdin(Stdio::null()).output()?)
    }

    /// What a program prints on a host that it succeeds on.
    ///
    /// # Errors
    ///
    /// The host is not alive, or the program failed.
    pub fn said_on(&self, host: &str, command: &[&str]) -> Result<String> {
        let output = self.on(host, command)?;
        ensure!(output.status.success(), "{command:?} failed on {host}: {}", printed(&output));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// A file of a host.
    ///
    /// # Errors
    ///
    /// The host is not alive, or has no such file.
    pub fn read(&self, host: &str, path: &str) -> Result<String> {
        self.said_on(host, &["cat", "--", path])
    }

    /// Whether a host has this file or folder.
    ///
    /// # Errors
    ///
    /// The host is not alive.
    pub fn has(&self, host: &str, path: &str) -> Result<bool> {
        Ok(self.on(host, &["test", "-e", path])?.status.success())
    }

    /// Writes a file on a host, and makes its folder where that is missing.
    ///
    /// # Errors
    ///
    /// The host is not alive, or does not let it be written.
    pub fn write(&self, host: &str, path: &str, text: &str) -> Result<()> {
        let mut writing = self.inside(host)?;
        let script = "mkdir -p -- \"$(dirname -- \"$1\")\" && cat >\"$1\"";
        let mut writing = writing.args(["sh", "-c", script, "sh", path]).stdin(Stdio::piped()).spawn()?;
        writing.stdin.take().context("it has a standard input")?.write_all(text.as_bytes())?;
        ensure!(writing.wait()?.success(), "{path} could not be written on {host}");
        Ok(())
    }

    /// Removes a file or folder on a host; it need not be there.
    ///
    /// # Errors
    ///
    /// The host is not alive, or keeps it.
    pub fn remove(&self, host: &str, path: &str) -> Result<()> {
        self.said_on(host, &["rm", "-rf", "--", path]).map(drop)
    }

    /// Takes a host off the net: packets to it are lost from now on, and it goes on running.
    ///
    /// # Errors
    ///
    /// There is no such host.
    pub fn cut(&self, host: &str) -> Result<()> {
        self.wire(host, "down")
    }

    /// Puts a host on the net again.
    ///
    /// # Errors
    ///
    /// There is no such host.
    pub fn mend(&self, host: &str) -> Result<()> {
        self.wire(host, "up")
    }

    /// Whether a host runs, on the net or not.
    ///
    /// # Errors
    ///
    /// The fleet itself is gone.
    pub fn is_alive(&self, host: &str) -> Result<bool> {
        Ok(self.fleet()?.args(["kill", "-0"]).arg(self.init(host)?).output()?.status.success())
    }

    /// Kills a host: all of its processes, at once. Its disk stays as it is.
    ///
    /// # Errors
    ///
    /// It is not alive, or does not die.
    pub fn kill(&self, host: &str) -> Result<()> {
        let killed = self.fleet()?.args(["kill", "-KILL"]).arg(self.init(host)?).output()?;
        ensure!(killed.status.success(), "{host} cannot be killed: {}", printed(&killed));
        wait_until(&format!("{host} is dead"), || Ok(!self.is_alive(host)?))
    }

    /// Boots a host that was killed, with the disk that it had.
    ///
    /// # Errors
    ///
    /// It is not up in time.
    pub fn bring_back(&mut self, host: &str) -> Result<()> {
        ensure!(!self.is_alive(host)?, "{host} is not dead");
        let input = self.process.stdin.as_mut().context("the fleet has a standard input")?;
        writeln!(input, "start {host}")?;
        self.wait_until_up(host)
    }

    /// Runs `ansible-playbook`, of [`playbook_assets`], as a person would: with the fleet's inventory, and whatever comes
    /// of it.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn ansible_playbook(&self, assets: &Path, args: &[&str]) -> Result<Output> {
        let program = assets.join("bin/ansible-playbook");
        Command::new(&program)
            .args(args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", self.folder.path())
            .env("ANSIBLE_CONFIG", self.path("ansible.cfg"))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("{} cannot be started", program.display()))
    }

    /// Settings for [`Fleet::ansible_playbook`]. Without keepalives it would wait for ever for a host that is cut off.
    fn configure(&self) -> Result<()> {
        let settings = format!(
            "[defaults]\n\
             inventory = {folder}/hosts.yaml\n\
             host_key_checking = True\n\
             timeout = 5\n\
             [ssh_connection]\n\
             pipelining = True\n\
             control_path_dir = {folder}/cp\n\
             ssh_args = -o ControlMaster=auto -o ControlPersist=5s -o ServerAliveInterval=1 -o ServerAliveCountMax=3\n",
            folder = self.folder.path().display()
        );
        Ok(fs::write(self.path("ansible.cfg"), settings)?)
    }

    fn wait_for_inventory(&mut self) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while !self.inventory().exists() {
            if let Some(status) = self.process.try_wait()? {
                bail!("tests/ansible/fleet ended ({status}): {}", self.what_was_said());
            }
            ensure!(Instant::now() < until, "there is no fleet yet: {}", self.what_was_said());
            sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Until it takes connections, of ssh and of its service.
    fn wait_until_up(&self, host: &str) -> Result<()> {
        let address = self.address(host)?;
        for port in ["22", "80"] {
            let address: SocketAddr = format!("{address}:{port}").parse()?;
            wait_until(&format!("{host} is up"), || {
                Ok(TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok())
            })
            .with_context(|| self.what_was_said())?;
        }
        Ok(())
    }

    fn what_was_said(&self) -> String {
        let logs = self.names.iter().map(|name| self.path(name).join("log"));
        let files = std::iter::once(self.path("said")).chain(logs);
        files.filter_map(|file| fs::read_to_string(file).ok()).collect()
    }

    /// A command in the namespaces of the fleet's own, where its hosts are processes.
    fn fleet(&self) -> Result<Command> {
        // The fleet's init is the one child of what made its namespaces.
        let id = self.process.id();
        let init =
            fs::read_to_string(format!("/proc/{id}/task/{id}/children")).context("the fleet is gone")?;
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--net", "--pid", "--target", init.trim(), "--"]).stdin(Stdio::null());
        Ok(command)
    }

    /// A command in the namespaces of a host.
    fn inside(&self, host: &str) -> Result<Command> {
        ensure!(self.is_alive(host)?, "{host} is not alive");
        let mut command = self.fleet()?;
        command.args(["nsenter", "--mount", "--net", "--pid", "--uts", "--ipc", "--time", "--target"]);
        command.arg(self.init(host)?).arg("--");
        Ok(command)
    }

    /// The number of a host's init in the fleet.
    fn init(&self, host: &str) -> Result<String> {
        let text = fs::read_to_string(self.path(host).join("pid"));
        Ok(text.with_context(|| format!("there is no host {host}"))?.trim_end().to_owned())
    }

    fn wire(&self, host: &str, state: &str) -> Result<()> {
        let done = self.fleet()?.args(["ip", "link", "set", host, state]).output()?;
        ensure!(done.status.success(), "the wire of {host} is not {state}: {}", printed(&done));
        Ok(())
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // Its end of input; what is left is ended with its namespaces.
        drop(self.process.stdin.take());
        let until = Instant::now() + Duration::from_secs(5);
        while matches!(self.process.try_wait(), Ok(None)) {
            if Instant::now() > until {
                self.process.kill().unwrap_or_default();
            }
            sleep(LOOK_EVERY);
        }
    }
}

/// The folder with the `ansible-playbook` that tests run: the newest for the Python at hand.
///
/// # Errors
///
/// `tests/run` has not set it.
pub fn playbook_assets() -> Result<PathBuf> {
    assets("RUNCORD_ANSIBLE_ASSETS")
}

/// The same with the oldest `ansible-core` that is supported.
///
/// # Errors
///
/// `tests/run` has not set it.
pub fn oldest_playbook_assets() -> Result<PathBuf> {
    assets("RUNCORD_ANSIBLE_OLDEST")
}

fn assets(variable: &str) -> Result<PathBuf> {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    folder.with_context(|| format!("no {variable}: run tests/run, which sets it"))
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while !is_so()? {
        ensure!(Instant::now() < until, "not seen in time: {what}");
        sleep(LOOK_EVERY);
    }
    Ok(())
}
