//! What a growth costs: one thing that cannot be taken back, and what is said of it. No pod is lost.

use runcord_model::Coverage;

use super::acts::{Grow, VolumeAct};
use super::seen::{Mode, User};
use super::size::shown;
use crate::act::Act;
use crate::seen::Seen;

/// So many pods stand in one sentence.
const NAMED: usize = 5;

fn growths<'a>(acts: &'a [&'a Act]) -> impl Iterator<Item = &'a Grow> {
    acts.iter().filter_map(|act| {
        let Act::Volume(VolumeAct::Grow(it)) = act else { return None };
        Some(it)
    })
}

/// What cannot be brought back: each size that a claim had.
pub(crate) fn irreversible(acts: &[&Act]) -> i64 {
    growths(acts).map(|_| 1).sum()
}

/// Sentences for the person at 3 am.
pub(crate) fn remarks(seen: &Seen, acts: &[&Act]) -> Vec<String> {
    growths(acts).flat_map(|it| [for_good(it), users(seen, it)]).collect()
}

fn for_good(it: &Grow) -> String {
    let more = shown(it.after.bytes().saturating_sub(it.before.bytes()));
    format!(
        "{} is never made smaller again: there is no undo, and {more} more are paid for from then on.",
        it.claim
    )
}

fn users(seen: &Seen, it: &Grow) -> String {
    let users: Vec<&User> = seen.volumes.users_of(&it.claim).collect();
    let claim = seen.volumes.claims.iter().find(|claim| claim.id.uid == it.claim.uid);
    let block = claim.is_some_and(|claim| claim.mode == Mode::Block);
    let mut said = if users.is_empty() {
        "No pod uses it now: what its driver does on a node is done only when one mounts it.".to_owned()
    } else {
        format!("In use by {}, which it does not stop.", named(&users))
    };
    if block {
        said += " It is a raw device: whoever writes to it makes use of the new room.";
    }
    if let Some(set) = users.iter().find_map(|user| user.stateful_set.as_ref()) {
        said += &format!(
            " The claim template of StatefulSet {set} stays as it is: new replicas get the old size."
        );
    }
    said
}

/// `pod db-0`, `pods db-0 and db-1 (not running)`.
fn named(users: &[&User]) -> String {
    let one = |user: &&User| {
        let state = if user.running { "" } else { " (not running)" };
        format!("{}{state}", user.pod)
    };
    let mut shown: Vec<String> = users.iter().take(NAMED).map(one).collect();
    if let rest @ 1.. = users.len().saturating_sub(NAMED) {
        shown.push(format!("{rest} more"));
    }
    let word = if users.len() == 1 { "pod" } else { "pods" };
    match shown.split_last() {
        Some((last, [])) => format!("{word} {last}"),
        Some((last, before)) => format!("{word} {} and {last}", before.join(", ")),
        None => String::new(),
    }
}

/// What was truly checked, and what was not.
pub(crate) fn coverage(acts: &[&Act], coverage: &mut Coverage) {
    if growths(acts).next().is_none() {
        return;
    }
    coverage
        .checked
        .push("storage class, earlier resizes, and every storage quota of the namespace".to_owned());
    coverage.undetermined.extend(
        [
            "whether the storage backend has the room, and whether its own limits allow the size",
            "whether the storage driver grows the volume while it is in use, or only when a pod is restarted",
        ]
        .map(str::to_owned),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dry_run::DryRun;
    use crate::measure::measure;
    use crate::volumes::samples::{grow, seen, user, with};
    use runcord_model::Measure;
    use runcord_runtime::target::Measured;

    fn measured(seen: &Seen) -> Measured {
        measure(seen, &[vec![Act::Volume(VolumeAct::Grow(grow()))]], &DryRun::default())
    }

    #[test]
    fn a_growth_is_one_thing_that_cannot_be_brought_back_and_no_pod_is_lost() {
        let measured = measured(&seen());
        let blast = &measured.blast_radius;
        assert_eq!((blast.irreversible, blast.pods_lost), (Measure::Known(1), Measure::Known(0)));
        assert_eq!((blast.downstream, blast.nodes), (Measure::Known(0), Measure::Known(0)));
        assert!(measured.scopes.namespaces.contains("shop"));
        assert_eq!(measured.diff[0].text, "requested: 10Gi → 20Gi");
        assert!(measured.coverage.undetermined.iter().any(|what| what.contains("backend has the room")));
    }

    #[test]
    fn the_person_reads_that_there_is_no_undo_what_it_costs_and_who_uses_it() {
        let said = measured(&seen()).remarks;
        assert!(said[0].contains("no undo, and 10Gi more are paid for"), "{said:?}");
        assert!(said[1].starts_with("In use by pod db-0, which it does not stop."), "{said:?}");
        assert!(said[1].contains("template of StatefulSet db stays as it is"), "{said:?}");
    }

    #[test]
    fn nobody_a_crowd_and_a_raw_device_are_told_of() {
        let mut seen = with(|claim| claim.mode = Mode::Block);
        seen.volumes.users = (0..7).map(|i| User { running: i > 0, ..user(&format!("web-{i}")) }).collect();
        let said = &measured(&seen).remarks[1];
        assert!(said.contains("pods web-0 (not running), web-1, web-2, web-3, web-4 and 2 more"), "{said}");
        assert!(said.contains("raw device"), "{said}");
        seen.volumes.users.clear();
        assert!(measured(&seen).remarks[1].contains("No pod uses it now"));
    }
}
