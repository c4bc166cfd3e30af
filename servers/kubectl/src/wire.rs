//! One request and its answer, with a time limit. Every request of this server goes through here.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, StatusCode};
use kube::Client;
use kube::client::{Body, Connection, UpgradeConnectionError};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How long one request may take, its whole answer included.
const LIMIT: Duration = Duration::from_secs(10);

/// So many requests are under way at once, whatever is asked of this server: an agent in a loop costs the API server
/// no more than this. (Its own priority and fairness, answered with 429, comes on top.)
const AT_ONCE: usize = 8;

/// So many commands run in containers at once. They have places of their own: one may take minutes, and reads must not
/// queue behind it.
const STREAMS_AT_ONCE: usize = 2;

/// How often a request that changes nothing is sent when the API server puts it off.
const ATTEMPTS: u32 = 4;

/// The pause that is taken when the API server puts a request off without saying for how long, in seconds.
const PAUSE: u64 = 1;

/// The longest pause that is taken when the API server asks for one, in seconds.
const LONGEST_PAUSE: u64 = 5;

/// What the API server's audit log calls us.
const AGENT: &str = concat!("runcord-kubectl/", env!("CARGO_PKG_VERSION"));

/// A connection to one API server.
///
/// The client retries nothing by itself: a mutation whose answer is lost must be settled by looking.
#[derive(Clone)]
pub(crate) struct Wire {
    client: Client,
    room: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    clock: Arc<Mutex<Clock>>,
}

/// How long the API server was waited for so far: times in which requests overlap count once. Only told to the log, for
/// the benchmark, which takes it off the whole to find our own share.
#[derive(Debug, Default)]
struct Clock {
    under_way: usize,
    since: Option<Instant>,
    waited: Duration,
}

/// A request that is under way, for the clock.
struct UnderWay<'a>(&'a Mutex<Clock>);

impl<'a> UnderWay<'a> {
    fn begin(clock: &'a Mutex<Clock>) -> Self {
        let mut now = clock.lock().unwrap_or_else(PoisonError::into_inner);
        now.under_way += 1;
        now.since.get_or_insert_with(Instant::now);
        Self(clock)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        now.under_way = now.under_way.saturating_sub(1);
        if now.under_way == 0 {
            let busy = now.since.take().map(|since| since.elapsed()).unwrap_or_default();
            now.waited += busy;
            let waited = u64::try_from(now.waited.as_micros()).unwrap_or(u64::MAX);
            tracing::debug!(target: "runcord::api_time", waited, "microseconds waited for the API server so far");
        }
    }
}

/// What the API server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The seconds of `Retry-After`.
    pub(crate) retry_after: Option<u64>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// No answer came. Whether the request arrived is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    /// It took too long.
    #[error("no answer within {} seconds", LIMIT.as_secs())]
    TimedOut,
    /// The connection failed.
    #[error("the connection failed")]
    Failed(#[source] Box<kube::Error>),
}

/// A stream to a container. Its place is free again when this is dropped.
pub(crate) struct Opened<'w> {
    /// The stream.
    pub(crate) connection: Connection,
    _place: SemaphorePermit<'w>,
    _under_way: UnderWay<'w>,
}

/// A stream was not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unopened {
    /// As many as may be are under way: nothing was sent.
    #[error("no room for another stream within {} seconds", LIMIT.as_secs())]
    NoRoom,
    /// The API server answered with a status instead.
    #[error("status {0} instead of a stream")]
    Status(StatusCode),
    /// It took too long.
    #[error("no answer within {} seconds", LIMIT.as_secs())]
    TimedOut,
    /// The connection failed, or the answer is none.
    #[error("the connection failed")]
    Failed(#[source] Box<kube::Error>),
}

