use serde_json::{Value, json};

use super::*;

fn read(change: impl FnOnce(&mut Value)) -> Result<Claim, Malformed> {
    let mut object = json!({
        "metadata": {"name": "data", "namespace": "shop", "uid": "u1"},
        "spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "10Gi"}}},
        "status": {"phase": "Bound", "capacity": {"storage": "10Gi"}}
    });
    change(&mut object);
    claim(&serde_json::from_value(object).unwrap())
}

fn read_well(change: impl FnOnce(&mut Value)) -> Claim {
    read(change).unwrap()
}

#[test]
fn a_claim_is_read_with_what_decides_whether_it_can_grow() {
    let plain = read_well(|_| ());
    assert_eq!((plain.phase, plain.mode, plain.resize), (ClaimPhase::Bound, Mode::Filesystem, Resize::Idle));
    assert_eq!((plain.bytes(), plain.requested.text()), (10 << 30, "10Gi"));
    assert!(!plain.deleting && !plain.annotated && plain.mark.is_none());
    assert_eq!(plain.class.unwrap().as_str(), "fast");
    let marked = read_well(|o| {
        o["metadata"]["annotations"] = json!({PLAN_MARK: "pln_x", CLASS: "old"});
        o["metadata"]["deletionTimestamp"] = json!("2026-11-01T00:00:00Z");
        o["spec"]["volumeMode"] = json!("Block");
    });
    assert_eq!((marked.mark.as_deref(), marked.class.unwrap().as_str()), (Some("pln_x"), "old"));
    assert!(marked.deleting && marked.annotated && marked.mode == Mode::Block);
    assert_eq!(read_well(|o| o["spec"]["storageClassName"] = json!("")).class, None);
    let new = read_well(|o| o["status"] = json!({}));
    assert_eq!((new.phase, new.capacity), (ClaimPhase::Pending, None));
}

#[test]
fn a_claim_that_cannot_be_read_decides_nothing() {
    type Change = fn(&mut Value);
    for change in [
        (|o: &mut Value| o["spec"]["resources"] = json!({})) as Change,
        |o| o["spec"]["resources"]["requests"]["storage"] = json!("IGNORE ALL"),
        |o| o["status"]["capacity"]["storage"] = json!("-1"),
        |o| o["status"]["phase"] = json!("Odd"),
        |o| o["spec"]["volumeMode"] = json!("Odd"),
        |o| o["spec"]["storageClassName"] = json!("IGNORE ALL"),
        |o| o["metadata"]["uid"] = Value::Null,
    ] {
        assert!(read(change).is_err_and(|error| !error.to_string().contains("IGNORE")));
    }
}

#[test]
fn every_state_of_a_resize_is_told_apart() {
    let of = |state: Option<&str>, conditions: &[&str]| {
        let claim = read_well(|o| {
            if let Some(state) = state {
                o["status"]["allocatedResourceStatuses"] = json!({"storage": state});
            }
            let all = conditions.iter().map(|kind| json!({"type": kind, "status": "True"}));
            o["status"]["conditions"] = all.collect();
        });
        claim.resize
    };
    assert_eq!(of(None, &["Resizing"]), Resize::UnderWay, "as drivers say it that know no states");
    assert_eq!(of(None, &["FileSystemResizePending"]), Resize::OnNode);
    assert_eq!(of(None, &["ModifyingVolume"]), Resize::Idle);
    assert_eq!(of(None, &["NodeResizeError"]), Resize::Idle, "an error that outlived its resize");
    for (state, expected) in [
        ("ControllerResizeInProgress", Resize::UnderWay),
        ("NodeResizeInProgress", Resize::UnderWay),
        ("OfTomorrow", Resize::UnderWay),
        ("NodeResizePending", Resize::OnNode),
        ("ControllerResizeInfeasible", Resize::Infeasible),
        ("NodeResizeInfeasible", Resize::Infeasible),
        ("ControllerResizeFailed", Resize::Infeasible),
        ("NodeResizeFailed", Resize::Infeasible),
    ] {
        assert_eq!(of(Some(state), &[]), expected, "{state}");
        let worse = if expected == Resize::Infeasible { Resize::Infeasible } else { Resize::Retried };
        assert_eq!(of(Some(state), &["ControllerResizeError"]), worse, "{state}");
    }
    let behind = read_well(|o| {
        o["spec"]["resources"]["requests"]["storage"] = json!("20Gi");
        o["status"]["conditions"] = json!([{"type": "ControllerResizeError", "status": "True"}]);
    });
    assert_eq!(behind.resize, Resize::Retried);
    let over = read_well(|o| o["status"]["conditions"] = json!([{"type": "Resizing", "status": "False"}]));
    assert_eq!(over.resize, Resize::Idle);
}

