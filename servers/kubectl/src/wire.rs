//! One request and its answer, with a time limit. Every request of this server goes through here.

use std::time::Duration;

use http::{Request, StatusCode};
use kube::Client;
use kube::client::Body;

/// How long one request may take, its whole answer included.
const LIMIT: Duration = Duration::from_secs(10);

/// What the API server's audit log calls us.
const AGENT: &str = concat!("runcord-kubectl/", env!("CARGO_PKG_VERSION"));

/// A connection to one API server.
///
/// The client retries nothing by itself: a mutation whose answer is lost must be settled by looking.
#[derive(Clone)]
pub(crate) struct Wire {
    client: Client,
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

impl Wire {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Sends one request and reads its whole answer.
    pub(crate) async fn ask(&self, request: Request<Vec<u8>>) -> Result<Answer, Unanswered> {
        let failed = |e| Unanswered::Failed(Box::new(e));
        let mut request = request;
        request.headers_mut().insert(http::header::USER_AGENT, http::HeaderValue::from_static(AGENT));
        let answer = async {
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
