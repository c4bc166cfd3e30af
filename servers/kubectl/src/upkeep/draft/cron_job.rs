//! `suspend_cronjob`: one field of one CronJob. Runs under way are left alone.

use runcord_model::Refusal;
use runcord_runtime::target::{Draft, Fixed};

use crate::KubectlActions;
use crate::act::Act;
use crate::draft::node::nothing;
use crate::refuse::precondition;
use crate::seen::Seen;
use crate::upkeep::acts::{Suspend, UpkeepAct};
use crate::upkeep::fields::SuspendCronJob;

pub(super) fn suspend(
    it: &SuspendCronJob,
    seen: &Seen,
    fixed: &Fixed,
) -> Result<Draft<KubectlActions>, Refusal> {
    let found = seen.upkeep.cron_job(&it.namespace, &it.name).ok_or_else(|| {
        precondition(
            format!("there is no CronJob {}/{}", it.namespace, it.name),
            "Look up its namespace and name and plan again.",
        )
    })?;
    let label = found.id.to_string();
    if found.suspended == it.suspend {
        let is = if it.suspend { "suspended" } else { "not suspended" };
        return Ok(nothing(seen, format!("{label} is {is} already: nothing to do")));
    }
    let act = Suspend {
        cron_job: found.id.clone(),
        before: found.suspended,
        after: it.suspend,
        plan: fixed.plan.clone(),
        annotated: found.annotated,
    };
    let summary = match (it.suspend, found.active) {
        (true, 0) => format!("suspend {label}: it starts no new Jobs"),
        (true, n) => format!("suspend {label}: it starts no new Jobs; {n} under way are left alone"),
        (false, _) => format!("let {label} go on: it starts Jobs by its schedule again"),
    };
    let mut predicted = seen.clone();
    if let Some(cron_job) = predicted.upkeep.cron_jobs.iter_mut().find(|c| c.id.uid == found.id.uid) {
        cron_job.suspended = it.suspend;
        cron_job.annotated = true;
        cron_job.mark = Some(fixed.plan.to_string());
    }
    Ok(Draft { acts: vec![Act::Upkeep(UpkeepAct::Suspend(act))], predicted, summary })
}
