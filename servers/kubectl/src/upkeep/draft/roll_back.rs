//! `roll_back`: the pod template of a kept revision, put back whole.

use runcord_model::Refusal;
use runcord_runtime::target::{Draft, Fixed};

use crate::KubectlActions;
use crate::act::{Act, AwaitRollout};
use crate::actions::WorkloadRef;
use crate::draft::rollout::{Found, pace};
use crate::refuse::{internal, precondition};
use crate::seen::Seen;
use crate::upkeep::acts::{PutBack, UpkeepAct};
use crate::upkeep::fields::RollBack;
use crate::upkeep::seen::{History, KeptRevision};

pub(super) fn roll_back(it: &RollBack, seen: &Seen, fixed: &Fixed) -> Result<Draft<KubectlActions>, Refusal> {
    let named = WorkloadRef { kind: it.kind, namespace: it.namespace.clone(), name: it.name.clone() };
    let found = Found::find(&named, seen)?;
    found.can_roll_back()?;
    let history =
        seen.upkeep.history(&named).ok_or_else(|| internal("a workload was seen without its revisions"))?;
    let (from, to) = chosen(it, history)?;
    found.has_room(&to.charges)?;
    let put_back = PutBack {
        workload: named.clone(),
        uid: found.workload.id.uid.clone(),
        before: history.template.clone(),
        from: from.number,
        to: to.number,
        kept: to.name.clone(),
        kept_uid: to.uid.clone(),
        after: to.template.clone(),
        images: changed_images(from, to),
        plan: fixed.plan.clone(),
    };
    let summary = format!(
        "roll {named} back from revision {} to {}: {}",
        from.number,
        to.number,
        pace(found.rollout, found.counts)
    );
    let mut predicted = seen.clone();
    if let Some(history) = predicted.upkeep.histories.iter_mut().find(|h| h.workload == named) {
        history.template = to.template.clone();
    }
    let wait = AwaitRollout { workload: named, uid: put_back.uid.clone(), timeout: it.timeout };
    let acts = vec![Act::Upkeep(UpkeepAct::RollBack(put_back)), Act::AwaitRollout(wait)];
    Ok(Draft { acts, predicted, summary })
}

/// The revision that the workload has, and the one to put back.
fn chosen<'h>(it: &RollBack, history: &'h History) -> Result<(&'h KeptRevision, &'h KeptRevision), Refusal> {
    let workload = &history.workload;
    let from = history.current().ok_or_else(|| {
        precondition(
            format!("the controller of {workload} has not recorded its current revision yet"),
            "Wait a moment, then plan again.",
        )
    })?;
    let to = match it.revision {
        None => history.previous().ok_or_else(|| {
            precondition(
                format!("{workload} has no earlier revision to go back to"),
                "Its controller keeps none (revisionHistoryLimit), or it was never changed: deploy what you want instead.",
            )
        })?,
        Some(number) => history.revision(number.into()).ok_or_else(|| {
            let kept: Vec<_> = history.revisions.iter().map(|r| r.number.to_string()).collect();
            precondition(
                format!("{workload} keeps no revision {}; it keeps {}", number.get(), kept.join(", ")),
                "Choose one that it keeps, then plan again.",
            )
        })?,
    };
    if to.template == history.template {
        return Err(precondition(
            format!("{workload} is at revision {} already, or at one just like it", to.number),
            "Nothing needs to be rolled back; look at its revisions for another one.",
        ));
    }
    Ok((from, to))
}

fn changed_images(from: &KeptRevision, to: &KeptRevision) -> Vec<(String, String, String)> {
    let names: std::collections::BTreeSet<_> = from.images.keys().chain(to.images.keys()).collect();
    let of = |kept: &KeptRevision, name: &String| kept.images.get(name).cloned().unwrap_or_default();
    names
        .into_iter()
        .map(|name| (name.clone(), of(from, name), of(to, name)))
        .filter(|(_, before, after)| before != after)
        .collect()
}
