//! What these acts cost: what cannot be brought back, what is said of it, what was not checked.

use runcord_model::Coverage;

use super::acts::{DeleteJob, ServiceChange, UpkeepAct};
use super::draft::left_alone;
use super::seen::{Job, Maker};
use crate::act::Act;
use crate::names::NodeName;
use crate::seen::{Keeper, Phase, Pod, Seen};

/// The acts of this kind among all.
fn of<'a>(acts: &'a [&'a Act]) -> impl Iterator<Item = &'a UpkeepAct> {
    acts.iter().filter_map(|act| match act {
        Act::Upkeep(act) => Some(act),
        Act::Patch(_) | Act::Evict(_) | Act::AwaitEvicted(_) | Act::AwaitRollout(_) | Act::Queue(_) => None,
    })
}

/// The node that an act gives up.
pub(crate) fn released(act: &Act) -> Option<&NodeName> {
    match act {
        Act::Upkeep(UpkeepAct::Service(it)) => match it.change {
            ServiceChange::Release { .. } => Some(&it.node),
            ServiceChange::Reclaim { .. } => None,
        },
        Act::Upkeep(_)
        | Act::Patch(_)
        | Act::Evict(_)
        | Act::AwaitEvicted(_)
        | Act::AwaitRollout(_)
        | Act::Queue(_) => None,
    }
}

/// What cannot be brought back: each deleted Job and each object that goes with it; a node that is given up, and of its
/// pods those that nobody makes anew and the data of their emptyDirs.
pub(crate) fn irreversible(seen: &Seen, acts: &[&Act]) -> i64 {
    let jobs: i64 = of(acts).map(|act| deletion(act).map_or(0, |it| it.owned.saturating_add(1))).sum();
    let nodes = acts.iter().filter_map(|act| released(act));
    let lost = |pod: &Pod| {
        if pod.phase == Phase::Finished {
            return 0;
        }
        i64::from(pod.keeper == Keeper::Nobody) + i64::from(pod.empty_dir)
    };
    let of_node = |node: &NodeName| 1 + seen.pods.iter().filter(|p| p.node == *node).map(lost).sum::<i64>();
    jobs + nodes.map(of_node).sum::<i64>()
}

fn deletion(act: &UpkeepAct) -> Option<&DeleteJob> {
    match act {
        UpkeepAct::Delete(it) => Some(it),
        UpkeepAct::RollBack(_)
        | UpkeepAct::Suspend(_)
        | UpkeepAct::AwaitDeleted(_)
        | UpkeepAct::Service(_)
        | UpkeepAct::AwaitLetGo(_) => None,
    }
}

/// Sentences for the person at 3 am.
pub(crate) fn remarks(seen: &Seen, acts: &[&Act]) -> Vec<String> {
    let mut said: Vec<String> = of(acts).filter_map(|act| remark(seen, act)).collect();
    let deletes: Vec<&DeleteJob> = of(acts).filter_map(deletion).collect();
    if let Some(first) = deletes.first() {
        said.push("Deleted Jobs, their pods and the pods' logs cannot be brought back.".to_owned());
        said.extend(volumes(seen, &deletes));
        let held: Vec<&Job> = seen
            .upkeep
            .jobs
            .iter()
            .filter(|job| job.id.namespace == first.job.namespace && job.finished.is_some() && !job.deleting)
            .filter(|job| !job.held_by.is_empty() || job.maker == Maker::Other)
            .collect();
        said.extend(left_alone(&held));
    }
    said
}

fn remark(seen: &Seen, act: &UpkeepAct) -> Option<String> {
    match act {
        UpkeepAct::RollBack(it) => Some(format!(
            "{} goes back to an earlier template; what changed beside it since (ConfigMaps, Secrets, a database's schema) stays as it is.",
            it.workload
        )),
        UpkeepAct::Suspend(it) if !it.after => {
            let found = seen.upkeep.cron_jobs.iter().find(|c| c.id.uid == it.cron_job.uid)?;
            found.deadline.is_none().then(|| {
                format!(
                    "{} has no startingDeadlineSeconds: a run that it missed may start at once.",
                    it.cron_job
                )
            })
        }
        UpkeepAct::Service(it) => match it.change {
            ServiceChange::Release { .. } => Some(format!(
                "Should node {} still run, two copies of a pod could write to one volume: make sure that the machine is off.",
                it.node
            )),
            ServiceChange::Reclaim { .. } => None,
        },
        UpkeepAct::Suspend(_)
        | UpkeepAct::Delete(_)
        | UpkeepAct::AwaitDeleted(_)
        | UpkeepAct::AwaitLetGo(_) => None,
    }
}

fn volumes(seen: &Seen, deletes: &[&DeleteJob]) -> Option<String> {
    let claims = |job: &Job| job.owned.get("PersistentVolumeClaim").copied().unwrap_or(0);
    let mine = |job: &&Job| deletes.iter().any(|it| it.job.uid == job.id.uid);
    let all: i64 = seen.upkeep.jobs.iter().filter(mine).map(claims).sum();
    (all > 0).then(|| format!("With them go {all} volume claims and the data on them."))
}

/// What was truly checked, and what was not.
pub(crate) fn coverage(acts: &[&Act], coverage: &mut Coverage) {
    for act in of(acts) {
        match act {
            UpkeepAct::RollBack(_) => coverage.undetermined.push(
                "whether the earlier revision becomes ready with the configuration and data of today"
                    .to_owned(),
            ),
            UpkeepAct::AwaitDeleted(_) => {
                coverage.checked.push("finalizers of the Jobs and of what they own".to_owned());
                coverage.undetermined.push(
                    "objects that the Jobs own, other than pods, volume claims, ConfigMaps and Services"
                        .to_owned(),
                );
            }
            UpkeepAct::Service(it) => match it.change {
                ServiceChange::Release { .. } => {
                    coverage.checked.push(
                        "signs of life: the node's condition, its lease against those of the other nodes, its pods"
                            .to_owned(),
                    );
                    coverage
                        .undetermined
                        .push("whether the machine is off: only its provider can tell".to_owned());
                }
                ServiceChange::Reclaim { .. } => {}
            },
            UpkeepAct::Suspend(_) | UpkeepAct::Delete(_) | UpkeepAct::AwaitLetGo(_) => {}
        }
    }
}

/// Whether it makes a controller replace pods.
pub(crate) fn rolls_out(act: &UpkeepAct) -> bool {
    match act {
        UpkeepAct::RollBack(_) => true,
        UpkeepAct::Suspend(_)
        | UpkeepAct::Delete(_)
        | UpkeepAct::AwaitDeleted(_)
        | UpkeepAct::Service(_)
        | UpkeepAct::AwaitLetGo(_) => false,
    }
}
