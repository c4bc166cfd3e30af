//! trial
#![allow(clippy::all, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]
use runcord_kubectl::{Connect, KubectlActions, Kubernetes};
use runcord_kubectl::act::Act;
use runcord_kubectl::actions::Action;
use runcord_model::{PlanId, RunId};
use runcord_runtime::target::Target as _;
use runcord_runtime::target::{ActKind, Acted, Actions, Fixed, Permit, Waited};
use serde_json::json;

fn a(v: serde_json::Value) -> Action { serde_json::from_value(v).unwrap() }

async fn plan(k: &Kubernetes, actions: &[Action], fixed: &Fixed) -> Option<(runcord_kubectl::seen::Seen, Vec<Vec<Act>>)> {
    let t = std::time::Instant::now();
    let seen = match k.probe(actions).await { Ok(s) => s, Err(r) => { println!("REFUSED probe {r:?}"); return None } };
    let back: runcord_kubectl::seen::Seen = serde_json::from_str(&serde_json::to_string(&seen).unwrap()).unwrap();
    assert_eq!(seen, back);
    println!("seen {} bytes in {:?}", serde_json::to_string(&seen).unwrap().len(), t.elapsed());
    let mut steps = vec![]; let mut at = seen.clone();
    for action in actions {
        match KubectlActions::draft(action, &at, fixed) {
            Ok(d) => { println!("  - {}", d.summary); at = d.predicted; steps.push(d.acts) }
            Err(r) => { println!("REFUSED draft: {} | {}", r.message, r.next); return None }
        }
    }
    let all: Vec<Act> = steps.iter().flatten().cloned().collect();
    let dry = match k.dry_run(&all).await { Ok(d) => d, Err(r) => { println!("REFUSED dry run: {} {}", r.message, r.next); return None } };
    let m = KubectlActions::measure(&seen, &steps, &dry);
    println!("blast {}", serde_json::to_string(&m.blast_radius).unwrap());
    println!("coverage {:#?}\nremarks {:#?}\nscopes {:?}", m.coverage, m.remarks, m.scopes);
    for c in &m.diff { println!("  diff {}: {}", c.object, c.text) }
    for s in &steps { println!("canonical {}", KubectlActions::canonical(s, &seen)); }
    println!("observe {}", KubectlActions::observe(&seen));
    Some((seen, steps))
}

async fn run(k: &Kubernetes, acts: Vec<Act>, before: &runcord_kubectl::seen::Seen, actions: &[Action]) {
    for (i, act) in acts.iter().enumerate() {
        match KubectlActions::kind(act) {
            ActKind::Mutate => {
                for attempt in 0..40 {
                    let r = k.apply(Permit::granted(RunId::from_entropy([1;16]), i, attempt, 1), act).await;
                    println!("{} -> {r:?}", KubectlActions::describe(act));
                    if let Acted::Deferred{..} = r { tokio::time::sleep(std::time::Duration::from_millis(300)).await; continue }
                    break;
                }
                let now = k.probe(actions).await.unwrap();
                println!("   settled now: {:?}; before: {:?}", KubectlActions::settle(act, before, &now), KubectlActions::settle(act, before, before));
            }
            ActKind::Await => {
                for _ in 0..100 {
                    let w = k.wait(act).await;
                    if w == Waited::Done { println!("{} -> done", KubectlActions::describe(act)); break }
                    println!("   {w:?}");
                    if let Waited::Broken{..} = w { break }
                    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                }
            }
        }
    }
    let now = k.probe(actions).await.unwrap();
    for c in KubectlActions::diff(before, &now) { println!("  observed {}: {}", c.object, c.text) }
    println!("observe after {}", KubectlActions::observe(&now));
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let k = Kubernetes::connect(Connect { kubeconfig: Some("/tmp/kx/run/admin.kubeconfig".into()), context: None }).await.unwrap();
    println!("{} {k:?}", k.identity().await.unwrap());
    let fixed = Fixed { at: jiff::Timestamp::now(), plan: PlanId::from_entropy(jiff::Timestamp::now().as_nanosecond().to_be_bytes()) };
    let actions: Vec<Action> = args[2..].iter().map(|t| a(serde_json::from_str(t).unwrap())).collect();
    match args[1].as_str() {
        "plan" => { plan(&k, &actions, &fixed).await; }
        "run" => if let Some((seen, steps)) = plan(&k, &actions, &fixed).await { run(&k, steps.into_iter().flatten().collect(), &seen, &actions).await },
        "read" => for x in &actions { match k.read(x).await { Ok(v) => println!("{}\n{} bytes", serde_json::to_string_pretty(&v).unwrap(), v.to_string().len()), Err(r) => println!("REFUSED {:?}", r) } },
        _ => panic!(),
    }
    let _ = json!(null);
}
