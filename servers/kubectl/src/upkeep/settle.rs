//! Whether an act that was sent, and whose answer was lost, was done: found out by looking.

use runcord_runtime::target::Settled;

use super::acts::{DeleteJob, PutBack, Service, ServiceChange, Suspend, UpkeepAct};
use crate::seen::Seen;

/// Compares what an act would leave behind with what is there now.
pub(crate) fn settle(act: &UpkeepAct, before: &Seen, now: &Seen) -> Settled {
    match act {
        UpkeepAct::RollBack(it) => rolled_back(it, before, now),
        UpkeepAct::Suspend(it) => suspended(it, before, now),
        UpkeepAct::Delete(it) => deleted(it, now),
        UpkeepAct::Service(it) => serviced(it, before, now),
        // A wait changes nothing: it can be begun again.
        UpkeepAct::AwaitDeleted(_) | UpkeepAct::AwaitLetGo(_) => Settled::NotDone,
    }
}

/// Our mark and the value as it will be: done. Mark and value as before: not done. Anything else is somebody else's.
fn judge(ours: &str, mark: Option<&str>, was: Option<&str>, value: Value) -> Settled {
    match value {
        Value::After if mark == Some(ours) => Settled::Done,
        Value::Before if mark == was => Settled::NotDone,
        Value::After | Value::Before | Value::Other => Settled::SomebodyElses,
    }
}

enum Value {
    Before,
    After,
    Other,
}

impl Value {
    fn of<T: PartialEq>(is: &T, before: &T, after: &T) -> Self {
        if is == after {
            Self::After
        } else if is == before {
            Self::Before
        } else {
            Self::Other
        }
    }
}

fn rolled_back(it: &PutBack, before: &Seen, now: &Seen) -> Settled {
    let look = |seen: &Seen| {
        let workload = seen.workload(&it.workload)?;
        Some((workload.id.uid.clone(), workload.rollout.as_ref()?.mark.clone()))
    };
    let (Some((uid, mark)), Some(history)) = (look(now), now.upkeep.history(&it.workload)) else {
        return Settled::CannotTell;
    };
    if uid != it.uid {
        return Settled::SomebodyElses;
    }
    let was = look(before).and_then(|(_, mark)| mark);
    let value = Value::of(&history.template, &it.before, &it.after);
    judge(it.plan.as_str(), mark.as_deref(), was.as_deref(), value)
}

fn suspended(it: &Suspend, before: &Seen, now: &Seen) -> Settled {
    let look = |seen: &Seen| seen.upkeep.cron_job(&it.cron_job.namespace, &it.cron_job.name).cloned();
    let Some(is) = look(now) else { return Settled::CannotTell };
    if is.id.uid != it.cron_job.uid {
        return Settled::SomebodyElses;
    }
    let was = look(before).and_then(|c| c.mark);
    let value = Value::of(&is.suspended, &it.before, &it.after);
    judge(it.plan.as_str(), is.mark.as_deref(), was.as_deref(), value)
}

/// Without the namespace's Jobs in view there is nothing to tell from.
fn deleted(it: &DeleteJob, now: &Seen) -> Settled {
    if !now.focus.upkeep.jobs.contains(&it.job.namespace) {
        return Settled::CannotTell;
    }
    match now.upkeep.jobs.iter().find(|job| job.id.uid == it.job.uid) {
        None => Settled::Done,
        Some(job) if job.deleting => Settled::Done,
        Some(_) => Settled::NotDone,
    }
}

fn serviced(it: &Service, before: &Seen, now: &Seen) -> Settled {
    let Some(is) = now.upkeep.vitals(&it.node) else { return Settled::CannotTell };
    if is.uid != it.uid {
        return Settled::SomebodyElses;
    }
    let was = before.upkeep.vitals(&it.node).and_then(|v| v.mark.clone());
    let out = is.out_of_service().is_some();
    let value = match (it.change, out) {
        (ServiceChange::Release { .. }, true) | (ServiceChange::Reclaim { .. }, false) => Value::After,
        (ServiceChange::Release { .. }, false) | (ServiceChange::Reclaim { .. }, true) => Value::Before,
    };
    judge(it.plan.as_str(), is.mark.as_deref(), was.as_deref(), value)
}
