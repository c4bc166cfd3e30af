//! Having `ssh-keygen` sign, list and make keys. Passphrases and touches are between it and the person.

use std::path::{Path, PathBuf};
use std::time::Duration;

use runcord_exec::{Command, Finished, Stdin, find_program};
use runcord_model::text::visible;

use crate::failure::Failure;
use crate::files::{self, Readers};
use crate::keys::{Candidate, Key, Signer, listed_by_agent};
use crate::terminal::{Terminal, terminal};

/// How long a person may take to type a passphrase or touch a key.
const PATIENCE: Duration = Duration::from_secs(300);

/// What OpenSSH needs of our environment to reach an agent, a terminal, a security key or a passphrase window.
const ENVIRONMENT: [&str; 11] = [
    "HOME",
    "PATH",
    "USER",
    "TERM",
    "LANG",
    "SSH_AUTH_SOCK",
    "SSH_ASKPASS",
    "SSH_ASKPASS_REQUIRE",
    "SSH_SK_PROVIDER",
    "DISPLAY",
    "WAYLAND_DISPLAY",
];

/// How a new key is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passphrase {
    /// `ssh-keygen` asks for one on the terminal.
    Asked,
    /// There is none: whoever can read the file can sign.
    None,
}

/// Signs these bytes in `namespace` with `ssh-keygen -Y sign`, and returns the signature as OpenSSH writes it.
///
/// # Errors
/// `ssh-keygen` is missing, or did not sign.
pub(crate) async fn sign(namespace: &str, signer: &Signer, statement: &[u8]) -> Result<String, Failure> {
    let unusable =
        |error| Failure::surroundings("no private folder for the statement", "check TMPDIR").because(error);
    let folder = tempfile::Builder::new().prefix("runcord-").tempdir().map_err(unusable)?;
    let statement_file = folder.path().join("statement");
    std::fs::write(&statement_file, statement).map_err(unusable)?;
    let key = key_file(folder.path(), &signer.key)?;
    let command =
        ssh("ssh-keygen")?.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(key).arg(&statement_file);
    let finished = interactive(command).run().await.map_err(|e| not_signed(&signer.key).because(e))?;
    if !finished.status.success() {
        return Err(not_signed(&signer.key).because(said(&finished)));
    }
    std::fs::read_to_string(folder.path().join("statement.sig"))
        .map_err(|e| not_signed(&signer.key).because(e))
}

/// Makes an ed25519 key for `name` in `file` and `file.pub`.
///
/// # Errors
/// `ssh-keygen` is missing, or made none.
pub(crate) async fn make_key(file: &Path, name: &str, passphrase: Passphrase) -> Result<(), Failure> {
    let failed = || {
        Failure::surroundings(
            "ssh-keygen made no key",
            "make one yourself with `ssh-keygen -t ed25519`, then name its public half with --key",
        )
    };
    let command =
        ssh("ssh-keygen")?.args(["-q", "-t", "ed25519", "-C"]).arg(format!("{name}, approver for runcord"));
    let command = match passphrase {
        Passphrase::Asked => command,
        Passphrase::None => command.args(["-N", ""]),
    };
    let finished = interactive(command.arg("-f").arg(file)).run().await.map_err(|e| failed().because(e))?;
    if finished.status.success() { Ok(()) } else { Err(failed().because(said(&finished))) }
}

/// The keys that the ssh-agent holds. No agent, or one that does not answer, holds none.
pub(crate) async fn in_agent() -> Vec<Candidate> {
    if std::env::var_os("SSH_AUTH_SOCK").is_none() {
        return Vec::new();
    }
    let Ok(command) = ssh("ssh-add") else { return Vec::new() };
    let listing = command.arg("-L").limits(Duration::from_secs(5), 1 << 20).run().await;
    match listing {
        Ok(finished) if finished.status.success() => {
            listed_by_agent(&String::from_utf8_lossy(&finished.stdout))
        }
        Ok(_) | Err(_) => Vec::new(),
    }
}

/// Where `ssh-keygen` is, or what to install.
pub(crate) fn ssh_keygen() -> Result<PathBuf, Failure> {
    program("ssh-keygen")
}

fn program(name: &str) -> Result<PathBuf, Failure> {
    find_program(name).ok_or_else(|| {
        Failure::surroundings(
            format!("{name} is not on the PATH"),
            "install OpenSSH's client tools (Debian: openssh-client)",
        )
    })
}

fn ssh(name: &str) -> Result<Command, Failure> {
    Ok(Command::new(&program(name)?).keep_env(&ENVIRONMENT))
}

/// With the terminal where there is one, so that a passphrase can be typed; without input otherwise.
fn interactive(command: Command) -> Command {
    let stdin = match terminal() {
        Terminal::Present => Stdin::Terminal,
        Terminal::Absent => Stdin::Null,
    };
    command.stdin(stdin).limits(PATIENCE, 1 << 16)
}

/// The file to hand to `ssh-keygen -f`: for a key in the agent, its public half.
fn key_file(folder: &Path, key: &Key) -> Result<PathBuf, Failure> {
    match key {
        Key::File(file) => Ok(file.clone()),
        Key::Agent(public) => {
            let file = folder.join("key.pub");
            files::write_new(&file, &format!("{public}\n"), Readers::Owner)?;
            Ok(file)
        }
    }
}

fn not_signed(key: &Key) -> Failure {
    let which = match key {
        Key::File(file) => file.display().to_string(),
        Key::Agent(_) => "the key in the ssh-agent".to_owned(),
    };
    Failure::surroundings(
        format!("ssh-keygen did not sign with {which}"),
        "check the file, its passphrase or the touch; without a terminal, put the key into your ssh-agent with `ssh-add`",
    )
}

/// What the program said last, in one clean line.
fn said(finished: &Finished) -> std::io::Error {
    let text = String::from_utf8_lossy(&finished.stderr);
    let line = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    std::io::Error::other(visible(line.trim(), 300))
}

/// The keys at hand: those of the folder first, then the agent's.
pub(crate) async fn at_hand(folder: &Path) -> Vec<Candidate> {
    let mut candidates = crate::keys::in_folder(folder);
    candidates.extend(in_agent().await);
    candidates
}
