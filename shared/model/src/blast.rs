//! The blast radius: what a plan touches, measured and not declared.

use serde::{Deserialize, Serialize};

/// A count that may be unknown. Unknown is written `null` and judged as the worst there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Option<i64>", into = "Option<i64>")]
pub enum Measure {
    /// Counted.
    Known(i64),
    /// Could not be counted.
    Unknown,
}

impl Measure {
    /// What stands for unknown: more than whatever can be counted, bytes included, and so little that dozens of it add up.
    const UNKNOWN: i64 = 100_000_000_000_000_000;

    /// The number policy sees where more is worse: unknown is larger than any limit.
    pub fn at_worst(self) -> i64 {
        match self {
            Self::Known(n) => n,
            Self::Unknown => Self::UNKNOWN,
        }
    }

    /// The number policy sees where less is worse (headroom): unknown is lower than any limit.
    pub fn at_least(self) -> i64 {
        match self {
            Self::Known(n) => n,
            Self::Unknown => -Self::UNKNOWN,
        }
    }

    /// Whether it was counted.
    pub fn is_known(self) -> bool {
        matches!(self, Self::Known(_))
    }
}

impl From<Option<i64>> for Measure {
    fn from(value: Option<i64>) -> Self {
        value.map_or(Self::Unknown, Self::Known)
    }
}

impl From<Measure> for Option<i64> {
    fn from(value: Measure) -> Self {
        match value {
            Measure::Known(n) => Some(n),
            Measure::Unknown => None,
        }
    }
}

/// What is *lost*, compared with now. Every field is a worst case; percentages are rounded up.
///
/// `pdb_headroom` is the only field where less is worse. A plan that touches no disruption budget has
/// [`BlastRadius::NO_BUDGET`] there, which is more than any rule asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlastRadius {
    /// Whether every measure could be taken.
    pub known: bool,
    /// Ready pods lost at once.
    pub pods_lost: Measure,
    /// The largest share of one workload's ready pods lost at once, in percent.
    pub replicas_percent: Measure,
    /// Workloads that lose their only replica, and had only one to begin with.
    pub sole_replicas: Measure,
    /// How far the worst workload falls below the minimum that its disruption budget sets, where it was at or above it.
    pub below_minimum: Measure,
    /// Disruptions that the tightest budget still allows afterwards, every eviction summed; negative when it would be overrun.
    pub pdb_headroom: Measure,
    /// Nodes emptied.
    pub nodes: Measure,
    /// Nodes made unschedulable but not emptied.
    pub nodes_cordoned: Measure,
    /// Zones that the emptied nodes are in.
    pub zones: Measure,
    /// Services left without a ready endpoint.
    pub services_without_endpoints: Measure,
    /// Resource instances made.
    pub creates: Measure,
    /// Resource instances changed in place.
    pub updates: Measure,
    /// Resource instances destroyed and made anew.
    pub replaces: Measure,
    /// Resource instances destroyed.
    pub destroys: Measure,
    /// Resource instances that are managed no more, and stay in the world.
    pub forgets: Measure,
    /// Those of the instances destroyed or replaced whose type holds data.
    pub data_destroys: Measure,
    /// Share of the managed instances destroyed or replaced, in percent.
    pub instances_percent: Measure,
    /// Resource instances that change beside the one that was named, where one was.
    pub outside_named: Measure,
    /// Hosts touched.
    pub hosts: Measure,
    /// The largest share of one group's hosts touched, in percent.
    pub hosts_percent: Measure,
    /// The largest share of one group's hosts touched at once, in one batch, in percent.
    pub hosts_at_once_percent: Measure,
    /// Services restarted, summed over the hosts.
    pub restarts: Measure,
    /// Hosts rebooted.
    pub reboots: Measure,
    /// Bytes deleted from hosts.
    pub bytes_deleted: Measure,
    /// Services and Ingresses downstream of what is touched.
    pub downstream: Measure,
    /// Things that cannot be brought back, such as the data of an emptyDir.
    pub irreversible: Measure,
}

impl BlastRadius {
    /// The headroom of a plan that touches no disruption budget.
    pub const NO_BUDGET: i64 = 1_000_000;

