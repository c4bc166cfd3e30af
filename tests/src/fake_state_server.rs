//! A fake of what keeps a state over HTTP: it speaks the protocol of the `http` backend, with locks, on loopback
//! (<https://developer.hashicorp.com/terraform/language/backend/http>). Real ones are somebody's service; this one can be
//! told what a test needs to happen.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// It keeps one state and one lock. It ends when this is dropped.
pub struct FakeStateServer {
    address: String,
    kept: Arc<Mutex<Kept>>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Kept {
    state: Option<Vec<u8>>,
    lock: Option<Value>,
    writes: Writes,
    reads: Reads,
    waiting: usize,
    unlocked: Vec<String>,
    /// How many more times somebody asks for the lock before it changes hands, and who has it then.
    hand_over: Option<(usize, Value)>,
}

/// What becomes of a state that is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Writes {
    /// It is kept.
    #[default]
    Taken,
    /// It is answered with an error, and lost.
    Refused,
}

/// What becomes of a request for the state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reads {
    /// It is answered.
    #[default]
    Answered,
    /// It is answered until the state is written next, and waits from then on.
    WaitOnceWritten,
    /// It waits.
    Wait,
}

/// How often a request that waits looks whether it still has to.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl FakeStateServer {
    /// One without a state, on a port of its own.
    ///
    /// # Errors
    ///
    /// There is no port to listen on.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = format!("http://{}/state", listener.local_addr()?);
        let kept = Arc::new(Mutex::new(Kept::default()));
        let shared = Arc::clone(&kept);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&shared);
                // A tool that is killed in the middle of a request is not the fake's concern.
                tokio::spawn(async move { answer(stream, &kept).await.unwrap_or_default() });
            }
        });
        Ok(Self { address, kept, serving })
    }

    /// The settings of a backend that keeps its state here.
    pub fn backend(&self) -> Value {
        let address = &self.address;
        json!({"type": "http", "config": {
            "address": address, "lock_address": address, "unlock_address": address, "retry_max": 0,
        }})
    }

    /// The state, as it was written last.
    pub fn state(&self) -> Option<Value> {
        serde_json::from_slice(self.kept().state.as_ref()?).ok()
    }

    /// The id of the lock, when somebody holds it.
    pub fn lock(&self) -> Option<String> {
        Some(self.kept().lock.as_ref()?["ID"].as_str()?.to_owned())
    }

    /// Somebody takes the lock, whoever has it now.
    pub fn hold(&self, id: &str, who: &str) {
        self.kept().lock = Some(lock_of(id, who));
    }

    /// The lock changes hands right before it is asked for the `nth` time from now on.
    pub fn hand_over(&self, nth: usize, id: &str, who: &str) {
        self.kept().hand_over = Some((nth, lock_of(id, who)));
    }

    /// Whoever has the lock gives it back.
    pub fn free(&self) {
        self.kept().lock = None;
    }

    /// What becomes of what is written from now on.
    pub fn writes_are(&self, writes: Writes) {
        self.kept().writes = writes;
    }

    /// What becomes of requests for the state from now on.
    pub fn reads_are(&self, reads: Reads) {
        self.kept().reads = reads;
    }

    /// How many requests for the state wait for their answer.
    pub fn waiting(&self) -> usize {
        self.kept().waiting
    }

    /// The ids of all locks that were given back or broken by a request.
    pub fn unlocked(&self) -> Vec<String> {
        self.kept().unlocked.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        locked(&self.kept)
    }
}

impl Drop for FakeStateServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock_of(id: &str, who: &str) -> Value {
    json!({
        "ID": id, "Operation": "OperationTypeApply", "Info": "", "Who": who, "Version": "1.11.4",
        "Created": "2026-11-25T16:49:38.720511977Z", "Path": "",
    })
}

fn locked(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request on one connection.
async fn answer(stream: TcpStream, kept: &Mutex<Kept>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let method = line.split(' ').next().unwrap_or_default().to_owned();
    let length = length(&mut stream).await?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    if method == "GET" {
        locked(kept).waiting += 1;
        while locked(kept).reads == Reads::Wait {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        locked(kept).waiting -= 1;
    }
    let (code, text) = locked(kept).handle(&method, body)?;
    let head = format!("HTTP/1.1 {code} -\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", text.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&text).await?;
    Ok(stream.shutdown().await?)
}

/// Reads all headers, for the length of what follows them.
async fn length(stream: &mut BufReader<TcpStream>) -> Result<usize> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().context("no length")?;
            }
            Some(_) => {}
            None => return Ok(length),
        }
    }
}

impl Kept {
    fn handle(&mut self, method: &str, body: Vec<u8>) -> Result<(u16, Vec<u8>)> {
        Ok(match method {
            "GET" => self.state.clone().map_or((404, Vec::new()), |state| (200, state)),
            "POST" => match self.writes {
                Writes::Taken => {
                    self.state = Some(body);
                    if self.reads == Reads::WaitOnceWritten {
                        self.reads = Reads::Wait;
                    }
                    (200, Vec::new())
                }
                Writes::Refused => (500, Vec::new()),
            },
            "LOCK" => self.take(&body)?,
            "UNLOCK" => self.unlock(&body),
            other => bail!("{other} is not of the protocol"),
        })
    }

    fn take(&mut self, body: &[u8]) -> Result<(u16, Vec<u8>)> {
        match self.hand_over.take() {
            Some((0 | 1, next)) => self.lock = Some(next),
            Some((more, next)) => self.hand_over = Some((more - 1, next)),
            None => {}
        }
        Ok(match &self.lock {
            Some(lock) => (423, lock.to_string().into_bytes()),
            None => {
                self.lock = Some(serde_json::from_slice(body)?);
                (200, Vec::new())
            }
        })
    }

    /// Without a body, as Terraform's `force-unlock` asks, any lock is broken; with one, only the lock of that id.
    fn unlock(&mut self, body: &[u8]) -> (u16, Vec<u8>) {
        let Some(lock) = &self.lock else { return (200, Vec::new()) };
        let asked = serde_json::from_slice::<Value>(body).ok();
        if asked.is_some_and(|asked| asked.get("ID") != lock.get("ID")) {
            return (409, lock.to_string().into_bytes());
        }
        self.unlocked.push(lock["ID"].as_str().unwrap_or_default().to_owned());
        self.lock = None;
        (200, Vec::new())
    }
}
