//! The benchmark: our server beside a peer, on one cluster, in one run. Prints a table; holds nothing against a limit.

mod crowd;
mod measure;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use crowd::{Crowd, Size};
use measure::{Calls, Server};
use runcord_tests::session::Era;
use runcord_tests::{Bed, ControlPlane};
use serde_json::{Value, json};

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
    /// Workloads of ten pods of the large cluster; the small one has a tenth, but at least ten
    #[arg(long, default_value_t = 500)]
    workloads: usize,
}

/// Calls of each reading.
const READS: usize = 100;
/// Plans of each kind: one principal may make ten in a row.
const PLANS: usize = 9;
/// Starts of each server.
const STARTS: usize = 7;

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
    let small = Size { nodes: (options.nodes / 10).max(5), workloads: (options.workloads / 10).max(10) };
    let large = Size { nodes: options.nodes, workloads: options.workloads };
    for size in [small, large] {
        // A control plane of its own, so that the small cluster is small.
        let plane = ControlPlane::start()?;
        let bed = Bed::on(&plane, "bench", size.nodes).await?;
        let crowd = crowd::fill(&bed, size).await?;
        println!("\n{} nodes, {} pods, {} workloads", size.nodes, size.pods(), size.workloads);
        let ours = ours(options, &bed);
        starts(&ours).await?;
        let peer = options.peer.as_ref().map(|binary| peer(binary.clone(), &bed));
        if let Some(peer) = &peer {
            starts(peer).await?;
        }
        println!(
            "{:<34}{:>10}{:>10}{:>10}{:>10}",
            "median of calls", "total ms", "own ms", "bytes", "RSS MiB"
        );
        our_calls(&ours, &crowd).await?;
        if let Some(peer) = &peer {
            peer_calls(peer, &crowd).await?;
        }
    }
    Ok(())
}

fn ours(options: &Options, bed: &Bed) -> Server {
    let mut environment = bed.environment();
    environment.push(("RUNCORD_LOG", "warn,runcord::api_time=debug".into()));
    let binary = options.server.clone();
    Server { name: "runcord", binary, environment, era: Era::Stateless, stderr: bed.path("bench.stderr") }
}

fn peer(binary: PathBuf, bed: &Bed) -> Server {
    let environment = bed.environment();
    Server { name: "peer", binary, environment, era: Era::Initialize, stderr: bed.path("peer.stderr") }
}

async fn starts(server: &Server) -> Result<()> {
    let cost = server.starts(STARTS).await?;
    println!(
        "{:<34}{:>7.1} ms CPU{:>7.1} MiB RSS",
        format!("{}: start to tools/list", server.name),
        cost.cpu,
        cost.rss
    );
    Ok(())
}

async fn our_calls(server: &Server, crowd: &Crowd) -> Result<()> {
    let Crowd { namespace, workload, pod, node } = crowd;
    let named = json!({"kind": "Deployment", "namespace": namespace, "name": workload});
    let events = json!({"namespace": namespace});
    let one = json!({"namespace": namespace, "object_kind": "Deployment", "object_name": workload});
    let logs = json!({"namespace": namespace, "pod": pod, "tail": 100});
    let mut reason = named.clone();
    if let Some(args) = reason.as_object_mut() {
        args.insert("reason".to_owned(), json!("a benchmark"));
    }
    let drain = json!({"node": node, "reason": "a benchmark"});
    let all: [(&str, &str, &Value, usize); 8] = [
        ("workload_status", "", &named, READS),
        ("recent_events", "", &events, READS),
        ("recent_events", " (one object)", &one, READS),
        ("pod_logs", "", &logs, READS),
        ("node_status", " (100 pods)", &json!({"node": node}), READS),
        ("rollout_history", "", &named, READS),
        ("plan_restart_workload", "", &reason, PLANS),
        ("plan_drain_node", " (100 pods)", &drain, PLANS),
    ];
    for (tool, note, args, times) in all {
        row(server, tool, note, server.calls(tool, args, times).await?);
    }
    Ok(())
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
        ("pods_log", &json!({"namespace": namespace, "name": pod, "tail": 100})),
    ];
    for (tool, args) in all {
        row(server, tool, "", server.calls(tool, args, READS).await?);
    }
    Ok(())
}

fn row(server: &Server, tool: &str, note: &str, calls: Calls) {
    let own = calls.own.map_or_else(|| "-".to_owned(), |own| format!("{own:.1}"));
    let name = format!("{}: {tool}{note}", server.name);
    println!("{name:<34}{:>10.1}{own:>10}{:>10}{:>10.1}", calls.total, calls.bytes, calls.rss);
}
