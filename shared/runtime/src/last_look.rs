//! The last look before an act is sent that is slow to begin and cannot be taken back.

use runcord_flow::{Permit, StopCause, Unstopped};
use runcord_ledger::{Ledger, PermitRefused};

use crate::clock;
use crate::target::Acted;

/// Leave to look once more whether the run is to stop: what there is to look at before such an act, after its permit was
/// given, takes time in which somebody may pull the cord.
#[derive(Debug)]
pub struct LastLook<'a> {
    ledger: &'a Ledger,
}

impl<'a> LastLook<'a> {
    pub(crate) fn at(ledger: &'a Ledger) -> Self {
        Self { ledger }
    }

    /// Looks. To be asked right before the act is sent: otherwise it is [`Acted::Stopped`], also where nobody can tell.
    ///
    /// # Errors
    /// What has become of the act: nothing.
    pub fn unstopped(self, permit: Permit) -> Result<Unstopped, Acted> {
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
}
