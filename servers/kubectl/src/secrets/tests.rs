//! What a rotation means, what it refuses, and how it is settled, on hand-made observations.

use std::collections::BTreeSet;

use runcord_model::{Refusal, StepCall};
use runcord_runtime::target::{Acted, Draft, Settled};
use serde_json::{Value, json};

use super::acts::{Origin, SecretAct, Tell, TellTo};
use super::seen::{Backend, COPY_OF, Content, Copy, Secret, SecretKeeper, VERSION};
use super::values::Values;
use crate::KubectlActions;
use crate::act::Act;
use crate::actions::Action;
use crate::consumers::{Consumer, Way};
use crate::convert::PLAN_MARK;
use crate::draft::draft;
use crate::exec::{Ended, Limit, Lost, Nowhere, Outcome, Place};
use crate::measure::measure;
use crate::names::DataKey;
use crate::numbers::VersionNumber;
use crate::samples::{fixed, owner, seen_workload, uid};
use crate::seen::{Seen, Strategy};

pub(super) fn number(n: i64) -> VersionNumber {
    VersionNumber::try_from(n).unwrap()
}

pub(super) fn keys(names: &[&str]) -> BTreeSet<DataKey> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

pub(super) fn consumer(kind: &str, name: &str, pods: i64) -> Consumer {
    Consumer { who: owner(kind, name), ways: BTreeSet::from([Way::Env]), pods }
}

/// A copy that holds what the Secret held under that number.
pub(super) fn copy(n: i64, same: bool) -> Copy {
    Copy {
        version: number(n),
        uid: uid(&format!("copy-{n}")),
        ours: true,
        same,
        keys: keys(&["password", "salt"]),
        mark: Some(fixed().plan.to_string()),
    }
}

/// `shop/db`, never rotated, which the Deployment `shop/web` uses.
pub(super) fn seen() -> Seen {
    let mut seen = seen_workload(4, 4);
    let web = seen.workloads[0].id.clone();
    seen.focus.workloads.clear();
    let id = owner("Secret", "db");
    seen.focus.secrets.secrets.push((id.namespace.clone(), id.name.clone()));
    seen.secrets.secrets.push(Secret {
        id,
        resource_version: "100".parse().unwrap(),
        content: Content::Free,
        keys: keys(&["password", "salt"]),
        immutable: false,
        deleting: false,
        keepers: BTreeSet::new(),
        version: number(1),
        copies: vec![],
        free: number(1),
        mark: None,
        annotated: false,
        consumers: vec![Consumer { who: web, ..consumer("Deployment", "web", 4) }],
    });
    seen
}

pub(super) fn with(change: impl FnOnce(&mut Secret)) -> Seen {
    let mut seen = seen();
    change(&mut seen.secrets.secrets[0]);
    seen
}

pub(super) fn drafted(action: &str, more: Value, seen: &Seen) -> Result<Draft<KubectlActions>, Refusal> {
    let mut with = json!({"namespace": "shop", "name": "db"});
    with.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    let call = StepCall { id: "s".into(), action: action.into(), with: with.as_object().cloned().unwrap() };
    draft(&Action::read(&call).unwrap(), seen, &fixed())
}

pub(super) fn rotated(seen: &Seen) -> Result<Draft<KubectlActions>, Refusal> {
    drafted("rotate_secret", json!({"keys": ["password"]}), seen)
}

pub(super) fn said(draft: &Draft<KubectlActions>) -> Vec<String> {
    draft.acts.iter().map(Act::describe).collect()
}

fn refused(seen: &Seen) -> String {
    rotated(seen).unwrap_err().message
}

#[test]
fn the_first_rotation_keeps_the_values_before_it_stages_new_ones() {
    let draft = rotated(&seen()).unwrap();
    assert_eq!(
        said(&draft),
        [
            "keep what Secret shop/db holds as db-v1",
            "make new values for password of Secret shop/db, as db-v2",
            "put the values of db-v2 into Secret shop/db",
            "restart the pods of Deployment shop/web",
            "wait for the rollout of Deployment shop/web",
        ]
    );
    assert_eq!(draft.predicted.secrets.secrets[0].version, number(2));
}

