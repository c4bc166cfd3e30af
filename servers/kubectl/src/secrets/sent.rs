//! What is sent for an act, and what is looked at right before, against a played API server.

use http::Request;
use serde_json::{Value, json};

use super::acts::{Origin, SecretAct, Tell, TellTo};
use super::apply::{Line, fed, request, value};
use super::seen::COPY_OF;
use super::tests::{acts, seen, tell};
use crate::act::Act;
use crate::convert::PLAN_MARK;
use crate::dry_run::Rehearsal;
use crate::exec::Input;
use crate::played::{answering, holding, wired};
use crate::requests::Mode;
use crate::samples::{fixed, mask, uid};
use crate::upkeep::apply::Unsent;

const LIVE: &str = "/api/v1/namespaces/shop/secrets/db";
const COPY: &str = "/api/v1/namespaces/shop/secrets/db-v2";
const BACKEND: &str = "/api/v1/namespaces/shop/pods/rabbit-0";

/// `old`, `salt` and `new`, as the API writes them.
const OLD: &str = "b2xk";
const SALT: &str = "c2FsdA==";
const NEW: &str = "bmV3";

/// `shop/db`, as it was planned.
fn live() -> Value {
    json!({
        "metadata": {"name": "db", "namespace": "shop", "uid": "Secret-db", "resourceVersion": "100"},
        "type": "kubernetes.io/basic-auth", "data": {"password": OLD, "salt": SALT},
    })
}

/// The copy that the plan has staged.
fn copy() -> Value {
    json!({
        "metadata": {"name": "db-v2", "namespace": "shop", "uid": "copy-2", "resourceVersion": "101",
            "annotations": {COPY_OF: "Secret-db", PLAN_MARK: fixed().plan.as_str()}},
        "immutable": true, "type": "kubernetes.io/basic-auth", "data": {"password": NEW, "salt": SALT},
    })
}

/// The pod of the backend, as it was planned.
fn backend() -> Value {
    json!({
        "metadata": {"name": "rabbit-0", "namespace": "shop", "uid": "pod-rabbit-0"},
        "spec": {"containers": [{"name": "rabbitmq"}]},
        "status": {"phase": "Running", "containerStatuses": [
            {"name": "rabbitmq", "ready": true, "image": "", "imageID": "", "restartCount": 0}]},
    })
}

/// An object with a change.
fn but(mut object: Value, change: impl Fn(&mut Value)) -> Value {
    change(&mut object);
    object
}

/// The request of an act, with these Secrets in the cluster.
async fn made(act: &SecretAct, mode: Mode, live: Value, copy: Value) -> Result<Request<Vec<u8>>, Unsent> {
    let (reader, _) = holding(vec![(LIVE, live), (COPY, copy)]).await;
    request(&reader, act, mode).await
}

/// Keeping, staging and putting in, in this order.
fn all() -> [SecretAct; 3] {
    acts(&seen()).try_into().unwrap()
}

fn body(request: &Request<Vec<u8>>) -> Value {
    serde_json::from_slice(request.body()).unwrap()
}

fn changed<T>(result: &Result<T, Unsent>) -> bool {
    matches!(result, Err(Unsent::Changed(_)))
}

#[tokio::test]
async fn a_dry_run_says_that_it_is_one_and_is_sent_no_value() {
    for act in all() {
        let sent = made(&act, Mode::DryRun, live(), copy()).await.unwrap();
        assert!(sent.uri().query().unwrap().contains("dryRun=All"), "{act:?}");
        let body = body(&sent).to_string();
        assert!(![OLD, SALT, NEW].iter().any(|value| body.contains(value)), "{body}");
        assert!(body.contains("ZHJ5LXJ1bg=="), "admission sees a value where one will be: {body}");
    }
}

#[tokio::test]
async fn a_dry_run_has_the_type_and_the_keys_of_what_will_be_sent() {
    for act in &all()[..2] {
        let [dry, real] = [Mode::DryRun, Mode::Real].map(|mode| made(act, mode, live(), copy()));
        let (dry, real) = (body(&dry.await.unwrap()), body(&real.await.unwrap()));
        assert_eq!(dry["type"], "kubernetes.io/basic-auth");
        assert_eq!((&dry["type"], &dry["metadata"]), (&real["type"], &real["metadata"]));
        let keys = |body: &Value| body["data"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&dry), keys(&real));
    }
}

#[tokio::test]
async fn what_was_there_is_kept_new_values_are_made_and_those_of_the_copy_are_put_in() {
    let [keep, stage, promote] = all();
    let real = async |act: &SecretAct| made(act, Mode::Real, live(), copy()).await.unwrap();
    let kept = real(&keep).await;
    assert!(!kept.uri().query().unwrap().contains("dryRun"));
    assert_eq!(body(&kept)["data"], json!({"password": OLD, "salt": SALT}));
    let staged = body(&real(&stage).await);
    assert_eq!(staged["data"]["salt"], SALT, "what was not named stays");
    assert!(staged["data"]["password"].as_str().is_some_and(|new| new != OLD && new.len() > 40));
    let put_in = real(&promote).await;
    assert!(!put_in.uri().query().unwrap().contains("dryRun"));
    assert_eq!(body(&put_in)[2], json!({"op": "replace", "path": "/data/password", "value": NEW}));
}

