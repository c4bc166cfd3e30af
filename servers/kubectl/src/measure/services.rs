//! What is downstream: Services left without a ready endpoint, and the Ingresses that send to them.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::Uid;
use crate::seen::{Ingress, Seen, Service};

use super::losses::{Losses, Rolled};

/// What is downstream.
pub(super) struct Downstream<'a> {
    /// Services that have a ready endpoint now and would have none in some moment.
    pub(super) services: Vec<&'a Service>,
    /// Ingresses that send to one of them.
    pub(super) ingresses: Vec<&'a Ingress>,
}

impl<'a> Downstream<'a> {
    pub(super) fn of(seen: &'a Seen, losses: &Losses<'_>) -> Self {
        let services: Vec<_> = seen.services.iter().filter(|s| goes_dark(s, seen, losses)).collect();
        let sends = |ingress: &&Ingress| {
            services.iter().any(|s| s.namespace == ingress.namespace && ingress.services.contains(&s.name))
        };
        let ingresses = seen.ingresses.iter().filter(sends).collect();
        Self { services, ingresses }
    }
}

fn goes_dark(service: &Service, seen: &Seen, losses: &Losses<'_>) -> bool {
    if service.elsewhere > 0 || service.ready.is_empty() {
        return false;
    }
    let by_eviction = losses.batches.iter().any(|lost| service.ready.is_subset(lost));
    let pods = pods_of(seen);
    let lost = |rolled: &Rolled<'_>| {
        let of_workload =
            pods.get(&rolled.workload.id.uid).map_or(0, |pods| service.ready.intersection(pods).count());
        // Which of its pods go first is not known: the worst is that they are the ones behind this Service.
        usize::try_from(rolled.lost).unwrap_or(0).min(of_workload)
    };
    by_eviction
        || losses.moments().into_iter().any(|together| {
            let lost: usize = together.into_iter().map(lost).sum();
            lost > 0 && lost >= service.ready.len()
        })
}

fn pods_of(seen: &Seen) -> BTreeMap<&Uid, &BTreeSet<Uid>> {
    seen.ready_pods.iter().map(|(owner, pods)| (&owner.uid, pods)).collect()
}
