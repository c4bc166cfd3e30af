//! Applies a saved plan: the file that was approved, and nothing else.

use std::path::Path;
use std::time::Duration;

use runcord_exec::{Followed, Status, Timed};
use runcord_runtime::target::{Acted, Permit, StopCause, Supervision, Told, Unstopped};

use crate::act::{ApplySaved, BreakLock};
use crate::desk::Desk;
use crate::events::Events;
use crate::lock;
use crate::seen::StateMark;
use crate::tool::Session;

/// How often the tool's events are read while it works.
const READ_EVERY: Duration = Duration::from_millis(250);

/// The files that an apply writes to, in the folder of its run.
pub(crate) struct Outputs<'a> {
    pub(crate) events: &'a Path,
    pub(crate) errors: &'a Path,
}

/// Applies `saved`, which is the file of the act. `_unstopped` is the proof that nobody told the run to stop meanwhile.
pub(crate) async fn apply(
    session: Session<'_>,
    supervision: &Supervision<'_>,
    _unstopped: Unstopped,
    it: &ApplySaved,
    saved: &Path,
    outputs: Outputs<'_>,
) -> Acted {
    let timed = Timed::start("apply");
    let followed = match session.apply(saved, outputs.events, outputs.errors) {
        Ok(followed) => followed,
        Err(error) => return refused(format!("nothing was applied: {error}")),
    };
    let mut events = Events::of(outputs.events);
    let (status, why) = follow(followed, supervision, it, &mut events).await;
    drop(timed);
    let progress = events.progress();
    let done = format!("{} of {} changes were made", progress.done, it.changes);
    match (status, why) {
        (Some(Status::Exited(0)), _) => Acted::Done,
        (Some(Status::Exited(_)), Some(why)) => {
            refused(format!("it was interrupted, since {}; {done}", why.as_str()))
        }
        (Some(Status::Exited(_)), None) if progress.began => {
            refused(format!("the tool failed and does not take back what it did; {done}"))
        }
        (Some(Status::Exited(_)), None) => {
            refused("the tool failed, and as far as it said nothing was begun")
        }
        (Some(Status::Signalled(_)), _) => lost(format!("the tool was killed; {done} as far as it said")),
        (None, _) => lost("what became of the tool is not known"),
    }
}

/// Until it has ended: it is told once to stop when the run is, or when its time is over, and waited for then too.
async fn follow(
    mut followed: Followed,
    supervision: &Supervision<'_>,
    it: &ApplySaved,
    events: &mut Events,
) -> (Option<Status>, Option<StopCause>) {
    let mut interrupted = None;
    let stop = async {
        tokio::select! {
            cause = supervision.stop_asked() => cause,
            () = tokio::time::sleep(Duration::from_secs(it.timeout.seconds())) => StopCause::DeadlinePassed,
        }
    };
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            ended = followed.ended() => {
                let status = ended.inspect_err(|error| {
                    tracing::error!(error = error as &dyn std::error::Error, "the tool could not be followed");
                });
                return (status.ok(), interrupted);
            }
            cause = &mut stop, if interrupted.is_none() => {
                tracing::warn!(pid = followed.pid().get(), cause = cause.as_str(), "interrupting the tool, once");
                interrupted = Some(cause);
                followed.interrupt();
            }
            () = tokio::time::sleep(READ_EVERY) => {
                let done = events.progress().done;
                supervision.tell(Told { done, of: u32::try_from(it.changes).unwrap_or(u32::MAX) });
            }
        }
    }
}

/// The state must be the very one that the plan was made of.
pub(crate) async fn unmoved(session: Session<'_>, mark: &StateMark) -> Result<(), Acted> {
    let found = session.state_mark().await.map_err(|refusal| Acted::Deferred { reason: refusal.message })?;
    match found {
        Some(found) if found == *mark => Ok(()),
        Some(_) => Err(refused("the state was written since the plan was made")),
        None => Err(refused("the state is not understood")),
    }
}

/// Breaks the lock, against the permit for it. Over HTTP, Terraform breaks whatever lock there is, whichever it was told to:
/// so it is looked at once more, and one that changed hands is left alone.
pub(crate) async fn unlock(
    session: Session<'_>,
    desk: &Desk,
    permit: Permit,
    supervision: &Supervision<'_>,
    it: &BreakLock,
) -> Acted {
    match lock::look(session, desk).await {
        Ok(Some(held)) if held.id == it.lock => {}
        Ok(Some(_)) => return refused("the state is held by another lock by now, which was left alone"),
        Ok(None) => return refused("the state is not locked any more"),
        Err(refusal) => return refused(format!("the lock was not broken: {}", refusal.message)),
    }
    // Looking took a while.
    let _unstopped = match supervision.unstopped(permit) {
        Ok(unstopped) => unstopped,
        Err(acted) => return acted,
    };
    match session.unlock(&it.lock).await {
        Ok(finished) if finished.status.success() => Acted::Done,
        Ok(_) => refused("the tool did not break the lock: another one may be held by now"),
        Err(error) => lost(format!("what became of the lock is not known: {error}")),
    }
}

fn refused(reason: impl Into<String>) -> Acted {
    Acted::Refused { reason: reason.into() }
}

fn lost(reason: impl Into<String>) -> Acted {
    Acted::Lost { reason: reason.into() }
}
