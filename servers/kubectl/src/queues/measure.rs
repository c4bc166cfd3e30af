//! What a purge costs: every entry that the preview counts.

use runcord_model::Coverage;

use super::acts::QueueAct;
use crate::act::Act;

/// The acts of this kind among all.
fn of<'a>(acts: &'a [&'a Act]) -> impl Iterator<Item = &'a QueueAct> {
    acts.iter().filter_map(|act| {
        let Act::Queue(act) = act else { return None };
        Some(act)
    })
}

/// What cannot be brought back.
pub(crate) fn irreversible(acts: &[&Act]) -> i64 {
    let lost = |act: &QueueAct| match act {
        QueueAct::Purge(it) => it.size.get(),
    };
    of(acts).map(lost).fold(0, i64::saturating_add)
}

/// Sentences for the person at 3 am.
pub(crate) fn remarks(acts: &[&Act]) -> Vec<String> {
    let mut said = Vec::new();
    for act in of(acts) {
        let QueueAct::Purge(it) = act;
        said.push(format!(
            "{} entries are thrown away for good; the number is what the runbook's own command says there.",
            it.size
        ));
        said.push(format!(
            "Once begun it cannot be stopped: it ends by itself, or is killed in the container after {}.",
            it.limit
        ));
    }
    said
}

/// What was truly checked, and what was not.
pub(crate) fn coverage(acts: &[&Act], coverage: &mut Coverage) {
    if of(acts).next().is_none() {
        return;
    }
    coverage.checked.push(
        "how much is in the queue: by the preview command, which runs again right before the purge"
            .to_owned(),
    );
    coverage.undetermined.push("the purge command itself: the exec API has no dry-run".to_owned());
    coverage.undetermined.push(
        "whether the preview command, which ran to make this plan, only looks: the runbook declares it so, and nothing verifies it"
            .to_owned(),
    );
}

#[cfg(test)]
mod tests {
    use super::super::samples::purge;
    use super::*;

    #[test]
    fn every_entry_counts_as_lost_for_good() {
        let (a, b) = (Act::Queue(purge(12)), Act::Queue(purge(30)));
        assert_eq!(irreversible(&[&a, &b]), 42);
        assert!(remarks(&[&a])[0].contains("12 entries are thrown away for good"));
        assert!(remarks(&[&a])[1].contains("after 2m"));
    }

    #[test]
    fn what_no_dry_run_can_tell_is_said() {
        let mut said = Coverage::default();
        coverage(&[&Act::Queue(purge(12))], &mut said);
        assert!(said.undetermined.iter().any(|one| one.contains("no dry-run")));
        assert!(said.undetermined.iter().any(|one| one.contains("only looks")));
        let mut nothing = Coverage::default();
        coverage(&[], &mut nothing);
        assert_eq!(nothing, Coverage::default());
    }
}
