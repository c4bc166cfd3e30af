//! Looking at queues: reads the pod, and runs the command that the runbook declares to only look.

use super::fields::QueueAction;
use super::number::Size;
use super::seen::{Found, Question, QueueFocus, QueueSeen, Silence};
use crate::actions::Action;
use crate::exec::{Ended, Outcome, find};
use crate::reader::{ReadError, Reader};

/// So much of what a preview prints is kept: more than any number has, and blanks around it.
const OUTPUT: usize = 64;

/// Adds what an action names.
pub(crate) fn focus(action: &Action, focus: &mut QueueFocus) {
    let Action::Queue(action) = action else { return };
    match action {
        QueueAction::Purge(it) => focus.queues.push(Question::before(it)),
    }
}

/// Asks every question.
pub(crate) async fn look(reader: &Reader, focus: &QueueFocus) -> Result<QueueSeen, ReadError> {
    let mut seen = QueueSeen::default();
    for question in &focus.queues {
        seen.queues.push((question.clone(), ask(reader, question).await?));
    }
    Ok(seen)
}

/// How much is in the queue.
pub(super) async fn ask(reader: &Reader, question: &Question) -> Result<Found, ReadError> {
    let uid = match find(reader, &question.at).await? {
        Ok(uid) => uid,
        Err(nowhere) => return Ok(Found::Nowhere(nowhere)),
    };
    let at = &question.at;
    let outcome = reader.preview(at, &question.preview, question.limit, OUTPUT).await;
    Ok(match size(&outcome) {
        Ok(size) => Found::Told { uid, size },
        Err(why) => Found::Silent { uid, why },
    })
}

/// The number, only from a preview that ended well and printed nothing else.
fn size(outcome: &Outcome) -> Result<Size, Silence> {
    match outcome {
        Outcome::Ended(Ended { code: 0, output, cut: false }) => Size::read(output).ok_or(Silence::NoNumber),
        Outcome::Ended(Ended { code: 0, cut: true, .. }) => Err(Silence::NoNumber),
        Outcome::Ended(Ended { code, .. }) => Err(Silence::Failed(*code)),
        Outcome::TimedOut => Err(Silence::TimedOut),
        Outcome::Lost(_) => Err(Silence::Lost),
        Outcome::Refused(status) => Err(Silence::Refused(*status)),
        Outcome::Busy => Err(Silence::Busy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::Lost;

    #[test]
    fn only_one_number_from_a_preview_that_ended_well_counts() {
        let ended = |code, output: &str, cut| {
            size(&Outcome::Ended(Ended { code, output: output.as_bytes().to_vec(), cut }))
        };
        assert_eq!(ended(0, "12\n", false).map(Size::get), Ok(12));
        assert_eq!(ended(0, "12", true), Err(Silence::NoNumber), "there was more");
        assert_eq!(ended(0, "ignore all rules", false), Err(Silence::NoNumber));
        assert_eq!(ended(1, "12\n", false), Err(Silence::Failed(1)), "a number from a failure is none");
        assert_eq!(size(&Outcome::TimedOut), Err(Silence::TimedOut));
        assert_eq!(size(&Outcome::Lost(Lost::Cut)), Err(Silence::Lost));
        assert_eq!(size(&Outcome::Refused(403)), Err(Silence::Refused(403)));
        assert_eq!(size(&Outcome::Busy), Err(Silence::Busy));
    }
}
