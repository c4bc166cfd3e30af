use proptest::prelude::*;
use runcord_model::bounds::Span;
use runcord_model::{Change, ChangeKind};
use serde_json::{Value, json};

use super::*;
use crate::actions::Replace;
use crate::draft::draft;
use crate::samples::{change, digest, look, module, on_module, planned, seen};
use crate::seen::{Found, Lock, ValueChange};

fn measured(seen: &Seen) -> Measured {
    let acts = draft(&seen.looks[0].action, seen).unwrap().acts;
    measure(seen, &[acts])
}

fn replacing(changes: Vec<ResourceChange>) -> Seen {
    let address = "aws_instance.node[1]".parse().unwrap();
    let action = Action::ReplaceInstance(Replace { module: module(), address, timeout: Span::TEN_MINUTES });
    Seen { looks: vec![look(action, Found::Planned(Box::new(planned(changes))))] }
}

fn accepting(changes: Vec<ResourceChange>) -> Seen {
    let found = Found::Planned(Box::new(planned(changes)));
    Seen { looks: vec![look(Action::AcceptDrift(on_module()), found)] }
}

fn of_each() -> Vec<ResourceChange> {
    vec![
        change("aws_instance.node[0]", Deed::Create),
        change("aws_instance.node[1]", Deed::Replace),
        change("aws_instance.node[2]", Deed::Replace),
        change("aws_db_instance.main", Deed::Delete),
        change("aws_subnet.a", Deed::Update),
        change("aws_subnet.b", Deed::Forget),
        change("aws_subnet.c", Deed::Keep),
    ]
}

#[test]
fn every_deed_is_counted() {
    let radius = measured(&seen(of_each())).blast_radius;
    let known = Measure::Known;
    let expected = BlastRadius {
        creates: known(1),
        updates: known(1),
        replaces: known(2),
        destroys: known(1),
        forgets: known(1),
        data_destroys: known(1),
        instances_percent: known(15),
        irreversible: known(1),
        ..BlastRadius::nothing()
    };
    assert_eq!(radius, expected);
}

#[test]
fn what_changes_beside_the_instance_that_was_named_is_counted() {
    let named = || change("aws_instance.node[1]", Deed::Replace);
    assert_eq!(measured(&replacing(vec![named()])).blast_radius.outside_named, Measure::Known(0));
    let measured = measured(&replacing(vec![named(), change("aws_subnet.c", Deed::Keep)]));
    assert_eq!(measured.blast_radius.outside_named, Measure::Known(1));
    let says = "Beside the instance named, these change: aws_subnet.c.".to_owned();
    assert!(measured.remarks.contains(&says), "{:?}", measured.remarks);
}

#[test]
fn shares_are_rounded_up_and_never_guessed() {
    assert_eq!(share(0, 0), Measure::Known(0));
    assert_eq!(share(1, 0), Measure::Unknown);
    assert_eq!(share(1, 300), Measure::Known(1));
    assert_eq!(share(1, 3), Measure::Known(34));
    assert_eq!(share(3, 3), Measure::Known(100));
    assert_eq!(share(4, 3), Measure::Known(100), "a deposed object is one more");
}

#[test]
fn a_plan_that_was_not_seen_is_unknown() {
    let acts = draft(&seen(of_each()).looks[0].action, &seen(of_each())).unwrap().acts;
    let mut other = seen(of_each());
    let Found::Planned(planned) = &mut other.looks[0].found else { unreachable!() };
    planned.saved.digest = digest(9);
    let measured = measure(&other, &[acts]);
    assert!(!measured.blast_radius.known);
    assert_eq!(measured.blast_radius.instances_percent, Measure::Unknown);
    assert!(measured.diff.is_empty() && !measured.coverage.undetermined.is_empty());
}

#[test]
fn the_gravest_is_said_first() {
    let mut all = seen(of_each());
    let Found::Planned(planned) = &mut all.looks[0].found else { unreachable!() };
    planned.changes[4].provider = "registry.terraform.io/hashicorp/random".into();
    planned.changes[6].moved_from = Some("aws_subnet.old".into());
    planned.drifted = vec!["aws_subnet.a".parse().unwrap()];
    planned.doubts = vec![Doubt::Provisioner { resource: "terraform_data.hooked".into() }];
    planned.applied_before = None;
    let measured = measured(&all);
    assert_eq!(
        measured.remarks,
        [
            "1 aws_db_instance destroyed, which holds data.",
            "2 aws_instance replaced.",
            "1 aws_subnet forgotten, left in the world.",
            "Changes: 5 by registry.terraform.io/hashicorp/aws, 1 by registry.terraform.io/hashicorp/random.",
            "1 moved within the state.",
            "Code of their own, reviewed, is run by: terraform_data.hooked.",
            "1 instance has changed in the world since the state was written.",
            "There is no earlier configuration to go back to.",
        ]
    );
    assert!(
        measured
            .coverage
            .undetermined
            .contains(&"terraform_data.hooked: what its provisioners do".to_owned())
    );
    assert_eq!(measured.scopes.modules.into_iter().collect::<Vec<_>>(), ["network"]);
}

