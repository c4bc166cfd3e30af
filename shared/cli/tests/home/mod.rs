//! A home of its own for the built command.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A temporary home, with the configuration in `config/` and the state in `state/`.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
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
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.0.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_STATE_HOME", self.path("state"))
            .stdin(Stdio::null());
        command
    }

    /// Makes a key without a passphrase.
    pub(crate) fn keygen(&self, name: &str) {
        let made = self.command("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", name]).status();
        assert!(made.unwrap().success());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
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
