use runcord_model::Code;
use runcord_runtime::target::{ActKind, Actions as _};
use serde_json::{Value, json};

use super::*;
use crate::act::Act;
use crate::actions::Action;
use crate::canonical::canonical;
use crate::draft::draft as draft_action;
use crate::samples::fixed;
use crate::volumes::samples::{seen, storage, with};
use crate::volumes::seen::{Limit, Quota};

fn action(size: &str) -> Action {
    let with = json!({"namespace": "shop", "name": "data", "size": size, "at_most_percent": 300});
    let call = runcord_model::StepCall {
        id: "s".into(),
        action: "grow_claim".into(),
        with: with.as_object().cloned().unwrap(),
    };
    Action::read(&call).unwrap()
}

fn refused_at(size: &str, seen: &Seen) -> Refusal {
    let refusal = draft_action(&action(size), seen, &fixed()).map(|draft| draft.summary).unwrap_err();
    assert_eq!(refusal.code, Code::PreconditionFailed);
    assert!(!refusal.next.is_empty());
    refusal
}

fn refused(size: &str, seen: &Seen) -> String {
    refused_at(size, seen).message
}

#[test]
fn a_claim_is_asked_to_grow_and_waited_for() {
    let seen = seen();
    let draft = draft_action(&action("20Gi"), &seen, &fixed()).unwrap();
    assert_eq!(draft.summary, "grow PersistentVolumeClaim shop/data from 10Gi to 20Gi");
    let [Act::Volume(VolumeAct::Grow(grow)), Act::Volume(VolumeAct::AwaitGrown(wait))] = &draft.acts[..]
    else {
        panic!("{:?}", draft.acts)
    };
    assert_eq!(*grow, crate::volumes::samples::grow());
    assert_eq!((wait.size.bytes(), wait.timeout.seconds()), (20 << 30, 600));
    let kinds: Vec<_> = draft.acts.iter().map(KubectlActions::kind).collect();
    assert_eq!(kinds, [ActKind::Mutate, ActKind::Await]);
    let after = &draft.predicted.volumes.claims[0];
    assert_eq!((after.bytes(), after.requested.bytes()), (20 << 30, 20 << 30));
    assert_eq!(after.mark, Some(fixed().plan.to_string()));
}

#[test]
fn a_claim_that_was_replaced_or_asks_for_something_else_is_another_effect() {
    let effect = |seen: &Seen| canonical(&draft_action(&action("20Gi"), seen, &fixed()).unwrap().acts);
    assert_eq!(effect(&seen()), effect(&seen()));
    assert_ne!(effect(&seen()), effect(&with(|claim| claim.id.uid = crate::samples::uid("another"))));
    let grown = with(|claim| (claim.requested, claim.capacity) = (storage("12Gi"), Some(storage("12Gi"))));
    assert_ne!(effect(&seen()), effect(&grown));
}

#[test]
fn policy_knows_the_namespace_before_anything_is_looked_at() {
    assert!(action("20Gi").scopes().namespaces.contains("shop"));
}

#[test]
fn only_a_bound_claim_that_stays_grows() {
    assert!(refused("20Gi", &Seen::default()).contains("no PersistentVolumeClaim shop/data"));
    assert!(refused("20Gi", &with(|claim| claim.phase = ClaimPhase::Pending)).contains("no volume yet"));
    assert!(refused("20Gi", &with(|claim| claim.phase = ClaimPhase::Lost)).contains("its volume is gone"));
    assert!(refused("20Gi", &with(|claim| claim.deleting = true)).contains("being deleted"));
}

#[test]
fn only_a_class_whose_volumes_somebody_grows_lets_a_claim_grow() {
    assert!(refused("20Gi", &with(|claim| claim.class = None)).contains("no storage class"));
    let mut seen = seen();
    seen.volumes.classes[0].provisioner = Provisioner::Nobody;
    assert!(refused("20Gi", &seen).contains("made by hand"), "though its class allows it");
    seen.volumes.classes[0] = super::super::seen::Class {
        expands: false,
        provisioner: Provisioner::Driver,
        ..seen.volumes.classes[0].clone()
    };
    assert!(refused("20Gi", &seen).contains("does not allow its volumes to grow"));
    seen.volumes.classes.clear();
    assert!(
        refused("20Gi", &seen).contains("StorageClass fast of PersistentVolumeClaim shop/data is not there")
    );
}

#[test]
fn a_volume_is_never_made_smaller_nor_asked_for_what_it_has() {
    assert!(refused("9Gi", &seen()).contains("never made smaller"));
    assert!(refused("10Gi", &seen()).contains("nothing to do"));
    assert!(refused("10240Mi", &seen()).contains("nothing to do"), "the same in other words");
    // A volume may be larger than what was asked for.
    let larger = with(|claim| claim.capacity = Some(storage("16Gi")));
    assert!(refused("12Gi", &larger).contains("has 16Gi, which is more than 12Gi"));
    assert!(refused("16Gi", &larger).contains("nothing to do"));
    draft_action(&action("17Gi"), &larger, &fixed()).unwrap();
}

