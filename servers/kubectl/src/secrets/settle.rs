//! Whether an act that was sent, and whose answer was lost, was done: found out by looking.

use runcord_model::PlanId;
use runcord_runtime::target::Settled;

use super::acts::{Live, Promote, SecretAct};
use super::seen::Secret;
use crate::numbers::VersionNumber;
use crate::seen::Seen;

/// Compares what an act would leave behind with what is there now.
pub(crate) fn settle(act: &SecretAct, now: &Seen) -> Settled {
    let live = act.live();
    let Some(secret) = now.secrets.secret(&live.id.namespace, &live.id.name) else {
        return Settled::CannotTell;
    };
    if secret.id.uid != live.id.uid {
        return Settled::SomebodyElses;
    }
    match act {
        SecretAct::Keep(it) => made(secret, it.version, &it.plan),
        SecretAct::Stage(it) => made(secret, it.version, &it.plan),
        // What a backend has learnt, or takes, cannot be looked up: a person has to.
        SecretAct::Tell(_) => Settled::CannotTell,
        SecretAct::Promote(it) => promoted(secret, it, live),
    }
}

/// Whether an act that was confirmed is to be seen. Of what a backend was told, its own answer is all that there is.
pub(crate) fn in_place(act: &SecretAct, now: &Seen) -> bool {
    match act {
        SecretAct::Tell(_) => true,
        SecretAct::Keep(_) | SecretAct::Stage(_) | SecretAct::Promote(_) => settle(act, now) == Settled::Done,
    }
}

/// A copy with our mark: done. None of that number: not done. Any other is somebody else's.
fn made(secret: &Secret, version: VersionNumber, plan: &PlanId) -> Settled {
    match secret.copy(version) {
        None => Settled::NotDone,
        Some(copy) if copy.ours && copy.mark.as_deref() == Some(plan.as_str()) => Settled::Done,
        Some(_) => Settled::SomebodyElses,
    }
}

/// Our mark and the new number: done. Nobody has written since: not done.
fn promoted(secret: &Secret, it: &Promote, live: &Live) -> Settled {
    if secret.mark.as_deref() == Some(it.plan.as_str()) && secret.version == it.to {
        return Settled::Done;
    }
    if secret.resource_version == live.resource_version {
        return Settled::NotDone;
    }
    Settled::SomebodyElses
}