#[test]
fn what_is_kept_already_is_not_kept_again() {
    let second = with(|it| {
        (it.version, it.free) = (number(2), number(3));
        it.copies = vec![copy(2, true)];
    });
    let said_of = said(&rotated(&second).unwrap());
    assert_eq!(said_of[0], "make new values for password of Secret shop/db, as db-v3");
}

#[test]
fn values_that_somebody_wrote_by_hand_are_kept_under_a_number_of_their_own() {
    let edited = with(|it| {
        (it.version, it.free) = (number(2), number(3));
        it.copies = vec![copy(2, false)];
    });
    let said_of = said(&rotated(&edited).unwrap());
    assert_eq!(said_of[0], "keep what Secret shop/db holds as db-v3");
    assert_eq!(said_of[1], "make new values for password of Secret shop/db, as db-v4");
    let back = drafted("restore_secret", json!({"version": 2}), &edited).unwrap();
    assert_eq!(said(&back)[0], "keep what Secret shop/db holds as db-v3", "going back loses nothing either");
}

#[test]
fn what_cannot_be_rotated_is_refused_by_name() {
    assert!(refused(&with(|it| it.immutable = true)).contains("is immutable"));
    assert!(refused(&with(|it| it.deleting = true)).contains("being deleted"));
    let tls = with(|it| it.content = Content::Given { of: Some("kubernetes.io/tls".into()) });
    assert!(refused(&tls).contains("of type kubernetes.io/tls"));
    let owned = with(|it| {
        let (kind, name) = ("Database".parse().unwrap(), "main".parse().unwrap());
        it.keepers.insert(SecretKeeper::Owner { kind, name });
    });
    assert!(refused(&owned).contains("belongs to Database main"));
    let tool = with(|it| it.keepers = BTreeSet::from([SecretKeeper::Tool { name: "cert-manager".into() }]));
    assert!(refused(&tool).contains("kept by cert-manager"));
    assert!(refused(&with(|it| it.keys = keys(&["salt"]))).contains("has no key password; it has salt"));
    let mut nothing = seen();
    nothing.secrets.secrets.clear();
    assert!(refused(&nothing).contains("there is no Secret shop/db"));
}

#[test]
fn a_consumer_that_would_keep_the_old_value_stands_in_the_way() {
    for kind in ["Pod", "ReplicaSet", "ReplicationController", "Rollout"] {
        let seen = with(|it| it.consumers.push(consumer(kind, "odd", 1)));
        assert!(refused(&seen).contains("would keep the old value"), "{kind}");
        let gone = with(|it| it.consumers.push(consumer(kind, "odd", 0)));
        assert!(rotated(&gone).is_ok(), "{kind} runs nothing");
    }
    let mut paused = seen();
    paused.workloads[0].rollout.as_mut().unwrap().paused = true;
    assert!(refused(&paused).contains("is paused"));
    let mut manual = seen();
    manual.workloads[0].rollout.as_mut().unwrap().strategy = Strategy::OnDelete;
    assert!(refused(&manual).contains("OnDelete"));
    let mut moving = seen();
    moving.workloads[0].counts.as_mut().unwrap().updated = 2;
    assert!(refused(&moving).contains("under way"));
}

#[test]
fn jobs_run_to_their_end_and_are_told_of() {
    let seen = with(|it| {
        it.consumers.push(consumer("CronJob", "nightly", 1));
        it.consumers.push(consumer("Job", "once", 0));
    });
    let draft = rotated(&seen).unwrap();
    assert_eq!(draft.acts.len(), 5, "only the Deployment is restarted");
    let measured = measure(&seen, &[draft.acts], &crate::dry_run::DryRun::default());
    let remarks = measured.remarks.join("\n");
    assert!(remarks.contains("CronJob shop/nightly reads the new values at its next run"), "{remarks}");
    assert!(remarks.contains("CronJob shop/nightly runs now and keeps the old values"), "{remarks}");
    assert!(!remarks.contains("once"), "{remarks}");
}

