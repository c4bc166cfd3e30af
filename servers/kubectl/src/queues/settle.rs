//! What looking can tell of a purge.

use runcord_runtime::target::Settled;

use super::acts::QueueAct;
use super::seen::Found;
use crate::seen::Seen;

/// Nothing of ours is left behind by which a purge could be told from consumers that were quick, or from somebody
/// else's purge; and a command whose stream was lost may be running still. So a person has to.
pub(crate) fn settle(act: &QueueAct) -> Settled {
    match act {
        QueueAct::Purge(_) => Settled::CannotTell,
    }
}

/// Whether a purge that ended well is to be seen: the same pod says that there is less than before.
pub(crate) fn in_place(act: &QueueAct, now: &Seen) -> bool {
    match act {
        QueueAct::Purge(it) => match now.queues.found(&it.question) {
            Some(Found::Told { uid, size }) => *uid == it.uid && *size < it.size,
            Some(Found::Nowhere(_) | Found::Silent { .. }) | None => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{purge, seen, told};
    use super::super::seen::Silence;
    use super::*;

    #[test]
    fn an_empty_queue_does_not_prove_that_we_emptied_it() {
        assert_eq!(settle(&purge(12)), Settled::CannotTell);
    }

    #[test]
    fn a_purge_is_seen_where_there_is_less_than_before() {
        let uid = "pod-redis-0".parse().unwrap();
        assert!(in_place(&purge(12), &seen(told(0))) && in_place(&purge(12), &seen(told(11))));
        assert!(!in_place(&purge(12), &seen(told(12))));
        assert!(!in_place(&purge(12), &seen(Found::Silent { uid, why: Silence::NoNumber })));
        let another = Found::Told { uid: "another".parse().unwrap(), size: super::super::seen::Size::EMPTY };
        assert!(!in_place(&purge(12), &seen(another)), "another pod of that name");
        assert!(!in_place(&purge(12), &Seen::default()));
    }
}
