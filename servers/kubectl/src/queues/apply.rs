//! What is looked at right before a purge is sent, and what its end means. Nothing is sent here.

use runcord_runtime::target::{Acted, Unstopped};

use super::acts::PurgeAct;
use super::probe;
use super::seen::{Found, Silence};
use crate::exec::{Command, Ended, Input, Lost, Outcome, find};
use crate::names::Uid;
use crate::reader::{ReadError, Reader};

/// Looks whether the queue is still the one that was planned for, and holds no more.
///
/// The exec API has no precondition, so the pod is read once more after its preview has run. A window stays, from that
/// answer to the moment at which the API server looks the pod up: another pod of that name that starts and becomes
/// ready in these milliseconds would be meant. Entries that arrive after the preview has counted are thrown away too.
pub(crate) async fn unchanged(reader: &Reader, it: &PurgeAct) -> Result<(), Acted> {
    let found = probe::ask(reader, &it.question).await.map_err(unanswered)?;
    judge_preview(it, &found)?;
    let now = find(reader, &it.question.at).await.map_err(unanswered)?;
    match now {
        Ok(uid) => same_pod(it, &uid),
        Err(nowhere) => {
            Err(refused(format!("no command can be run in {} any more: {nowhere}", it.question.at)))
        }
    }
}

fn unanswered(error: ReadError) -> Acted {
    match error {
        ReadError::Unanswered { .. } => {
            Acted::Deferred { reason: "the API server does not answer a read of the pod".to_owned() }
        }
        ReadError::Forbidden { .. }
        | ReadError::NotServed { .. }
        | ReadError::Refused { .. }
        | ReadError::Unreadable { .. } => refused(error.to_string()),
    }
}

fn judge_preview(it: &PurgeAct, found: &Found) -> Result<(), Acted> {
    match found {
        Found::Told { uid, size } => {
            same_pod(it, uid)?;
            if *size > it.size {
                return Err(refused(format!(
                    "the queue has grown from {} to {size} entries: its producers are still at work",
                    it.size
                )));
            }
            Ok(())
        }
        Found::Silent { why: Silence::Busy, .. } => {
            Err(Acted::Deferred { reason: Silence::Busy.to_string() })
        }
        Found::Silent { why, .. } => Err(refused(format!("how much is in the queue is not known: {why}"))),
        Found::Nowhere(why) => {
            Err(refused(format!("no command can be run in {} any more: {why}", it.question.at)))
        }
    }
}

fn same_pod(it: &PurgeAct, uid: &Uid) -> Result<(), Acted> {
    if *uid == it.uid {
        return Ok(());
    }
    let at = &it.question.at;
    Err(refused(format!("pod {}/{} is not the one that was planned for", at.namespace, at.pod)))
}

/// The command, against the last look before it. What it prints is nobody's business.
pub(crate) fn command<'a>(unstopped: &Unstopped, it: &'a PurgeAct) -> Command<'a> {
    let at = &it.question.at;
    Command {
        namespace: &at.namespace,
        pod: &at.pod,
        container: &at.container,
        argv: it.purge.words(unstopped),
        input: Input::Nothing,
        limit: it.limit,
        output: 0,
    }
}

/// What the end of a purge means.
pub(crate) fn judge(outcome: &Outcome) -> Acted {
    match outcome {
        Outcome::Ended(Ended { code: 0, .. }) => Acted::Done,
        // Told by a signal: somebody killed it half-way, as the time limit does.
        Outcome::Ended(Ended { code, .. }) if *code > 128 => {
            lost(format!("the command was killed (exit code {code})"))
        }
        // An answer, and a no: but only the command knows how far it got.
        Outcome::Ended(Ended { code, .. }) => {
            refused(format!("the command ended with exit code {code}, and may have done a part of its work"))
        }
        Outcome::TimedOut => lost("the command did not end in time and was killed in the container"),
        Outcome::Lost(why) => lost(lost_in_words(*why)),
        Outcome::Refused(429) | Outcome::Busy => {
            Acted::Deferred { reason: "too many commands are under way".to_owned() }
        }
        // 422 is what an admission policy says.
        Outcome::Refused(401 | 403 | 422) => {
            refused("the API server, or its admission, does not let these credentials run the purge command")
        }
        Outcome::Refused(status) => {
            refused(format!("the API server refused the purge command with status {status}"))
        }
    }
}

fn lost_in_words(why: Lost) -> String {
    format!("{why}; it may still be running, until its time in the container is over")
}

fn refused(reason: impl Into<String>) -> Acted {
    Acted::Refused { reason: reason.into() }
}

fn lost(reason: impl Into<String>) -> Acted {
    Acted::Lost { reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{purge_act, told};
    use super::super::seen::Size;
    use super::*;
    use crate::exec::Nowhere;

    #[test]
    fn a_queue_that_grew_or_moved_or_is_silent_is_left_alone() {
        let it = purge_act(12);
        let judge = |found: &Found| judge_preview(&it, found);
        assert_eq!(judge(&told(12)), Ok(()));
        assert_eq!(judge(&told(11)), Ok(()), "it may have become smaller");
        let uid: Uid = "pod-redis-0".parse().unwrap();
        for found in [
            told(13),
            Found::Told { uid: "another".parse().unwrap(), size: Size::EMPTY },
            Found::Silent { uid: uid.clone(), why: Silence::NoNumber },
            Found::Silent { uid: uid.clone(), why: Silence::TimedOut },
            Found::Silent { uid: uid.clone(), why: Silence::Lost },
            Found::Nowhere(Nowhere::NotReady),
        ] {
            assert!(matches!(judge(&found), Err(Acted::Refused { .. })), "{found:?}");
        }
        let busy = Found::Silent { uid, why: Silence::Busy };
        assert!(
            matches!(judge(&busy), Err(Acted::Deferred { .. })),
            "nothing was sent: it may be tried again"
        );
        assert!(same_pod(&it, &"another".parse().unwrap()).is_err());
    }

    #[test]
    fn only_exit_code_0_is_done_and_whoever_was_killed_is_unknown() {
        let ended = |code| judge(&Outcome::Ended(Ended { code, output: Vec::new(), cut: true }));
        assert_eq!(ended(0), Acted::Done);
        for code in [1, 69, 125, 126, 127] {
            assert!(matches!(ended(code), Acted::Refused { .. }), "{code}");
        }
        for code in [130, 143] {
            assert!(matches!(ended(code), Acted::Lost { .. }), "{code}");
        }
        assert!(matches!(judge(&Outcome::TimedOut), Acted::Lost { .. }), "never failed");
        for why in [Lost::Unanswered, Lost::Cut, Lost::Silent, Lost::Unclear] {
            assert!(matches!(judge(&Outcome::Lost(why)), Acted::Lost { .. }), "{why}");
        }
        assert!(matches!(judge(&Outcome::Refused(403)), Acted::Refused { .. }));
        for put_off in [Outcome::Refused(429), Outcome::Busy] {
            assert!(matches!(judge(&put_off), Acted::Deferred { .. }), "{put_off:?}");
        }
    }
}
