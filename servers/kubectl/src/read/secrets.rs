//! The values of a namespace's Secrets, read only so that nothing that is shown holds them.
//!
//! To list Secrets is a large permission, so it is never asked for by default: whoever wants their values redacted grants
//! it, namespace by namespace, and every answer says what was redacted. Whether it is granted is asked by a review, which
//! leaves no denied request in the audit log. Values stay in memory for one answer; none is kept, logged or shown.

use std::collections::BTreeMap;

use http::Request;
use k8s_openapi::ByteString;
use runcord_model::Refusal;
use runcord_model::text::Cleaner;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::Namespace;
use crate::permissions;
use crate::reader::{May, ReadError, Reader, refused};
use crate::refuse::precondition;

/// So many Secrets on one page of the listing.
const PAGE: usize = 100;
/// As much of a namespace's Secrets as is read at all.
const MOST_BYTES: usize = 8_000_000;
/// Not read: what Helm keeps of its releases is compressed, so no text holds it, and is larger than all else.
const NOT_HELM: &str = "type%21%3Dhelm.sh%2Frelease.v1";
/// Tokens of service accounts hold two values that are everybody's.
const TOKEN: &str = "kubernetes.io/service-account-token";
const EVERYBODYS: [&str; 2] = ["namespace", "ca.crt"];

const WHAT: &str = "secrets";

/// What was redacted of the text under `untrusted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Redaction {
    /// The values of the namespace's Secrets, and all that looks like a secret.
    SecretValues,
    /// Only what looks like a secret: these credentials may not list the namespace's Secrets.
    ByShape,
}

/// What is known to be secret in a namespace.
pub(super) struct Known {
    pub(super) cleaner: Cleaner,
    pub(super) redaction: Redaction,
}

impl Known {
    /// Nothing but what secrets look like.
    pub(super) fn by_shape() -> Self {
        Self { cleaner: Cleaner::default(), redaction: Redaction::ByShape }
    }
}

/// Reads the Secrets of a namespace, where the credentials may.
///
/// # Errors
/// They may and it fails: then nothing is shown, rather than with less redacted than before.
pub(super) async fn of(reader: &Reader, namespace: &Namespace) -> Result<Known, Refusal> {
    match reader.may(&permissions::secret_values(), Some(namespace)).await? {
        May::No => return Ok(Known::by_shape()),
        May::Yes | May::CannotTell => {}
    }
    match list(reader, namespace).await {
        Ok(cleaner) => Ok(Known { cleaner, redaction: Redaction::SecretValues }),
        Err(Failed::Read(ReadError::Forbidden { .. })) => Ok(Known::by_shape()),
        Err(Failed::Read(error)) => Err(error.into()),
        Err(Failed::TooMuch) => Err(precondition(
            format!(
                "namespace {namespace} has more Secrets than are read to keep their values out of what is shown"
            ),
            "Have these credentials lose `list` on secrets there: then only what looks like a secret is redacted, and said so.",
        )),
    }
}

enum Failed {
    Read(ReadError),
    TooMuch,
}

impl From<ReadError> for Failed {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

/// What is read of a listing, and nothing else.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: Meta,
    items: Vec<Secret>,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default, rename = "continue")]
    token: Option<String>,
}

#[derive(Deserialize)]
struct Secret {
    #[serde(rename = "type")]
    kind: Option<String>,
    /// In base64, as the API writes them.
    data: Option<BTreeMap<String, String>>,
}

async fn list(reader: &Reader, namespace: &Namespace) -> Result<Cleaner, Failed> {
    let unreadable = || ReadError::Unreadable { what: WHAT.to_owned() };
    let (mut cleaner, mut read, mut token) = (Cleaner::default(), 0, String::new());
    loop {
        let uri =
            format!("/api/v1/namespaces/{namespace}/secrets?limit={PAGE}&fieldSelector={NOT_HELM}{token}");
        let request = Request::get(uri).body(Vec::new()).map_err(|_| unreadable())?;
        let answer = reader.ask(request, WHAT).await?;
        if !answer.status.is_success() {
            return Err(refused(answer.status, WHAT).into());
        }
        read += answer.body.len();
        if read > MOST_BYTES {
            return Err(Failed::TooMuch);
        }
        let page: Page = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
        page.items.iter().for_each(|secret| learn(&mut cleaner, secret));
        match page.metadata.token.filter(|token| !token.is_empty()) {
            Some(next) => {
                token = next.bytes().fold("&continue=".to_owned(), |uri, b| format!("{uri}%{b:02X}"))
            }
            None => return Ok(cleaner),
        }
    }
}