/// Two workloads of three pods each, each of which loses one at a time.
fn two_workloads() -> Seen {
    let mut seen = seen();
    let mut second = seen.workloads[0].clone();
    second.id = owner("Deployment", "api");
    seen.workloads.push(second);
    seen.secrets.secrets[0].consumers.push(consumer("Deployment", "api", 4));
    for workload in &mut seen.workloads {
        workload.rollout.as_mut().unwrap().strategy = Strategy::Rolling { unavailable: 1, surge: 0 };
    }
    seen
}

#[test]
fn a_batch_is_begun_together_and_loses_its_pods_together() {
    let seen = two_workloads();
    for (batch, lost) in [(1, 1), (2, 2)] {
        let draft = drafted("rotate_secret", json!({"keys": ["password"], "batch": batch}), &seen).unwrap();
        let waits = draft.acts.iter().position(|act| matches!(act, Act::AwaitRollout(_))).unwrap();
        let begun = draft.acts[..waits].iter().filter(|act| matches!(act, Act::Patch(_))).count();
        assert_eq!(begun, batch);
        let measured = measure(&seen, &[draft.acts], &crate::dry_run::DryRun::default());
        assert_eq!(measured.blast_radius.pods_lost, runcord_model::Measure::Known(lost), "batch {batch}");
        assert!(measured.scopes.namespaces.contains("shop"));
    }
}

#[test]
fn earlier_values_are_put_back_only_from_a_copy_that_is_ours() {
    let seen = with(|it| {
        (it.version, it.free) = (number(2), number(3));
        it.copies = vec![copy(1, false), copy(2, true)];
    });
    let back = drafted("restore_secret", json!({"version": 1}), &seen).unwrap();
    assert_eq!(said(&back)[0], "put the values of db-v1 into Secret shop/db");
    assert!(said(&back)[1].starts_with("restart the pods"), "{:?}", said(&back));
    let refused =
        |seen: &Seen, n: i64| drafted("restore_secret", json!({"version": n}), seen).unwrap_err().message;
    assert!(refused(&seen, 7).contains("no kept values of version 7"));
    let mut forged = seen.clone();
    forged.secrets.secrets[0].copies[0].ours = false;
    assert!(refused(&forged, 1).contains("no kept values"));
    let mut other_keys = seen.clone();
    other_keys.secrets.secrets[0].copies[0].keys = keys(&["password"]);
    assert!(refused(&other_keys, 1).contains("has other keys"));
    let held = drafted("restore_secret", json!({"version": 2}), &seen).unwrap();
    assert!(held.acts.is_empty() && held.summary.contains("nothing to do"));
}

pub(super) fn acts(seen: &Seen) -> Vec<SecretAct> {
    let only = |act: Act| {
        let Act::Secret(act) = act else { return None };
        Some(act)
    };
    rotated(seen).unwrap().acts.into_iter().filter_map(only).collect()
}

#[test]
fn a_write_tests_uid_and_resource_version_before_it_changes_anything() {
    let SecretAct::Promote(it) = acts(&seen()).remove(2) else { panic!("the third act puts values in") };
    assert_eq!(it.origin, Origin::Staged);
    let staged = Values::of(&json!({"data": {"password": "bmV3", "salt": "c2FsdA=="}})).unwrap();
    for annotated in [true, false] {
        let mut it = it.clone();
        it.annotated = annotated;
        let operations = it.operations(&staged);
        let ops = operations.as_array().unwrap();
        assert_eq!(ops[0], json!({"op": "test", "path": "/metadata/uid", "value": "Secret-db"}));
        assert_eq!(ops[1], json!({"op": "test", "path": "/metadata/resourceVersion", "value": "100"}));
        assert_eq!(ops[2], json!({"op": "replace", "path": "/data/password", "value": "bmV3"}));
        assert!(!operations.to_string().contains("/data/salt"), "what was not named is not written");
        assert!(operations.to_string().contains(fixed().plan.as_str()));
    }
}

