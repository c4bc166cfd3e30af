//! The benchmark: our server beside a peer, on one cluster, in one run. Prints tables; holds nothing against a limit.

mod client;
mod crowd;
mod measure;
mod targets;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use crowd::{Crowd, Size};
use measure::{Calls, Cost, Server};
use runcord_tests::{Bed, ControlPlane};
use serde_json::{Value, json};
use targets::Figures;

/// Measures runcord-kubectl beside a peer.
#[derive(Debug, Parser)]
struct Options {
    /// The release build of runcord-kubectl
    #[arg(long)]
    server: PathBuf,
    /// The peer's native binary
    #[arg(long)]
    peer: Option<PathBuf>,
    /// Nodes of the large cluster; the small one has a tenth, but at least five
    #[arg(long, default_value_t = 100)]
    nodes: usize,
    /// Workloads of ten pods of the large cluster; the small one has a tenth, but at least twenty
    #[arg(long, default_value_t = 500)]
    workloads: usize,
}

/// Calls of each reading.
const READS: usize = 100;
/// Plans of each kind: one principal may make ten in a row.
const PLANS: usize = 9;
/// Starts of each server.
const STARTS: usize = 7;
/// Log lines asked for, of a pod that has as many: more than fit into one answer.
const LINES: usize = 500;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench: {failure:#}");
            ExitCode::from(1)
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    let large = Size { nodes: options.nodes, workloads: options.workloads };
    println!("{}, load {}", jiff::Timestamp::now().strftime("%Y-%m-%d"), load());
    let small = on(options, large.tenth()).await?;
    let large = on(options, large).await?;
    targets::print(&small, &large);
    println!("load at the end {}", load());
    Ok(())
}

/// Measures all on a cluster of that size: on a control plane of its own, so that the small one is small.
async fn on(options: &Options, size: Size) -> Result<Figures> {
    let plane = ControlPlane::start()?;
    let bed = Bed::on(&plane, "bench", size.nodes).await?;
    let crowd = crowd::fill(&bed, size).await?;
    println!("\n{} nodes, {} pods, {} workloads", size.nodes, size.pods(), size.workloads);
    let ours = ours(options, &bed);
    let start = starts(&ours).await?;
    let peer = options.peer.as_ref().map(|binary| peer(binary.clone(), &bed));
    if let Some(peer) = &peer {
        starts(peer).await?;
    }
    println!(
        "{:<44}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "medians of calls", "total ms", "own ms", "CPU ms", "bytes", "RSS MiB"
    );
    let figures = our_calls(start, &ours, &crowd).await?;
    if let Some(peer) = &peer {
        peer_calls(peer, &crowd).await?;
    }
    Ok(figures)
}

fn ours(options: &Options, bed: &Bed) -> Server {
    let mut environment = bed.environment();
    environment.push(("RUNCORD_LOG", "warn,runcord::api_time=debug".into()));
    let binary = options.server.clone();
    Server { name: "runcord", binary, environment, stderr: bed.path("bench.stderr") }
}

fn peer(binary: PathBuf, bed: &Bed) -> Server {
    Server { name: "peer", binary, environment: bed.environment(), stderr: bed.path("peer.stderr") }
}

async fn starts(server: &Server) -> Result<Cost> {
    let cost = server.starts(STARTS).await?;
    println!("{:<44}{:>6.1} ms CPU{:>8.1} MiB RSS", begins(server), cost.cpu, cost.rss);
    Ok(cost)
}

fn begins(server: &Server) -> String {
    format!("{}: start to tools/list", server.name)
}

async fn our_calls(start: Cost, server: &Server, crowd: &Crowd) -> Result<Figures> {
    let Crowd { namespace, workload, pod, full, light } = crowd;
    let named = json!({"kind": "Deployment", "namespace": namespace, "name": workload});
    let logs = json!({"namespace": namespace, "pod": pod, "tail": LINES});
    let mut reads = Vec::new();
    for (tool, args) in [
        ("workload_status", &named),
        ("recent_events", &json!({"namespace": namespace})),
        ("pod_logs", &logs),
    ] {
        let in_turn = in_turn(server, tool, "", args, READS).await?;
        let at_once = server.calls_at_once(tool, args, READS).await?;
        row(server, tool, " (at once)", at_once);
        reads.push((tool, in_turn, at_once));
    }
    let one = json!({"namespace": namespace, "object_kind": "Deployment", "object_name": workload});
    in_turn(server, "recent_events", " (one object)", &one, READS).await?;
    in_turn(server, "node_status", " (100 pods)", &json!({"node": full}), READS).await?;
    in_turn(server, "rollout_history", "", &named, READS).await?;

    let mut restart = named;
    if let Some(args) = restart.as_object_mut() {
        args.insert("reason".to_owned(), json!("a benchmark"));
    }
    let drain = |node: &str| json!({"node": node, "reason": "a benchmark"});
    Ok(Figures {
        start,
        reads,
        restart: in_turn(server, "plan_restart_workload", "", &restart, PLANS).await?,
        drain: in_turn(server, "plan_drain_node", " (100 pods)", &drain(full), PLANS).await?,
        light_drain: in_turn(server, "plan_drain_node", " (10 pods)", &drain(light), PLANS).await?,
    })
}

async fn peer_calls(server: &Server, crowd: &Crowd) -> Result<()> {
    let Crowd { namespace, workload, pod, .. } = crowd;
    let get =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "namespace": namespace, "name": workload});
    let pods = json!({"namespace": namespace});
    let all: [(&str, &Value); 4] = [
        ("resources_get", &get),
        ("pods_list_in_namespace", &pods),
        ("events_list", &json!({"namespace": namespace})),
        ("pods_log", &json!({"namespace": namespace, "name": pod, "tail": LINES})),
    ];
    for (tool, args) in all {
        in_turn(server, tool, "", args, READS).await?;
    }
    Ok(())
}

async fn in_turn(server: &Server, tool: &str, note: &str, args: &Value, times: usize) -> Result<Calls> {
    let calls = server.calls(tool, args, times).await?;
    row(server, tool, note, calls);
    Ok(calls)
}

fn row(server: &Server, tool: &str, note: &str, calls: Calls) {
    let Calls { total, own, cpu, bytes, rss } = calls;
    let own = own.map_or_else(|| "-".to_owned(), |own| format!("{own:.1}"));
    let name = format!("{}: {tool}{note}", server.name);
    println!("{name:<44}{total:>9.1}{own:>9}{cpu:>9.1}{bytes:>9}{rss:>9.1}");
}

/// The load averages of the machine.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