/// Each value as it is, and as the API writes it.
fn learn(cleaner: &mut Cleaner, secret: &Secret) {
    let everybodys = |key: &str| secret.kind.as_deref() == Some(TOKEN) && EVERYBODYS.contains(&key);
    for (_, encoded) in secret.data.iter().flatten().filter(|(key, _)| !everybodys(key)) {
        cleaner.learn(encoded.trim_end_matches('='));
        let decoded = serde_json::from_value::<ByteString>(serde_json::Value::from(encoded.as_str()));
        // What is no text is in no text.
        if let Some(value) = decoded.ok().and_then(|bytes| String::from_utf8(bytes.0).ok()) {
            cleaner.learn(&value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::played::answering;
    use serde_json::{Value, json};

    fn cleaner(secret: serde_json::Value) -> Cleaner {
        let mut cleaner = Cleaner::default();
        learn(&mut cleaner, &serde_json::from_value(secret).unwrap());
        cleaner
    }

    #[test]
    fn a_value_is_known_as_it_is_and_as_the_api_writes_it() {
        let cleaner = cleaner(json!({"type": "Opaque", "data": {"p": "dHIwdWI0ZG9yMQ==", "bytes": "/w=="}}));
        assert_eq!(
            cleaner.visible("a tr0ub4dor1 b dHIwdWI0ZG9yMQ== c", 100),
            "a ‹redacted› b ‹redacted›== c"
        );
    }

    #[test]
    fn what_every_token_of_a_service_account_holds_is_no_secret() {
        let data = json!({"namespace": "cGF5bWVudHM=", "token": "ZXlKaGJHY2lPaUo="});
        let token = cleaner(json!({"type": TOKEN, "data": data}));
        assert_eq!(token.visible("namespace payments: eyJhbGciOiJ", 100), "namespace payments: ‹redacted›");
        let other = cleaner(json!({"type": "Opaque", "data": data}));
        assert_eq!(other.visible("in payments", 100), "in ‹redacted›");
    }

    /// The answer to the review, then that to each page by its query.
    async fn known(review: Value, page: impl Fn(&str) -> (u16, Value) + Send + 'static) -> Answered {
        let (reader, asked) = answering(move |uri| match uri.split_once("/namespaces/shop/secrets?") {
            Some((_, query)) => page(query),
            None => (201, review.clone()),
        })
        .await;
        let known = of(&reader, &"shop".parse().unwrap()).await;
        let asked = asked.lock().unwrap().iter().filter(|uri| uri.contains("/secrets?")).cloned().collect();
        Answered { known, asked }
    }

    struct Answered {
        known: Result<Known, Refusal>,
        asked: Vec<String>,
    }

    impl Answered {
        fn redaction(&self) -> Option<Redaction> {
            self.known.as_ref().ok().map(|known| known.redaction)
        }

        fn shows(&self, text: &str) -> String {
            self.known.as_ref().unwrap().cleaner.visible(text, 100)
        }
    }

    fn allowed(yes: bool) -> Value {
        json!({"status": {"allowed": yes}})
    }

    fn page(values: &[&str], next: &str) -> Value {
        let secrets: Vec<_> =
            values.iter().map(|value| json!({"type": "Opaque", "data": {"p": value}})).collect();
        json!({"metadata": {"continue": next}, "items": secrets})
    }

    const BOTH: &str = "tr0ub4dor1 payments";

    #[tokio::test]
    async fn the_values_of_all_pages_are_redacted() {
        let answered = known(allowed(true), |query| match query.split_once("&continue=") {
            None => (200, page(&["dHIwdWI0ZG9yMQ=="], "a&b")),
            Some(_) => (200, page(&["cGF5bWVudHM="], "")),
        })
        .await;
        assert_eq!(answered.redaction(), Some(Redaction::SecretValues));
        assert_eq!(answered.shows(BOTH), "‹redacted› ‹redacted›");
        assert_eq!(answered.asked.len(), 2);
        assert!(answered.asked[1].ends_with("&continue=%61%26%62"), "{:?}", answered.asked);
        assert!(
            answered.asked.iter().all(|uri| uri.contains("fieldSelector=type%21%3Dhelm.sh%2Frelease.v1"))
        );
    }

    #[tokio::test]
    async fn whoever_may_not_list_them_is_told_so_and_does_not_ask() {
        let denied = known(allowed(false), |_| (200, page(&["dHIwdWI0ZG9yMQ=="], ""))).await;
        assert_eq!((denied.redaction(), denied.asked.len()), (Some(Redaction::ByShape), 0));
        let refused = known(allowed(true), |_| (403, Value::Null)).await;
        assert_eq!(refused.redaction(), Some(Redaction::ByShape), "never that they are redacted");
        let untold = known(json!({}), |_| (200, page(&["dHIwdWI0ZG9yMQ=="], ""))).await;
        assert_eq!(untold.redaction(), Some(Redaction::SecretValues));
        assert_eq!(untold.shows(BOTH), "‹redacted› payments");
    }

    #[tokio::test]
    async fn values_that_cannot_be_read_show_nothing_at_all() {
        for (status, body) in [(500, Value::Null), (404, page(&[], "")), (200, json!({"items": 1}))] {
            let answered = known(allowed(true), move |_| (status, body.clone())).await;
            assert!(answered.known.is_err(), "{status}");
        }
    }

    #[tokio::test]
    async fn more_than_is_read_shows_nothing_at_all() {
        // What else a Secret holds is not looked into, and counts all the same.
        let large = "x".repeat(4_100_000);
        let pages = move |query: &str| {
            let next = if query.contains("&continue=") { "" } else { "more" };
            let mut page = page(&["dHIwdWI0ZG9yMQ=="], next);
            page["items"][0]["metadata"] = json!({"annotations": {"large": large}});
            (200, page)
        };
        let refused = known(allowed(true), pages).await.known.err().unwrap();
        assert!(refused.message.contains("more Secrets than are read"), "{}", refused.message);
    }
}
