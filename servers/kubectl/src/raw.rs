//! Objects as the API server writes them, for what must be sent back unchanged or read without its contents.

use http::Request;
use serde_json::Value;

use crate::reader::{ReadError, Reader, is_missing, refused};

/// Only the metadata of the objects: enough to count what is owned, and nothing of what it holds.
const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const WHOLE: &str = "application/json";

/// How much of each object is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    Metadata,
}

/// One object by its path; nothing when it is not there.
pub(crate) async fn get(reader: &Reader, path: &str, what: &str) -> Result<Option<Value>, ReadError> {
    let answer = reader.ask(request(path, WHOLE, what)?, what).await?;
    if is_missing(&answer, path.rsplit('/').next().unwrap_or_default()) {
        return Ok(None);
    }
    if !answer.status.is_success() {
        return Err(refused(answer.status, what));
    }
    let object = serde_json::from_slice(&answer.body);
    object.map(Some).map_err(|_| ReadError::Unreadable { what: what.to_owned() })
}

/// All objects of a path, page by page.
pub(crate) async fn list(
    reader: &Reader,
    path: &str,
    extent: Extent,
    what: &str,
) -> Result<Vec<Value>, ReadError> {
    let unreadable = || ReadError::Unreadable { what: what.to_owned() };
    let accept = match extent {
        Extent::Whole => WHOLE,
        Extent::Metadata => METADATA_ONLY,
    };
    let (mut found, mut next) = (Vec::new(), String::new());
    loop {
        let page = request(&format!("{path}?limit=500{next}"), accept, what)?;
        let answer = reader.ask(page, what).await?;
        if !answer.status.is_success() {
            return Err(refused(answer.status, what));
        }
        let mut page: Value = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
        let items = page.get_mut("items").map(Value::take).ok_or_else(unreadable)?;
        // A listing of metadata that found nothing says null.
        found.extend(
            serde_json::from_value::<Option<Vec<Value>>>(items)
                .map_err(|_| unreadable())?
                .unwrap_or_default(),
        );
        match page.pointer("/metadata/continue").and_then(Value::as_str).filter(|token| !token.is_empty()) {
            Some(token) => next = format!("&continue={}", escaped(token)),
            None => return Ok(found),
        }
    }
}

fn request(path: &str, accept: &str, what: &str) -> Result<Request<Vec<u8>>, ReadError> {
    Request::get(path)
        .header(http::header::ACCEPT, accept)
        .body(Vec::new())
        .map_err(|_| ReadError::Unreadable { what: what.to_owned() })
}

/// A token as a part of a query.
fn escaped(token: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    token.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