#[tokio::test]
async fn a_secret_that_was_written_to_or_replaced_since_is_neither_kept_nor_staged() {
    for act in &all()[..2] {
        for mode in [Mode::DryRun, Mode::Real] {
            for (field, value) in [("uid", "another"), ("resourceVersion", "101")] {
                let live = but(live(), |it| it["metadata"][field] = json!(value));
                assert!(changed(&made(act, mode, live, copy()).await), "{field}");
            }
            let (reader, _) = holding(vec![(COPY, copy())]).await;
            assert!(changed(&request(&reader, act, mode).await), "it is gone");
        }
    }
}

type Forgery = fn(&mut Value);

/// Objects with the name of the copy that are not the one that was planned, and why.
const FORGED: [(&str, Forgery); 5] = [
    ("somebody may have changed it", |it| it["immutable"] = json!(false)),
    ("it does not say whether it can change", |it| drop(it.as_object_mut().unwrap().remove("immutable"))),
    ("it is of another Secret", |it| it["metadata"]["annotations"][COPY_OF] = json!("another")),
    ("it is of no Secret", |it| it["metadata"]["annotations"] = Value::Null),
    ("it lacks the key", |it| it["data"] = json!({"salt": SALT})),
];

#[tokio::test]
async fn values_are_put_in_only_from_the_copy_that_was_planned() {
    let [_, _, SecretAct::Promote(staged)] = all() else { panic!("the third act puts values in") };
    let mut kept = staged.clone();
    kept.origin = Origin::Kept { uid: uid("copy-2") };
    let put_in = async |it: &super::acts::Promote, copy: Value| {
        made(&SecretAct::Promote(it.clone()), Mode::Real, live(), copy).await
    };
    for it in [&staged, &kept] {
        assert!(put_in(it, copy()).await.is_ok());
        for (why, forge) in FORGED {
            assert!(changed(&put_in(it, but(copy(), forge)).await), "{why}");
        }
    }
    let of_another_plan = but(copy(), |it| it["metadata"]["annotations"][PLAN_MARK] = json!("pln_another"));
    assert!(changed(&put_in(&staged, of_another_plan.clone()).await), "not the one that it has staged");
    assert!(put_in(&kept, of_another_plan).await.is_ok(), "an earlier plan made it");
    let made_anew = but(copy(), |it| it["metadata"]["uid"] = json!("another"));
    assert!(changed(&put_in(&kept, made_anew).await), "not the one that was there");
    let (reader, _) = holding(vec![(LIVE, live())]).await;
    assert!(changed(&request(&reader, &SecretAct::Promote(staged), Mode::Real).await), "there is none");
}

#[tokio::test]
async fn a_command_is_no_request() {
    let (reader, asked) = holding(vec![]).await;
    assert!(changed(&request(&reader, &SecretAct::Tell(tell(TellTo::Learn)), Mode::Real).await));
    assert!(asked.lock().unwrap().is_empty());
}

async fn told(it: &Tell, copy: Value, backend: Value) -> Result<Line, Unsent> {
    let (reader, _) = holding(vec![(COPY, copy), (BACKEND, backend)]).await;
    value(&reader, it).await
}

#[tokio::test]
async fn a_backend_is_told_one_line_if_it_and_the_copy_are_those_that_were_planned() {
    let it = tell(TellTo::Learn);
    assert_eq!(told(&it, copy(), backend()).await.ok().unwrap().0, b"new\n");
    for (why, forge) in FORGED {
        assert!(changed(&told(&it, but(copy(), forge), backend()).await), "{why}");
    }
    let forgeries: [(&str, Forgery); 3] = [
        ("another pod of that name", |it| it["metadata"]["uid"] = json!("another")),
        ("it is not ready", |it| it["status"]["containerStatuses"][0]["ready"] = json!(false)),
        ("it is going", |it| it["metadata"]["deletionTimestamp"] = json!("2026-11-22T10:00:00Z")),
    ];
    for (why, change) in forgeries {
        assert!(changed(&told(&it, copy(), but(backend(), change)).await), "{why}");
    }
}

#[test]
fn the_value_comes_in_on_standard_input_alone_and_nothing_is_heard_of_it() {
    let (it, line) = (tell(TellTo::Learn), Line(b"new\n".to_vec()));
    let command = fed(&it, &line);
    assert!(matches!(command.input, Input::Bytes(b"new\n")));
    assert_eq!(command.argv, ["rabbitmqctl", "authenticate_user", "shop"]);
    assert_eq!(command.output, 0);
}

#[tokio::test]
async fn nobody_is_told_anything_by_a_dry_run() {
    let (wire, asked) = wired(|uri| match uri {
        LIVE => (200, live()),
        _ => (201, json!({})),
    })
    .await;
    let told = [TellTo::Learn, TellTo::Test].map(|purpose| SecretAct::Tell(tell(purpose)));
    let whole: Vec<Act> = all().into_iter().chain(told).map(Act::Secret).collect();
    let dry_run = Rehearsal::new(wire).ask(&mask(), &whole).await.unwrap();
    assert_eq!(dry_run.answers.len(), 3, "two copies and a change");
    let asked = asked.lock().unwrap();
    assert!(asked.iter().all(|uri| uri == LIVE || uri.contains("dryRun=All")), "{asked:?}");
}

#[tokio::test]
async fn a_read_that_is_not_answered_may_be_tried_again() {
    let (reader, _) = answering(|_| (500, Value::Null)).await;
    for act in all() {
        assert!(matches!(request(&reader, &act, Mode::Real).await, Err(Unsent::Unanswered)), "{act:?}");
    }
    assert!(matches!(value(&reader, &tell(TellTo::Test)).await, Err(Unsent::Unanswered)));
}
