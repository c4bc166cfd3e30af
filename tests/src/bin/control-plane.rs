//! Starts and ends a control plane by hand, for the quickstart and for looking around.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use runcord_tests::ControlPlane;

#[derive(Parser)]
#[command(about = "A real Kubernetes control plane on loopback, without containers")]
struct Arguments {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand)]
enum What {
    /// Start one, and print the path of its kubeconfig once it is ready.
    Up(Place),
    /// End the one in a folder.
    Down {
        /// The folder that `up` was given.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Start one, say `ready` on standard output, and keep it until this process ends.
    Serve(Place),
}

#[derive(clap::Args)]
struct Place {
    /// Where its files go; made, or emptied.
    #[arg(long)]
    dir: PathBuf,
    /// How many nodes to make, over three zones.
    #[arg(long, default_value_t = 5)]
    nodes: usize,
    /// The namespace to make for them: its pods run on these nodes.
    #[arg(long, default_value = "shop")]
    namespace: String,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        What::Up(place) => up(&place),
        What::Down { dir } => down(&dir),
        What::Serve(place) => serve(&place),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("control-plane: {failure:#}");
            ExitCode::from(3)
        }
    }
}

/// The control plane ends with the process that keeps it, so that is another one than this.
fn up(place: &Place) -> Result<()> {
    down(&place.dir)?;
    fs::create_dir_all(&place.dir)?;
    let mut keeper = Command::new(std::env::current_exe()?)
        .arg("serve")
        .args([Path::new("--dir"), &place.dir])
        .args(["--nodes", &place.nodes.to_string(), "--namespace", &place.namespace])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let mut said = [0; 6];
    let heard = keeper.stdout.take().context("no pipe")?.read_exact(&mut said);
    if heard.is_err() || &said != b"ready\n" {
        bail!("it did not start: {}", keeper.wait()?);
    }
    println!("{}", fs::canonicalize(&place.dir)?.join("admin.kubeconfig").display());
    Ok(())
}

fn serve(place: &Place) -> Result<()> {
    let plane = ControlPlane::start_at(&place.dir)?;
    fs::write(place.dir.join(PID_FILE), std::process::id().to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let cluster = plane.cluster().await?;
        cluster.namespace(&place.namespace).await?;
        cluster.nodes(&place.namespace, place.nodes, 3).await?;
        println!("ready");
        use tokio::signal::unix::{SignalKind, signal};
        let (mut end, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::select! { _ = end.recv() => (), _ = interrupt.recv() => () }
        anyhow::Ok(())
    })?;
    drop(plane);
    Ok(fs::remove_file(place.dir.join(PID_FILE))?)
}

/// Nothing to do when none runs there.
fn down(dir: &Path) -> Result<()> {
    let pid_file = dir.join(PID_FILE);
    let Ok(text) = fs::read_to_string(&pid_file) else { return Ok(()) };
    let id: i32 = text.trim().parse().context("its pid file cannot be read")?;
    // A number that was given to another process since must not be signalled.
    let command = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
    if command.contains("control-plane\0serve\0")
        && let Some(keeper) = rustix::process::Pid::from_raw(id)
    {
        rustix::process::kill_process(keeper, rustix::process::Signal::TERM)?;
        for _ in 0..100 {
            if !pid_file.exists() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("it did not end within 10 s");
    }
    Ok(fs::remove_file(pid_file)?)
}

const PID_FILE: &str = "keeper.pid";