#[test]
fn a_copy_is_immutable_and_says_what_it_is_of() {
    let SecretAct::Stage(it) = acts(&seen()).remove(1) else { panic!("the second act stages") };
    let live = || Values::of(&json!({"data": {"password": "b2xk", "salt": "c2FsdA=="}})).unwrap();
    let body = it.body(&live().renewed(&it.keys, it.length).ok().unwrap());
    assert_eq!(body["immutable"], true);
    assert_eq!(body["metadata"]["annotations"][COPY_OF], "Secret-db");
    assert_eq!(body["metadata"]["annotations"][VERSION], "2");
    assert_eq!(body["metadata"]["annotations"][PLAN_MARK], fixed().plan.as_str());
    assert_eq!(body["data"]["salt"], "c2FsdA==", "what was not named stays");
    assert_ne!(body["data"]["password"], "b2xk");
    let dry = it.body(&Values::placeholders("Opaque", &live().keys()));
    assert!(!dry.to_string().contains("c2FsdA=="), "a dry-run is sent no value");
}

#[test]
fn nothing_that_is_kept_of_a_plan_holds_a_value() {
    let seen = seen();
    let draft = rotated(&seen).unwrap();
    let kept = json!([seen, draft.acts]).to_string();
    assert!(!kept.contains("\"data\""), "{kept}");
}

#[test]
fn a_copy_and_a_promotion_are_settled_by_mark_and_number() {
    let before = seen();
    let acts = acts(&before);
    let settled = |n: usize, now: &Seen| super::settle::settle(&acts[n], now);
    for n in 0..3 {
        assert_eq!(settled(n, &before), Settled::NotDone);
        assert_eq!(settled(n, &Seen::default()), Settled::CannotTell);
        let replaced = with(|it| it.id.uid = uid("another"));
        assert_eq!(settled(n, &replaced), Settled::SomebodyElses);
    }
    let made = with(|it| it.copies = vec![copy(1, true), copy(2, false)]);
    assert_eq!((settled(0, &made), settled(1, &made)), (Settled::Done, Settled::Done));
    let foreign = with(|it| it.copies = vec![Copy { mark: None, ..copy(1, true) }]);
    assert_eq!(settled(0, &foreign), Settled::SomebodyElses);
    let forged = with(|it| it.copies = vec![Copy { ours: false, ..copy(1, true) }]);
    assert_eq!(settled(0, &forged), Settled::SomebodyElses, "a mark alone can be written by anybody");
    let promoted = with(|it| {
        (it.version, it.mark) = (number(2), Some(fixed().plan.to_string()));
        it.resource_version = "101".parse().unwrap();
    });
    assert_eq!(settled(2, &promoted), Settled::Done);
    for (n, now) in [(0, &made), (1, &made), (2, &promoted)] {
        let in_place = |now: &Seen| crate::settle::in_place(&Act::Secret(acts[n].clone()), &before, now);
        assert!(in_place(now) && !in_place(&before), "act {n}");
    }
    let mut other_mark = promoted.clone();
    other_mark.secrets.secrets[0].mark = None;
    let mut other_number = promoted.clone();
    other_number.secrets.secrets[0].version = number(3);
    for now in [other_mark, other_number] {
        assert_eq!(settled(2, &now), Settled::SomebodyElses);
    }
    let written = with(|it| it.resource_version = "101".parse().unwrap());
    assert_eq!(settled(2, &written), Settled::SomebodyElses);
}

/// The act that has a backend learn, or say whether it takes, a value.
pub(super) fn tell(purpose: TellTo) -> Tell {
    let SecretAct::Promote(it) = acts(&seen()).remove(2) else { panic!("the third act puts values in") };
    Tell {
        live: it.live,
        copy: it.copy,
        origin: it.origin,
        key: "password".parse().unwrap(),
        purpose,
        at: Place {
            namespace: "shop".parse().unwrap(),
            pod: "rabbit-0".parse().unwrap(),
            container: "rabbitmq".parse().unwrap(),
        },
        uid: uid("pod-rabbit-0"),
        command: serde_json::from_value(json!(["rabbitmqctl", "authenticate_user", {"value": "shop"}]))
            .unwrap(),
        limit: Limit::HALF_A_MINUTE,
        not_undone: "what was done meanwhile".parse().unwrap(),
        plan: fixed().plan,
    }
}

