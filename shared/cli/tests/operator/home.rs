//! A home of its own for the built command.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

/// A temporary home, with the configuration in `config/` and the state in `state/`.
pub(crate) struct Home {
    folder: tempfile::TempDir,
    agent: Option<PathBuf>,
}

/// An ssh-agent of our own, ended with the test.
pub(crate) struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing else to do about it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), agent: None }
    }

    /// With `ana` as its approver.
    pub(crate) fn ready() -> Self {
        let home = Self::new();
        home.json(0, "init --approver ana --no-passphrase");
        home
    }

    /// Runs the command and reads its JSON; it must end with that exit code.
    pub(crate) fn json(&self, exit: i32, line: &str) -> Value {
        let output = self.run(&format!("{line} --json"));
        assert_eq!(output.status.code(), Some(exit), "{line}: {}", shown(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{line}: {e}: {}", shown(&output)))
    }

    /// Runs the command and returns its page.
    pub(crate) fn page(&self, exit: i32, line: &str) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(exit), "{line}: {}", shown(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn run(&self, line: &str) -> Output {
        self.command(env!("CARGO_BIN_EXE_runcord")).args(line.split_whitespace()).output().unwrap()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_STATE_HOME", self.path("state"))
            .stdin(Stdio::null());
        if let Some(socket) = &self.agent {
            command.env("SSH_AUTH_SOCK", socket);
        }
        command
    }

    /// Makes a key without a passphrase.
    pub(crate) fn keygen(&self, name: &str) {
        let made = self.command("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", name]).status();
        assert!(made.unwrap().success());
    }

    /// Starts an ssh-agent that holds this key.
    pub(crate) fn agent_with(&self, key: &str) -> Agent {
        let socket = self.path("agent.sock");
        let child =
            self.command("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        let agent = Agent { child, socket };
        for _ in 0..100 {
            if agent.socket.exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut add = self.command("ssh-add");
        let added = add.env("SSH_AUTH_SOCK", &agent.socket).arg("-q").arg(self.path(key)).output().unwrap();
        assert!(added.status.success(), "{}", shown(&added));
        agent
    }

    /// From here on with that agent.
    pub(crate) fn with_agent(mut self, agent: &Agent) -> Self {
        self.agent = Some(agent.socket.clone());
        self
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn append(&self, name: &str, text: &str) {
        self.write(name, &(self.read(name) + text));
    }

    pub(crate) fn replace(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} does not say {from}");
        self.write(name, &text.replace(from, to));
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        self.path(name).metadata().unwrap().permissions().mode() & 0o777
    }
}

fn shown(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
