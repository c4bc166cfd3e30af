//! Measures what a change of hosts costs through us beside bare Ansible. See `tests/bench/README.md`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use runcord_tests::cost::{Cost, load, median};
use runcord_tests::starts::{Start, named, time};

use crate::round::{Hosts, Round, round};

mod round;

/// What is measured.
#[derive(Debug, Parser)]
struct Options {
    /// The built `runcord-ansible`
    #[arg(long)]
    server: PathBuf,
    /// Hosts over SSH, each a real one
    #[arg(long, default_value_t = 4)]
    ssh: usize,
    /// Hosts over the local connection
    #[arg(long, default_value_t = 200)]
    local: usize,
    /// Rounds of each: medians are printed
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench-ansible: {failure:#}");
            ExitCode::from(1)
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    println!("{}, load {}", jiff::Timestamp::now().strftime("%Y-%m-%d"), load());
    for hosts in [Hosts::Ssh(options.ssh), Hosts::Local(options.local)] {
        let mut rounds = Vec::new();
        for _ in 0..options.rounds {
            rounds.push(round(&options.server, hosts).await?);
        }
        print(&hosts.to_string(), &rounds);
    }
    println!("load at the end {}", load());
    Ok(())
}

fn print(hosts: &str, rounds: &[Round]) {
    let of = |figure: &dyn Fn(&Round) -> f64| median(rounds.iter().map(figure));
    let cost = |figure: fn(&Round) -> Cost| Cost {
        wall: of(&|round| figure(round).wall),
        cpu: of(&|round| figure(round).cpu),
    };
    let both = |what: &str, cost: Cost| println!("{what:<58}{:>11.0}{:>11.0}", cost.wall, cost.cpu);
    let wall = |what: &str, wall: f64| println!("{:<58}{wall:>11.0}", format!("  of it {what}"));
    let starts = |which: fn(&Round) -> &[Start], names: &'static [&'static str]| {
        of(&|round| names.iter().map(|name| named(which(round), name)).sum())
    };
    println!("\n{:<58}{:>11}{:>11}", format!("{hosts}, {} rounds", rounds.len()), "wall ms", "CPU ms");
    let (check, run) = (cost(|round| round.bare_check), cost(|round| round.bare_run));
    both("bare: ansible-playbook --check --diff", check);
    both("bare: ansible-playbook", run);
    let bare = check + run;
    both("bare: both", bare);
    let (plan, apply) = (cost(|round| round.plan), cost(|round| round.apply));
    both("ours: the plan", plan);
    wall("Ansible's check, its list of hosts beside it", starts(|round| &round.first, &["check"]));
    wall("its inventory, its version beside it", starts(|round| &round.first, &["inventory"]));
    let own_plan = of(&|round| round.plan.wall - time(&round.first));
    wall("our own", own_plan);
    both("ours: apply_plan until verified", apply);
    let second = starts(|round| &round.second, &["check"]) + starts(|round| &round.second, &["inventory"]);
    wall("the second look before the run", second);
    wall("Ansible's runs, one for each batch", starts(|round| &round.worker, &["run"]));
    let verified = starts(|round| &round.worker, &["read"]);
    wall("Ansible's verifications, of each batch and of all", verified);
    wall("the inventory, frozen for the run", starts(|round| &round.worker, &["inventory"]));
    let own_apply = of(&|round| round.apply.wall - time(&round.second) - time(&round.worker));
    wall("our own", own_apply);
    both("ours: both", plan + apply);
    println!(
        "resident at most: server {:.1} MiB, worker {:.1} MiB",
        of(&|round| round.server_peak),
        of(&|round| round.worker_peak)
    );
    // At most 5 % or 100 ms, whichever is more.
    let most = (bare.wall * 0.05).max(100.0);
    let added = (plan + apply).wall - bare.wall;
    for (what, figure) in [
        ("all that is added", added),
        ("the same without the second look and the verifications", added - second - verified),
        ("our own, without any start of Ansible", own_plan + own_apply),
    ] {
        let said = if figure <= most { "met" } else { "missed" };
        println!("{what:<58}{figure:>11.0} ms of {most:.0}, {said}");
    }
}
