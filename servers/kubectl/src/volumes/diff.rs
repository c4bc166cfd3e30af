//! Before and after.

use runcord_model::{Change, ChangeKind};
use serde_json::json;

use super::acts::VolumeAct;
use super::seen::VolumeSeen;
use super::size::shown;

/// What one act would change.
pub(crate) fn planned(act: &VolumeAct) -> Option<Change> {
    match act {
        VolumeAct::Grow(it) => {
            Some(update(it.claim.to_string(), "requested", it.before.text(), &it.after.to_string()))
        }
        VolumeAct::AwaitGrown(_) => None,
    }
}

/// What really changed between two probes.
pub(crate) fn observed(before: &VolumeSeen, after: &VolumeSeen) -> Vec<Change> {
    let mut changes = Vec::new();
    for was in &before.claims {
        let Some(is) = after.claims.iter().find(|claim| claim.id.uid == was.id.uid) else { continue };
        if was.requested != is.requested {
            changes.push(update(was.id.to_string(), "requested", was.requested.text(), is.requested.text()));
        }
        if was.bytes() != is.bytes() {
            changes.push(update(was.id.to_string(), "capacity", &shown(was.bytes()), &shown(is.bytes())));
        }
    }
    changes
}

fn update(object: String, field: &str, before: &str, after: &str) -> Change {
    Change {
        object,
        change: ChangeKind::Update,
        before: json!({field: before}),
        after: json!({field: after}),
        text: format!("{field}: {before} → {after}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::uid;
    use crate::volumes::samples::{grow, seen, storage, with};

    #[test]
    fn a_change_of_size_is_told_as_planned_and_as_observed() {
        assert_eq!(planned(&VolumeAct::Grow(grow())).unwrap().text, "requested: 10Gi → 20Gi");
        let (before, twenty) = (seen().volumes, storage("20Gi"));
        let after = with(|claim| (claim.requested, claim.capacity) = (twenty.clone(), Some(twenty))).volumes;
        let texts: Vec<_> = observed(&before, &after).into_iter().map(|change| change.text).collect();
        assert_eq!(texts, ["requested: 10Gi → 20Gi", "capacity: 10Gi → 20Gi"]);
        assert!(observed(&before, &before).is_empty());
        let other = with(|claim| (claim.id.uid, claim.requested) = (uid("another"), storage("20Gi"))).volumes;
        assert!(observed(&before, &other).is_empty(), "another claim of that name is no change of this one");
    }
}
