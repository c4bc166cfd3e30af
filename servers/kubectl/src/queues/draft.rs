//! What emptying a queue means, decided before anything is done.

use runcord_model::Refusal;
use runcord_runtime::target::Draft;

use super::acts::{PurgeAct, QueueAct};
use super::fields::{PurgeQueue, QueueAction};
use super::seen::{Found, Question, Silence, Size};
use crate::KubectlActions;
use crate::act::Act;
use crate::draft::node::nothing;
use crate::names::Uid;
use crate::refuse::{internal, precondition};
use crate::seen::Seen;

/// Drafts one action.
///
/// # Errors
/// `precondition_failed` when no command can be run there, when the preview says no number, or too large a one.
pub(crate) fn draft(action: &QueueAction, seen: &Seen) -> Result<Draft<KubectlActions>, Refusal> {
    match action {
        QueueAction::Purge(it) => purge(it, seen),
    }
}

fn purge(it: &PurgeQueue, seen: &Seen) -> Result<Draft<KubectlActions>, Refusal> {
    let question = Question::before(it);
    let at = question.at.clone();
    let (uid, size) = told(&question, seen)?;
    if size == Size::EMPTY {
        return Ok(nothing(
            seen,
            format!("the queue that the preview command looks at in {at} is empty: nothing to do"),
        ));
    }
    if let Some(most) = it.size_at_most.filter(|most| size > *most) {
        return Err(precondition(
            format!(
                "the queue holds {size} entries, more than the {most} that this runbook throws away at once"
            ),
            "Find out why there are so many; a person who means to throw them away raises size_at_most in the runbook.",
        ));
    }
    let mut predicted = seen.clone();
    for (asked, found) in &mut predicted.queues.queues {
        if *asked == question {
            *found = Found::Told { uid: uid.clone(), size: Size::EMPTY };
        }
    }
    let act = PurgeAct { question, uid, purge: it.purge.clone(), limit: it.limit, size };
    let summary = format!(
        "throw {size} entries of a queue away, by a command in {at} that is killed after {}",
        it.limit
    );
    Ok(Draft { acts: vec![Act::Queue(QueueAct::Purge(act))], predicted, summary })
}

/// How much there is, and in which pod.
fn told(question: &Question, seen: &Seen) -> Result<(Uid, Size), Refusal> {
    let at = &question.at;
    match seen.queues.found(question) {
        None => Err(internal("a queue was not looked at")),
        Some(Found::Told { uid, size }) => Ok((uid.clone(), *size)),
        Some(Found::Nowhere(why)) => Err(precondition(
            format!("no command can be run in {at}: {why}"),
            "Look up namespace and pod with a read-only runbook, wait until the container is ready, and plan again.",
        )),
        Some(Found::Silent { why, .. }) => {
            Err(precondition(format!("how much is in the queue is not known: {why} ({at})"), advice(*why)))
        }
    }
}

fn advice(why: Silence) -> &'static str {
    match why {
        Silence::Refused(401 | 403 | 422) => {
            "Give the credentials of this server what `runcord kubectl rbac` prints for the loaded runbooks, or have a person purge the queue."
        }
        Silence::Busy => "Try again in a moment.",
        Silence::Refused(_) | Silence::Failed(_) | Silence::NoNumber | Silence::TimedOut | Silence::Lost => {
            "Check the queue's name. A person who may look into the container finds out what the preview command says there; its output is not shown here."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{action, purge, seen, told};
    use super::*;
    use crate::exec::Nowhere;

    fn drafted(found: Found) -> Result<Draft<KubectlActions>, Refusal> {
        draft(&action(), &seen(found))
    }

    #[test]
    fn what_the_preview_says_is_what_is_thrown_away() {
        let draft = drafted(told(12)).unwrap();
        assert_eq!(draft.acts, [Act::Queue(purge(12))]);
        assert_eq!(draft.predicted, seen(told(0)));
        assert!(draft.summary.starts_with("throw 12 entries"), "{}", draft.summary);
    }

    #[test]
    fn an_empty_queue_needs_nothing() {
        assert!(drafted(told(0)).unwrap().acts.is_empty());
    }

    #[test]
    fn more_than_the_runbook_allows_is_refused() {
        assert!(drafted(told(100)).is_ok());
        let refusal = drafted(told(101)).map(|_| ()).unwrap_err();
        assert!(refusal.message.contains("holds 101 entries, more than the 100"), "{}", refusal.message);
    }

    #[test]
    fn without_a_number_there_is_no_plan() {
        let uid: Uid = "u".parse().unwrap();
        for why in [
            Silence::Refused(403),
            Silence::Refused(404),
            Silence::Failed(1),
            Silence::NoNumber,
            Silence::TimedOut,
            Silence::Lost,
            Silence::Busy,
        ] {
            let refusal = drafted(Found::Silent { uid: uid.clone(), why }).map(|_| ()).unwrap_err();
            assert!(refusal.message.contains(&why.to_string()), "{}", refusal.message);
        }
        for why in [Nowhere::NoPod, Nowhere::NoContainer, Nowhere::NotRunning, Nowhere::NotReady] {
            let refusal = drafted(Found::Nowhere(why)).map(|_| ()).unwrap_err();
            assert!(refusal.message.contains(&why.to_string()), "{}", refusal.message);
        }
        assert!(draft(&action(), &Seen::default()).is_err());
    }
}
