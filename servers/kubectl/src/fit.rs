//! Whether evicted pods fit elsewhere: first fit of their requests, on what is known of the other nodes.
//!
//! It looks at what the scheduler would certainly refuse (readiness, cordons, taints, node selectors and affinity,
//! resources). What only the scheduler can tell is passed on as undetermined, not decided here.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::{NodeName, Uid};
use crate::seen::{Amounts, Keeper, Needs, Node, NodeTerm, Phase, Pod, Requirement, Seen, Taint, Toleration};
use crate::{quota, selector};

/// Where the pods would go, and which would go nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fit {
    /// Pods for which no node that was looked at has room.
    pub(crate) stranded: BTreeSet<Uid>,
    /// Pods that no resource quota lets be made anew.
    pub(crate) shut_out: BTreeSet<Uid>,
    /// What only the scheduler can tell, with how many pods it concerns.
    pub(crate) undetermined: BTreeMap<String, usize>,
}

impl Fit {
    /// Whether no other pod will run in the place of this one.
    pub(crate) fn is_lost(&self, pod: &Uid) -> bool {
        self.stranded.contains(pod) || self.shut_out.contains(pod)
    }
}

/// Whether a pod has to find another place: it is evicted, made anew, and not finished.
pub(crate) fn moves(pod: &Pod) -> bool {
    pod.evictable() && pod.phase != Phase::Finished && matches!(pod.keeper, Keeper::Owner(_))
}

/// Where the evicted pods of all drained nodes would go, on the nodes whose use is known.
pub(crate) fn fit(seen: &Seen) -> Fit {
    let mut used = seen.used.clone();
    let mut fit = Fit::default();
    let drained = &seen.focus.drained;
    let evicted = || seen.pods.iter().filter(|p| drained.contains(&p.node) || seen.is_named(p));
    fit.shut_out = quota::shut_out(seen, evicted());
    for pod in evicted().filter(|pod| moves(pod)) {
        let place = candidates(seen).find(|(name, node)| {
            used.get(*name).is_some_and(|used| used.leaves_room_for(&pod.needs.requests, &node.allocatable))
                && admits(name, node, &pod.needs)
        });
        match place {
            Some((name, _)) => used.entry(name.clone()).or_default().add(&pod.needs.requests),
            None => {
                fit.stranded.insert(pod.uid.clone());
            }
        }
        for what in &pod.needs.undetermined {
            *fit.undetermined.entry(what.clone()).or_default() += 1;
        }
    }
    fit
}

/// The nodes that pods could move to, in order.
pub(crate) fn candidates(seen: &Seen) -> impl Iterator<Item = (&NodeName, &Node)> {
    let drained = &seen.focus.drained;
    seen.nodes
        .iter()
        .filter(move |(name, node)| node.ready && !node.unschedulable && !drained.contains(*name))
}

/// Whether a stranded pod could run on the node at all, were there room.
pub(crate) fn could_host_a_stranded_pod(seen: &Seen, fit: &Fit, name: &NodeName, node: &Node) -> bool {
    let free = Amounts::default();
    seen.pods.iter().filter(|pod| fit.stranded.contains(&pod.uid)).any(|pod| {
        admits(name, node, &pod.needs) && free.leaves_room_for(&pod.needs.requests, &node.allocatable)
    })
}

fn admits(name: &NodeName, node: &Node, needs: &Needs) -> bool {
    let selected = needs.node_selector.iter().all(|(key, value)| node.labels.get(key) == Some(value));
    let affine = needs
        .node_affinity
        .as_ref()
        .is_none_or(|alternatives| alternatives.iter().any(|term| satisfies(name, node, term)));
    let tolerated = node.taints.iter().all(|taint| needs.tolerations.iter().any(|t| tolerates(t, taint)));
    selected && affine && tolerated
}