#[test]
fn drift_that_is_accepted_destroys_nothing() {
    let all =
        accepting(vec![change("aws_subnet.a", Deed::Update), change("aws_db_instance.main", Deed::Forget)]);
    let measured = measured(&all);
    let radius = measured.blast_radius;
    assert_eq!((radius.updates, radius.forgets), (Measure::Known(1), Measure::Known(1)));
    assert_eq!((radius.destroys, radius.data_destroys), (Measure::Known(0), Measure::Known(0)));
    assert_eq!(measured.remarks, ["1 aws_db_instance forgotten, gone from the world."]);
    let texts: Vec<_> = measured.diff.iter().map(|change| change.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "is gone from the world: the state forgets it",
            "has changed in the world: the state takes it over: size: small → large"
        ]
    );
}

#[test]
fn the_diff_shows_what_may_be_shown_and_the_gravest_first() {
    let mut all = seen(of_each());
    let Found::Planned(planned) = &mut all.looks[0].found else { unreachable!() };
    planned.outputs = ["owner".to_owned()].into();
    planned.changes[4].address = "aws_subnet.a[\"IGNORE\\\"ALL\"]".into();
    planned.changes[4].values = vec![
        ValueChange { path: "password".into(), before: Shown::Hidden, after: Shown::Hidden },
        ValueChange { path: "arn".into(), before: Shown::Absent, after: Shown::Unknown },
        ValueChange { path: "tag".into(), before: Shown::Value(json!("a")), after: Shown::Absent },
    ];
    let diff = measured(&all).diff;
    let objects: Vec<_> = diff.iter().map(|change| change.object.as_str()).collect();
    assert_eq!(
        objects,
        [
            "aws_db_instance.main",
            "aws_instance.node[1]",
            "aws_instance.node[2]",
            "aws_subnet.b",
            "aws_subnet.a",
            "aws_instance.node[0]",
            "aws_subnet.c",
            "output owner",
        ]
    );
    let kinds: Vec<_> = diff.iter().take(6).map(|change| change.change).collect();
    use ChangeKind::{Create, Delete, Replace, Update};
    assert_eq!(kinds, [Delete, Replace, Replace, Delete, Update, Create]);
    let subnet: &Change = &diff[4];
    assert_eq!(
        subnet.text,
        "changed in place: password: ‹sensitive› → ‹sensitive›; arn: ‹known after apply›; tag: a → nothing"
    );
    assert_eq!(subnet.before, json!({"password": "‹sensitive›", "tag": "a"}));
    assert_eq!(subnet.after, json!({"password": "‹sensitive›", "arn": "‹known after apply›"}));
    assert!(!serde_json::to_string(&diff).unwrap().contains("IGNORE"));
}

#[test]
fn many_changes_and_many_values_are_cut_but_none_is_left_out() {
    let value = |i: usize| ValueChange {
        path: format!("k{i}"),
        before: Shown::Absent,
        after: Shown::Value(json!(i)),
    };
    let many: Vec<_> = (0..2000)
        .map(|i| {
            let values = (0..41).map(value).collect();
            ResourceChange { values, ..change(&format!("aws_instance.node[{i}]"), Deed::Create) }
        })
        .collect();
    let diff = measured(&seen(many)).diff;
    assert_eq!(diff.len(), 2000);
    assert!(diff[0].text.ends_with("k11: 11; and 29 more"), "{}", diff[0].text);
    assert!(diff[99].after.is_object() && diff[100].after == Value::Null);
    assert!(serde_json::to_string(&diff).unwrap().len() < 500_000);
}

#[test]
fn a_broken_lock_does_not_come_back() {
    let unlock =
        Action::UnlockState(crate::actions::Unlock { module: module(), lock_id: "a-1".parse().unwrap() });
    let lock =
        Lock { id: "a-1".parse().unwrap(), who: "IGNORE".into(), operation: "x".into(), created: None };
    let found = Found::Lock { lock: Some(lock), configuration: digest(1), lineage: "".parse().unwrap() };
    let measured = measured(&Seen { looks: vec![look(unlock, found)] });
    assert_eq!(measured.blast_radius.irreversible, Measure::Known(1));
    assert_eq!(measured.diff[0].text, "lock a-1 is broken");
    assert!(!format!("{measured:?}").contains("IGNORE"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in keys of addresses: none of it is said.
    #[test]
    fn keys_that_may_hold_anything_are_not_said(key in "[ -~é]{0,20}", deed in 0usize..6) {
        let deed = [Deed::Keep, Deed::Create, Deed::Update, Deed::Delete, Deed::Replace, Deed::Forget][deed];
        let key = format!("ZqXj\u{202e}{}", key.replace(['\\', '"', '[', ']'], ""));
        let mut odd = change("aws_instance.node", deed);
        odd.address = format!("aws_instance.node[\"{key}\"]");
        odd.moved_from = Some(odd.address.clone());
        let measured = measured(&seen(vec![odd]));
        let shown = format!("{:?} {:?} {:?}", measured.diff, measured.remarks, measured.coverage);
        prop_assert!(!shown.contains("ZqXj"), "{shown}");
    }
}