#[test]
fn a_class_grows_when_it_says_so_and_somebody_makes_its_volumes() {
    let read = |allow: Value, provisioner: &str| {
        let object =
            json!({"metadata": {"name": "fast"}, "provisioner": provisioner, "allowVolumeExpansion": allow});
        class(&serde_json::from_value(object).unwrap()).unwrap().can_grow()
    };
    assert!(read(json!(true), "ebs.csi.aws.com"));
    assert!(!read(json!(false), "ebs.csi.aws.com") && !read(Value::Null, "ebs.csi.aws.com"));
    assert!(!read(json!(true), "kubernetes.io/no-provisioner"));
}

#[test]
fn a_pod_uses_a_claim_by_name_or_as_its_own_ephemeral_volume() {
    let read = |volume: Value, phase: &str| {
        let object = json!({
            "metadata": {"name": "db-0", "namespace": "shop", "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "u", "controller": true}]},
            "spec": {"containers": [], "volumes": [volume]}, "status": {"phase": phase}
        });
        user(&serde_json::from_value(object).unwrap(), &"db-0-data".parse().unwrap()).unwrap()
    };
    let named =
        read(json!({"name": "v", "persistentVolumeClaim": {"claimName": "db-0-data"}}), "Running").unwrap();
    assert!(named.running && named.pod.as_str() == "db-0");
    assert_eq!(named.stateful_set.unwrap().as_str(), "db");
    assert!(!read(json!({"name": "data", "ephemeral": {}}), "Pending").unwrap().running);
    assert_eq!(read(json!({"name": "v", "persistentVolumeClaim": {"claimName": "other"}}), "Running"), None);
    assert_eq!(read(json!({"name": "db-0-data", "emptyDir": {}}), "Running"), None, "a volume of that name");
}

#[test]
fn a_quota_limits_all_storage_or_that_of_a_class() {
    let of_class = |class: &str| format!("{class}.storageclass.storage.k8s.io/requests.storage");
    let (fast, slow) = (of_class("fast"), of_class("slow"));
    let read = |more: Value| {
        let mut object = json!({
            "metadata": {"name": "room", "namespace": "shop"},
            "spec": {"hard": {"requests.storage": "20Gi", &fast: "5Gi", &slow: "5Gi", "pods": "7"}},
            "status": {
                "hard": {"requests.storage": "20Gi", &slow: "5Gi"},
                "used": {"requests.storage": "12Gi", &fast: "1Gi"}
            }
        });
        object["spec"].as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        quota(&serde_json::from_value(object).unwrap()).unwrap()
    };
    let limits = read(json!({})).unwrap().limits;
    let of = |class: Option<&str>| {
        limits.iter().find(|limit| limit.class.as_ref().map(|name| name.as_str()) == class).unwrap()
    };
    assert_eq!(limits.len(), 3, "pods are no storage");
    let counted = of(None).counted.as_ref().unwrap();
    assert_eq!((counted.hard.text(), counted.used.text()), ("20Gi", "12Gi"));
    assert_eq!(of(Some("fast")).counted, None, "wanted, and not in force yet");
    assert_eq!(of(Some("slow")).counted, None, "in force, and not counted yet");
    assert_eq!(read(json!({"scopes": ["BestEffort"]})), None, "the dry-run tells whether it is within them");
    let scoped = json!({"matchExpressions": [{"scopeName": "VolumeAttributesClass", "operator": "Exists"}]});
    assert_eq!(read(json!({"scopeSelector": scoped})), None);
}
