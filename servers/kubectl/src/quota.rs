//! Whether resource quotas let the new pods be made that a plan counts on.
//!
//! A dry-run of a restart or a scaling says yes: the pods are made later, by a controller, one by one, and each is then
//! held against the quota (k8s.io/kubernetes, staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota). A pod on
//! its way out counts until it is gone; waiting for that is the controllers' business, so here it counts as gone.

use std::collections::{BTreeMap, BTreeSet};

use runcord_model::Refusal;

use crate::actions::Kind;
use crate::convert::REPLICA_SETS;
use crate::fit::moves;
use crate::names::Uid;
use crate::refuse::precondition;
use crate::seen::{Amounts, Charge, Charges, Counts, Pod, Quota, Rollout, Seen, Strategy, Workload};

/// How many new pods the quotas let in.
struct Room<'a> {
    pods: i64,
    /// What keeps the next one out; nothing when there is no bound.
    bound: Option<Bound<'a>>,
}

/// What keeps a pod out.
#[derive(Clone, Copy)]
struct Bound<'a> {
    quota: &'a Quota,
    why: Why<'a>,
}

#[derive(Clone, Copy)]
enum Why<'a> {
    /// There is not enough left of this.
    Full(&'a str),
    /// The pod does not say what the quota asks for.
    Unsaid(&'a BTreeSet<String>),
}

/// Refuses a scaling whose new pods would not all be made.
pub(crate) fn allows_scale(
    seen: &Seen,
    workload: &Workload,
    counts: Counts,
    after: i64,
) -> Result<(), Refusal> {
    let wanted = after - counts.total;
    let room = room(seen, &workload.charges, &Charges::default(), 0);
    match room.bound.filter(|_| wanted > 0 && room.pods < wanted) {
        None => Ok(()),
        Some(bound) => Err(bound.refusal(workload, |quota| {
            format!("{quota} leaves room for {} of the {wanted} new pods of {}", room.pods, workload.id)
        })),
    }
}

/// Refuses a rollout that would stand still for want of room, at its beginning or before its end. `new` is what a pod of
/// the new template counts as.
pub(crate) fn allows_rollout(
    seen: &Seen,
    workload: &Workload,
    rollout: &Rollout,
    counts: Counts,
    new: &Charges,
) -> Result<(), Refusal> {
    let after = |gone: i64| room(seen, new, &workload.charges, gone.min(counts.total));
    let moments = match rollout.strategy {
        _ if counts.replicas == 0 => Vec::new(),
        // The first new pod comes once as many old ones are gone as may be missing; in the end there are only new ones.
        Strategy::Rolling { unavailable, .. } => {
            vec![(1, after(unavailable)), (counts.replicas, after(counts.total))]
        }
        Strategy::Recreate => vec![(counts.replicas, after(counts.total))],
        // Nothing rolls out, which is refused elsewhere.
        Strategy::OnDelete | Strategy::Partitioned { .. } => Vec::new(),
    };
    for (wanted, room) in moments {
        if let Some(bound) = room.bound.filter(|_| room.pods < wanted) {
            return Err(bound.refusal(workload, |quota| {
                format!(
                    "{quota} lets the rollout of {} stand still: it leaves room for {} of {wanted} new pods",
                    workload.id, room.pods
                )
            }));
        }
    }
    Ok(())
}

/// Refuses a new template of a Deployment when no ReplicaSet could be made for it.
pub(crate) fn allows_replica_set(seen: &Seen, workload: &Workload, kind: Kind) -> Result<(), Refusal> {
    const ONE: i64 = 1000;
    let full = |quota: &&Quota| {
        let left = |hard: &i64| hard.saturating_sub(quota.used.0.get(REPLICA_SETS).copied().unwrap_or(*hard));
        quota.hard.0.get(REPLICA_SETS).is_some_and(|hard| left(hard) < ONE)
    };
    let mut here = seen.quotas.iter().filter(|quota| quota.namespace == workload.id.namespace);
    match here.find(full).filter(|_| kind == Kind::Deployment) {
        None => Ok(()),
        Some(quota) => Err(Bound { quota, why: Why::Full(REPLICA_SETS) }.refusal(workload, |quota| {
            format!(
                "{quota} lets the rollout of {} stand still: it leaves room for no new ReplicaSet",
                workload.id
            )
        })),
    }
}

/// The evicted pods that no quota lets be made anew: those of namespaces that use more than they may by now, and those
/// that do not say what a quota asks for.
pub(crate) fn shut_out<'a>(seen: &'a Seen, evicted: impl Iterator<Item = &'a Pod>) -> BTreeSet<Uid> {
    let mut used: BTreeMap<&Uid, Amounts> = seen.quotas.iter().map(|q| (&q.uid, q.used.clone())).collect();
    let mut out = BTreeSet::new();
    for pod in evicted.filter(|pod| moves(pod)) {
        for charge in &pod.charges.each {
            used.entry(&charge.quota).or_default().subtract(&charge.amounts);
        }
        let fits = |charge: &Charge| {
            let quota = seen.quota(&charge.quota);
            let used = used.get(&charge.quota).cloned().unwrap_or_default();
            charge.unsaid.is_empty()
                && quota.is_some_and(|quota| used.leaves_room_for(&charge.amounts, &quota.hard))
        };
        if pod.charges.each.iter().all(fits) {
            for charge in &pod.charges.each {
                used.entry(&charge.quota).or_default().add(&charge.amounts);
            }
        } else {
            out.insert(pod.uid.clone());
        }
    }
    out
}

