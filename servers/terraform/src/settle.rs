//! Whether an act that was sent, and whose answer was lost, was done: found out by planning again, or by looking at the
//! lock.

use std::collections::BTreeSet;

use runcord_runtime::target::Settled;

use crate::act::{Act, ApplySaved, BreakLock};
use crate::canonical::plan_of;
use crate::seen::{Begun, Found, Look, Planned, ResourceChange, Seen};

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

/// What the tool said while it applied tells whether it came to its end; the serial of the state, which moves with every
/// writing, whether anybody wrote.
fn settle_apply(apply: &ApplySaved, before: &Seen, now: &Seen) -> Settled {
    let Some((was, is)) = compared(apply, before, now) else { return Settled::CannotTell };
    let (mark, marks) = (&was.rests_on.state, &is.rests_on.state);
    if !mark.lineage.as_str().is_empty() && mark.lineage != marks.lineage {
        return Settled::SomebodyElses;
    }
    match is.begun {
        Begun::ToItsEnd => Settled::Done,
        // A tool that was killed may have made what no state knows of, or have left a provisioner half-way in what the
        // state holds as made: seen with a SIGKILL in the middle of one.
        Begun::InPart => Settled::CannotTell,
        Begun::NotAtAll if mark == marks && fingerprints(was) == fingerprints(is) => Settled::NotDone,
        Begun::NotAtAll => Settled::CannotTell,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::{Action, Unlock};
    use crate::draft::draft;
    use crate::samples::{change, digest, look, module, seen};
    use crate::seen::{Deed, Lock};

    fn act(seen: &Seen) -> Act {
        draft(&seen.looks[0].action, seen).unwrap().acts.remove(0)
    }

    fn before() -> Seen {
        seen(vec![change("aws_instance.node", Deed::Replace), change("aws_subnet.a", Deed::Create)])
    }

    fn with(mut seen: Seen, lineage: &str, serial: u64) -> Seen {
        let Found::Planned(planned) = &mut seen.looks[0].found else { unreachable!() };
        planned.rests_on.state.serial = serial;
        if !lineage.is_empty() {
            planned.rests_on.state.lineage = lineage.parse().unwrap();
        }
        planned.saved.digest = digest(8);
        seen
    }

    fn said(begun: Begun, mut seen: Seen) -> Seen {
        let Found::Planned(planned) = &mut seen.looks[0].found else { unreachable!() };
        planned.begun = begun;
        seen
    }

    #[test]
    fn an_apply_is_settled_by_how_far_the_tool_says_that_it_came() {
        let (before, act) = (before(), act(&before()));
        let half = || seen(vec![change("aws_subnet.a", Deed::Create)]);
        let elsewhere = || seen(vec![change("aws_subnet.perpetual", Deed::Update)]);
        let mut other = change("aws_subnet.a", Deed::Create);
        other.fingerprint = "hmac-sha256:other".into();
        let moved = || seen(vec![change("aws_instance.node", Deed::Replace), other.clone()]);
        let (none, part, end) = (Begun::NotAtAll, Begun::InPart, Begun::ToItsEnd);
        for (begun, now, settled, in_place) in [
            (end, with(seen(vec![]), "", 9), Settled::Done, true),
            (end, with(elsewhere(), "", 9), Settled::Done, true),
            // Confirmed, and not in place: the verification says so.
            (end, with(half(), "", 9), Settled::Done, false),
            (end, with(seen(vec![]), "another", 9), Settled::SomebodyElses, true),
            // A killed tool: the state may hold as made what is half-made, or not know of what was made.
            (part, with(seen(vec![]), "", 9), Settled::CannotTell, true),
            (part, with(before.clone(), "", 7), Settled::CannotTell, false),
            (none, with(before.clone(), "", 7), Settled::NotDone, false),
            // It was not begun by us, and still something has moved.
            (none, with(before.clone(), "", 9), Settled::CannotTell, false),
            (none, with(half(), "", 7), Settled::CannotTell, false),
            (none, with(moved(), "", 7), Settled::CannotTell, false),
            (none, with(seen(vec![]), "", 9), Settled::CannotTell, true),
            (none, Seen::default(), Settled::CannotTell, false),
        ] {
            let now = if now == Seen::default() { now } else { said(begun, now) };
            assert_eq!(settle(&act, &before, &now), settled, "{now:?}");
            assert_eq!(super::in_place(&act, &before, &now), in_place, "{now:?}");
        }
        assert_eq!(settle(&act, &Seen::default(), &before), Settled::CannotTell, "nothing to compare with");
    }

    #[test]
    fn the_first_writing_of_a_state_gives_it_its_lineage() {
        let mut first = before();
        let Found::Planned(planned) = &mut first.looks[0].found else { unreachable!() };
        planned.rests_on.state = crate::seen::StateMark { lineage: "".parse().unwrap(), serial: 0 };
        let act = act(&first);
        let now = said(Begun::ToItsEnd, with(seen(vec![]), "new", 3));
        assert_eq!(settle(&act, &first, &now), Settled::Done);
        assert_eq!(settle(&act, &first, &first), Settled::NotDone);
    }

    #[test]
    fn an_output_that_is_left_is_something_left() {
        let mut before = before();
        let Found::Planned(planned) = &mut before.looks[0].found else { unreachable!() };
        planned.outputs = ["owner".to_owned()].into();
        let act = act(&before);
        let mut now = with(before.clone(), "", 9);
        let Found::Planned(planned) = &mut now.looks[0].found else { unreachable!() };
        planned.changes.clear();
        assert!(!super::in_place(&act, &before, &now));
    }

    #[test]
    fn a_lock_is_settled_by_its_id() {
        let held = |id: Option<&str>| {
            let lock = id.map(|id| Lock {
                id: id.parse().unwrap(),
                who: String::new(),
                operation: String::new(),
                created: None,
            });
            let unlock = Action::UnlockState(Unlock { module: module(), lock_id: "a-1".parse().unwrap() });
            let found = Found::Lock { lock, configuration: digest(1), lineage: "".parse().unwrap() };
            Seen { looks: vec![look(unlock, found)] }
        };
        let before = held(Some("a-1"));
        let act = act(&before);
        for (now, settled) in [
            (before.clone(), Settled::NotDone),
            (held(None), Settled::Done),
            (held(Some("b-2")), Settled::Done),
            (Seen::default(), Settled::CannotTell),
        ] {
            assert_eq!(settle(&act, &before, &now), settled);
            assert_eq!(super::in_place(&act, &before, &now), settled == Settled::Done);
        }
    }
}
