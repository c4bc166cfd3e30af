//! Whether an act that was sent, and whose answer was lost, was done: found out by looking.

use runcord_runtime::target::Settled;

use crate::act::{Act, Cause, Evict, Object, Patch, Touch};
use crate::seen::{Phase, Seen};

/// Compares what an act would leave behind with what is there now.
pub(crate) fn settle(act: &Act, before: &Seen, now: &Seen) -> Settled {
    match act {
        Act::Patch(patch) => settle_patch(patch, before, now),
        Act::Evict(evict) => settle_eviction(evict, now),
        Act::Upkeep(act) => crate::upkeep::settle::settle(act, before, now),
        Act::Secret(act) => crate::secrets::settle::settle(act, now),
        Act::Volume(act) => crate::volumes::settle::settle(act, before, now),
        Act::Queue(act) => crate::queues::settle::settle(act),
        // A wait changes nothing: it can be begun again.
        Act::AwaitEvicted(_) | Act::AwaitRollout(_) => Settled::NotDone,
    }
}

/// Whether a confirmed act is seen to be in place. All but what was told to a container leave behind
/// what they can be settled by.
pub(crate) fn in_place(act: &Act, before: &Seen, now: &Seen) -> bool {
    match act {
        Act::Queue(act) => crate::queues::settle::in_place(act, now),
        Act::Secret(act) => crate::secrets::settle::in_place(act, now),
        Act::Patch(_)
        | Act::Evict(_)
        | Act::AwaitEvicted(_)
        | Act::AwaitRollout(_)
        | Act::Upkeep(_)
        | Act::Volume(_) => settle(act, before, now) == Settled::Done,
    }
}

/// Only pods on drained nodes are looked at: without the node's pods in view there is nothing to tell from.
fn settle_eviction(evict: &Evict, now: &Seen) -> Settled {
    let looked_at = match evict.cause {
        Cause::Drain => now.focus.drained.contains(&evict.node) && now.nodes.contains_key(&evict.node),
        Cause::Named => {
            now.focus.upkeep.pods.iter().any(|(ns, name)| *ns == evict.namespace && *name == evict.pod)
        }
    };
    if !looked_at {
        return Settled::CannotTell;
    }
    match now.pods.iter().find(|pod| pod.uid == evict.uid) {
        None => Settled::Done,
        Some(pod) if pod.phase == Phase::Terminating => Settled::Done,
        Some(_) => Settled::NotDone,
    }
}

/// Our mark and the value as patched: done. Mark and value as before: not done. Anything else is somebody else's.
fn settle_patch(patch: &Patch, before: &Seen, now: &Seen) -> Settled {
    let Some(is) = look(patch, now) else { return Settled::CannotTell };
    if is.uid != patch.uid.as_str() {
        return Settled::SomebodyElses;
    }
    if is.mark.as_deref() == Some(patch.plan.as_str()) && is.value == Value::after(&patch.touch) {
        return Settled::Done;
    }
    let was_marked = look(patch, before).and_then(|was| was.mark);
    if is.mark == was_marked && is.value == Value::before(&patch.touch) {
        return Settled::NotDone;
    }
    Settled::SomebodyElses
}

/// What is there of the object that a patch touches.
struct There {
    uid: String,
    mark: Option<String>,
    value: Value,
}

#[derive(PartialEq, Eq)]
enum Value {
    Flag(bool),
    Number(i64),
    Text(Option<String>),
}

impl Value {
    fn before(touch: &Touch) -> Self {
        match touch {
            Touch::Unschedulable { before, .. } => Self::Flag(*before),
            Touch::Replicas { before, .. } => Self::Number(*before),
            Touch::RestartedAt { before, .. } => Self::Text(before.clone()),
        }
    }

    fn after(touch: &Touch) -> Self {
        match touch {
            Touch::Unschedulable { after, .. } => Self::Flag(*after),
            Touch::Replicas { after, .. } => Self::Number(*after),
            Touch::RestartedAt { after, .. } => Self::Text(after.clone()),
        }
    }
}

