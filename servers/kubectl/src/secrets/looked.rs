//! What a probe looks at, against a played API server.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::probe::{focus, look};
use super::seen::{Backend, COPY_OF, Secret, SecretsFocus, SecretsSeen, VERSION};
use super::tests::number;
use crate::actions::Action;
use crate::exec::Nowhere;
use crate::played::{answering, holding, list};

const LIVE: &str = "/api/v1/namespaces/shop/secrets/db";
const BACKEND: &str = "/api/v1/namespaces/shop/pods/rabbit-0";

/// `shop/db` under that number.
fn live(version: &str) -> Value {
    json!({
        "metadata": {"name": "db", "namespace": "shop", "uid": "u1", "resourceVersion": "100",
            "annotations": {VERSION: version}},
        "type": "Opaque", "data": {"password": "b2xk"},
    })
}

/// A copy of it, with this value.
fn copy(value: &str) -> Value {
    json!({
        "metadata": {"uid": "c1", "annotations": {COPY_OF: "u1"}},
        "immutable": true, "data": {"password": value},
    })
}

/// What these steps are about.
fn of(steps: &[(&str, Value)]) -> SecretsFocus {
    let mut all = SecretsFocus::default();
    for (action, more) in steps {
        let mut with = json!({"namespace": "shop", "name": "db"});
        with.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        let with = with.as_object().cloned().unwrap();
        let call = runcord_model::StepCall { id: "s".into(), action: (*action).into(), with };
        let Ok(Action::Secret(action)) = Action::read(&call) else { panic!("{action}") };
        focus(&action, &mut all);
    }
    all
}

fn restore(version: i64) -> SecretsFocus {
    of(&[("restore_secret", json!({"version": version}))])
}

