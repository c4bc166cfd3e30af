//! Reading from the API server. There is no method here that could write (an access review is answered, not stored), and
//! none that runs a command but one that a reviewed runbook declares to only look.

use http::{Request, StatusCode};
use kube::Resource;
use kube::api::{GetParams, ListParams};
use kube::core::ObjectList;
use runcord_model::Refusal;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::exec::{self, Command, Input, Limit, Outcome, Place};
use crate::lean::lean;
use crate::names::Namespace;
use crate::permissions::Permission;
use crate::queues::commands::Preview;
use crate::refuse::{precondition, unreachable};
use crate::requests;
use crate::wire::{Answer, Wire};

/// So many objects on one page of a listing.
const PAGE: u32 = 500;

/// Reads from one API server.
#[derive(Clone)]
pub(crate) struct Reader {
    wire: Wire,
}

/// Why a read gave nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// No answer came, or the server has a fault of its own.
    #[error("the API server does not answer a read of {what}")]
    Unanswered {
        /// What was read: the plural name of the resource.
        what: String,
    },
    /// The credentials may not.
    #[error("the API server does not let these credentials read {what}")]
    Forbidden {
        /// What was read.
        what: String,
    },
    /// It has no such objects at all.
    #[error("the cluster does not serve {what}")]
    NotServed {
        /// What was read, with its group and version where these are known.
        what: String,
    },
    /// It refused for another reason.
    #[error("the API server refuses a read of {what} with status {status}")]
    Refused {
        /// What was read.
        what: String,
        /// The status.
        status: u16,
    },
    /// It answered something else than the API says.
    #[error("the API server's answer to a read of {what} cannot be understood")]
    Unreadable {
        /// What was read.
        what: String,
    },
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        let said = error.to_string();
        match error {
            ReadError::Forbidden { what } => precondition(
                said,
                format!(
                    "Give the credentials of this server `get` and `list` on {what}; without them nothing is planned."
                ),
            ),
            ReadError::NotServed { .. } => precondition(
                said,
                "Without it nothing is planned: use a cluster that serves it. `runcord runbook drift` says what else is missing.",
            ),
            ReadError::Unanswered { .. } | ReadError::Refused { .. } | ReadError::Unreadable { .. } => {
                unreachable(said)
            }
        }
    }
}

impl Reader {
    pub(crate) fn new(wire: Wire) -> Self {
        Self { wire }
    }

    /// One object; nothing when it is not there.
    pub(crate) async fn get<K>(
        &self,
        namespace: Option<&Namespace>,
        name: &str,
    ) -> Result<Option<K>, ReadError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let what = what::<K>();
        let request = kube::core::Request::new(path::<K>(namespace))
            .get(name, &GetParams::default())
            .map_err(|_| ReadError::Unreadable { what: what.clone() })?;
        let answer = self.ask(request, &what).await?;
        if is_missing(&answer, name) {
            return Ok(None);
        }
        parse(&answer, &what).map(Some)
    }

    /// All objects that `params` selects, page by page, as they are now (no resource version: not from a cache).
    pub(crate) async fn list<K>(
        &self,
        namespace: Option<&Namespace>,
        params: ListParams,
    ) -> Result<Vec<K>, ReadError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Clone,
    {
        self.list_as::<K, K>(namespace, params).await
    }

    /// The same, of each object only what `T` holds.
    pub(crate) async fn list_as<K, T>(
        &self,
        namespace: Option<&Namespace>,
        mut params: ListParams,
    ) -> Result<Vec<T>, ReadError>
    where
        K: Resource<DynamicType = ()>,
        T: DeserializeOwned + Clone,
    {
        let what = what::<K>();
        let requests = kube::core::Request::new(path::<K>(namespace));
        params.limit.get_or_insert(PAGE);
        let mut found = Vec::new();
        loop {
            let request = requests.list(&params).map_err(|_| ReadError::Unreadable { what: what.clone() })?;
            let page: ObjectList<T> = parse(&self.ask(request, &what).await?, &what)?;
            found.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(found),
            }
        }
    }

    /// The newest objects that `params` selects: the first page only.
    pub(crate) async fn first_page<K>(
        &self,
        namespace: &Namespace,
        params: ListParams,
    ) -> Result<Vec<K>, ReadError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Clone,
    {
        let what = what::<K>();
        let request = kube::core::Request::new(path::<K>(Some(namespace)))
            .list(&params)
            .map_err(|_| ReadError::Unreadable { what: what.clone() })?;
        let page: ObjectList<K> = parse(&self.ask(request, &what).await?, &what)?;
        Ok(page.items)
    }

    /// Whether the credentials may: a review, which the API server answers and does not store.
    pub(crate) async fn may(
        &self,
        needed: &Permission,
        namespace: Option<&Namespace>,
    ) -> Result<May, ReadError> {
        let what = || "an access review".to_owned();
        let request =
            requests::review(needed, namespace).map_err(|_| ReadError::Unreadable { what: what() })?;
        let answer = self.wire.ask(request).await.map_err(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "an access review was not answered");
            ReadError::Unanswered { what: what() }
        })?;
        Ok(May::read(answer.status, &answer.body))
    }

    /// Runs a preview. No other type of command comes in here.
    pub(crate) async fn preview(
        &self,
        at: &Place,
        preview: &Preview,
        limit: Limit,
        output: usize,
    ) -> Outcome {
        let command = Command {
            namespace: &at.namespace,
            pod: &at.pod,
            container: &at.container,
            argv: preview.words(),
            input: Input::Nothing,
            limit,
            output,
        };
        exec::run(&self.wire, &command).await
    }

    /// The answer to a GET, whatever its status, but for those that end every read.
    pub(crate) async fn ask(&self, request: Request<Vec<u8>>, what: &str) -> Result<Answer, ReadError> {
        let what = || what.to_owned();
        if request.method() != http::Method::GET {
            return Err(ReadError::Refused { what: what(), status: 405 });
        }
        let answer = self.wire.ask_patiently(request).await.map_err(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "a read was not answered");
            ReadError::Unanswered { what: what() }
        })?;
        match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(ReadError::Forbidden { what: what() }),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(ReadError::Unanswered { what: what() })
            }
            _ => Ok(answer),
        }
    }
}