fn look(patch: &Patch, seen: &Seen) -> Option<There> {
    match &patch.object {
        Object::Node(name) => {
            let node = seen.nodes.get(name)?;
            let value = Value::Flag(node.unschedulable);
            Some(There { uid: node.uid.to_string(), mark: node.mark.clone(), value })
        }
        Object::Workload(named) => {
            let workload = seen.workload(named)?;
            let rollout = workload.rollout.as_ref()?;
            let value = match &patch.touch {
                Touch::Replicas { .. } => Value::Number(workload.counts?.replicas),
                Touch::RestartedAt { .. } => Value::Text(rollout.restarted_at.clone()),
                Touch::Unschedulable { .. } => return None,
            };
            Some(There { uid: workload.id.uid.to_string(), mark: rollout.mark.clone(), value })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::Annotated;
    use crate::samples::{cordon, eviction, fixed, pod, seen_drain, seen_workload};

    fn with(unschedulable: bool, mark: Option<String>) -> Seen {
        let mut seen = seen_drain("n1", vec![]);
        let node = seen.nodes.get_mut(&"n1".parse().unwrap()).unwrap();
        (node.unschedulable, node.mark) = (unschedulable, mark);
        seen
    }

    #[test]
    fn a_patch_is_ours_only_with_our_mark_and_our_value() {
        let (act, ours) = (Act::Patch(cordon()), Some(fixed().plan.to_string()));
        let before = with(false, Some("pln_old".into()));
        for (unschedulable, mark, expected) in [
            (true, ours.clone(), Settled::Done),
            (false, Some("pln_old".into()), Settled::NotDone),
            (true, Some("pln_old".into()), Settled::SomebodyElses),
            (true, None, Settled::SomebodyElses),
            (false, ours, Settled::SomebodyElses),
            (false, None, Settled::SomebodyElses),
        ] {
            assert_eq!(
                settle(&act, &before, &with(unschedulable, mark.clone())),
                expected,
                "{unschedulable} {mark:?}"
            );
        }
        assert_eq!(settle(&act, &before, &Seen::default()), Settled::CannotTell);
    }

    #[test]
    fn another_object_of_the_same_name_is_somebody_elses() {
        let mut now = with(true, Some(fixed().plan.to_string()));
        now.nodes.get_mut(&"n1".parse().unwrap()).unwrap().uid = "other".parse().unwrap();
        assert_eq!(settle(&Act::Patch(cordon()), &with(false, None), &now), Settled::SomebodyElses);
    }

    #[test]
    fn a_restart_is_settled_by_its_time() {
        let before = seen_workload(3, 3);
        let touch = Touch::RestartedAt { before: None, after: Some("2026-01-01T00:00:00Z".into()) };
        let named = before.focus.workloads[0].clone();
        let uid = before.workloads[0].id.uid.clone();
        let annotated = Annotated { object: true, template: true };
        let act =
            Act::Patch(Patch { object: Object::Workload(named), uid, touch, plan: fixed().plan, annotated });
        assert_eq!(settle(&act, &before, &before), Settled::NotDone);
        let mut now = before.clone();
        let rollout = now.workloads[0].rollout.as_mut().unwrap();
        (rollout.restarted_at, rollout.mark) =
            (Some("2026-01-01T00:00:00Z".into()), Some(fixed().plan.to_string()));
        assert_eq!(settle(&act, &before, &now), Settled::Done);
    }

    #[test]
    fn an_eviction_is_settled_by_the_pods_uid() {
        let there = seen_drain("n1", vec![pod("n1", "web", 0)]);
        let act = Act::Evict(eviction(&there.pods[0]));
        assert_eq!(settle(&act, &there, &there), Settled::NotDone);
        assert_eq!(settle(&act, &there, &seen_drain("n1", vec![])), Settled::Done);
        let mut going = there.clone();
        going.pods[0].phase = Phase::Terminating;
        assert_eq!(settle(&act, &there, &going), Settled::Done);
        let mut renamed = there.clone();
        renamed.pods[0].uid = "another".parse().unwrap();
        assert_eq!(
            settle(&act, &there, &renamed),
            Settled::Done,
            "a new pod of the same name is not the old one"
        );
        assert_eq!(settle(&act, &there, &Seen::default()), Settled::CannotTell);
    }
}