impl Wire {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            room: Arc::new(Semaphore::new(AT_ONCE)),
            streams: Arc::new(Semaphore::new(STREAMS_AT_ONCE)),
            clock: Arc::default(),
        }
    }

    /// Opens a stream to a container: asks as any request is asked, and keeps a place for as long as the stream is open.
    pub(crate) async fn open(&self, mut request: Request<Vec<u8>>) -> Result<Opened<'_>, Unopened> {
        request.headers_mut().insert(http::header::USER_AGENT, http::HeaderValue::from_static(AGENT));
        let places = async { (self.streams.acquire().await, self.room.acquire().await) };
        let (Ok(place), Ok(_room)) =
            tokio::time::timeout(LIMIT, places).await.map_err(|_| Unopened::NoRoom)?
        else {
            return Err(Unopened::NoRoom);
        };
        let under_way = UnderWay::begin(&self.clock);
        let connection = tokio::time::timeout(LIMIT, self.client.connect(request)).await;
        let connection = connection.map_err(|_| Unopened::TimedOut)?.map_err(unopened)?;
        Ok(Opened { connection, _place: place, _under_way: under_way })
    }

    /// Sends a request that changes nothing, once more each time that the API server puts it off.
    pub(crate) async fn ask_patiently(&self, request: Request<Vec<u8>>) -> Result<Answer, Unanswered> {
        for _ in 1..ATTEMPTS {
            let answer = self.ask(request.clone()).await?;
            match answer.put_off() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Ok(answer),
            }
        }
        self.ask(request).await
    }

    /// Sends one request and reads its whole answer.
    pub(crate) async fn ask(&self, request: Request<Vec<u8>>) -> Result<Answer, Unanswered> {
        let failed = |e| Unanswered::Failed(Box::new(e));
        let mut request = request;
        request.headers_mut().insert(http::header::USER_AGENT, http::HeaderValue::from_static(AGENT));
        let answer = async {
            // The time in this queue counts towards the limit: whoever waits in vain is told so.
            let _room = self.room.acquire().await.map_err(|_| Unanswered::TimedOut)?;
            let _under_way = UnderWay::begin(&self.clock);
            let response = self.client.send(request.map(Body::from)).await.map_err(failed)?;
            let (head, body) = response.into_parts();
            let retry_after = head.headers.get(http::header::RETRY_AFTER);
            Ok(Answer {
                status: head.status,
                retry_after: retry_after.and_then(|v| v.to_str().ok()?.parse().ok()),
                body: body.collect_bytes().await.map_err(failed)?.to_vec(),
            })
        };
        tokio::time::timeout(LIMIT, answer).await.map_err(|_| Unanswered::TimedOut)?
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
fn unopened(error: kube::Error) -> Unopened {
    match error {
        kube::Error::Api(status) => match StatusCode::from_u16(status.code) {
            Ok(code) => Unopened::Status(code),
            Err(_) => Unopened::Failed(Box::new(kube::Error::Api(status))),
        },
        kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(status)) => {
            Unopened::Status(status)
        }
        other => Unopened::Failed(Box::new(other)),
    }
}

