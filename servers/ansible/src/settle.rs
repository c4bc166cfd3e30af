//! Whether a batch that was begun, and whose answer was lost, was done.
//!
//! Where a playbook verifies, that is asked: it asserts how the hosts are. A check run would not do, since a handler that
//! was lost looks clean there. A way back has none, so what Ansible said while it ran has to do.

use runcord_runtime::target::Settled;

use crate::act::RunBatch;
use crate::canonical::look_of;
use crate::seen::{Batch, Ended, How, Look, Seen, Verified};

/// Compares what a batch should leave behind with what is known of its hosts.
pub(crate) fn settle(act: &RunBatch, now: &Seen) -> Settled {
    let Some(look) = look_of(act, now) else { return Settled::CannotTell };
    let Some(batch) = look.standing.batches.get(&act.number) else { return Settled::NotDone };
    if is_done(act, batch, look) {
        return Settled::Done;
    }
    if batch.ended == Ended::Whole && all(act, batch, &How::Untouched) {
        return Settled::NotDone;
    }
    Settled::CannotTell
}

fn is_done(act: &RunBatch, batch: &Batch, look: &Look) -> bool {
    let holds = |host| look.standing.verified.get(host) == Some(&Verified::Holds);
    match act.verify {
        Some(_) => !act.hosts.is_empty() && act.hosts.iter().all(holds),
        None => batch.ended == Ended::Whole && all(act, batch, &How::Done),
    }
}

fn all(act: &RunBatch, batch: &Batch, how: &How) -> bool {
    !act.hosts.is_empty()
        && act.hosts.iter().all(|host| batch.hosts.get(host).is_some_and(|standing| standing.how == *how))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::draft;
    use crate::samples::{batch, host, seen, seen_back, verified};

    fn acts(seen: &Seen) -> Vec<RunBatch> {
        draft(&seen.looks[0].action, seen).unwrap().acts
    }

    /// What is known of the second batch: of web2 to web4.
    fn second(ended: Ended, how: How, says: &[(&str, Verified)]) -> Seen {
        let mut now = seen();
        let standing = &mut now.looks[0].standing;
        let hosts = ["web2", "web3", "web4"].map(|host| (host, how.clone()));
        standing.batches = [(2, batch(ended, &hosts))].into();
        standing.verified = verified(says);
        now
    }

    #[test]
    fn a_batch_is_done_where_verifying_holds_on_each_of_its_hosts_whatever_ansible_said() {
        let act = acts(&seen()).remove(1);
        let (whole, not) = (Ended::Whole, Ended::Not);
        let holds = |host| (host, Verified::Holds);
        let all = [holds("web2"), holds("web3"), holds("web4")];
        let but = |last| [holds("web2"), holds("web3"), ("web4", last)];
        let unknown = || How::Unknown { task: None };
        for (now, settled) in [
            (second(whole, How::Done, &all), Settled::Done),
            (second(not, unknown(), &all), Settled::Done),
            (second(whole, How::Untouched, &all), Settled::Done),
            // A lost handler: Ansible came to its end, and the host is not as it should be.
            (second(whole, How::Done, &but(Verified::Fails)), Settled::CannotTell),
            (second(whole, How::Done, &but(Verified::Unknown)), Settled::CannotTell),
            (second(whole, How::Done, &[holds("web2"), holds("web3")]), Settled::CannotTell),
            (second(whole, How::Done, &[]), Settled::CannotTell),
            (second(not, unknown(), &[]), Settled::CannotTell),
            (second(whole, How::Failed { task: None }, &[]), Settled::CannotTell),
            (second(whole, How::Untouched, &[]), Settled::NotDone),
            // Nothing was told of any host, and nothing says that Ansible came to its end.
            (second(not, How::Untouched, &[]), Settled::CannotTell),
            (seen(), Settled::NotDone),
            (Seen::default(), Settled::CannotTell),
        ] {
            assert_eq!(settle(&act, &now), settled, "{:?}", now.looks.first().map(|look| &look.standing));
        }
    }

    #[test]
    fn a_look_of_another_run_says_nothing() {
        let act = acts(&seen()).remove(1);
        let holds = ["web2", "web3", "web4"].map(|host| (host, Verified::Holds));
        let mut other = second(Ended::Whole, How::Done, &holds);
        other.looks[0].id = "0".repeat(32).parse().unwrap();
        assert_eq!(settle(&act, &other), Settled::CannotTell);
    }

    #[test]
    fn one_host_that_was_touched_is_enough_not_to_begin_again() {
        let act = acts(&seen()).remove(1);
        let mut now = second(Ended::Whole, How::Untouched, &[]);
        let hosts = &mut now.looks[0].standing.batches.get_mut(&2).unwrap().hosts;
        hosts.get_mut(&host("web3")).unwrap().how = How::Unknown { task: None };
        assert_eq!(settle(&act, &now), Settled::CannotTell);
        let mut now = second(Ended::Whole, How::Untouched, &[]);
        now.looks[0].standing.batches.get_mut(&2).unwrap().hosts.remove(&host("web3"));
        assert_eq!(settle(&act, &now), Settled::CannotTell, "nothing is known of web3");
    }

    #[test]
    fn a_way_back_is_done_where_it_came_to_its_end_on_all_hosts() {
        let before = seen_back();
        let act = acts(&before).remove(1);
        let now = |ended, how| {
            let mut now = before.clone();
            now.looks[0].standing.batches = [(2, batch(ended, &[("web2", how)]))].into();
            now
        };
        for (ended, how, settled) in [
            (Ended::Whole, How::Done, Settled::Done),
            (Ended::Not, How::Done, Settled::CannotTell),
            (Ended::Whole, How::Failed { task: None }, Settled::CannotTell),
            (Ended::Whole, How::Unknown { task: None }, Settled::CannotTell),
            (Ended::Whole, How::Untouched, Settled::NotDone),
        ] {
            assert_eq!(settle(&act, &now(ended, how.clone())), settled, "{ended:?} {how:?}");
        }
    }

    #[test]
    fn an_act_without_hosts_is_never_done() {
        let mut act = acts(&seen()).remove(1);
        act.hosts.clear();
        assert_eq!(settle(&act, &second(Ended::Whole, How::Done, &[])), Settled::CannotTell);
        act.verify = None;
        assert_eq!(settle(&act, &second(Ended::Whole, How::Done, &[])), Settled::CannotTell);
    }
}