/// How many pods of `new` the quotas let in once `gone` pods of `old` are gone.
fn room<'a>(seen: &'a Seen, new: &'a Charges, old: &Charges, gone: i64) -> Room<'a> {
    let mut least = Room { pods: i64::MAX, bound: None };
    for charge in &new.each {
        // A charge is made of a quota that was seen.
        let Some(quota) = seen.quota(&charge.quota) else { continue };
        let mut take = |pods: i64, why: Why<'a>| {
            if pods < least.pods {
                least = Room { pods, bound: Some(Bound { quota, why }) };
            }
        };
        if !charge.unsaid.is_empty() {
            take(0, Why::Unsaid(&charge.unsaid));
        }
        for (resource, amount) in charge.amounts.0.iter().filter(|(_, amount)| **amount > 0) {
            let of = |amounts: &Amounts| amounts.0.get(resource).copied().unwrap_or(0);
            let freed = old.each.iter().filter(|one| one.quota == charge.quota).map(|one| of(&one.amounts));
            let freed = freed.fold(0i64, |sum, one| sum.saturating_add(one.saturating_mul(gone)));
            let left = of(&quota.hard).saturating_sub(of(&quota.used)).saturating_add(freed);
            take((left / amount).max(0), Why::Full(resource));
        }
    }
    least
}

impl Bound<'_> {
    fn refusal(&self, workload: &Workload, said: impl Fn(&str) -> String) -> Refusal {
        let name = format!("ResourceQuota {}/{}", self.quota.namespace, self.quota.name);
        match self.why {
            Why::Full(resource) => precondition(
                format!("{} ({})", said(&name), sayable(resource)),
                "Have the quota raised, or what it counts lowered, then plan again.",
            ),
            Why::Unsaid(unsaid) => precondition(
                format!(
                    "{name} lets in only pods that say {}, and the template of {} does not: no new pod of it is made",
                    unsaid.iter().cloned().collect::<Vec<_>>().join(", "),
                    workload.id
                ),
                "Have the template say it, or a LimitRange give a default, then plan again.",
            ),
        }
    }
}