    /// The blast radius of a plan that touches nothing.
    pub fn nothing() -> Self {
        let none = Measure::Known(0);
        Self {
            known: true,
            pods_lost: none,
            replicas_percent: none,
            sole_replicas: none,
            below_minimum: none,
            pdb_headroom: Measure::Known(Self::NO_BUDGET),
            nodes: none,
            nodes_cordoned: none,
            zones: none,
            services_without_endpoints: none,
            creates: none,
            updates: none,
            replaces: none,
            destroys: none,
            forgets: none,
            data_destroys: none,
            instances_percent: none,
            outside_named: none,
            hosts: none,
            hosts_percent: none,
            hosts_at_once_percent: none,
            restarts: none,
            reboots: none,
            bytes_deleted: none,
            downstream: none,
            irreversible: none,
        }
    }

    /// Every measure where more is worse, with its name in the contract.
    pub fn losses(&self) -> [(&'static str, Measure); 24] {
        [
            ("pods_lost", self.pods_lost),
            ("replicas_percent", self.replicas_percent),
            ("sole_replicas", self.sole_replicas),
            ("below_minimum", self.below_minimum),
            ("nodes", self.nodes),
            ("nodes_cordoned", self.nodes_cordoned),
            ("zones", self.zones),
            ("services_without_endpoints", self.services_without_endpoints),
            ("creates", self.creates),
            ("updates", self.updates),
            ("replaces", self.replaces),
            ("destroys", self.destroys),
            ("forgets", self.forgets),
            ("data_destroys", self.data_destroys),
            ("instances_percent", self.instances_percent),
            ("outside_named", self.outside_named),
            ("hosts", self.hosts),
            ("hosts_percent", self.hosts_percent),
            ("hosts_at_once_percent", self.hosts_at_once_percent),
            ("restarts", self.restarts),
            ("reboots", self.reboots),
            ("bytes_deleted", self.bytes_deleted),
            ("downstream", self.downstream),
            ("irreversible", self.irreversible),
        ]
    }

    /// Sets `known` to what the measures say.
    #[must_use]
    pub fn settled(mut self) -> Self {
        self.known = self.pdb_headroom.is_known() && self.losses().iter().all(|(_, m)| m.is_known());
        self
    }

    /// The measures in which `self` is worse than `planned`, as (name, planned, now): what was approved may
    /// only have improved.
    pub fn worse_than(&self, planned: &Self) -> Vec<(&'static str, Measure, Measure)> {
        let mut worse: Vec<_> = planned
            .losses()
            .into_iter()
            .zip(self.losses())
            .filter(|((_, before), (_, now))| now.at_worst() > before.at_worst())
            .map(|((name, before), (_, now))| (name, before, now))
            .collect();
        if self.pdb_headroom.at_least() < planned.pdb_headroom.at_least() {
            worse.push(("pdb_headroom", planned.pdb_headroom, self.pdb_headroom));
        }
        worse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_is_worse_than_any_number() {
        let planned = BlastRadius::nothing();
        let now =
            BlastRadius { pods_lost: Measure::Unknown, pdb_headroom: Measure::Unknown, ..planned.clone() };
        let names: Vec<_> = now.worse_than(&planned).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, ["pods_lost", "pdb_headroom"]);
        assert!(planned.worse_than(&now).is_empty(), "an improvement is no drift");
        assert!(!now.settled().known);
    }

    #[test]
    fn unknown_is_worse_than_more_bytes_than_there_are_on_a_machine() {
        let planned =
            BlastRadius { bytes_deleted: Measure::Known(10_000_000_000_000_000), ..BlastRadius::nothing() };
        let now = BlastRadius { bytes_deleted: Measure::Unknown, ..planned.clone() };
        assert_eq!(now.worse_than(&planned), [("bytes_deleted", planned.bytes_deleted, Measure::Unknown)]);
    }

    /// A plan from before a measure was there: nobody has taken it.
    #[test]
    fn a_measure_that_is_not_written_is_unknown() {
        let mut written = serde_json::to_value(BlastRadius::nothing()).unwrap();
        written.as_object_mut().unwrap().remove("reboots");
        let read: BlastRadius = serde_json::from_value(written).unwrap();
        assert_eq!(read.reboots, Measure::Unknown);
    }

    #[test]
    fn every_measure_has_its_name() {
        let written = serde_json::to_value(BlastRadius::nothing()).unwrap();
        let written: std::collections::BTreeSet<_> = written.as_object().unwrap().keys().cloned().collect();
        let mut named: std::collections::BTreeSet<_> =
            BlastRadius::nothing().losses().iter().map(|(name, _)| (*name).to_owned()).collect();
        named.extend(["known".to_owned(), "pdb_headroom".to_owned()]);
        assert_eq!(named, written);
    }
}
