//! Whether a growth that was sent, and whose answer was lost, was done: found out by looking.

use runcord_runtime::target::Settled;

use super::acts::{Grow, VolumeAct};
use crate::seen::Seen;

/// Compares what an act would leave behind with what is there now.
pub(crate) fn settle(act: &VolumeAct, before: &Seen, now: &Seen) -> Settled {
    match act {
        VolumeAct::Grow(it) => grown(it, before, now),
        // A wait changes nothing: it can be begun again.
        VolumeAct::AwaitGrown(_) => Settled::NotDone,
    }
}

/// Our mark and the new size: done. Mark and size as before: not done. Anything else is somebody else's.
fn grown(it: &Grow, before: &Seen, now: &Seen) -> Settled {
    let look = |seen: &Seen| seen.volumes.claim(&it.claim.namespace, &it.claim.name).cloned();
    let Some(is) = look(now) else { return Settled::CannotTell };
    if is.id.uid != it.claim.uid {
        return Settled::SomebodyElses;
    }
    let (size, was) = (is.requested.bytes(), look(before).and_then(|claim| claim.mark));
    if size == it.after.bytes() && is.mark.as_deref() == Some(it.plan.as_str()) {
        Settled::Done
    } else if size == it.before.bytes() && is.mark == was {
        Settled::NotDone
    } else {
        Settled::SomebodyElses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{fixed, uid};
    use crate::volumes::acts::AwaitGrown;
    use crate::volumes::samples::{grow, seen, storage, with};

    #[test]
    fn a_growth_is_ours_only_with_our_mark_and_our_size() {
        let (act, before, ours) = (VolumeAct::Grow(grow()), seen(), Some(fixed().plan.to_string()));
        for (size, mark, expected) in [
            ("20Gi", ours.clone(), Settled::Done),
            ("20480Mi", ours.clone(), Settled::Done),
            ("10Gi", None, Settled::NotDone),
            ("20Gi", None, Settled::SomebodyElses),
            ("30Gi", ours.clone(), Settled::SomebodyElses),
            ("10Gi", ours, Settled::SomebodyElses),
        ] {
            let now = with(|claim| (claim.requested, claim.mark) = (storage(size), mark.clone()));
            assert_eq!(settle(&act, &before, &now), expected, "{size} {mark:?}");
        }
        assert_eq!(settle(&act, &before, &Seen::default()), Settled::CannotTell);
    }

    #[test]
    fn another_claim_of_the_same_name_is_somebody_elses() {
        let now = with(|claim| {
            claim.id.uid = uid("another");
            (claim.requested, claim.mark) = (storage("20Gi"), Some(fixed().plan.to_string()));
        });
        assert_eq!(settle(&VolumeAct::Grow(grow()), &seen(), &now), Settled::SomebodyElses);
    }

    #[test]
    fn a_wait_can_be_begun_again() {
        let wait = AwaitGrown {
            claim: grow().claim,
            size: grow().after,
            timeout: crate::numbers::Span::TEN_MINUTES,
        };
        assert_eq!(settle(&VolumeAct::AwaitGrown(wait), &seen(), &seen()), Settled::NotDone);
    }
}
