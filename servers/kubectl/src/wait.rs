//! One look at whether a wait is over.

use k8s_openapi::api::core::v1::Pod as ApiPod;
use runcord_runtime::target::Waited;

use crate::act::{Act, AwaitEvicted, AwaitRollout};
use crate::probe::{ProbeError, fetch, fetch_owner, ready_pods};
use crate::reader::{ReadError, Reader};
use crate::seen::{Counts, Rollout, Strategy, Workload};

/// Looks once.
pub(crate) async fn wait(reader: &Reader, act: &Act) -> Waited {
    let looked = match act {
        Act::AwaitEvicted(wait) => evicted(reader, wait).await,
        Act::AwaitRollout(wait) => rollout(reader, wait).await,
        Act::Upkeep(act) => crate::upkeep::wait::wait(reader, act).await,
        Act::Volume(act) => crate::volumes::wait::wait(reader, act).await,
        Act::Patch(_) | Act::Evict(_) | Act::Secret(_) | Act::Queue(_) => {
            Ok(Waited::broken("a mutation is nothing to wait for"))
        }
    };
    looked.unwrap_or_else(|error| match error {
        ProbeError::Read(ReadError::Unanswered { .. }) => Waited::not_yet("the API server does not answer"),
        ProbeError::Read(error) => Waited::broken(error.to_string()),
        ProbeError::Malformed(error) => Waited::broken(error.to_string()),
    })
}

/// Pods are gone when no pod of their uid is there; workloads have recovered when they have their ready pods again, or
/// all that are wanted by now.
async fn evicted(reader: &Reader, wait: &AwaitEvicted) -> Result<Waited, ProbeError> {
    for pod in &wait.pods {
        let found: Option<ApiPod> = reader.get(Some(&pod.namespace), pod.name.as_str()).await?;
        if found.is_some_and(|found| found.metadata.uid.as_deref() == Some(pod.uid.as_str())) {
            return Ok(Waited::not_yet(format!("pod {}/{} is still going", pod.namespace, pod.name)));
        }
    }
    for recovery in &wait.workloads {
        let Some(found) = fetch_owner(reader, &recovery.workload).await? else { continue };
        let Some(counts) = found.workload.counts else { continue };
        let wanted = recovery.ready.min(counts.replicas);
        // The status follows the pods with a delay, in which a lost pod still counts as ready: so both must say so.
        let ready = match ready_pods(reader, &found).await? {
            Some(pods) => counts.ready.min(i64::try_from(pods.len()).unwrap_or(i64::MAX)),
            None => counts.ready,
        };
        if ready < wanted {
            let owner = &recovery.workload;
            return Ok(Waited::not_yet(format!("{owner} has {ready} of {wanted} ready pods back")));
        }
    }
    Ok(Waited::Done)
}

async fn rollout(reader: &Reader, wait: &AwaitRollout) -> Result<Waited, ProbeError> {
    let named = &wait.workload;
    Ok(match fetch(reader, named).await? {
        Some(found) if found.workload.id.uid == wait.uid => finished(&found.workload),
        Some(_) => Waited::broken(format!("another {named} has taken the place of the one that was planned")),
        None => Waited::broken(format!("{named} is gone")),
    })
}

/// As `kubectl rollout status` says.
fn finished(workload: &Workload) -> Waited {
    let (Some(rollout), Some(counts)) = (&workload.rollout, workload.counts) else {
        return Waited::broken("the workload has no rollout");
    };
    let Counts { replicas, total, ready, updated, available } = counts;
    if !rollout.observed {
        return Waited::not_yet("its controller has not seen the change yet");
    }
    if rollout.stalled {
        return Waited::broken("its controller gave up: there was no progress within its own deadline");
    }
    if follows(rollout) && updated < replicas {
        return Waited::not_yet(format!("{updated} of {replicas} pods are up to date"));
    }
    if total > replicas {
        return Waited::not_yet(format!("{} old pods are still there", total - replicas));
    }
    let up = ready.min(available);
    if up < replicas {
        return Waited::not_yet(format!("{up} of {replicas} pods are available"));
    }
    Waited::Done
}

/// Whether its controller replaces all its pods by itself.
fn follows(rollout: &Rollout) -> bool {
    match rollout.strategy {
        Strategy::Rolling { .. } | Strategy::Recreate => !rollout.paused,
        Strategy::OnDelete | Strategy::Partitioned { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::seen_workload;

    fn with(change: fn(&mut Rollout, &mut Counts)) -> Waited {
        let mut workload = seen_workload(3, 3).workloads.remove(0);
        let (mut rollout, mut counts) = (workload.rollout.take().unwrap(), workload.counts.unwrap());
        change(&mut rollout, &mut counts);
        workload.rollout = Some(rollout);
        workload.counts = Some(counts);
        finished(&workload)
    }

    #[test]
    fn a_rollout_is_over_when_all_pods_are_new_and_available() {
        assert_eq!(with(|_, _| ()), Waited::Done);
        for change in [
            (|r, _| r.observed = false) as fn(&mut Rollout, &mut Counts),
            |_, c| c.updated = 2,
            |_, c| c.total = 4,
            |_, c| c.available = 2,
            |_, c| c.ready = 2,
        ] {
            assert!(matches!(with(change), Waited::NotYet { .. }));
        }
        assert!(matches!(with(|r, _| r.stalled = true), Waited::Broken { .. }));
    }
}
