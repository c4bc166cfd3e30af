//! A played API server, for tests: it answers each path from a table or a closure, and keeps what it was asked for.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::exec::samples::listener;
use crate::reader::Reader;
use crate::wire::Wire;

/// The paths that were asked for, each with its query.
pub(crate) type Asked = Arc<Mutex<Vec<String>>>;

/// A reader of an API server that has these objects, by their paths. All its listings that are not among them are empty,
/// and no other object is there.
pub(crate) async fn holding(objects: Vec<(&'static str, Value)>) -> (Reader, Asked) {
    answering(move |uri| {
        let path = uri.split('?').next().unwrap();
        match objects.iter().find(|(known, _)| *known == path) {
            Some((_, object)) => (200, object.clone()),
            None if is_listing(path) => (200, list(vec![])),
            None => (404, missing(path)),
        }
    })
    .await
}

/// A reader of an API server that answers a path and its query with this status and body.
pub(crate) async fn answering(answer: impl Fn(&str) -> (u16, Value) + Send + 'static) -> (Reader, Asked) {
    let (wire, asked) = wired(answer).await;
    (Reader::new(wire), asked)
}

/// The wire that leads to it.
pub(crate) async fn wired(answer: impl Fn(&str) -> (u16, Value) + Send + 'static) -> (Wire, Asked) {
    let (listener, wire) = listener().await;
    let asked = Asked::default();
    let kept = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let uri = read(&mut stream).await;
            let (status, body) = answer(&uri);
            kept.lock().unwrap().push(uri);
            let body = body.to_string();
            let head = format!(
                "HTTP/1.1 {status} Played\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes()).await.unwrap();
        }
    });
    (wire, asked)
}

/// A listing of these objects.
pub(crate) fn list(items: Vec<Value>) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items})
}

/// What the API server says of an object that is not there.
fn missing(path: &str) -> Value {
    let name = path.rsplit('/').next().unwrap();
    json!({"kind": "Status", "reason": "NotFound", "details": {"name": name}})
}

/// Whether nothing follows the plural: `/apis/apps/v1/namespaces/shop/deployments`.
fn is_listing(path: &str) -> bool {
    path.split_once("/namespaces/").is_some_and(|(_, rest)| rest.split('/').count() == 2)
}

/// Reads one request whole; gives its path and query.
async fn read(stream: &mut TcpStream) -> String {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let got = stream.read(&mut part).await.unwrap();
        bytes.extend_from_slice(&part[..got]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return head.split(' ').nth(1).unwrap().to_owned();
        }
    }
}
