//! One look at whether a volume has grown.

use runcord_runtime::target::Waited;

use super::acts::{AwaitGrown, VolumeAct};
use super::probe;
use super::seen::{Claim, Resize, User};
use super::size::shown;
use crate::probe::ProbeError;
use crate::reader::Reader;

/// Looks once.
pub(crate) async fn wait(reader: &Reader, act: &VolumeAct) -> Result<Waited, ProbeError> {
    match act {
        VolumeAct::AwaitGrown(it) => grown(reader, it).await,
        VolumeAct::Grow(_) => Ok(Waited::broken("a mutation is nothing to wait for")),
    }
}

async fn grown(reader: &Reader, it: &AwaitGrown) -> Result<Waited, ProbeError> {
    let (namespace, name) = (&it.claim.namespace, &it.claim.name);
    let found = probe::claim(reader, namespace, name).await?;
    Ok(match progress(it, found.as_ref()) {
        Progress::Is(waited) => waited,
        // Only now do pods matter, and all of the namespace's are asked for.
        Progress::OnNode => on_node(it, &probe::users(reader, namespace, name).await?),
    })
}

/// How far a volume is.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    /// So much can be told from the claim alone.
    Is(Waited),
    /// The rest is done on a node, when a pod mounts it.
    OnNode,
}

/// The wait is over only when the claim has the size: neither a larger volume under a file system that has not grown, nor
/// the driver's word, is enough.
fn progress(it: &AwaitGrown, found: Option<&Claim>) -> Progress {
    let (id, size) = (&it.claim, it.size);
    let Some(now) = found.filter(|now| now.id.uid == id.uid) else {
        let why = if found.is_some() { "another claim has taken its place" } else { "it is gone" };
        return Progress::Is(Waited::broken(format!("{id}: {why}")));
    };
    if now.bytes() >= size.bytes() {
        return Progress::Is(Waited::Done);
    }
    if now.deleting {
        return Progress::Is(Waited::broken(format!("{id} is being deleted")));
    }
    if now.requested.bytes() < size.bytes() {
        return Progress::Is(Waited::broken(format!(
            "{id} asks for {} now: somebody took it back",
            now.requested
        )));
    }
    let so_far = format!("{id} has {} of {size}", shown(now.bytes()));
    Progress::Is(match now.resize {
        Resize::OnNode => return Progress::OnNode,
        Resize::Infeasible => Waited::broken(format!(
            "{so_far}: its storage driver says that this cannot be done. An administrator ends it by asking for less, but for more than it has"
        )),
        Resize::Retried => Waited::not_yet(format!(
            "{so_far}: its storage driver met an error and tries again; recent_events of the claim says why"
        )),
        Resize::UnderWay => Waited::not_yet(format!("{so_far}: its storage driver is at work")),
        Resize::Idle => Waited::not_yet(format!("{so_far}: no storage driver has taken it up")),
    })
}

fn on_node(it: &AwaitGrown, users: &[User]) -> Waited {
    let grown = format!("the volume of {} has grown, its file system has not", it.claim);
    let running = users.iter().find(|user| user.running).or(users.first());
    Waited::not_yet(match running {
        None => format!("{grown}: that is done when a pod mounts it, and none does"),
        Some(user) => format!(
            "{grown}: that is done on the node of pod {}; a driver that cannot do it in use does it when the pod is restarted",
            user.pod
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::Span;
    use crate::samples::uid;
    use crate::volumes::samples::{claim, grow, storage, user};

    fn wait() -> AwaitGrown {
        AwaitGrown { claim: grow().claim, size: grow().after, timeout: Span::TEN_MINUTES }
    }

    /// A claim that asks for 20Gi and has 10Gi.
    fn looked(change: impl FnOnce(&mut Claim)) -> Progress {
        let mut now = Claim { requested: storage("20Gi"), ..claim() };
        change(&mut now);
        progress(&wait(), Some(&now))
    }

    fn says(progress: &Progress, expected: &str) {
        match progress {
            Progress::Is(Waited::NotYet { reason } | Waited::Broken { reason }) => {
                assert!(reason.contains(expected), "{reason}");
            }
            Progress::Is(Waited::Done) | Progress::OnNode => panic!("{progress:?}, not {expected}"),
        }
    }

    fn is_broken(progress: &Progress) -> bool {
        matches!(progress, Progress::Is(Waited::Broken { .. }))
    }

    #[test]
    fn the_wait_is_over_only_when_the_claim_has_the_size() {
        assert_eq!(looked(|now| now.capacity = Some(storage("20Gi"))), Progress::Is(Waited::Done));
        assert_eq!(looked(|now| now.capacity = Some(storage("21Gi"))), Progress::Is(Waited::Done));
        says(&looked(|_| ()), "no storage driver has taken it up");
        says(&looked(|now| now.capacity = Some(storage("19Gi"))), "has 19Gi of 20Gi");
        says(&looked(|now| now.resize = Resize::UnderWay), "is at work");
        says(&looked(|now| now.resize = Resize::Retried), "met an error");
        assert_eq!(looked(|now| now.resize = Resize::OnNode), Progress::OnNode);
    }

    #[test]
    fn what_never_comes_without_a_person_ends_the_wait() {
        let infeasible = looked(|now| now.resize = Resize::Infeasible);
        says(&infeasible, "cannot be done");
        let lowered = looked(|now| now.requested = storage("15Gi"));
        says(&lowered, "asks for 15Gi now");
        let deleted = looked(|now| now.deleting = true);
        says(&deleted, "is being deleted");
        let other = looked(|now| (now.id.uid, now.capacity) = (uid("another"), Some(storage("20Gi"))));
        says(&other, "another claim has taken its place");
        let gone = progress(&wait(), None);
        says(&gone, "it is gone");
        assert!([infeasible, lowered, deleted, other, gone].iter().all(is_broken));
    }

    #[test]
    fn a_file_system_that_waits_for_a_pod_is_told_in_words() {
        let said = |users: &[User]| match on_node(&wait(), users) {
            Waited::NotYet { reason } => reason,
            Waited::Done | Waited::Broken { .. } => panic!("over"),
        };
        assert!(said(&[]).contains("when a pod mounts it, and none does"));
        let waiting = User { running: false, ..user("db-0") };
        assert!(said(&[waiting.clone(), user("db-1")]).contains("pod db-1"), "the one that runs");
        assert!(said(&[waiting]).contains("pod db-0"));
    }
}
