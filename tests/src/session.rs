//! An MCP client's session with a built server, over its standard input and output.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rmcp::model::{CallToolRequestParams, ProgressNotificationParam, ProtocolVersion, Tool};
use rmcp::service::{NotificationContext, Peer, RunningService};
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt as _, RoleClient};
use serde_json::Value;
use tokio::process::{Child, Command};

/// How a client begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// 2026-07-28: `server/discover`, and every request carries its own version.
    Stateless,
    /// 2025-11-25: `initialize` first.
    Initialize,
}

/// Both, for tests that go through them.
pub const ERAS: [Era; 2] = [Era::Stateless, Era::Initialize];

/// A running server and the client that speaks with it. The server is killed when this is dropped.
pub struct Session {
    client: RunningService<RoleClient, Listener>,
    server: Child,
    progress: Arc<Mutex<Vec<String>>>,
    stderr: PathBuf,
}

/// What a tool answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The structured content; null when there was none.
    pub content: Value,
    /// All text content.
    pub text: String,
    /// Whether it was a refusal (`isError`).
    pub refused: bool,
}

impl Session {
    /// Starts `binary` with exactly this environment, and greets it. Its standard error goes to the file `stderr`.
    ///
    /// # Errors
    ///
    /// It cannot be started, or does not answer as the era demands (the error shows what it said).
    pub async fn start<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        binary: &Path,
        args: &[&OsStr],
        environment: impl IntoIterator<Item = (K, V)>,
        stderr: &Path,
        era: Era,
    ) -> Result<Self> {
        let mut server = Command::new(binary)
            .args(args)
            .env_clear()
            .envs(environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(stderr)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let pipes = (server.stdout.take().context("no pipe")?, server.stdin.take().context("no pipe")?);
        let progress = Arc::new(Mutex::new(Vec::new()));
        let listener = Listener { progress: Arc::clone(&progress) };
        let greeted =
            tokio::time::timeout(GREETING, listener.serve_with_lifecycle(pipes, lifecycle(era))).await;
        let said = || format!("its standard error: {}", std::fs::read_to_string(stderr).unwrap_or_default());
        let client =
            greeted.context("no greeting in time").and_then(|greeted| Ok(greeted?)).with_context(said)?;
        Ok(Self { client, server, progress, stderr: stderr.to_owned() })
    }

    /// Calls a tool with an object of arguments and waits for its answer.
    ///
    /// # Errors
    ///
    /// The arguments are no object, the connection broke, or the server answered with a protocol error. A refusal is an
    /// [`Answer`].
    pub async fn call(&self, tool: &str, arguments: Value) -> Result<Answer> {
        let Value::Object(arguments) = arguments else { bail!("arguments are an object") };
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let result = self.client.peer().call_tool(params).await.with_context(|| format!("calling {tool}"))?;
        let texts: Vec<&str> =
            result.content.iter().filter_map(|block| Some(block.as_text()?.text.as_str())).collect();
        Ok(Answer {
            text: texts.join("\n"),
            content: result.structured_content.unwrap_or_default(),
            refused: result.is_error.unwrap_or_default(),
        })
    }

    /// All tools that the server lists.
    ///
    /// # Errors
    ///
    /// The connection broke or the server refused.
    pub async fn tools(&self) -> Result<Vec<Tool>> {
        Ok(self.client.peer().list_all_tools().await?)
    }

    /// The client, for what has no shorter way here.
    pub fn peer(&self) -> &Peer<RoleClient> {
        self.client.peer()
    }

    /// The messages of all progress notifications so far.
    pub fn progress(&self) -> Vec<String> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the server wrote to its standard error so far.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn stderr(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.stderr)?)
    }

    /// The server's process, while it runs.
    pub fn process(&self) -> Option<u32> {
        self.server.id()
    }

    /// Goes as a client goes: closes the pipes, and waits until the server has ended.
    ///
    /// # Errors
    ///
    /// It did not end within 10 s.
    pub async fn close(mut self) -> Result<ExitStatus> {
        self.client.cancel().await.context("the client's task failed")?;
        Ok(tokio::time::timeout(GREETING, self.server.wait()).await.context("the server did not end")??)
    }

    /// Kills the server as `kill -9` does.
    ///
    /// # Errors
    ///
    /// It could not be killed.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.server.kill().await?)
    }
}

impl Answer {
    /// The text at a JSON pointer such as `/plan_id`.
    ///
    /// # Errors
    ///
    /// There is none; the error shows the answer.
    pub fn str(&self, pointer: &str) -> Result<&str> {
        let found = self.content.pointer(pointer).and_then(Value::as_str);
        found.with_context(|| format!("no text at {pointer} in {:#}", self.content))
    }

    /// The answer, when it is not a refusal.
    ///
    /// # Errors
    ///
    /// It is one.
    pub fn done(self) -> Result<Self> {
        if self.refused { bail!("refused: {:#}", self.content) } else { Ok(self) }
    }

    /// The code of a refusal.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn refusal(&self) -> Result<&str> {
        if self.refused { self.str("/code") } else { bail!("not refused: {:#}", self.content) }
    }
}

const GREETING: Duration = Duration::from_secs(10);

fn lifecycle(era: Era) -> ClientLifecycleMode {
    match era {
        Era::Stateless => {
            ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
        }
        Era::Initialize => ClientLifecycleMode::Initialize,
    }
}

/// Keeps the progress that the server reports.
struct Listener {
    progress: Arc<Mutex<Vec<String>>>,
}

impl ClientHandler for Listener {
    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        let message = params.message.unwrap_or_default();
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    }
}
