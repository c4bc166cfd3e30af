//! The main job, told as it happens: an agent drains a node, under supervision, on a real control plane, applies a root module
//! with a real tool, and restarts a service on real hosts.

use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use runcord_tests::bed::{Approver, Bed};
use runcord_tests::cluster::is_ready;
use runcord_tests::session::{Answer, Era, Session};
use runcord_tests::{ControlPlane, Ground, PlayBed, objects};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> ExitCode {
    match story().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("quickstart: {failure:#}");
            ExitCode::from(1)
        }
    }
}

async fn story() -> Result<()> {
    title("1  A cluster, and people who answer for it");
    let plane = ControlPlane::start()?;
    let bed = Bed::on(&plane, "shop", 4).await?;
    let node = shop(&bed).await?;
    say(
        "A real Kubernetes control plane on loopback, four nodes, and a shop: Deployment web with 4 pods, a disruption",
    );
    say("budget that keeps 2 of them up, a Service. Claude is the agent; ana and ben may approve.");

    title("2  The agent plans: nothing is changed");
    let session = bed.session(Era::Stateless).await?;
    let reason = "the node reports disk errors; it is to be replaced in the morning";
    let plan = session.call("plan_drain_node", json!({"node": node, "reason": reason})).await?.done()?;
    quote(plan.str("/summary")?);
    for change in list(&plan, "/diff") {
        say(&format!("  change   {}: {}", text(&change, "object"), text(&change, "text")));
    }
    say(&format!("  next     {}", plan.str("/next")?));

    title("3  The agent tries to apply it at once, and is refused");
    let refused = apply(&session, &plan).await?;
    say(&format!("{}: {}", refused.refusal()?, refused.str("/message")?));

    title("4  A person reads the plan and signs it");
    let approved = bed.approve(plan.str("/plan_id")?, Approver::Ana)?;
    quote(approved.trim_end());

    title("5  The plan is applied, exactly as it was approved");
    let run = apply(&session, &plan).await?.done()?;
    let end = follow(&session, run.str("/run_id")?).await?;
    ensure!(end.str("/state")? == "verified", "the run is not verified: {:#}", end.content);

    title("6  What is on record");
    let place = Path::new("target/quickstart");
    std::fs::create_dir_all(place)?;
    let records = place.join("records.json");
    // Those of an earlier quickstart, whose ledger is gone: an export writes over nothing.
    match std::fs::remove_file(&records) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    let out = records.to_str().context("the folder's name is no text")?;
    let exported = bed.runcord(["log", "export", "--out", out])?;
    ensure!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let checked = bed.runcord(["log", "verify"])?;
    ensure!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    quote(String::from_utf8_lossy(&checked.stdout).trim_end());
    session.close().await?;
    root_module().await?;
    service().await?;
    page(&plan, &end, &records)
}

/// The same way through for Terraform, with the module of `examples/terraform`.
async fn root_module() -> Result<()> {
    title("7  The same way through, with Terraform");
    say("A pool of two nodes and a note, in a root module that modules.yaml declares (examples/terraform).");
    let ground = Ground::of_example()?;
    let session = ground.session().await?;
    let asked = json!({"module": "pool", "reason": "the pool is needed before the launch"});
    let plan = session.call("plan_apply_workspace", asked).await?.done()?;
    quote(plan.str("/summary")?);
    say(&format!("  policy   {}", plan.str("/decision/outcome")?));
    let run = apply(&session, &plan).await?.done()?;
    let end = follow(&session, run.str("/run_id")?).await?;
    ensure!(end.str("/state")? == "verified", "the run is not verified: {:#}", end.content);
    session.close().await?;
    Ok(())
}

/// The same way through for Ansible, with the hosts and the declaration of `examples/ansible`.
async fn service() -> Result<()> {
    title("8  The same way through, with Ansible");
    say(
        "Four hosts with an nginx each, reached over SSH, and a playbook that playbooks.yaml declares (examples/ansible).",
    );
    let bed = PlayBed::of_example()?;
    let session = bed.session().await?;
    let asked = json!({"playbook": "restart_nginx", "group": "web", "reason": "its workers leak memory"});
    let plan = session.call("plan_restart_service", asked).await?.done()?;
    quote(plan.str("/summary")?);
    say(&format!("  policy   {}: all hosts of a group", plan.str("/decision/outcome")?));
    for approver in [Approver::Ana, Approver::Ben] {
        quote(bed.approve(plan.str("/plan_id")?, approver)?.trim_end());
    }
    let run = apply(&session, &plan).await?.done()?;
    let end = follow(&session, run.str("/run_id")?).await?;
    ensure!(end.str("/state")? == "verified", "the run is not verified: {:#}", end.content);
    session.close().await?;
    Ok(())
}