async fn looked(objects: Vec<(&'static str, Value)>, focus: &SecretsFocus) -> (SecretsSeen, Vec<String>) {
    let (reader, asked) = holding(objects).await;
    let seen = look(&reader, focus).await.unwrap();
    let asked = asked.lock().unwrap().clone();
    (seen, asked)
}

fn versions(secret: &Secret) -> BTreeSet<i64> {
    secret.copies.iter().map(|copy| copy.version.into()).collect()
}

#[tokio::test]
async fn the_first_two_numbers_in_a_row_that_nothing_stands_in_the_way_of_are_free() {
    let objects = vec![
        (LIVE, live("2")),
        ("/api/v1/namespaces/shop/secrets/db-v1", copy("Zmlyc3Q=")),
        ("/api/v1/namespaces/shop/secrets/db-v2", copy("b2xk")),
        ("/api/v1/namespaces/shop/secrets/db-v4", json!({"metadata": {"uid": "foreign"}})),
    ];
    let (seen, asked) = looked(objects, &of(&[("rotate_secret", json!({"keys": ["password"]}))])).await;
    let secret = &seen.secrets[0];
    assert_eq!(secret.free, number(5));
    assert_eq!(versions(secret), BTreeSet::from([1, 2, 4]), "the one before its own, and all from it on");
    let found = |n| secret.copy(number(n)).map(|copy| (copy.ours, copy.same));
    assert_eq!(
        [found(1), found(2), found(4)],
        [Some((true, false)), Some((true, true)), Some((false, false))]
    );
    assert!(secret.is_kept());
    let of_secrets: Vec<_> = asked.iter().filter(|uri| uri.contains("/secrets/")).collect();
    let once: BTreeSet<_> = of_secrets.iter().collect();
    assert_eq!((of_secrets.len(), once.len()), (7, 7), "each once: {asked:?}");
}

#[tokio::test]
async fn values_that_are_to_be_put_back_are_found_though_those_between_were_deleted() {
    for (version, wanted) in [("1", 9), ("9", 1)] {
        let path = ["/api/v1/namespaces/shop/secrets/db-v1", "/api/v1/namespaces/shop/secrets/db-v9"];
        let objects = vec![(LIVE, live(version)), (path[0], copy("Zmlyc3Q=")), (path[1], copy("b2xk"))];
        let (seen, _) = looked(objects, &restore(wanted)).await;
        assert!(seen.secrets[0].copy(number(wanted)).is_some_and(|copy| copy.ours), "{version} to {wanted}");
    }
}

#[tokio::test]
async fn the_numbers_of_one_secret_are_not_those_of_another() {
    let mut both = restore(9);
    let (namespace, name) = both.secrets[0].clone();
    both.versions.insert((namespace.clone(), "other".parse().unwrap(), number(20)));
    both.versions.insert(("till".parse().unwrap(), name, number(30)));
    let (_, asked) = looked(vec![(LIVE, live("1"))], &both).await;
    assert!(asked.iter().any(|uri| uri.ends_with("/db-v9")));
    assert!(!asked.iter().any(|uri| uri.ends_with("-v20") || uri.ends_with("-v30")), "{asked:?}");
}

#[tokio::test]
async fn no_more_than_fifty_copies_in_a_row_are_looked_at() {
    let (reader, asked) = answering(|uri| match uri {
        LIVE => (200, live("1")),
        copies if copies.contains("/secrets/") => (200, copy("Zmlyc3Q=")),
        _ => (200, list(vec![])),
    })
    .await;
    let seen = look(&reader, &restore(1)).await.unwrap();
    assert_eq!((seen.secrets[0].free, seen.secrets[0].copies.len()), (number(51), 50));
    let copies = asked.lock().unwrap().iter().filter(|uri| uri.contains("/secrets/db-v")).count();
    assert_eq!(copies, 50);
}

#[tokio::test]
async fn a_name_that_leaves_no_room_for_a_number_has_no_copies() {
    let long = "a".repeat(252);
    let object = {
        let mut object = live("1");
        object["metadata"]["name"] = json!(long);
        object
    };
    let name = long.clone();
    let (reader, asked) =
        answering(move |uri| if uri.ends_with(&name) { (200, object.clone()) } else { (200, list(vec![])) })
            .await;
    let mut focus = restore(1);
    focus.secrets[0].1 = long.parse().unwrap();
    let seen = look(&reader, &focus).await.unwrap();
    assert!(seen.secrets[0].copies.is_empty());
    assert!(!asked.lock().unwrap().iter().any(|uri| uri.contains("-v1")));
}

#[tokio::test]
async fn whoever_uses_the_secret_and_where_a_backend_is_are_looked_at() {
    let spec = json!({"containers": [{"name": "main", "envFrom": [{"secretRef": {"name": "db"}}]}]});
    let web = json!({
        "metadata": {"name": "web", "namespace": "shop", "uid": "w1"},
        "spec": {"selector": {}, "template": {"spec": spec}},
    });
    let pod = json!({
        "metadata": {"name": "rabbit-0", "namespace": "shop", "uid": "r1"},
        "spec": {"containers": [{"name": "rabbitmq"}]},
        "status": {"phase": "Running", "containerStatuses": [
            {"name": "rabbitmq", "ready": true, "image": "", "imageID": "", "restartCount": 0}]},
    });
    let with = json!({
        "key": "password", "pod": "rabbit-0", "container": "rabbitmq", "teach": ["true"], "test": ["true"],
        "not_undone": "nothing", "version": 1,
    });
    let focus = of(&[("restore_taught_secret", with)]);
    assert_eq!(focus.versions.len(), 1);
    let deployments = "/apis/apps/v1/namespaces/shop/deployments";
    let objects = vec![(LIVE, live("1")), (deployments, list(vec![web])), (BACKEND, pod)];
    let (seen, _) = looked(objects, &focus).await;
    let uids: Vec<_> = seen.secrets[0].consumers.iter().map(|one| one.who.uid.as_str()).collect();
    assert_eq!(uids, ["w1"]);
    assert!(seen.is_consumer(&seen.secrets[0].consumers[0].who) && !seen.is_consumer(&seen.secrets[0].id));
    let at = &focus.backends[0];
    assert_eq!(seen.backend(at), Some(&Backend::There { uid: "r1".parse().unwrap() }));
    let (gone, _) = looked(vec![], &focus).await;
    assert_eq!((gone.secrets.len(), gone.backend(at)), (0, Some(&Backend::Nowhere(Nowhere::NoPod))));
}

#[tokio::test]
async fn the_workloads_that_are_to_be_restarted_are_looked_at_themselves() {
    let spec = json!({"containers": [{"name": "main", "envFrom": [{"secretRef": {"name": "db"}}]}]});
    let web = json!({
        "metadata": {"name": "web", "namespace": "shop", "uid": "w1"},
        "spec": {"selector": {}, "template": {"spec": spec}},
    });
    let (reader, _) = holding(vec![
        (LIVE, live("1")),
        ("/apis/apps/v1/namespaces/shop/deployments", list(vec![web.clone()])),
        ("/apis/apps/v1/namespaces/shop/deployments/web", web),
    ])
    .await;
    let seen = look(&reader, &restore(1)).await.unwrap();
    let mut fetched = Vec::new();
    crate::probe::owners::consumers(&reader, &seen, &mut fetched).await.unwrap();
    let uids: Vec<_> = fetched.iter().map(|found| found.workload.id.uid.as_str()).collect();
    assert_eq!(uids, ["w1"]);
}

#[test]
fn a_secret_that_two_steps_name_is_looked_at_once() {
    let rotate = |key: &str| ("rotate_secret", json!({"keys": [key]}));
    let focus = of(&[rotate("password"), rotate("salt"), ("restore_secret", json!({"version": 3}))]);
    assert_eq!((focus.secrets.len(), focus.versions.len(), focus.backends.len()), (1, 1, 0));
}