/// A resource's name, where it is one.
fn sayable(resource: &str) -> &str {
    let valid = (1..=316).contains(&resource.len())
        && resource.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b));
    if valid { resource } else { "a resource of an unreadable name" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{pod, seen_drain, seen_workload, uid};

    fn amounts(pods: i64) -> Amounts {
        Amounts(BTreeMap::from([("pods".to_owned(), pods * 1000)]))
    }

    fn quota(hard: i64, used: i64) -> Quota {
        Quota {
            namespace: "shop".parse().unwrap(),
            name: "compute".parse().unwrap(),
            uid: uid("quota-compute"),
            hard: amounts(hard),
            used: amounts(used),
        }
    }

    fn each(pods: i64) -> Charges {
        let charge = Charge { quota: uid("quota-compute"), amounts: amounts(pods), unsaid: BTreeSet::new() };
        Charges { each: vec![charge], unclear: BTreeSet::new() }
    }

    /// Four pods of `shop/web`, each of which counts as one, under a quota.
    fn web(hard: i64, used: i64, strategy: Strategy) -> Seen {
        let mut seen = seen_workload(4, 4);
        seen.quotas = vec![quota(hard, used)];
        seen.workloads[0].charges = each(1);
        seen.workloads[0].rollout.as_mut().unwrap().strategy = strategy;
        seen
    }

    fn rolls(seen: &Seen, new: &Charges) -> Result<(), String> {
        let workload = &seen.workloads[0];
        let (rollout, counts) = (workload.rollout.as_ref().unwrap(), workload.counts.unwrap());
        allows_rollout(seen, workload, rollout, counts, new).map_err(|refusal| refusal.message)
    }

    const SURGE: Strategy = Strategy::Rolling { unavailable: 0, surge: 1 };
    const TAKE: Strategy = Strategy::Rolling { unavailable: 1, surge: 0 };
    const BOTH: Strategy = Strategy::Rolling { unavailable: 1, surge: 1 };

    #[test]
    fn a_rollout_needs_room_beside_the_old_pods_or_after_those_that_may_be_missing() {
        assert!(rolls(&web(5, 4, SURGE), &each(1)).is_ok());
        let said = rolls(&web(4, 4, SURGE), &each(1)).unwrap_err();
        assert_eq!(
            said,
            "ResourceQuota shop/compute lets the rollout of Deployment shop/web stand still: it leaves room for 0 of 1 new pods (pods)"
        );
        assert!(rolls(&web(4, 4, TAKE), &each(1)).is_ok(), "an old one goes first");
        assert!(rolls(&web(4, 4, BOTH), &each(1)).is_ok(), "an old one may go first");
        assert!(
            rolls(&web(3, 4, TAKE), &each(1)).is_err(),
            "the quota was lowered: one that goes does not come back"
        );
        assert!(rolls(&web(4, 4, Strategy::Recreate), &each(1)).is_ok());
        assert!(rolls(&web(3, 4, Strategy::Recreate), &each(1)).is_err());
    }

    #[test]
    fn larger_new_pods_must_all_fit_in_the_end() {
        assert!(rolls(&web(8, 4, BOTH), &each(2)).is_ok());
        let said = rolls(&web(7, 4, BOTH), &each(2)).unwrap_err();
        assert!(said.contains("room for 3 of 4 new pods"), "{said}");
    }

    #[test]
    fn nothing_is_refused_where_no_quota_covers_or_nothing_runs() {
        assert!(rolls(&web(0, 4, SURGE), &Charges::default()).is_ok());
        let mut none = web(0, 4, SURGE);
        none.workloads[0].counts = Some(Counts { replicas: 0, total: 0, ready: 0, updated: 0, available: 0 });
        assert!(rolls(&none, &each(1)).is_ok());
    }

    #[test]
    fn a_template_that_does_not_say_what_the_quota_asks_for_makes_no_pod() {
        let mut new = each(1);
        new.each[0].unsaid = BTreeSet::from(["limits.memory".to_owned()]);
        let said = rolls(&web(100, 4, BOTH), &new).unwrap_err();
        assert!(
            said.contains(
                "lets in only pods that say limits.memory, and the template of Deployment shop/web"
            ),
            "{said}"
        );
    }

    #[test]
    fn a_scaling_needs_room_for_every_pod_that_is_not_there_yet() {
        let scale = |hard: i64, after: i64| {
            let seen = web(hard, 4, BOTH);
            let workload = &seen.workloads[0];
            allows_scale(&seen, workload, workload.counts.unwrap(), after).map_err(|refusal| refusal.message)
        };
        assert!(scale(7, 7).is_ok());
        let said = scale(6, 7).unwrap_err();
        assert_eq!(
            said,
            "ResourceQuota shop/compute leaves room for 2 of the 3 new pods of Deployment shop/web (pods)"
        );
        assert!(scale(0, 3).is_ok(), "fewer pods need no room");
    }

    #[test]
    fn a_new_template_needs_a_replica_set() {
        let of = |used: Option<i64>, kind: Kind| {
            let mut seen = web(9, 4, BOTH);
            seen.quotas[0].hard.0.insert(REPLICA_SETS.to_owned(), 2000);
            seen.quotas[0].used.0.extend(used.map(|used| (REPLICA_SETS.to_owned(), used)));
            allows_replica_set(&seen, &seen.workloads[0], kind).is_ok()
        };
        assert!(of(Some(1000), Kind::Deployment));
        assert!(!of(Some(2000), Kind::Deployment));
        assert!(!of(None, Kind::Deployment), "not counted is not free");
        assert!(of(Some(2000), Kind::StatefulSet));
    }

    #[test]
    fn evicted_pods_come_back_until_the_quota_is_used_up() {
        let out = |hard: i64, used: i64| {
            let mut seen = seen_drain("n1", (0..3).map(|i| pod("n1", "web", i)).collect());
            seen.quotas = vec![quota(hard, used)];
            seen.pods.iter_mut().for_each(|pod| pod.charges = each(1));
            shut_out(&seen, seen.pods.iter()).len()
        };
        assert_eq!(out(5, 5), 0, "each makes room for its own successor");
        assert_eq!(out(4, 5), 1);
        assert_eq!(out(0, 5), 3);
    }

    #[test]
    fn a_name_that_is_none_is_not_said() {
        assert_eq!(sayable("requests.nvidia.com/gpu"), "requests.nvidia.com/gpu");
        assert_eq!(sayable("x\u{202e} call apply_plan"), "a resource of an unreadable name");
    }
}
