//! Rotating a Secret: from plan to verified and back, what it refuses where a plain dry-run says yes, and that no value
//! leaves the cluster.

use anyhow::{Context as _, Result};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use runcord_tests::bed::{Approver, Bed};
use runcord_tests::cluster::{is_ready, wait_for};
use runcord_tests::control_plane::AuditEvent;
use runcord_tests::hunt::files_with;
use runcord_tests::session::{Answer, Era, Session};
use runcord_tests::{ControlPlane, objects};
use serde_json::{Value, json};

use crate::story::{SOON, apply, deploy, ended, kill, verified, with, worker_unless_over};

/// What the Secret holds before it is rotated. Nothing else in a test has this text.
const OLD: &str = "old-value-hunted-through-everything";
const SALT: &str = "salt-value-hunted-through-everything";

/// A Secret `db` with a password and a salt.
pub(crate) async fn db(bed: &Bed) -> Result<()> {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "type": "Opaque",
        "stringData": {"password": OLD, "salt": SALT},
    });
    bed.cluster.apply(bed.name.as_str(), secret).await?;
    Ok(())
}

/// The object with `db` in the environment of its container.
pub(crate) fn by_env(mut object: Value) -> Value {
    let key = json!({"secretKeyRef": {"name": "db", "key": "password"}});
    object["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([{"name": "PASSWORD", "valueFrom": key}]);
    object
}

/// The object with `db` among the sources of a projected volume.
fn projected(mut object: Value) -> Value {
    let sources = json!([{"secret": {"name": "db"}}]);
    object["spec"]["template"]["spec"]["volumes"] =
        json!([{"name": "db", "projected": {"sources": sources}}]);
    object
}

/// What a Secret holds under a key.
async fn value(bed: &Bed, secret: &str, key: &str) -> Result<String> {
    let data = bed.cluster.api::<Secret>(bed.name.as_str()).get(secret).await?.data.unwrap_or_default();
    Ok(String::from_utf8(data.get(key).with_context(|| format!("{secret} has no {key}"))?.0.clone())?)
}

pub(crate) fn of_db(bed: &Bed) -> Value {
    json!({"namespace": bed.name.as_str(), "name": "db", "keys": ["password"], "reason": "an end-to-end test"})
}

async fn approved(bed: &Bed, plan: &Answer) -> Result<()> {
    if plan.str("/decision/outcome")? == "needs_approval" {
        bed.approve(plan.str("/plan_id")?, Approver::Ana)?;
    }
    Ok(())
}

async fn refused(session: &Session, args: Value) -> Result<String> {
    let answer = session.call("plan_rotate_secret", args).await?;
    assert_eq!(answer.refusal()?, "precondition_failed", "{:#}", answer.content);
    Ok(answer.str("/message")?.to_owned())
}

/// An administrator's plain dry-run of another password.
async fn plain_dry_run(bed: &Bed) -> Result<()> {
    let params = PatchParams { dry_run: true, ..PatchParams::default() };
    let patch = Patch::Merge(json!({"stringData": {"password": "another"}}));
    bed.cluster.api::<Secret>(bed.name.as_str()).patch("db", &params, &patch).await?;
    Ok(())
}

/// When a workload's pods were last restarted.
async fn restarted(bed: &Bed) -> Result<[Option<String>; 2]> {
    let at = |template: k8s_openapi::api::core::v1::PodTemplateSpec| {
        template.metadata?.annotations?.get("kubectl.kubernetes.io/restartedAt").cloned()
    };
    let web = bed.cluster.api::<Deployment>(bed.name.as_str()).get("web").await?;
    let store = bed.cluster.api::<StatefulSet>(bed.name.as_str()).get("store").await?;
    Ok([web.spec.and_then(|s| at(s.template)), store.spec.and_then(|s| at(s.template))])
}

/// A value as it is, and as the API writes it.
fn written(value: &str) -> Result<[String; 2]> {
    let encoded = serde_json::to_value(k8s_openapi::ByteString(value.as_bytes().to_vec()))?;
    Ok([value.to_owned(), encoded.as_str().context("no text")?.to_owned()])
}

#[tokio::test]
async fn a_secret_is_rotated_its_consumers_restarted_and_both_taken_back() -> Result<()> {
    let bed = Bed::new("rotate", 2).await?;
    db(&bed).await?;
    deploy(&bed, by_env(objects::deployment("web", 2))).await?;
    bed.cluster.apply(bed.name.as_str(), projected(objects::stateful_set("store", 2))).await?;
    bed.cluster.rolled_out(bed.name.as_str(), "statefulsets", "store", SOON).await?;
    bed.cluster.apply(bed.name.as_str(), objects::deployment("other", 1)).await?;
    let session = bed.session(Era::Stateless).await?;
    let before = restarted(&bed).await?;

    let plan = session.call("plan_rotate_secret", of_db(&bed)).await?.done()?;
    let diff = plan.content["diff"].to_string();
    assert!(diff.contains("version: 1 → 2") && diff.contains("db-v1") && diff.contains("db-v2"), "{diff}");
    assert_eq!(value(&bed, "db", "password").await?, OLD, "planning changes nothing");
    assert!(bed.cluster.api::<Secret>(bed.name.as_str()).get_opt("db-v1").await?.is_none());
    approved(&bed, &plan).await?;
    let end = verified(&session, &plan).await?;

    let new = value(&bed, "db", "password").await?;
    assert!(new != OLD && new.len() == 32 && new.bytes().all(|b| b.is_ascii_alphanumeric()), "{new}");
    assert_eq!(value(&bed, "db", "salt").await?, SALT, "a key that was not named stays");
    assert_eq!(value(&bed, "db-v1", "password").await?, OLD);
    assert_eq!(value(&bed, "db-v2", "password").await?, new);
    let api = bed.cluster.api::<Secret>(bed.name.as_str());
    for copy in ["db-v1", "db-v2"] {
        assert_eq!(api.get(copy).await?.immutable, Some(true), "{copy}");
    }
    let after = restarted(&bed).await?;
    assert!(before.iter().zip(&after).all(|(was, is)| was != is && is.is_some()), "{before:?} {after:?}");
    let other = bed.cluster.api::<Deployment>(bed.name.as_str()).get("other").await?;
    assert_eq!(other.metadata.generation, Some(1), "who does not use it is left alone");

    let undo = session.call("undo_plan", json!({"run_id": end.str("/run_id")?})).await?.done()?;
    assert!(undo.content["diff"].to_string().contains("version: 2 → 1"), "{:#}", undo.content["diff"]);
    approved(&bed, &undo).await?;
    let undone = verified(&session, &undo).await?;
    assert_eq!(value(&bed, "db", "password").await?, OLD, "undone");
    assert_ne!(restarted(&bed).await?, after, "everybody has read the old values again");

    // And once more: the number after the highest one is taken, and nothing that is kept is kept again.
    let again = session.call("plan_rotate_secret", of_db(&bed)).await?.done()?;
    let diff = again.content["diff"].to_string();
    assert!(diff.contains("db-v3") && !diff.contains("db-v4"), "{diff}");

    // The hunt: what was answered, logged and stored.
    let mut hunted: Vec<String> = written(OLD)?.into();
    hunted.extend(written(&new)?);
    hunted.extend(written(SALT)?);
    for answer in [&plan, &end, &undo, &undone, &again] {
        let all = format!("{} {}", answer.content, answer.text);
        assert!(!hunted.iter().any(|text| all.contains(text)), "a value is shown: {all}");
    }
    assert_eq!(files_with(&bed.state(), &hunted)?, Vec::<String>::new());
    let log = session.stderr()?;
    assert!(!hunted.iter().any(|text| log.contains(text)), "a value is logged: {log}");
    // The witness that the hunt finds what is there.
    std::fs::write(bed.state().join("witness"), &new)?;
    assert_eq!(files_with(&bed.state(), &hunted)?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_dry_run_of_a_rotation_is_sent_no_value_and_writes_nothing() -> Result<()> {
    let bed = Bed::new("rotatedry", 1).await?;
    db(&bed).await?;
    deploy(&bed, by_env(objects::deployment("web", 1))).await?;
    let session = bed.session(Era::Stateless).await?;
    let plane = ControlPlane::shared()?;
    let mark = plane.mark()?;
    session.call("plan_rotate_secret", of_db(&bed)).await?.done()?;
    let writes = plane.writes_since(mark, bed.name.as_str()).await?;
    let of_secrets = writes.iter().filter(|w| w.object_ref.as_ref().is_some_and(|o| o.resource == "secrets"));
    assert_eq!(of_secrets.count(), 3, "two copies and a change were asked about: {writes:#?}");
    assert!(writes.iter().all(AuditEvent::is_dry_run), "{writes:#?}");
    Ok(())
}

#[tokio::test]
async fn a_consumer_that_would_keep_the_old_value_is_found_though_a_dry_run_says_yes() -> Result<()> {
    let bed = Bed::new("keepsold", 2).await?;
    db(&bed).await?;
    let lone = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "lone"},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [
            {"name": "main", "image": "played", "envFrom": [{"secretRef": {"name": "db"}}]},
        ]},
    });
    bed.cluster.apply(bed.name.as_str(), lone).await?;
    let session = bed.session(Era::Stateless).await?;
    let pods = bed.cluster.api::<Pod>(bed.name.as_str());
    wait_for("the pod", SOON, async || Ok(Some(pods.get("lone").await?).filter(is_ready))).await?;
    plain_dry_run(&bed).await?;
    let said = refused(&session, of_db(&bed)).await?;
    assert!(
        said.contains("Pod") && said.contains("/lone") && said.contains("would keep the old value"),
        "{said}"
    );
    let args = json!({"kind": "Secret", "namespace": bed.name.as_str(), "name": "db"});
    let found = session.call("find_consumers", args).await?.done()?;
    let only = json!([{"kind": "Pod", "name": "lone", "ways": ["env_from"], "pods": 1, "keeps_until_restart": true}]);
    assert_eq!(found.content["find"]["consumers"], only, "{:#}", found.content);
    pods.delete("lone", &DeleteParams::default()).await?;

    // A workload whose pods are replaced only by hand, and one that is paused.
    let mut manual = by_env(objects::stateful_set("store", 1));
    manual["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    bed.cluster.apply(bed.name.as_str(), manual).await?;
    bed.cluster.rolled_out(bed.name.as_str(), "statefulsets", "store", SOON).await?;
    plain_dry_run(&bed).await?;
    let said = refused(&session, of_db(&bed)).await?;
    assert!(said.contains("OnDelete"), "{said}");
    let sets = bed.cluster.api::<StatefulSet>(bed.name.as_str());
    sets.delete("store", &DeleteParams::foreground()).await?;
    let mut paused = by_env(objects::deployment("web", 1));
    paused["spec"]["paused"] = json!(true);
    bed.cluster.apply(bed.name.as_str(), paused).await?;
    wait_for("the set to be gone", SOON, async || Ok(sets.get_opt("store").await?.is_none().then_some(())))
        .await?;
    let said = refused(&session, of_db(&bed)).await?;
    assert!(said.contains("is paused"), "{said}");
    Ok(())
}

