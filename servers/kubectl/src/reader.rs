//! Reading from the API server. There is no method here that could write.

use http::{Request, StatusCode};
use kube::Resource;
use kube::api::{GetParams, ListParams};
use kube::core::ObjectList;
use runcord_model::Refusal;
use serde::de::DeserializeOwned;

use crate::names::Namespace;
use crate::refuse::{precondition, unreachable};
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
        let what = K::plural(&()).into_owned();
        let request = kube::core::Request::new(path::<K>(namespace))
            .get(name, &GetParams::default())
            .map_err(|_| ReadError::Unreadable { what: what.clone() })?;
        let answer = self.ask(request, &what).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        parse(&answer, &what).map(Some)
    }

    /// All objects that `params` selects, page by page, as they are now (no resource version: not from a cache).
    pub(crate) async fn list<K>(
        &self,
        namespace: Option<&Namespace>,
        mut params: ListParams,
    ) -> Result<Vec<K>, ReadError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Clone,
    {
        let what = K::plural(&()).into_owned();
        let requests = kube::core::Request::new(path::<K>(namespace));
        params.limit.get_or_insert(PAGE);
        let mut found = Vec::new();
        loop {
            let request = requests.list(&params).map_err(|_| ReadError::Unreadable { what: what.clone() })?;
            let page: ObjectList<K> = parse(&self.ask(request, &what).await?, &what)?;
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
        let what = K::plural(&()).into_owned();
        let request = kube::core::Request::new(path::<K>(Some(namespace)))
            .list(&params)
            .map_err(|_| ReadError::Unreadable { what: what.clone() })?;
        let page: ObjectList<K> = parse(&self.ask(request, &what).await?, &what)?;
        Ok(page.items)
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

fn path<K: Resource<DynamicType = ()>>(namespace: Option<&Namespace>) -> String {
    K::url_path(&(), namespace.map(Namespace::as_str))
}

fn parse<T: DeserializeOwned>(answer: &Answer, what: &str) -> Result<T, ReadError> {
    if !answer.status.is_success() {
        return Err(ReadError::Refused { what: what.to_owned(), status: answer.status.as_u16() });
    }
    serde_json::from_slice(&answer.body).map_err(|_| ReadError::Unreadable { what: what.to_owned() })
}
