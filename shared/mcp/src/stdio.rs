//! Serving one client over standard input and output.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rmcp::ServiceExt;
use rmcp::service::{QuitReason, ServerInitializeError};
use runcord_model::Principal;
use runcord_runtime::service::Service;
use runcord_runtime::target::Target;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use crate::handler::Handler;
use crate::served::Served;

/// How long a call that must not be cut in half may still take once the client has gone.
const LAST_CALLS: Duration = Duration::from_secs(30);

/// Why serving ended, other than by the client's leaving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The client did not begin as MCP says.
    #[error("the client did not begin as MCP says")]
    Begin {
        /// What it did instead.
        #[source]
        source: Box<ServerInitializeError>,
    },
    /// The loop that serves ended by itself.
    #[error("serving ended by itself")]
    Serve {
        /// How.
        #[source]
        source: io::Error,
    },
}

/// Serves one client over standard input and output until it leaves. Its leaving ends the server and never a
/// run: runs are processes of their own. A call that was about to begin or to stop one is carried to its end.
///
/// # Errors
/// A client that does not speak MCP, or a failure of the loop itself.
pub async fn serve_stdio<T: Target>(
    service: Arc<Service<T>>,
    principal: Principal,
) -> Result<(), ServeError> {
    let (input, output) = rmcp::transport::stdio_pipes();
    serve(service, principal, input, output).await
}

/// The same over any pair of streams.
pub(crate) async fn serve<S: Served>(
    service: Arc<S>,
    principal: Principal,
    input: impl AsyncRead + Send + Unpin + 'static,
    output: impl AsyncWrite + Send + Unpin + 'static,
) -> Result<(), ServeError> {
    let (busy, mut idle) = mpsc::channel(1);
    let ended = match (Handler { service, principal, busy }).serve((input, output)).await {
        Ok(running) => running.waiting().await,
        // It left before it said anything: there is nothing to complain about.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(source) => return Err(ServeError::Begin { source: Box::new(source) }),
    };
    // Ends when nobody holds the other end any more: the handler is gone, and with it every call under way.
    if tokio::time::timeout(LAST_CALLS, idle.recv()).await.is_err() {
        tracing::warn!("a call was still under way when the server ended");
    }
    match ended {
        Ok(QuitReason::JoinError(error)) | Err(error) => {
            Err(ServeError::Serve { source: io::Error::other(error) })
        }
        // Closed or cancelled: the client has gone.
        Ok(_) => Ok(()),
    }
}
