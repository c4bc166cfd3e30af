//! What an act under way may ask of the run it is a part of, and tell it.

use std::sync::{Mutex, PoisonError};

use runcord_flow::{Permit, StopCause, Unstopped};
pub use runcord_ledger::Told;
use runcord_ledger::{Ledger, PermitRefused};
use runcord_model::RunId;

use crate::clock;
use crate::target::Acted;
use crate::worker::CORD_EVERY;

/// One act under its run's eye: whether the run is to stop, before the act is sent and while it lasts, and how far it is.
#[derive(Debug)]
pub struct Supervision<'a> {
    ledger: &'a Ledger,
    run: &'a RunId,
    stopped: Mutex<Option<StopCause>>,
}

impl<'a> Supervision<'a> {
    pub(crate) fn of(ledger: &'a Ledger, run: &'a RunId) -> Self {
        Self { ledger, run, stopped: Mutex::new(None) }
    }

    /// Looks once more whether the run is to stop: what there is to look at before an act that is slow to begin and cannot
    /// be taken back, after its permit was given, takes time in which somebody may pull the cord. To be asked right before
    /// the act is sent: otherwise it is [`Acted::Stopped`], also where nobody can tell.
    ///
    /// # Errors
    /// What has become of the act: nothing.
    pub fn unstopped(&self, permit: Permit) -> Result<Unstopped, Acted> {
        let stopped = |cause| Acted::Stopped { cause };
        let now = clock::now().map_err(|_| stopped(StopCause::CordUnreadable))?;
        self.ledger.still_permitted(permit, &now).map_err(|refused| match refused {
            PermitRefused::Stop(cause) => stopped(cause),
            PermitRefused::Epoch | PermitRefused::OutOfPlace | PermitRefused::Ledger(_) => {
                tracing::error!(error = %crate::chain(&refused), "whether the run is to stop cannot be told");
                stopped(StopCause::CordUnreadable)
            }
        })
    }

    /// Waits, for an act that lasts, until the run is to stop. Where nobody can tell it is.
    pub async fn stop_asked(&self) -> StopCause {
        loop {
            if let Some(cause) = self.look() {
                *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause);
                return cause;
            }
            tokio::time::sleep(CORD_EVERY).await;
        }
    }

    /// Tells how far an act that lasts is, for whoever waits for the run. Nothing hangs on it.
    pub fn tell(&self, told: Told) {
        if let Err(error) = self.ledger.tell(self.run, told) {
            tracing::warn!(error = %crate::chain(&error), "how far the run is cannot be told");
        }
    }

    /// Why the act was told to stop while it lasted, if it was.
    pub(crate) fn stopped(&self) -> Option<StopCause> {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) -> Option<StopCause> {
        let Ok(now) = clock::now() else { return Some(StopCause::CordUnreadable) };
        self.ledger.stop_asked(self.run, &now).unwrap_or_else(|error| {
            tracing::error!(error = %crate::chain(&error), "whether the run is to stop cannot be told");
            Some(StopCause::CordUnreadable)
        })
    }
}