#[test]
fn a_backend_that_says_no_ends_the_run() {
    let ended = |code| Outcome::Ended(Ended { code, output: Vec::new(), cut: false });
    for purpose in [TellTo::Learn, TellTo::Test] {
        let judge = |outcome| super::apply::judge(&tell(purpose), &outcome);
        assert_eq!(judge(ended(0)), Acted::Done);
        let Acted::Refused { reason } = judge(ended(1)) else { panic!("{purpose:?}: not refused") };
        assert!(reason.contains("exit code 1") && reason.contains("nobody was given it"), "{reason}");
        for lost in [Outcome::TimedOut, Outcome::Lost(Lost::Cut)] {
            assert!(matches!(judge(lost), Acted::Lost { .. }), "{purpose:?}: nobody knows");
        }
        for code in [130, 143] {
            assert!(matches!(judge(ended(code)), Acted::Lost { .. }), "{purpose:?}: killed half-way");
        }
        for put_off in [Outcome::Busy, Outcome::Refused(429)] {
            assert!(matches!(judge(put_off), Acted::Deferred { .. }), "nothing was begun");
        }
        for status in [400, 401, 403, 404, 422] {
            let Acted::Refused { reason } = judge(Outcome::Refused(status)) else { panic!("{status}") };
            let not_let = reason.contains("does not let these credentials");
            assert_eq!(not_let, [401, 403, 422].contains(&status), "{reason}");
        }
        let act = SecretAct::Tell(tell(purpose));
        assert_eq!(super::settle::settle(&act, &seen()), Settled::CannotTell, "looking tells nothing");
        assert!(super::settle::in_place(&act, &seen()), "its own answer is all that there is");
    }
}

#[test]
fn a_backend_learns_before_the_value_is_put_in_and_is_part_of_what_was_approved() {
    let with = json!({
        "key": "password", "pod": "rabbit-0", "container": "rabbitmq", "not_undone": "what was done meanwhile",
        "teach": ["rabbitmqctl", "change_password", {"value": "shop"}],
        "test": ["rabbitmqctl", "authenticate_user", {"value": "shop"}],
    });
    let mut seen = seen();
    let drafted = |seen: &Seen| drafted("rotate_taught_secret", with.clone(), seen);
    let at = tell(TellTo::Test).at;
    seen.secrets.backends.push((at.clone(), Backend::There { uid: uid("pod-rabbit-0") }));
    let draft = drafted(&seen).unwrap();
    let order: Vec<&str> = draft
        .acts
        .iter()
        .map(|act| match act.describe().split(' ').next() {
            Some("keep") => "keep",
            Some("make") => "stage",
            Some("have") => "learn",
            Some("test") => "test",
            Some("put") => "promote",
            _ => "restart",
        })
        .collect();
    assert_eq!(order, ["keep", "stage", "learn", "test", "promote", "restart", "restart"]);
    let canonical = crate::canonical::canonical(&draft.acts);
    seen.secrets.backends[0].1 = Backend::There { uid: uid("another") };
    assert_ne!(
        crate::canonical::canonical(&drafted(&seen).unwrap().acts),
        canonical,
        "another pod of that name"
    );
    let measured = measure(&seen, &[draft.acts], &crate::dry_run::DryRun::default());
    assert_eq!(measured.blast_radius.irreversible, runcord_model::Measure::Known(1));
    assert!(measured.remarks.iter().any(|said| said.contains("Going back does not take back")));
    seen.secrets.backends[0].1 = Backend::Nowhere(Nowhere::NotReady);
    assert!(drafted(&seen).unwrap_err().message.contains("the container is not ready"));
}
