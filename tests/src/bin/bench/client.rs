//! A client that does as little as it can, so that the server is measured and not the client: the clock stops when the
//! line of an answer is there, before anything is made of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The longest that an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server, begun as MCP says until 2025-11-25: what both servers know. Killed when this is dropped.
pub(crate) struct Client {
    server: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    asked: u64,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// From the question to the end of its answer, in ms.
    pub(crate) took: f64,
    /// The JSON-RPC message.
    line: String,
}

impl Client {
    /// Starts `binary` with exactly this environment, and greets it.
    pub(crate) async fn start(
        binary: &Path,
        environment: &[(&'static str, PathBuf)],
        stderr: &Path,
    ) -> Result<Self> {
        let mut server = Command::new(binary)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(stderr)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let input = server.stdin.take().context("no pipe")?;
        let output = BufReader::new(server.stdout.take().context("no pipe")?).lines();
        let mut client = Self { server, input, output, asked: 0 };
        let about = json!({"name": "bench", "version": "1"});
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": about});
        client.ask("initialize", hello).await?;
        client.write(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await?;
        Ok(client)
    }

    /// Its process.
    pub(crate) fn process(&self) -> Result<u32> {
        self.server.id().context("the server has ended")
    }

    /// Asks for the list of tools.
    pub(crate) async fn tools(&mut self) -> Result<()> {
        self.ask("tools/list", json!({})).await.map(drop)
    }

    /// Calls a tool, and waits for its answer.
    pub(crate) async fn call(&mut self, tool: &str, args: &Value) -> Result<Answer> {
        self.ask("tools/call", json!({"name": tool, "arguments": args})).await
    }

    /// Calls a tool so many times at once. The answers come in the order in which they were ready.
    pub(crate) async fn call_at_once(
        &mut self,
        tool: &str,
        args: &Value,
        times: usize,
    ) -> Result<Vec<Answer>> {
        let mut begun = BTreeMap::new();
        for _ in 0..times {
            let at = Instant::now();
            begun.insert(self.send("tools/call", json!({"name": tool, "arguments": args})).await?, at);
        }
        // All lines are read before anything is made of the first, which would keep the others waiting.
        let mut lines = Vec::new();
        while lines.len() < times {
            let line = self.line().await?;
            lines.push((Instant::now(), line));
        }
        let mut answers = Vec::new();
        for (now, line) in lines {
            let at = Message::read(&line)?.id.and_then(|id| begun.remove(&id)).context("not an answer")?;
            answers.push(Answer { took: ms(now - at), line });
        }
        Ok(answers)
    }

    async fn ask(&mut self, method: &str, params: Value) -> Result<Answer> {
        let begun = Instant::now();
        let id = self.send(method, params).await?;
        loop {
            let line = self.line().await?;
            let took = ms(begun.elapsed());
            if Message::read(&line)?.id == Some(id) {
                return Ok(Answer { took, line });
            }
        }
    }

    async fn send(&mut self, method: &str, params: Value) -> Result<u64> {
        self.asked += 1;
        self.write(&json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params})).await?;
        Ok(self.asked)
    }

    async fn write(&mut self, message: &Value) -> Result<()> {
        let mut line = message.to_string();
        line.push('\n');
        Ok(self.input.write_all(line.as_bytes()).await?)
    }

    async fn line(&mut self) -> Result<String> {
        let line = tokio::time::timeout(PATIENCE, self.output.next_line()).await.context("no answer")??;
        line.context("the server has ended")
    }
}

impl Answer {
    /// The text for the model, when it is not a refusal.
    pub(crate) fn text(&self) -> Result<String> {
        let Some(result) = Message::read(&self.line)?.result else { bail!("an error: {}", self.line) };
        if result.is_error {
            bail!("refused: {}", self.line);
        }
        Ok(result.content.into_iter().map(|block| block.text).collect())
    }
}

#[derive(serde::Deserialize)]
struct Message {
    id: Option<u64>,
    result: Option<CallResult>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallResult {
    #[serde(default)]
    is_error: bool,
    #[serde(default)]
    content: Vec<Block>,
}

#[derive(serde::Deserialize)]
struct Block {
    #[serde(default)]
    text: String,
}

impl Message {
    fn read(line: &str) -> Result<Self> {
        serde_json::from_str(line).with_context(|| format!("no JSON-RPC: {line}"))
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
