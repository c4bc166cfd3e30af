//! The store behind the API server: for objects that it would not take any more, but still serves.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// Puts an object at its place in etcd, by etcd's own JSON gateway.
pub(crate) fn put(port: u16, key: &str, object: &Value) -> Result<()> {
    let body =
        json!({"key": base64(key.as_bytes()), "value": base64(object.to_string().as_bytes())}).to_string();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "POST /v3/kv/put HTTP/1.1\r\nhost: etcd\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).context("etcd does not answer")?;
    ensure!(answer.starts_with("HTTP/1.1 200 "), "etcd does not take {key}: {answer}");
    Ok(())
}

/// RFC 4648, 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let group =
            three.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for at in 0..4 {
            let six = (group >> (18 - 6 * at)) & 0x3f;
            let letter =
                usize::try_from(six).ok().and_then(|six| ALPHABET.get(six)).map_or('=', |b| char::from(*b));
            text.push(if at <= three.len() { letter } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn the_vectors_of_rfc_4648_hold() {
        for (text, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
    }
}
