//! The last look before a purge, against an API server that says something else from one moment to the next.

use std::sync::{Arc, Mutex};

use futures::SinkExt as _;
use runcord_runtime::target::Acted;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::apply::unchanged;
use super::samples::purge_act;
use crate::exec::samples::listener;
use crate::reader::Reader;

/// What was asked: `get` of the pod, or `exec`.
type Asked = Arc<Mutex<Vec<&'static str>>>;

/// Whether a purge of 12 goes ahead, when the pod is read as these (uid, ready) one after the other and its preview
/// prints `said`; and what was asked for that.
async fn looked(pods: &[(&'static str, bool)], said: &'static str) -> (Result<(), Acted>, Vec<&'static str>) {
    let (listener, wire) = listener().await;
    let asked = Asked::default();
    let (kept, mut pods) = (Arc::clone(&asked), pods.to_vec());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut head = [0; 512];
            let seen = stream.peek(&mut head).await.unwrap();
            if String::from_utf8_lossy(&head[..seen]).contains("/exec?") {
                kept.lock().unwrap().push("exec");
                preview(stream, said).await;
            } else {
                kept.lock().unwrap().push("get");
                let (uid, ready) = pods.remove(0);
                answer(stream, &pod(uid, ready)).await;
            }
        }
    });
    let result = unchanged(&Reader::new(wire), &purge_act(12)).await;
    let asked = asked.lock().unwrap().clone();
    (result, asked)
}

fn pod(uid: &str, ready: bool) -> Value {
    json!({
        "metadata": {"name": "redis-0", "namespace": "shop", "uid": uid},
        "spec": {"containers": [{"name": "redis"}]},
        "status": {"phase": "Running", "containerStatuses": [
            {"name": "redis", "ready": ready, "image": "", "imageID": "", "restartCount": 0}]},
    })
}

async fn answer(mut stream: TcpStream, body: &Value) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await.unwrap();
    let body = body.to_string();
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).await.unwrap();
}

async fn preview(stream: TcpStream, said: &str) {
    let speak = |_: &Request, mut response: Response| {
        response.headers_mut().insert("sec-websocket-protocol", "v5.channel.k8s.io".parse().unwrap());
        Ok(response)
    };
    let mut socket = tokio_tungstenite::accept_hdr_async(stream, speak).await.unwrap();
    for frame in [format!("\u{1}{said}"), format!("\u{3}{}", json!({"status": "Success"}))] {
        socket.send(Message::binary(frame.into_bytes())).await.unwrap();
    }
}

const SAME: (&str, bool) = ("pod-redis-0", true);

#[tokio::test]
async fn the_number_is_read_again_and_the_pod_after_it() {
    assert_eq!(looked(&[SAME, SAME], "12\n").await, (Ok(()), vec!["get", "exec", "get"]));
}

#[tokio::test]
async fn a_pod_that_is_replaced_while_its_preview_runs_is_not_purged() {
    for now in [("another", true), ("pod-redis-0", false)] {
        let (result, _) = looked(&[SAME, now], "12\n").await;
        assert!(matches!(result, Err(Acted::Refused { .. })), "{now:?}: {result:?}");
    }
}

#[tokio::test]
async fn a_queue_that_grew_ends_it_there() {
    let (result, asked) = looked(&[SAME], "13\n").await;
    assert!(matches!(result, Err(Acted::Refused { .. })), "{result:?}");
    assert_eq!(asked, ["get", "exec"]);
}
