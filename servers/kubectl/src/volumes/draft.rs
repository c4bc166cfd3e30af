//! `grow_claim`: one larger number in one claim, and the wait until the volume has followed.
//!
//! The API server lets through what no storage engineer would: a size with a zero too many, a second growth before the
//! first one is over, a claim that is on its way out, a class whose volumes nobody grows. All that is refused here.

use runcord_model::Refusal;
use runcord_runtime::target::{Draft, Fixed};

use super::acts::{AwaitGrown, Grow, VolumeAct};
use super::fields::{GrowClaim, VolumeAction};
use super::seen::{Claim, ClaimPhase, Counted, Provisioner, Resize, VolumeSeen};
use super::size::{Size, Storage, shown};
use crate::KubectlActions;
use crate::act::Act;
use crate::refuse::precondition;
use crate::seen::Seen;

/// Drafts one action.
///
/// # Errors
/// `precondition_failed` when the claim cannot grow, or should not.
pub(crate) fn draft(
    action: &VolumeAction,
    seen: &Seen,
    fixed: &Fixed,
) -> Result<Draft<KubectlActions>, Refusal> {
    match action {
        VolumeAction::GrowClaim(it) => grow(it, seen, fixed),
    }
}

fn grow(it: &GrowClaim, seen: &Seen, fixed: &Fixed) -> Result<Draft<KubectlActions>, Refusal> {
    let claim = seen.volumes.claim(&it.namespace, &it.name).ok_or_else(|| {
        precondition(
            format!("there is no PersistentVolumeClaim {}/{}", it.namespace, it.name),
            "Look up its namespace and name and plan again.",
        )
    })?;
    has_a_volume(claim)?;
    somebody_grows_it(claim, &seen.volumes)?;
    no_resize_is_open(claim)?;
    is_growth(claim, it.size)?;
    is_no_slip(claim, it)?;
    fits_quota(claim, it.size, &seen.volumes)?;
    let grow = Grow {
        claim: claim.id.clone(),
        before: claim.requested.clone(),
        after: it.size,
        plan: fixed.plan.clone(),
        annotated: claim.annotated,
    };
    let wait = AwaitGrown { claim: claim.id.clone(), size: it.size, timeout: it.timeout };
    Ok(Draft {
        summary: format!("grow {} from {} to {}", claim.id, claim.requested, it.size),
        predicted: predicted(seen, &grow),
        acts: vec![Act::Volume(VolumeAct::Grow(grow)), Act::Volume(VolumeAct::AwaitGrown(wait))],
    })
}

fn has_a_volume(claim: &Claim) -> Result<(), Refusal> {
    let id = &claim.id;
    if claim.deleting {
        return Err(precondition(
            format!("{id} is being deleted: it goes when the last pod lets go of it"),
            "A deletion cannot be taken back. Ask its owner whether the data is to be kept, and copy it off first.",
        ));
    }
    match claim.phase {
        ClaimPhase::Bound => Ok(()),
        ClaimPhase::Pending => Err(precondition(
            format!("{id} is Pending: it has no volume yet"),
            "Find out with recent_events why it has none. One without a volume is made anew with the right size.",
        )),
        ClaimPhase::Lost => Err(precondition(
            format!("{id} is Lost: its volume is gone"),
            "Nothing can grow here. Ask whoever keeps the storage where the volume is.",
        )),
    }
}

fn somebody_grows_it(claim: &Claim, seen: &VolumeSeen) -> Result<(), Refusal> {
    let id = &claim.id;
    let by_hand = "Have whoever keeps the storage move the data to a larger volume.";
    let Some(name) = &claim.class else {
        return Err(precondition(
            format!("{id} has no storage class, and only the volumes of a class can grow"),
            by_hand,
        ));
    };
    let Some(class) = seen.class_of(claim) else {
        return Err(precondition(
            format!("StorageClass {name} of {id} is not there: the API server lets no claim of it grow"),
            "Have whoever keeps the storage put the class back, with allowVolumeExpansion, then plan again.",
        ));
    };
    if class.can_grow() {
        return Ok(());
    }
    Err(match class.provisioner {
        Provisioner::Driver => precondition(
            format!("StorageClass {name} of {id} does not allow its volumes to grow"),
            "Where its driver can do it, have whoever keeps the class set allowVolumeExpansion, then plan again.",
        ),
        Provisioner::Nobody => precondition(
            format!("the volumes of StorageClass {name} are made by hand: no controller would let {id} grow"),
            by_hand,
        ),
    })
}

