//! One call: carried out in a task of its own, its progress told.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::Peer;
use runcord_model::{Code, Principal, Refusal};
use runcord_runtime::progress::{Progress, ProgressNote};
use runcord_runtime::tools::{ToolHint, ToolSpec};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::served::Served;

/// Held while a call is under way that must not be cut in half; see [`crate::stdio`].
pub(crate) type Busy = mpsc::Sender<Infallible>;

/// How long a finished call waits for its last notes to be sent.
const LAST_NOTES: Duration = Duration::from_secs(1);

/// One call, complete.
pub(crate) struct Call<S> {
    pub(crate) service: Arc<S>,
    pub(crate) principal: Principal,
    pub(crate) spec: Arc<ToolSpec>,
    pub(crate) args: Map<String, Value>,
}

impl<S: Served> Call<S> {
    /// Carries it out.
    ///
    /// It runs in a task of its own, so that neither a cancelled request nor a closed connection stops it
    /// between two of its steps: what may be stopped is a run, and run_cancel stops it. Only the waiting for its
    /// answer ends when the client no longer waits.
    pub(crate) async fn carry_out(
        self,
        busy: Busy,
        given_up: impl Future<Output = ()>,
        listener: Option<(Peer<RoleServer>, ProgressToken)>,
    ) -> Result<Value, Refusal> {
        let lost = lost_answer(self.spec.hint);
        let (progress, teller) = listening(listener);
        let answer = tokio::select! {
            answer = tokio::spawn(self.answered(busy, progress)) => answer,
            () = given_up => return Err(lost),
        };
        let answer = answer.unwrap_or_else(|error| {
            tracing::error!(panicked = error.is_panic(), "a call ended without an answer");
            Err(lost)
        });
        // The answer ends the request: notes must come before it, and a client that does not read them must not hold it up.
        let _ = tokio::time::timeout(LAST_NOTES, teller).await;
        answer
    }

    async fn answered(self, busy: Busy, progress: Progress) -> Result<Value, Refusal> {
        let _busy = match self.spec.hint {
            ToolHint::Applies | ToolHint::Controls => Some(busy),
            ToolHint::Reads | ToolHint::Plans => {
                drop(busy);
                None
            }
        };
        let answer = self.service.call(&self.principal, &self.spec.name, &self.args, &progress).await;
        if let Err(refusal) = &answer {
            tracing::info!(tool = %self.spec.name, code = ?refusal.code, "refused");
        }
        answer
    }
}

/// What is said when a call ended without an answer: a defect of ours, and never taken for nothing done.
pub(crate) fn lost_answer(hint: ToolHint) -> Refusal {
    match hint {
        ToolHint::Reads | ToolHint::Plans => Refusal::new(
            Code::Internal,
            "the server failed during this call; the target was not changed",
            "tell a person; the server's log says more",
        ),
        ToolHint::Applies | ToolHint::Controls => Refusal::new(
            Code::OutcomeUnknown,
            "the server failed during this call; it may have taken effect",
            "do not call it again: call run_status with the plan_id or run_id, and tell a person",
        ),
    }
}

/// Where the notes of a call go: to the client, where it asked for them.
fn listening(listener: Option<(Peer<RoleServer>, ProgressToken)>) -> (Progress, JoinHandle<()>) {
    match listener {
        None => (Progress::none(), tokio::spawn(async {})),
        Some((peer, token)) => {
            let (sender, notes) = mpsc::unbounded_channel();
            (Progress::to(sender), tokio::spawn(tell(peer, token, notes)))
        }
    }
}

async fn tell(
    peer: Peer<RoleServer>,
    token: ProgressToken,
    mut notes: mpsc::UnboundedReceiver<ProgressNote>,
) {
    let mut last = f64::NEG_INFINITY;
    while let Some(note) = notes.recv().await {
        // MCP: progress must increase with each note.
        if note.done <= last {
            continue;
        }
        last = note.done;
        let mut told = ProgressNotificationParam::new(token.clone(), note.done).with_message(note.message);
        told.total = note.of;
        if peer.notify_progress(told).await.is_err() {
            return;
        }
    }
}
