//! Measures what a change of a root module costs through us beside the bare tool. See `tests/bench/README.md`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use runcord_tests::cost::{Cost, load, median};
use runcord_tests::starts::{named, time};

use crate::round::{Round, round};

mod round;

/// What is measured.
#[derive(Debug, Parser)]
struct Options {
    /// The built `runcord-terraform`
    #[arg(long)]
    server: PathBuf,
    /// How many resources, may be repeated
    #[arg(long, default_values_t = [1, 100, 2000])]
    resources: Vec<usize>,
    /// Rounds of each size but the large ones, of which there is one: medians are printed
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// From this many resources on, one round has to do.
const LARGE: usize = 1000;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench-terraform: {failure:#}");
            ExitCode::from(1)
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    println!("{}, load {}", jiff::Timestamp::now().strftime("%Y-%m-%d"), load());
    let mut all = Vec::new();
    for &resources in &options.resources {
        let rounds = if resources < LARGE { options.rounds } else { 1 };
        let mut measured = Vec::new();
        for _ in 0..rounds {
            measured.push(round(&options.server, resources).await?);
        }
        let figures = Figures::of(&measured);
        print(resources, rounds, &figures);
        all.push((resources, figures));
    }
    targets(&all);
    println!("load at the end {}", load());
    Ok(())
}

/// The medians of some rounds. Times of the tool are on the clock only.
struct Figures {
    bare_plan: Cost,
    bare_apply: Cost,
    plan: Cost,
    apply: Cost,
    /// `plan` and `show` of the three plans, in ms.
    first: (f64, f64),
    second: (f64, f64),
    last: (f64, f64),
    applying: f64,
    /// All other starts of the tool: its version, its state.
    others: f64,
    own_plan: f64,
    own_apply: f64,
    server_peak: f64,
    worker_peak: f64,
    json: usize,
}

impl Figures {
    fn of(rounds: &[Round]) -> Self {
        let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure));
        let cost = |figure: fn(&Round) -> Cost| Cost {
            wall: median(rounds.iter().map(|round| figure(round).wall)),
            cpu: median(rounds.iter().map(|round| figure(round).cpu)),
        };
        Self {
            bare_plan: cost(|round| round.bare_plan),
            bare_apply: cost(|round| round.bare_apply),
            plan: cost(|round| round.plan),
            apply: cost(|round| round.apply),
            first: (of(|round| named(&round.first, "plan")), of(|round| named(&round.first, "show"))),
            second: (of(|round| named(&round.second, "plan")), of(|round| named(&round.second, "show"))),
            last: (of(|round| named(&round.worker, "plan")), of(|round| named(&round.worker, "show"))),
            applying: of(|round| named(&round.worker, "apply")),
            others: of(|round| named(&round.worker, "version") + named(&round.worker, "state")),
            own_plan: of(|round| round.plan.wall - time(&round.first)),
            own_apply: of(|round| round.apply.wall - time(&round.second) - time(&round.worker)),
            server_peak: of(|round| round.server_peak),
            worker_peak: of(|round| round.worker_peak),
            json: rounds.iter().map(|round| round.json).max().unwrap_or_default(),
        }
    }

    fn bare(&self) -> Cost {
        self.bare_plan + self.bare_apply
    }

    fn ours(&self) -> Cost {
        self.plan + self.apply
    }
}

fn print(resources: usize, rounds: usize, figures: &Figures) {
    println!("\n{:<58}{:>11}{:>11}", format!("{resources} resources, {rounds} rounds"), "wall ms", "CPU ms");
    let both = |what: &str, cost: Cost| println!("{what:<58}{:>11.0}{:>11.0}", cost.wall, cost.cpu);
    let wall = |what: &str, wall: f64| println!("{:<58}{wall:>11.0}", format!("  of it {what}"));
    both("bare: plan", figures.bare_plan);
    both("bare: apply", figures.bare_apply);
    both("bare: both", figures.bare());
    both("ours: plan_apply_workspace", figures.plan);
    wall("the tool's plan", figures.first.0);
    wall("the tool's show", figures.first.1);
    wall("our own", figures.own_plan);
    both("ours: apply_plan until verified", figures.apply);
    wall("the second plan before apply", figures.second.0);
    wall("its show", figures.second.1);
    wall("the tool's apply", figures.applying);
    wall("the plan that verifies", figures.last.0);
    wall("its show", figures.last.1);
    wall("the tool's version and state, read by the worker", figures.others);
    wall("our own", figures.own_apply);
    both("ours: both", figures.ours());
    println!(
        "resident at most: server {:.1} MiB, worker {:.1} MiB; the plan's JSON {} bytes",
        figures.server_peak, figures.worker_peak, figures.json
    );
}

/// At most 5 % or 50 ms, whichever is more: of all that we add, and of what is left without the two further plans.
fn targets(all: &[(usize, Figures)]) {
    println!("\n{:<58}{:>11}{:>11}", "targets, wall", "measured", "at most");
    for (resources, figures) in all {
        let most = (figures.bare().wall * 0.05).max(50.0);
        let added = figures.ours().wall - figures.bare().wall;
        let plans = figures.second.0 + figures.second.1 + figures.last.0 + figures.last.1;
        for (what, figure) in [
            ("all that is added", added),
            ("the same without the second and the verifying plan", added - plans),
            ("our own, without any start of the tool", figures.own_plan + figures.own_apply),
        ] {
            let said = if figure <= most { "met" } else { "missed" };
            println!("{:<58}{figure:>11.0}{most:>11.0} ms  {said}", format!("{resources}: {what}"));
        }
    }
}