/// A second growth on top of one that is not over would hide it, and would be lost with it. One that failed is taken back
/// by asking for less again, which a person does: this action never lowers a request.
fn no_resize_is_open(claim: &Claim) -> Result<(), Refusal> {
    if !claim.is_resizing() {
        return Ok(());
    }
    let (id, asked, has) = (&claim.id, &claim.requested, shown(claim.bytes()));
    let recover = format!(
        "recent_events of the claim says why. An administrator ends it by asking for less, but for more than {has} (possible from Kubernetes 1.32 on)."
    );
    let (how, next) = match claim.resize {
        Resize::Infeasible => ("its storage driver says that this cannot be done", recover),
        Resize::Retried => ("its storage driver met an error and tries again", recover),
        Resize::OnNode => (
            "the volume has grown, and the rest is done on a node when a pod mounts it",
            "Start a pod that mounts it, or restart the one that does, then plan again.".to_owned(),
        ),
        Resize::Idle | Resize::UnderWay => (
            "this is not over",
            format!("Wait until it is, then plan again. Where it does not end, {recover}"),
        ),
    };
    Err(precondition(format!("{id} was asked to grow to {asked} before and has {has}: {how}"), next))
}

fn is_growth(claim: &Claim, size: Size) -> Result<(), Refusal> {
    let has = claim.bytes().max(claim.requested.bytes());
    match size.bytes().cmp(&has) {
        std::cmp::Ordering::Greater => Ok(()),
        std::cmp::Ordering::Equal => Err(precondition(
            format!("{} has {} already: nothing to do", claim.id, shown(has)),
            "Ask for more than that, if it is still too small.",
        )),
        std::cmp::Ordering::Less => Err(precondition(
            format!(
                "{} has {}, which is more than {size}: a volume is never made smaller",
                claim.id,
                shown(has)
            ),
            "Ask for more than it has. For less, the data is copied to a new claim.",
        )),
    }
}

/// One zero too many cannot be taken back, and is paid for every month.
fn is_no_slip(claim: &Claim, it: &GrowClaim) -> Result<(), Refusal> {
    let percent = it.at_most_percent.get();
    let most = i128::from(claim.bytes()) * i128::from(percent) / 100;
    if i128::from(it.size.bytes()) <= most {
        return Ok(());
    }
    let most = shown(i64::try_from(most).unwrap_or(i64::MAX));
    Err(precondition(
        format!(
            "{} would grow from {} to {}: the runbook lets a volume become {percent} % of its size at once, which is {most}",
            claim.id,
            shown(claim.bytes()),
            it.size
        ),
        "Look whether the size has a zero or a letter too many. If it is meant, grow in two plans, or have the runbook's owners raise its limit.",
    ))
}

/// The dry-run counts quota too, but says only that it is forbidden.
fn fits_quota(claim: &Claim, size: Size, seen: &VolumeSeen) -> Result<(), Refusal> {
    let more = size.bytes() - claim.requested.bytes();
    for (quota, limit) in seen.limits_of(claim) {
        let label = format!("ResourceQuota {}/{}", quota.namespace, quota.name);
        let of = limit.class.as_ref().map_or(String::new(), |class| format!(" of class {class}"));
        let Some(Counted { hard, used }) = &limit.counted else {
            return Err(precondition(
                format!("{label} limits storage{of} and has not been counted yet"),
                "Wait a moment and plan again.",
            ));
        };
        let room = hard.bytes() - used.bytes();
        if more > room {
            return Err(precondition(
                format!(
                    "{label} lets claims ask for {hard} of storage{of}, and {used} are asked for: {} more do not fit",
                    shown(more)
                ),
                too_little(&claim.requested, room),
            ));
        }
    }
    Ok(())
}

fn too_little(requested: &Storage, room: i64) -> String {
    let less = requested.bytes().saturating_add(room);
    if room > 0 {
        format!("Ask for {} at most, or have whoever keeps the quota raise it, then plan again.", shown(less))
    } else {
        "Have whoever keeps the quota raise it, then plan again.".to_owned()
    }
}

/// The claim as it is when the wait is over.
fn predicted(seen: &Seen, grow: &Grow) -> Seen {
    let mut predicted = seen.clone();
    let after = Storage::from(grow.after);
    if let Some(claim) = predicted.volumes.claims.iter_mut().find(|claim| claim.id.uid == grow.claim.uid) {
        claim.requested = after.clone();
        claim.capacity = Some(after);
        claim.mark = Some(grow.plan.to_string());
        claim.annotated = true;
    }
    predicted
}

#[cfg(test)]
mod tests;
