//! What holds whatever is measured.

use std::sync::LazyLock;

use proptest::prelude::*;
use runcord_model::{BlastRadius, Measure, Outcome};
use runcord_policy::Policies;

use crate::{ask, evidence, load, source};

static POLICIES: LazyLock<Policies> = LazyLock::new(|| load(source()));

/// Around the borders of the table, and unknown.
fn measure() -> impl Strategy<Value = Measure> {
    prop_oneof![
        6 => Just(Measure::Known(0)),
        4 => (1i64..4).prop_map(Measure::Known),
        2 => prop::sample::select(vec![10i64, 11, 34, 35, 50, 51, 100]).prop_map(Measure::Known),
        1 => Just(Measure::Unknown),
    ]
}

fn headroom() -> impl Strategy<Value = Measure> {
    prop_oneof![
        6 => Just(Measure::Known(BlastRadius::NO_BUDGET)),
        3 => (-1i64..3).prop_map(Measure::Known),
        1 => Just(Measure::Unknown),
    ]
}

prop_compose! {
    fn blast()(m in prop::array::uniform10(measure()), resources in resources(), hosts in hosts(), zones in 1i64..3, headroom in headroom()) -> BlastRadius {
        let [pods_lost, replicas_percent, sole_replicas, below_minimum, nodes, nodes_cordoned, services, forgets, downstream, irreversible] = m;
        let [creates, updates, replaces, destroys, data_destroys, instances_percent, outside_named] = resources;
        let [hosts, hosts_percent, hosts_at_once_percent, restarts, reboots, bytes_deleted] = hosts;
        BlastRadius {
            known: true, creates, updates, replaces, destroys, forgets: rarely(forgets), data_destroys, instances_percent, outside_named,
            pods_lost, replicas_percent, sole_replicas, below_minimum, pdb_headroom: headroom,
            nodes, nodes_cordoned, zones: Measure::Known(zones), services_without_endpoints: services,
            hosts, hosts_percent, hosts_at_once_percent, restarts, reboots, bytes_deleted, downstream, irreversible,
        }
    }
}

/// What changes of resources: mostly nothing at all, so that other rows get to decide.
fn resources() -> impl Strategy<Value = [Measure; 7]> {
    prop_oneof![
        2 => Just([Measure::Known(0); 7]),
        3 => prop::array::uniform7(measure()),
    ]
}

/// What is done to hosts: mostly nothing at all, likewise.
fn hosts() -> impl Strategy<Value = [Measure; 6]> {
    prop_oneof![
        2 => Just([Measure::Known(0); 6]),
        3 => (prop::array::uniform5(measure()), bytes()).prop_map(|([a, b, c, d, e], bytes)| [a, b, c, d, e, bytes]),
    ]
}

fn bytes() -> impl Strategy<Value = Measure> {
    prop_oneof![
        4 => Just(Measure::Known(0)),
        3 => prop::sample::select(vec![1i64, 10 << 30, (10 << 30) + 1, 1 << 50]).prop_map(Measure::Known),
        1 => Just(Measure::Unknown),
    ]
}

/// Mostly nothing, so that other rows get to decide.
fn rarely(measure: Measure) -> Measure {
    if measure == Measure::Known(11) { measure } else { Measure::Known(0) }
}

/// The same, worse in one measure.
fn worse(blast: &BlastRadius, which: usize, by: i64) -> BlastRadius {
    let mut worse = blast.clone();
    let more = |measure: Measure| match measure {
        Measure::Known(count) if by < 60 => Measure::Known(count + by),
        Measure::Known(_) | Measure::Unknown => Measure::Unknown,
    };
    match which {
        0 => worse.pods_lost = more(worse.pods_lost),
        1 => worse.replicas_percent = more(worse.replicas_percent),
        // Being the only replica excuses its share: from none to one is not worse, from one on it is.
        2 if worse.sole_replicas != Measure::Known(0) => worse.sole_replicas = more(worse.sole_replicas),
        3 => worse.below_minimum = more(worse.below_minimum),
        4 => worse.nodes = more(worse.nodes),
        5 => worse.nodes_cordoned = more(worse.nodes_cordoned),
        6 => worse.zones = more(worse.zones),
        // The table puts unknown beside one, and more above both.
        7 => match worse.services_without_endpoints {
            Measure::Known(count) => worse.services_without_endpoints = Measure::Known(count + by),
            Measure::Unknown => worse.services_without_endpoints = Measure::Known(2),
        },
        8 => worse.irreversible = more(worse.irreversible),
        9 => {
            worse.pdb_headroom = match worse.pdb_headroom {
                Measure::Known(left) if by < 60 => Measure::Known(left - by),
                Measure::Known(_) | Measure::Unknown => Measure::Unknown,
            }
        }
        10 => worse.destroys = more(worse.destroys),
        11 => worse.creates = more(worse.creates),
        12 => worse.updates = more(worse.updates),
        13 => worse.replaces = more(worse.replaces),
        14 => worse.forgets = more(worse.forgets),
        15 => worse.data_destroys = more(worse.data_destroys),
        16 => worse.instances_percent = more(worse.instances_percent),
        17 => worse.outside_named = more(worse.outside_named),
        18 => worse.hosts = more(worse.hosts),
        19 => worse.hosts_percent = more(worse.hosts_percent),
        20 => worse.hosts_at_once_percent = more(worse.hosts_at_once_percent),
        21 => worse.restarts = more(worse.restarts),
        22 => worse.reboots = more(worse.reboots),
        _ => worse.bytes_deleted = more(worse.bytes_deleted),
    }
    worse
}

/// How bad an outcome is: allow, one approval, two people, deny.
fn badness(blast: BlastRadius, signed: &[&str]) -> u32 {
    let decision = POLICIES.judge(&ask(&POLICIES), &evidence(blast, signed));
    match decision.outcome {
        Outcome::Allow => 0,
        Outcome::NeedsApproval => decision.approvals_needed[0].iter().map(|needed| needed.count).sum(),
        Outcome::Deny => 100,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn approvals_only_help(blast in blast()) {
        let (none, one, two) = (badness(blast.clone(), &[]), badness(blast.clone(), &["ann"]), badness(blast, &["ann", "bob"]));
        prop_assert!(two <= one && one <= none, "{none} {one} {two}");
        prop_assert!(two == 0 || two == 100, "two people are always enough, or never");
        prop_assert!(none == 100 || none == one + 1 || none == 0, "an approval counts for one: {none} {one}");
    }

    #[test]
    fn worse_is_never_better(blast in blast(), which in 0usize..24, by in 1i64..80) {
        let worse = worse(&blast, which, by);
        prop_assert!(badness(blast.clone(), &[]) <= badness(worse.clone(), &[]), "{blast:?} {worse:?}");
    }
}