fn satisfies(name: &NodeName, node: &Node, term: &NodeTerm) -> bool {
    let by_name = |r: &Requirement| {
        r.key == "metadata.name" && selector::holds(r, &BTreeMap::from([(r.key.clone(), name.to_string())]))
    };
    !(term.labels.is_empty() && term.name.is_empty())
        && term.labels.iter().all(|r| selector::holds(r, &node.labels))
        && term.name.iter().all(by_name)
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let effect = toleration.effect.as_ref().is_none_or(|e| e.is_empty() || *e == taint.effect);
    let key = match toleration.key.as_deref() {
        None | Some("") => toleration.operator == "Exists",
        Some(key) => key == taint.key,
    };
    let value = match toleration.operator.as_str() {
        "Exists" => true,
        "Equal" | "" => toleration.value == taint.value,
        _ => false,
    };
    effect && key && value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{node, pod, seen_drain};

    fn room(cpu: i64) -> Amounts {
        Amounts(BTreeMap::from([("cpu".to_owned(), cpu), ("pods".to_owned(), 110_000)]))
    }

    fn cluster(pods: usize, each: i64, free: &[(&str, i64)]) -> Seen {
        let mut seen = seen_drain("n1", (0..pods).map(|i| pod("n1", "web", i)).collect());
        seen.pods.iter_mut().for_each(|p| p.needs.requests = room_request(each));
        for (name, cpu) in free {
            seen.nodes.insert(name.parse().unwrap(), Node { allocatable: room(*cpu), ..node(name) });
            seen.used.insert(name.parse().unwrap(), Amounts::default());
        }
        seen
    }

    fn room_request(cpu: i64) -> Amounts {
        Amounts(BTreeMap::from([("cpu".to_owned(), cpu), ("pods".to_owned(), 1000)]))
    }

    #[test]
    fn pods_share_the_room_that_is_left() {
        assert!(fit(&cluster(2, 500, &[("n2", 1000)])).stranded.is_empty());
        assert_eq!(fit(&cluster(3, 500, &[("n2", 1000)])).stranded.len(), 1);
        assert!(fit(&cluster(3, 500, &[("n2", 1000), ("n3", 500)])).stranded.is_empty());
    }

    #[test]
    fn nodes_that_take_no_pods_are_no_room() {
        let change = |f: fn(&mut Node)| {
            let mut seen = cluster(1, 500, &[("n2", 1000)]);
            seen.nodes.values_mut().for_each(f);
            fit(&seen).stranded.len()
        };
        assert_eq!(change(|_| ()), 0);
        assert_eq!(change(|n| n.ready = false), 1);
        assert_eq!(change(|n| n.unschedulable = true), 1);
        assert_eq!(
            change(|n| n.taints.push(Taint {
                key: "gpu".into(),
                value: "".into(),
                effect: "NoSchedule".into()
            })),
            1
        );
    }

    #[test]
    fn a_node_whose_use_is_unknown_is_no_room() {
        let mut seen = cluster(1, 500, &[("n2", 1000)]);
        seen.used.clear();
        assert_eq!(fit(&seen).stranded.len(), 1);
    }

    #[test]
    fn selectors_affinity_and_tolerations_count() {
        let stranded = |f: fn(&mut Needs)| {
            let mut seen = cluster(1, 500, &[("n2", 1000)]);
            for n in seen.nodes.values_mut() {
                n.labels.insert("disk".into(), "ssd".into());
                n.taints.push(Taint { key: "team".into(), value: "shop".into(), effect: "NoExecute".into() });
            }
            let exists = Toleration {
                key: Some("team".into()),
                operator: "Exists".into(),
                value: "".into(),
                effect: None,
            };
            seen.pods[0].needs.tolerations.push(exists);
            f(&mut seen.pods[0].needs);
            fit(&seen).stranded.len()
        };
        assert_eq!(stranded(|_| ()), 0);
        assert_eq!(stranded(|n| n.tolerations[0].operator = "Equal".into()), 1);
        assert_eq!(stranded(|n| n.tolerations[0].effect = Some("NoSchedule".into())), 1);
        assert_eq!(stranded(|n| n.node_selector = BTreeMap::from([("disk".into(), "hdd".into())])), 1);
        assert_eq!(stranded(|n| n.node_affinity = Some(vec![])), 1);
        assert_eq!(stranded(|n| n.node_affinity = Some(vec![NodeTerm { labels: vec![], name: vec![] }])), 1);
        let by_name = |n: &mut Needs| {
            let only =
                Requirement { key: "metadata.name".into(), operator: "In".into(), values: vec!["n2".into()] };
            n.node_affinity = Some(vec![NodeTerm { labels: vec![], name: vec![only] }]);
        };
        assert_eq!(stranded(by_name), 0);
    }

    #[test]
    fn what_only_the_scheduler_knows_is_said() {
        let mut seen = cluster(1, 500, &[("n2", 1000)]);
        seen.pods[0].needs.undetermined.insert("pod anti-affinity".into());
        assert_eq!(fit(&seen).undetermined.get("pod anti-affinity"), Some(&1));
    }
}