/// Whether the credentials may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum May {
    Yes,
    No,
    /// The API server does not tell.
    CannotTell,
}

impl May {
    /// Only a plain `allowed: true` is a yes, only a review without an error of its own a no.
    fn read(status: StatusCode, body: &[u8]) -> Self {
        let review: Value = serde_json::from_slice(body).unwrap_or_default();
        let failed = review.pointer("/status/evaluationError").is_some_and(|error| *error != "");
        match review.pointer("/status/allowed").and_then(Value::as_bool) {
            Some(true) if status.is_success() => Self::Yes,
            Some(false) if status.is_success() && !failed => Self::No,
            Some(_) | None => Self::CannotTell,
        }
    }
}

/// Whether there is no object of that name. A path that is not served is not found either, but the API server names no
/// object then.
pub(crate) fn is_missing(answer: &Answer, name: &str) -> bool {
    let status = || serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
    answer.status == StatusCode::NOT_FOUND
        && status().pointer("/details/name").is_some_and(|named| named == name)
}

/// What an answer that is no success means.
pub(crate) fn refused(status: StatusCode, what: &str) -> ReadError {
    match status {
        StatusCode::NOT_FOUND => ReadError::NotServed { what: what.to_owned() },
        status => ReadError::Refused { what: what.to_owned(), status: status.as_u16() },
    }
}

/// `poddisruptionbudgets of policy/v1`; of the core, the plural alone.
fn what<K: Resource<DynamicType = ()>>() -> String {
    match K::group(&()).is_empty() {
        true => K::plural(&()).into_owned(),
        false => format!("{} of {}", K::plural(&()), K::api_version(&())),
    }
}

fn path<K: Resource<DynamicType = ()>>(namespace: Option<&Namespace>) -> String {
    K::url_path(&(), namespace.map(Namespace::as_str))
}

fn parse<T: DeserializeOwned>(answer: &Answer, what: &str) -> Result<T, ReadError> {
    if !answer.status.is_success() {
        return Err(refused(answer.status, what));
    }
    let unreadable = || ReadError::Unreadable { what: what.to_owned() };
    let text = std::str::from_utf8(&answer.body).map_err(|_| unreadable())?;
    serde_json::from_str(&lean(text)).map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use k8s_openapi::api::policy::v1::PodDisruptionBudget;
    use runcord_model::Code;
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, retry_after: None, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn an_object_that_is_not_there_is_not_a_kind_that_is_not_served() {
        let of_object =
            json!({"kind": "Status", "reason": "NotFound", "details": {"name": "web", "kind": "pods"}});
        assert!(is_missing(&answer(404, &of_object.to_string()), "web"));
        assert!(!is_missing(&answer(404, &of_object.to_string()), "other"));
        // What 1.36 answers where the group, and where only the resource, is not served.
        let of_resource = json!({"kind": "Status", "reason": "NotFound", "details": {}});
        for body in ["404 page not found\n", &of_resource.to_string()] {
            assert!(!is_missing(&answer(404, body), "web"));
            let error = parse::<PodDisruptionBudget>(&answer(404, body), &what::<PodDisruptionBudget>());
            let refusal = Refusal::from(error.unwrap_err());
            assert_eq!(refusal.code, Code::PreconditionFailed);
            assert_eq!(refusal.message, "the cluster does not serve poddisruptionbudgets of policy/v1");
        }
        assert_eq!(what::<Pod>(), "pods");
    }

    #[test]
    fn only_a_plain_yes_is_a_permission() {
        let review = |body: Value| May::read(StatusCode::CREATED, body.to_string().as_bytes());
        assert_eq!(review(json!({"status": {"allowed": true}})), May::Yes);
        assert_eq!(review(json!({"status": {"allowed": false}})), May::No);
        let broken = json!({"status": {"allowed": false, "evaluationError": "a webhook is down"}});
        assert_eq!(review(broken), May::CannotTell);
        assert_eq!(review(json!({"status": {}})), May::CannotTell);
        assert_eq!(May::read(StatusCode::FORBIDDEN, br#"{"status": "Failure"}"#), May::CannotTell);
        assert_eq!(May::read(StatusCode::OK, b"no json"), May::CannotTell);
    }
}
