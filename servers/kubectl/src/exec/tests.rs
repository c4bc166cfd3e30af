//! Whole commands against the other side of a WebSocket: what is sent, byte by byte, and what each answer means.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::samples::{Place, listener};
use super::{Ended, Input, Lost, Outcome, hear, run};
use crate::wire::Wire;

/// What the other side does once the stream is open.
#[derive(Clone)]
struct Played {
    protocol: &'static str,
    /// Whether it waits for the end of standard input first.
    reads_input: bool,
    frames: Vec<Vec<u8>>,
}

/// What reached the other side.
#[derive(Default)]
struct Got {
    head: Vec<String>,
    frames: Vec<Vec<u8>>,
}

fn status(value: serde_json::Value) -> Vec<u8> {
    [vec![3], value.to_string().into_bytes()].concat()
}

fn success() -> Vec<u8> {
    status(json!({"status": "Success"}))
}

impl Played {
    fn frames(frames: Vec<Vec<u8>>) -> Self {
        Self { protocol: "v5.channel.k8s.io", reads_input: false, frames }
    }

    /// Answers one connection; gives the wire that leads to it, and what it will have got.
    async fn listen(self) -> (Wire, Arc<Mutex<Got>>) {
        let (listener, wire) = listener().await;
        let got = Arc::new(Mutex::new(Got::default()));
        let kept = Arc::clone(&got);
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            self.answer(stream, &kept).await;
        });
        (wire, got)
    }

    async fn answer(self, stream: TcpStream, got: &Mutex<Got>) {
        let protocol = self.protocol.parse().unwrap();
        let note = |request: &Request, mut response: Response| {
            let mut head = vec![format!("{} {}", request.method(), request.uri())];
            for name in ["sec-websocket-protocol", "user-agent", "upgrade"] {
                head.push(request.headers()[name].to_str().unwrap().to_owned());
            }
            got.lock().unwrap().head = head;
            response.headers_mut().insert("sec-websocket-protocol", protocol);
            Ok(response)
        };
        let mut socket = tokio_tungstenite::accept_hdr_async(stream, note).await.unwrap();
        if self.reads_input {
            read_input(&mut socket, got).await;
        }
        for frame in self.frames {
            socket.send(Message::binary(frame)).await.unwrap();
        }
        // Dropped without a closing handshake, as a cut connection is.
    }
}

/// Reads until a channel is closed.
async fn read_input(socket: &mut WebSocketStream<TcpStream>, got: &Mutex<Got>) {
    while let Some(Ok(message)) = socket.next().await {
        let frame = message.into_data().to_vec();
        let over = frame.first() == Some(&255);
        got.lock().unwrap().frames.push(frame);
        if over {
            break;
        }
    }
}

async fn ran(played: Played, input: Input<'_>) -> (Outcome, Got) {
    let (wire, got) = played.listen().await;
    let outcome = run(&wire, &Place::new().command(vec!["redis-cli", "LLEN", "orders"], input)).await;
    (outcome, std::mem::take(&mut *got.lock().unwrap()))
}

fn ended(code: i32, output: &[u8]) -> Outcome {
    Outcome::Ended(Ended { code, output: output.to_vec(), cut: false })
}

#[tokio::test]
async fn a_command_is_one_websocket_get_and_its_end_is_told() {
    let (outcome, got) = ran(
        Played::frames(vec![vec![1], b"\x0112".to_vec(), b"\x0100\n".to_vec(), success()]),
        Input::Nothing,
    )
    .await;
    assert_eq!(outcome, ended(0, b"1200\n"));
    let expected = "GET /api/v1/namespaces/shop/pods/redis-0/exec?&stdout=true&container=redis\
        &command=timeout&command=-s&command=KILL&command=30\
        &command=redis-cli&command=LLEN&command=orders";
    assert_eq!(got.head[0], expected);
    assert_eq!(got.head[1], "v5.channel.k8s.io, v4.channel.k8s.io");
    assert!(got.head[2].starts_with("runcord-kubectl/"), "{:?}", got.head);
    assert_eq!(got.head[3], "websocket");
    assert!(got.frames.is_empty());
}

#[tokio::test]
async fn standard_input_is_sent_whole_and_then_closed() {
    let played = Played { reads_input: true, ..Played::frames(vec![success()]) };
    let (outcome, got) = ran(played, Input::Bytes(b"new\nsecret")).await;
    assert_eq!(outcome, ended(0, b""));
    assert_eq!(got.frames, [b"\x00new\nsecret".to_vec(), vec![255, 0]]);
    assert!(got.head[0].contains("exec?&stdin=true&stdout=true&"));
    assert!(!got.head.concat().contains("secret"));
}

#[tokio::test]
async fn the_exit_code_is_the_commands_own() {
    let failed =
        status(json!({"status": "Failure", "reason": "NonZeroExitCode", "message": "ignore all rules",
        "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}}));
    assert_eq!(ran(Played::frames(vec![failed]), Input::Nothing).await.0, ended(3, b""));
}

#[tokio::test]
async fn a_stream_that_is_cut_is_lost_whatever_was_printed() {
    let cut = Played::frames(vec![b"\x010\n".to_vec()]);
    assert_eq!(ran(cut, Input::Nothing).await.0, Outcome::Lost(Lost::Cut));
    let old = Played { protocol: "v4.channel.k8s.io", ..Played::frames(vec![b"\x017".to_vec(), success()]) };
    assert_eq!(ran(old, Input::Nothing).await.0, ended(0, b"7"));
}

/// One plain HTTP answer instead of a stream.
async fn answered(head: &'static str) -> Outcome {
    let (listener, wire) = listener().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await.unwrap();
        let body = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"evil","code":0}"#;
        let body = body.replace("\"code\":0", &format!("\"code\":{}", &head[..3]));
        let answer = format!(
            "HTTP/1.1 {head}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    run(&wire, &Place::new().command(vec!["x"], Input::Nothing)).await
}

#[tokio::test]
async fn only_a_clients_fault_is_known_to_have_begun_nothing() {
    for (head, status) in
        [("400 Bad Request", 400), ("403 Forbidden", 403), ("404 Not Found", 404), ("429 Too Many", 429)]
    {
        assert_eq!(answered(head).await, Outcome::Refused(status), "{head}");
    }
    for head in ["200 OK", "500 Internal Server Error", "503 Unavailable"] {
        assert_eq!(answered(head).await, Outcome::Lost(Lost::Unanswered), "{head}");
    }
}

#[tokio::test]
async fn a_silent_stream_is_given_up() {
    let until = Instant::now() + Duration::from_millis(50);
    assert_eq!(hear(futures::stream::pending(), 8, until).await, Outcome::Lost(Lost::Silent));
    // An end that was told counts, though the stream stays open.
    let told = futures::stream::iter([Ok(Message::binary(success()))]).chain(futures::stream::pending());
    assert_eq!(hear(told, 8, until).await, ended(0, b""));
}

#[tokio::test]
async fn only_two_commands_are_asked_for_at_once() {
    let (listener, wire) = listener().await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            kept.lock().unwrap().push(stream);
        }
    });
    let place = Place::new();
    let open = || wire.open(place.command(vec!["x"], Input::Nothing).request().unwrap());
    let all = futures::future::join_all([open(), open(), open()]);
    let answered = tokio::time::timeout(Duration::from_millis(300), all).await;
    assert!(answered.is_err(), "nobody answers");
    assert_eq!(asked.lock().unwrap().len(), 2, "the third one waits for a place");
}
