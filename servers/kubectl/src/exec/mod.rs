//! Running one command in a container, by the exec API: an argv, never a command line, and no shell on the way.
//!
//! Pure: `command` (the bytes of the request), `heard` (what comes back). With effects: this file, over a stream that
//! [`Wire`] opens. What runs is decided elsewhere: whoever holds a wire vouches for it (see `Reader` and `Writer`).

mod argv;
mod command;
mod heard;
mod limit;
mod place;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::time::Duration;

use futures::stream::SplitSink;
use futures::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::{Error as Broken, Message};

use crate::wire::{Unopened, Wire};
use heard::Heard;

pub use argv::{Argv, BadArgv, Element, Filled, RULE as ARGV_RULE};
pub(crate) use command::{Command, Input, TIMEOUT};
pub use limit::{BadLimit, Limit};
pub use place::{Nowhere, Place};
pub(crate) use place::{find, written_out_container};

/// How much longer than the command itself its stream may take. The end of the time inside comes first and is told.
const GRACE: Duration = Duration::from_secs(10);
/// How long to listen on for output that a status overtook.
const TAIL: Duration = Duration::from_millis(500);
/// How often a silent stream is kept alive.
const PING: Duration = Duration::from_secs(30);

/// The channel of standard input, and the message that says that a channel is over.
const INPUT: u8 = 0;
const INPUT_IS_OVER: [u8; 2] = [255, INPUT];

/// What became of a command. None of it is text from the container but `output`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It ended by itself.
    Ended(Ended),
    /// Its time was over inside the container, or somebody else killed it. What it did is not known.
    TimedOut,
    /// It may have run, and how it ended is not known. It may run still, until its time inside is over.
    Lost(Lost),
    /// The API server refused it with this status: it was not begun.
    Refused(u16),
    /// Too many commands of ours are under way: it was not asked for.
    Busy,
}

/// How a command ended.
#[derive(PartialEq, Eq)]
pub(crate) struct Ended {
    /// Its exit code.
    pub(crate) code: i32,
    /// The beginning of its standard output. Untrusted.
    pub(crate) output: Vec<u8>,
    /// Whether there was more.
    pub(crate) cut: bool,
}

/// Output is not for logs.
impl std::fmt::Debug for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {}, {} bytes of output, cut: {}", self.code, self.output.len(), self.cut)
    }
}

/// Why nobody knows how a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Lost {
    /// No answer came, or one that is none.
    #[error("the API server did not say whether the command was begun")]
    Unanswered,
    /// The stream ended before the command's end was told.
    #[error("the stream to the container was cut before the command's end was told")]
    Cut,
    /// The stream was silent for longer than the command may take.
    #[error("the command's end was not told in time")]
    Silent,
    /// The end was told without an exit code.
    #[error("the container's runtime did not say how the command ended")]
    Unclear,
}

/// Runs one command and waits for its end.
pub(crate) async fn run(wire: &Wire, command: &Command<'_>) -> Outcome {
    // Every part of the request is of a grammar that has no bad request in it.
    let Ok(request) = command.request() else { return Outcome::Refused(400) };
    let opened = match wire.open(request).await {
        Ok(opened) => opened,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a command was not begun");
            return unopened(&error);
        }
    };
    let until = Instant::now() + Duration::from_secs(command.limit.seconds().into()) + GRACE;
    let ends_input = opened.connection.supports_stream_close();
    let (send, receive) = opened.connection.into_stream().split();
    tokio::select! {
        heard = hear(receive, command.output, until) => heard,
        never = feed(send, command.input, ends_input) => match never {},
    }
}

/// A client's fault is told before anything is begun. Nothing else is so sure.
fn unopened(error: &Unopened) -> Outcome {
    match error {
        Unopened::NoRoom => Outcome::Busy,
        Unopened::Status(status) if status.is_client_error() => Outcome::Refused(status.as_u16()),
        Unopened::Status(_) | Unopened::TimedOut | Unopened::Failed(_) => Outcome::Lost(Lost::Unanswered),
    }
}

/// Listens until the stream ends, or until then.
async fn hear(
    mut stream: impl Stream<Item = Result<Message, Broken>> + Unpin,
    most: usize,
    until: Instant,
) -> Outcome {
    let mut heard = Heard::new(most);
    let silence = loop {
        let patience = if heard.is_over() { until.min(Instant::now() + TAIL) } else { until };
        match timeout_at(patience, stream.next()).await {
            Ok(Some(Ok(Message::Binary(frame)))) => heard.take(&frame),
            // Pings are answered by the stream itself; the protocol has no texts.
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(_)) | None) => break Lost::Cut,
            Err(_) => break Lost::Silent,
        }
    };
    heard.outcome(silence)
}

/// Gives the command its input and the end of it, then keeps the stream alive for as long as somebody listens. What
/// cannot be sent is no end: only the other side tells how the command ended.
async fn feed<S: Sink<Message> + Unpin>(
    mut send: SplitSink<S, Message>,
    input: Input<'_>,
    ends_input: bool,
) -> Infallible {
    let messages = match input {
        Input::Nothing => Vec::new(),
        Input::Bytes(bytes) => {
            let whole = [&[INPUT][..], bytes].concat();
            // An old protocol cannot say that input is over: the command waits for more until its time is over.
            let end = ends_input.then(|| Message::binary(INPUT_IS_OVER.to_vec()));
            std::iter::once(Message::binary(whole)).chain(end).collect()
        }
    };
    for message in messages {
        let _ = send.send(message).await;
    }
    loop {
        tokio::time::sleep(PING).await;
        let _ = send.send(Message::Ping(Default::default())).await;
    }
}
