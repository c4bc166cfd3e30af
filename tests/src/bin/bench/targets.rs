//! What is to be reached, beside what was measured. It only prints: whether a time is good says little on a machine that
//! does something else too.

use std::fmt;

use crate::measure::{Calls, Cost};

/// The figures of our server on one cluster.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    /// From nothing to tools/list.
    pub(crate) start: Cost,
    /// The readings that must be quick: each one after the other, and all at once.
    pub(crate) reads: Vec<(&'static str, Calls, Calls)>,
    /// A restart's plan.
    pub(crate) restart: Calls,
    /// The plan of draining a hundred pods.
    pub(crate) drain: Calls,
    /// The plan of draining ten.
    pub(crate) light_drain: Calls,
}

/// One thing to be reached.
struct Target {
    what: String,
    figure: f64,
    most: f64,
    unit: &'static str,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, figure, most, unit } = self;
        // A figure that is none has not been reached.
        let said = if figure <= most { "met" } else { "missed" };
        write!(f, "{what:<62}{figure:>9.1}{most:>9.1} {unit:<6}{said}")
    }
}

/// How much a figure may differ between two clusters that it should not depend on.
const FLAT: f64 = 1.5;

/// Prints each target, whether it was met, and how.
pub(crate) fn print(small: &Figures, large: &Figures) {
    println!("\n{:<62}{:>9}{:>9}", "targets, on the large cluster", "measured", "at most");
    for target in fixed(large).into_iter().chain(growth(small, large)) {
        println!("{target}");
    }
}

fn fixed(figures: &Figures) -> Vec<Target> {
    let Figures { start, reads, restart, drain, .. } = figures;
    let mut all = vec![
        target("start to tools/list, processor time", start.cpu, 25.0, "ms"),
        target("start to tools/list, resident", start.rss, 20.0, "MiB"),
    ];
    for (tool, in_turn, at_once) in reads {
        all.push(target(format!("{tool}, in turn, total"), in_turn.total, 15.0, "ms"));
        all.push(target(format!("{tool}, longest answer"), kib(in_turn.bytes), 8.0, "KiB"));
        all.push(target(format!("{tool}, resident after 100 in turn"), in_turn.rss, 30.0, "MiB"));
        all.push(target(format!("{tool}, resident after 100 at once"), at_once.rss, 30.0, "MiB"));
    }
    all.push(target("plan_restart_workload, own share", own(restart), 3.0, "ms"));
    all.push(target("plan_drain_node of 100 pods, own share", own(drain), 15.0, "ms"));
    all
}

fn growth(small: &Figures, large: &Figures) -> Vec<Target> {
    let flat = |what: &str, of: fn(&Figures) -> &Calls| {
        let what = format!("{what}, own share, large cluster by small");
        target(what, own(of(large)) / own(of(small)), FLAT, "times")
    };
    vec![
        flat("plan_restart_workload", |f| &f.restart),
        flat("plan_drain_node of 100 pods", |f| &f.drain),
        target(
            "plan_drain_node, own share, 100 pods by 10",
            own(&large.drain) / own(&large.light_drain),
            10.0,
            "times",
        ),
    ]
}

fn target(what: impl Into<String>, figure: f64, most: f64, unit: &'static str) -> Target {
    Target { what: what.into(), figure, most, unit }
}

fn own(calls: &Calls) -> f64 {
    calls.own.unwrap_or(f64::NAN)
}

fn kib(bytes: usize) -> f64 {
    u32::try_from(bytes).map_or(f64::INFINITY, f64::from) / 1024.0
}