impl Answer {
    /// How long the API server wants to be left alone: what its priority and fairness says with 429 and `Retry-After`,
    /// or a short while where whoever says 429 (a proxy before it may) leaves the time to us. An eviction that a budget
    /// forbids is answered with 429 too, and that is its answer: asking again is for others.
    fn put_off(&self) -> Option<Duration> {
        let budget = || String::from_utf8_lossy(&self.body).contains("DisruptionBudget");
        if self.status != StatusCode::TOO_MANY_REQUESTS || budget() {
            return None;
        }
        Some(Duration::from_secs(self.retry_after.unwrap_or(PAUSE).clamp(1, LONGEST_PAUSE)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Counts how many requests are under way at once, and the most there ever were.
    #[derive(Default)]
    struct Counts {
        now: AtomicUsize,
        most: AtomicUsize,
    }

    async fn answer(mut stream: TcpStream, counts: Arc<Counts>) {
        let mut request = [0; 4096];
        while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
            let now = counts.now.fetch_add(1, Ordering::SeqCst) + 1;
            counts.most.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            counts.now.fetch_sub(1, Ordering::SeqCst);
            let answered = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
            if answered.is_err() {
                break;
            }
        }
    }

    const BUSY_FOR_A_SECOND: &str =
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 4\r\n\r\nbusy";
    const BUSY: &str = "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 4\r\n\r\nbusy";

    /// Says `busy` to so many requests, and takes the others.
    async fn busy_at_first(mut stream: TcpStream, asked: Arc<AtomicUsize>, times: usize, busy: &str) {
        let mut request = [0; 4096];
        while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
            let put_off = asked.fetch_add(1, Ordering::SeqCst) < times;
            let answer = if put_off { busy } else { "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}" };
            if stream.write_all(answer.as_bytes()).await.is_err() {
                break;
            }
        }
    }

    async fn put_off(times: usize, busy: &'static str) -> (Wire, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(busy_at_first(stream, Arc::clone(&counted), times, busy));
            }
        });
        let mut config = kube::Config::new(uri);
        config.default_retry = false; // as connect does
        (Wire::new(Client::try_from(config).unwrap()), asked)
    }

    fn request() -> Request<Vec<u8>> {
        Request::get("/version").body(Vec::new()).unwrap()
    }

    #[tokio::test]
    async fn what_changes_nothing_comes_again_when_the_api_server_says() {
        for busy in [BUSY_FOR_A_SECOND, BUSY] {
            let (wire, asked) = put_off(1, busy).await;
            let begun = Instant::now();
            let answer = wire.ask_patiently(request()).await.unwrap();
            assert_eq!((answer.status, asked.load(Ordering::SeqCst)), (StatusCode::OK, 2), "{busy}");
            assert!(begun.elapsed() >= Duration::from_secs(1), "it is left alone for a while: {busy}");
        }
    }

    #[tokio::test]
    async fn an_api_server_that_stays_busy_is_not_asked_for_ever() {
        let (wire, asked) = put_off(100, BUSY).await;
        let answer = wire.ask_patiently(request()).await.unwrap();
        let attempts = usize::try_from(ATTEMPTS).unwrap();
        assert_eq!((answer.status, asked.load(Ordering::SeqCst)), (StatusCode::TOO_MANY_REQUESTS, attempts));
    }

    #[tokio::test]
    async fn nothing_else_is_sent_twice() {
        let (wire, asked) = put_off(1, BUSY_FOR_A_SECOND).await;
        let answer = wire.ask(request()).await.unwrap();
        assert_eq!((answer.status, asked.load(Ordering::SeqCst)), (StatusCode::TOO_MANY_REQUESTS, 1));
    }

    #[test]
    fn a_budget_that_forbids_an_eviction_is_an_answer_and_no_pause_is_endless() {
        let answer = |status, retry_after, body: &str| Answer { status, retry_after, body: body.into() };
        let busy = StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(answer(busy, Some(3), "Too many requests").put_off(), Some(Duration::from_secs(3)));
        assert_eq!(answer(busy, Some(3600), "").put_off(), Some(Duration::from_secs(LONGEST_PAUSE)));
        let budget = r#"{"kind":"Status","details":{"causes":[{"reason":"DisruptionBudget"}]}}"#;
        for retry_after in [Some(10), None] {
            assert_eq!(answer(busy, retry_after, budget).put_off(), None);
        }
        assert_eq!(answer(busy, None, "").put_off(), Some(Duration::from_secs(PAUSE)));
        assert_eq!(answer(StatusCode::OK, Some(3), "").put_off(), None);
    }

    #[tokio::test]
    async fn only_so_many_requests_are_under_way_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&counted)));
            }
        });
        let wire = Wire::new(Client::try_from(kube::Config::new(uri)).unwrap());
        let asked = (0..40).map(|_| wire.ask(request()));
        let answers = futures::future::join_all(asked).await;
        assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|a| a.status.is_success())));
        let most = counts.most.load(Ordering::SeqCst);
        assert!((2..=AT_ONCE).contains(&most), "{most} at once");
        let clock = wire.clock.lock().unwrap();
        assert_eq!(clock.under_way, 0);
        assert!(clock.waited >= Duration::from_millis(20), "{:?}", clock.waited);
    }
}
