//! Whether an act that was sent, and whose answer was lost, was done: found out by planning again, or by looking at the
//! lock.

use std::collections::BTreeSet;

use runcord_runtime::target::Settled;

use crate::act::{Act, ApplySaved, BreakLock};
use crate::canonical::plan_of;
use crate::seen::{Found, Look, Planned, ResourceChange, Seen};

/// Compares what an act would leave behind with what is there now.
pub(crate) fn settle(act: &Act, before: &Seen, now: &Seen) -> Settled {
    match act {
        Act::Apply(apply) => settle_apply(apply, before, now),
        Act::Unlock(unlock) => settle_unlock(unlock, now),
    }
}

/// Whether looking shows that a confirmed act is in place: nothing of what was approved is left to do. What is left
/// elsewhere says nothing of it.
pub(crate) fn in_place(act: &Act, before: &Seen, now: &Seen) -> bool {
    match act {
        Act::Apply(apply) => compared(apply, before, now).is_some_and(|(was, is)| nothing_left(was, is)),
        Act::Unlock(_) => settle(act, before, now) == Settled::Done,
    }
}

/// The serial of the state moves with every writing. A serial that moved with something left to do is a part of it done, or
/// somebody else's doing.
fn settle_apply(apply: &ApplySaved, before: &Seen, now: &Seen) -> Settled {
    let Some((was, is)) = compared(apply, before, now) else { return Settled::CannotTell };
    let (mark, marks) = (&was.rests_on.state, &is.rests_on.state);
    if !mark.lineage.as_str().is_empty() && mark.lineage != marks.lineage {
        return Settled::SomebodyElses;
    }
    let written = mark != marks;
    match (written, nothing_left(was, is)) {
        (true, true) => Settled::Done,
        // In the world nothing has moved either: each change is still what it was.
        (false, false) if fingerprints(was) == fingerprints(is) => Settled::NotDone,
        (true | false, false) | (false, true) => Settled::CannotTell,
    }
}

fn settle_unlock(unlock: &BreakLock, now: &Seen) -> Settled {
    let found = now.looks.iter().find_map(|look| match &look.found {
        Found::Lock { lock, .. } if look.module == unlock.module && look.workspace == unlock.workspace => {
            Some(lock)
        }
        Found::Lock { .. } | Found::Planned(_) => None,
    });
    match found {
        None => Settled::CannotTell,
        Some(Some(lock)) if lock.id == unlock.lock => Settled::NotDone,
        Some(Some(_) | None) => Settled::Done,
    }
}

/// What was planned, and what the same question finds now.
pub(crate) fn compared<'s>(
    apply: &ApplySaved,
    before: &'s Seen,
    now: &'s Seen,
) -> Option<(&'s Planned, &'s Planned)> {
    let (look, was) = plan_of(apply, before)?;
    Some((was, again(look, now)?))
}

/// The plan of the same question, at another time.
pub(crate) fn again<'s>(look: &Look, now: &'s Seen) -> Option<&'s Planned> {
    let same = |other: &&Look| {
        other.module == look.module && other.workspace == look.workspace && other.action == look.action
    };
    match &now.looks.iter().find(same)?.found {
        Found::Planned(planned) => Some(planned),
        Found::Lock { .. } => None,
    }
}

fn nothing_left(was: &Planned, is: &Planned) -> bool {
    let approved: BTreeSet<&str> = was.changes.iter().map(|change| change.address.as_str()).collect();
    is.changes.iter().all(|change| !approved.contains(change.address.as_str()))
        && was.outputs.is_disjoint(&is.outputs)
}

fn fingerprints(planned: &Planned) -> BTreeSet<&str> {
    planned.changes.iter().map(|change: &ResourceChange| change.fingerprint.as_str()).collect()
}