/// The page a newcomer reads: what, why a person, who, what changed, verified, where.
fn page(plan: &Answer, end: &Answer, records: &Path) -> Result<()> {
    title("What just happened");
    let reasons: Vec<_> = list(plan, "/decision/reasons")
        .iter()
        .map(|reason| {
            let (file, line) =
                (text(reason, "file"), reason.get("line").and_then(Value::as_u64).unwrap_or_default());
            format!("{} ({file}:{line})", text(reason, "text"))
        })
        .collect();
    say(&format!("planned        {}", plan.str("/headline")?));
    say(&format!("why a person   {}", reasons.join("\n               ")));
    say("approved by    ana, with an SSH signature over the plan's digest");
    say(&format!("               {}", plan.str("/digest")?));
    for (n, change) in list(end, "/diff").iter().enumerate() {
        say(&format!("{}{}", if n == 0 { "changed        " } else { "               " }, changed(change)));
    }
    let checks = list(end, "/verification/checks");
    say(&format!("verified       {} checks held: {}", checks.len(), end.str("/state")?));
    for check in &checks {
        say(&format!("               {}", text(check, "check")));
    }
    let record = end.content.pointer("/record/index").and_then(Value::as_u64).unwrap_or_default();
    say(&format!("record         number {record}, {}", end.str("/record/digest")?));
    say(&format!(
        "               all records: {} (a chain; signing them comes later, until then they say `unsigned`)",
        records.display()
    ));
    say("undo           the agent may call undo_plan: a plan of its own, through the same gates");
    println!(
        "\nNext: `cargo build --workspace`, then `target/debug/runcord init --approver NAME` sets this up for your own cluster."
    );
    Ok(())
}

/// The shop; gives the node that most of its pods are on.
async fn shop(bed: &Bed) -> Result<String> {
    let namespace = bed.name.as_str();
    bed.cluster.apply(namespace, objects::deployment("web", 4)).await?;
    bed.cluster.apply(namespace, objects::service("web")).await?;
    bed.cluster.apply(namespace, objects::disruption_budget("web", 2)).await?;
    bed.cluster.rolled_out(namespace, "deployments", "web", Duration::from_secs(60)).await?;
    runcord_tests::cluster::wait_for("the budget to be counted", Duration::from_secs(30), async || {
        let api = bed.cluster.api::<k8s_openapi::api::policy::v1::PodDisruptionBudget>(namespace);
        Ok(api.get("web").await?.status.filter(|status| status.disruptions_allowed == 2).map(|_| ()))
    })
    .await?;
    let pods = bed.cluster.pods(namespace, "app=web").await?;
    let pod = pods.iter().find(|pod| is_ready(pod)).context("no pod of the shop is ready")?;
    pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).context("the pod is on no node")
}

async fn apply(session: &Session, plan: &Answer) -> Result<Answer> {
    session
        .call("apply_plan", json!({"plan_id": plan.str("/plan_id")?, "expect": plan.str("/headline")?}))
        .await
}

async fn follow(session: &Session, run: &str) -> Result<Answer> {
    let mut last = String::new();
    loop {
        let status = session.call("run_status", json!({"id": run, "wait_seconds": 1})).await?.done()?;
        let summary = status.str("/summary")?.to_owned();
        if summary != last {
            quote(&summary);
        }
        last = summary;
        if !matches!(status.str("/state")?, "applying" | "applied" | "reconciling") {
            return Ok(status);
        }
    }
}

fn list(answer: &Answer, pointer: &str) -> Vec<Value> {
    answer.content.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn changed(change: &Value) -> String {
    format!("{}: {}", text(change, "object"), text(change, "text"))
}

fn title(text: &str) {
    println!("\n{text}\n{}", "-".repeat(text.chars().count()));
}

fn say(text: &str) {
    println!("{text}");
}

fn quote(text: &str) {
    for line in text.lines() {
        println!("  | {line}");
    }
}