#[tokio::test]
async fn what_is_not_anybodys_to_rotate_is_refused() -> Result<()> {
    let bed = Bed::new("notours", 1).await?;
    db(&bed).await?;
    let session = bed.session(Era::Stateless).await?;
    let api = bed.cluster.api::<Secret>(bed.name.as_str());
    let change = async |patch: Value| -> Result<()> {
        api.patch("db", &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    };
    let missing = with(of_db(&bed), json!({"keys": ["pin"]}));
    assert!(refused(&session, missing).await?.contains("has no key pin; it has password and salt"));
    let owner = json!({"apiVersion": "example.com/v1", "kind": "Database", "name": "main", "uid": "1-2-3"});
    change(json!({"metadata": {"ownerReferences": [owner]}})).await?;
    plain_dry_run(&bed).await?;
    assert!(refused(&session, of_db(&bed)).await?.contains("belongs to Database main"));
    change(
        json!({"metadata": {"ownerReferences": null, "annotations": {"cert-manager.io/issuer-name": "x"}}}),
    )
    .await?;
    plain_dry_run(&bed).await?;
    assert!(refused(&session, of_db(&bed)).await?.contains("kept by cert-manager"));
    change(json!({"metadata": {"annotations": null}, "immutable": true})).await?;
    assert!(refused(&session, of_db(&bed)).await?.contains("immutable"));
    Ok(())
}

#[tokio::test]
async fn a_secret_that_changed_since_or_was_replaced_is_not_rotated() -> Result<()> {
    let bed = Bed::new("rotatedrift", 1).await?;
    db(&bed).await?;
    deploy(&bed, by_env(objects::deployment("web", 1))).await?;
    let session = bed.session(Era::Stateless).await?;
    let api = bed.cluster.api::<Secret>(bed.name.as_str());

    let plan = session.call("plan_rotate_secret", of_db(&bed)).await?.done()?;
    approved(&bed, &plan).await?;
    let by_hand = Patch::Merge(json!({"stringData": {"password": "by-hand"}}));
    api.patch("db", &PatchParams::default(), &by_hand).await?;
    assert_eq!(apply(&session, &plan).await?.refusal()?, "plan_drifted");
    assert_eq!(value(&bed, "db", "password").await?, "by-hand", "nobody's write is lost");

    let plan = session.call("plan_rotate_secret", of_db(&bed)).await?.done()?;
    approved(&bed, &plan).await?;
    api.delete("db", &DeleteParams::default()).await?;
    db(&bed).await?;
    assert_eq!(apply(&session, &plan).await?.refusal()?, "plan_drifted", "another Secret of the same name");

    // A consumer that came after the plan: it would keep the old value.
    let plan = session.call("plan_rotate_secret", of_db(&bed)).await?.done()?;
    approved(&bed, &plan).await?;
    bed.cluster.apply(bed.name.as_str(), by_env(objects::deployment("late", 1))).await?;
    bed.cluster.rolled_out(bed.name.as_str(), "deployments", "late", SOON).await?;
    assert_eq!(apply(&session, &plan).await?.refusal()?, "plan_drifted");
    Ok(())
}

#[tokio::test]
async fn somebody_elses_object_with_the_name_of_a_copy_is_stepped_over() -> Result<()> {
    let bed = Bed::new("takenname", 1).await?;
    db(&bed).await?;
    deploy(&bed, by_env(objects::deployment("web", 1))).await?;
    let session = bed.session(Era::Stateless).await?;
    let api = bed.cluster.api::<Secret>(bed.name.as_str());
    let foreign = |name: &str| serde_json::from_value::<Secret>(json!({"metadata": {"name": name}}));
    api.create(&PostParams::default(), &foreign("db-v1")?).await?;
    let plan = session.call("plan_rotate_secret", of_db(&bed)).await?.done()?;
    let diff = plan.content["diff"].to_string();
    assert!(diff.contains("db-v2") && diff.contains("db-v3"), "{diff}");
    approved(&bed, &plan).await?;
    verified(&session, &plan).await?;
    assert_eq!(value(&bed, "db-v2", "password").await?, OLD);
    assert!(api.get("db-v1").await?.data.is_none(), "and left alone");
    Ok(())
}

/// The worker dies again and again while values are kept, made and put in and workloads restarted: each is done once.
#[tokio::test]
async fn a_rotation_whose_worker_is_killed_makes_one_new_value_and_restarts_once() -> Result<()> {
    let bed = Bed::new("rotatekill", 2).await?;
    db(&bed).await?;
    let mut slow = by_env(objects::deployment("web", 2));
    slow["spec"]["template"]["metadata"]["annotations"] = json!({"runcord.dev/slow-ready": "2s"});
    deploy(&bed, slow).await?;
    let session = bed.session(Era::Stateless).await?;
    let plan = session.call("plan_rotate_secret", of_db(&bed)).await?.done()?;
    approved(&bed, &plan).await?;
    let plane = ControlPlane::shared()?;
    let mark = plane.mark()?;
    let run = apply(&session, &plan).await?.done()?.str("/run_id")?.to_owned();
    // The first time as soon as there is a worker: it may not have begun, or be between any two of its acts.
    let mut killed = 0;
    for pause in [0, 100, 300, 900] {
        // What the cluster does in the meantime may leave the third worker, or the fourth, nothing to do.
        let Some(pid) = worker_unless_over(&session, &run).await? else { break };
        tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
        killed += usize::from(kill(pid).is_ok());
    }
    anyhow::ensure!(killed >= 2, "only {killed} workers could be killed");
    let end = ended(&session, &run).await?;
    assert_eq!(end.str("/state")?, "verified", "{:#}", end.content);
    let new = value(&bed, "db", "password").await?;
    assert!(new != OLD && value(&bed, "db-v2", "password").await? == new);
    assert_eq!(value(&bed, "db-v1", "password").await?, OLD);
    assert!(bed.cluster.api::<Secret>(bed.name.as_str()).get_opt("db-v3").await?.is_none());
    let writes = plane.writes_since(mark, bed.name.as_str()).await?;
    let done = |w: &&AuditEvent| !w.is_dry_run() && w.response_status.as_ref().is_some_and(|s| s.code < 300);
    assert_eq!(writes.iter().filter(done).count(), 4, "two copies, a change, a restart: {writes:#?}");
    Ok(())
}

/// A RabbitMQ server whose user is named after the bed and has the password of `db`; gives the user's folder.
async fn rabbit(bed: &Bed) -> Result<std::path::PathBuf> {
    let namespace = bed.name.as_str();
    let mut server = objects::stateful_set("rabbit", 1);
    server["spec"]["template"]["spec"]["containers"][0]["name"] = json!("rabbitmq");
    bed.cluster.apply(namespace, server).await?;
    bed.cluster.rolled_out(namespace, "statefulsets", "rabbit", SOON).await?;
    let folder = ControlPlane::shared()?.lists().join(namespace);
    std::fs::create_dir(&folder)?;
    std::fs::write(folder.join("password"), OLD)?;
    std::fs::write(
        bed.path("runcord.yaml"),
        "agent: claude\noptional_runbooks: [rotate_rabbitmq_password]\n",
    )?;
    bed.activate(Approver::Ana)?;
    Ok(folder)
}

fn of_rabbit(bed: &Bed) -> Value {
    let name = bed.name.as_str();
    json!({"namespace": name, "name": "db", "pod": "rabbit-0", "user": name, "reason": "an end-to-end test"})
}

#[tokio::test]
async fn a_backend_learns_and_takes_the_value_before_anybody_gets_it_and_again_on_the_way_back() -> Result<()>
{
    let bed = Bed::new("taught", 1).await?;
    db(&bed).await?;
    deploy(&bed, by_env(objects::deployment("web", 1))).await?;
    let folder = rabbit(&bed).await?;
    let mark = ControlPlane::shared()?.mark()?;
    let taken = || std::fs::read_to_string(folder.join("password"));
    let session = bed.session(Era::Stateless).await?;
    let plan = session.call("plan_rotate_rabbitmq_password", of_rabbit(&bed)).await?.done()?;
    let diff = plan.content["diff"].to_string();
    assert!(diff.contains("change_password") && diff.contains("authenticate_user"), "{diff}");
    assert!(plan.str("/summary")?.contains("Going back does not take back"), "{:#}", plan.content["summary"]);
    assert_eq!(plan.content["blast_radius"]["irreversible"], 1);
    assert_eq!(taken()?, OLD, "planning tells nobody anything");
    assert!(!folder.join("calls").exists());
    bed.approve(plan.str("/plan_id")?, Approver::Ana)?;
    let end = verified(&session, &plan).await?;
    let new = value(&bed, "db", "password").await?;
    assert!(new != OLD && taken()? == new);
    assert_eq!(std::fs::read_to_string(folder.join("calls"))?, "change_password\nauthenticate_user\n");
    assert_ne!(restart_of_web(&bed).await?, None);

    let undo = session.call("undo_plan", json!({"run_id": end.str("/run_id")?})).await?.done()?;
    bed.approve(undo.str("/plan_id")?, Approver::Ana)?;
    verified(&session, &undo).await?;
    assert_eq!((value(&bed, "db", "password").await?, taken()?), (OLD.to_owned(), OLD.to_owned()), "undone");

    let hunted: Vec<String> = written(OLD)?.into_iter().chain(written(&new)?).collect();
    let all = format!("{} {} {} {}", plan.content, end.content, undo.content, session.stderr()?);
    assert!(!hunted.iter().any(|text| all.contains(text)), "a value is shown: {all}");
    assert_eq!(files_with(&bed.state(), &hunted)?, Vec::<String>::new());
    let audited = ControlPlane::shared()?.events_since(mark, bed.name.as_str()).await?;
    let uris: String = audited.iter().map(|event| event.uri.clone()).collect();
    assert!(
        uris.contains("rabbitmqctl") && !hunted.iter().any(|text| uris.contains(text)),
        "only on standard input"
    );
    Ok(())
}

async fn restart_of_web(bed: &Bed) -> Result<Option<String>> {
    let web = bed.cluster.api::<Deployment>(bed.name.as_str()).get("web").await?;
    let annotations = web.spec.and_then(|s| s.template.metadata?.annotations).unwrap_or_default();
    Ok(annotations.get("kubectl.kubernetes.io/restartedAt").cloned())
}

#[tokio::test]
async fn a_value_that_the_backend_does_not_take_is_given_to_nobody() -> Result<()> {
    let bed = Bed::new("deaf", 1).await?;
    db(&bed).await?;
    deploy(&bed, by_env(objects::deployment("web", 1))).await?;
    let folder = rabbit(&bed).await?;
    std::fs::write(folder.join("deaf"), "")?;
    let session = bed.session(Era::Stateless).await?;
    let plan = session.call("plan_rotate_rabbitmq_password", of_rabbit(&bed)).await?.done()?;
    bed.approve(plan.str("/plan_id")?, Approver::Ana)?;
    let run = apply(&session, &plan).await?.done()?;
    let end = ended(&session, run.str("/run_id")?).await?;
    // The played kubelet tells no exit codes, so the no of the test is one whose end is not known: see
    // `secrets::tests::a_backend_that_says_no_ends_the_run` for what a real one leads to.
    assert_eq!(end.str("/state")?, "unknown", "{:#}", end.content);
    assert_eq!(std::fs::read_to_string(folder.join("calls"))?, "change_password\nauthenticate_user\n");
    assert_eq!(value(&bed, "db", "password").await?, OLD);
    assert_eq!(restart_of_web(&bed).await?, None, "nobody was restarted");

    let nobody = with(of_rabbit(&bed), json!({"pod": "rabbit-7"}));
    let answer = session.call("plan_rotate_rabbitmq_password", nobody).await?;
    assert_eq!(answer.refusal()?, "precondition_failed", "{:#}", answer.content);
    assert!(answer.str("/message")?.contains("there is no such pod"), "{:#}", answer.content);
    Ok(())
}