#[test]
fn nothing_grows_while_an_earlier_resize_is_open_and_the_way_out_is_said() {
    for (resize, says, next) in [
        (Resize::UnderWay, "this is not over", "Wait until it is"),
        (Resize::Retried, "met an error and tries again", "asking for less, but for more than 10Gi"),
        (Resize::OnNode, "done on a node when a pod mounts it", "Start a pod"),
        (Resize::Infeasible, "cannot be done", "asking for less, but for more than 10Gi"),
    ] {
        let seen = with(|claim| (claim.resize, claim.requested) = (resize, storage("15Gi")));
        let refusal = refused_at("20Gi", &seen);
        assert!(refusal.message.contains(says), "{}", refusal.message);
        assert!(refusal.next.contains(next), "{}", refusal.next);
        let known = with(|claim| claim.resize = resize);
        assert!(refused("20Gi", &known).contains(says), "by the driver's word alone");
    }
    // Nobody has taken it up, and yet it has been asked for.
    let unseen = with(|claim| claim.requested = storage("15Gi"));
    assert!(
        refused("20Gi", &unseen).contains("was asked to grow to 15Gi before and has 10Gi: this is not over")
    );
}

#[test]
fn a_zero_too_many_is_refused() {
    draft_action(&action("30Gi"), &seen(), &fixed()).unwrap();
    for slip in ["31Gi", "100Gi", "20Ti", "7Ei"] {
        let said = refused(slip, &seen());
        assert!(said.contains("300 % of its size at once, which is 30Gi"), "{said}");
    }
    let huge = with(|claim| {
        (claim.requested, claim.capacity) = (storage("4Ei"), Some(storage("4Ei")));
    });
    draft_action(&action("7Ei"), &huge, &fixed()).unwrap();
}

fn quota(class: Option<&str>, counted: Option<(&str, &str)>) -> Quota {
    let counted = counted.map(|(hard, used)| Counted { hard: storage(hard), used: storage(used) });
    Quota {
        namespace: "shop".parse().unwrap(),
        name: "room".parse().unwrap(),
        limits: vec![Limit { class: class.map(|name| name.parse().unwrap()), counted }],
    }
}

fn under(quota: Quota) -> Seen {
    let mut seen = seen();
    seen.volumes.quotas = vec![quota];
    seen
}

#[test]
fn a_quota_that_it_would_exceed_is_named() {
    for class in [None, Some("fast")] {
        draft_action(&action("20Gi"), &under(quota(class, Some(("25Gi", "15Gi")))), &fixed()).unwrap();
        let refusal = refused_at("20Gi", &under(quota(class, Some(("25Gi", "16Gi")))));
        assert!(refusal.message.starts_with("ResourceQuota shop/room lets claims ask for 25Gi"));
        assert!(refusal.message.ends_with("16Gi are asked for: 10Gi more do not fit"), "{}", refusal.message);
        assert!(refusal.next.starts_with("Ask for 19Gi at most"), "{}", refusal.next);
        assert!(refused("20Gi", &under(quota(class, None))).contains("not been counted yet"));
    }
    let full = refused_at("20Gi", &under(quota(None, Some(("25Gi", "25Gi")))));
    assert!(full.next.starts_with("Have whoever keeps the quota raise it"), "{}", full.next);
}

#[test]
fn the_quota_of_another_class_or_namespace_is_nobodys_business_here() {
    let full = Some(("10Gi", "10Gi"));
    draft_action(&action("20Gi"), &under(quota(Some("slow"), full)), &fixed()).unwrap();
    let elsewhere = Quota { namespace: "till".parse().unwrap(), ..quota(None, full) };
    draft_action(&action("20Gi"), &under(elsewhere), &fixed()).unwrap();
}

#[test]
fn a_bad_field_is_named_with_its_rule_and_never_with_its_text() {
    let read = |more: Value| {
        let mut with = json!({"namespace": "shop", "name": "data", "size": "20Gi", "at_most_percent": 300, "timeout": "1m"});
        with.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        let with = with.as_object().cloned().unwrap();
        Action::read(&runcord_model::StepCall { id: "s".into(), action: "grow_claim".into(), with })
    };
    read(json!({})).unwrap();
    for (field, bad) in [
        ("size", json!("EVIL")),
        ("size", json!("1.5")),
        ("size", json!("-20Gi")),
        ("size", json!(20)),
        ("at_most_percent", json!(100)),
        ("at_most_percent", json!(1001)),
        ("name", json!("EVIL/x")),
        ("namespace", json!("")),
        ("timeout", json!("EVIL")),
    ] {
        let refused = read(json!({field: bad})).unwrap_err();
        assert_eq!(refused.field, field);
        assert!(!refused.to_string().contains("EVIL") && refused.rule.starts_with("must be"), "{refused}");
    }
    assert_eq!(read(json!({"force": true})).unwrap_err().field, "force");
}
