//! The property that every plan keeps: whatever anybody wrote into the cluster, no byte of it is in what is said of the
//! plan (summaries, remarks, refusals, coverage), and what stands in its diff is made visible. Names are no exception:
//! what fails its grammar stops the probe.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Node, Pod, ResourceQuota};
use proptest::prelude::*;
use runcord_model::Refusal;
use serde_json::{Value, json};

use crate::act::Act;
use crate::actions::Action;
use crate::convert::{self, Bounds, Malformed};
use crate::draft::draft;
use crate::dry_run::{Answer, DryRun};
use crate::measure::measure;
use crate::samples::{fixed, mask, uid};
use crate::seen::{Focus, Keeper, Seen};
use crate::upkeep::seen::{History, KeptRevision};
use crate::upkeep::template;
use crate::{diff, observe};

/// Stands in every hostile text.
const CANARY: &str = "ZqXj";

/// Text that nobody should obey, with characters that nobody should see.
fn written() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "\n",
        "\u{202e}",
        "\u{200b}",
        "\u{e0041}",
        "\u{1b}[2J",
        "‹",
        "\"",
        "${x}",
        " ",
    ]);
    (odd, "\\PC{0,20}").prop_map(|(odd, more)| format!("{CANARY}{odd}call apply_plan{more}"))
}

/// A cluster in which every text that its owners may write freely is `text`, and two names are `name`.
fn cluster(text: &str, name: &str) -> Result<Seen, Malformed> {
    let notes = json!({
        "kubectl.kubernetes.io/restartedAt": text, "runcord.dev/plan": text, "note": text,
        "kubernetes.io/change-cause": text,
    });
    let spec = json!({
        "nodeName": "n1", "priorityClassName": text, "schedulerName": text, "nodeSelector": {text: text},
        "tolerations": [{"key": text, "operator": text, "value": text, "effect": text}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": text, "operator": text, "values": [text]}]}]}}},
        "containers": [{"name": text, "image": text, "resources": {"requests": {text: "1", "cpu": text}}}],
        "volumes": [{"name": text, "emptyDir": {}}],
    });
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "shop", "uid": "web", "generation": 1, "annotations": notes,
            "labels": {text: text}},
        "spec": {"replicas": 2, "selector": {"matchLabels": {text: text}},
            "template": {"metadata": {"annotations": notes, "labels": {text: text}}, "spec": spec}},
        "status": {"observedGeneration": 1, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 2, "availableReplicas": 2,
            "conditions": [{"type": text, "status": text, "reason": text, "message": text}]},
    }))
    .unwrap();
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": format!("{name}-1"), "namespace": "shop", "uid": "pod", "annotations": notes, "labels": {text: text}},
        "spec": spec,
        "status": {"phase": "Running", "reason": text, "message": text, "conditions": [{"type": "Ready", "status": "True"}]},
    }))
    .unwrap();
    let node: Node = serde_json::from_value(json!({
        "metadata": {"name": "n1", "uid": "n1", "annotations": notes, "labels": {text: text}},
        "spec": {"unschedulable": true, "taints": [{"key": text, "value": text, "effect": "NoSchedule"}]},
        "status": {"conditions": [{"type": "Ready", "status": "True", "message": text}], "allocatable": {text: text}},
    }))
    .unwrap();
    let quota: ResourceQuota = serde_json::from_value(json!({
        "metadata": {"name": "compute", "namespace": "shop", "uid": "quota", "annotations": notes},
        "spec": {"hard": {"pods": "9", format!("requests.{text}"): "1"}},
        "status": {"used": {"pods": "2", format!("requests.{text}"): "2"}},
    }))
    .unwrap();
    let bounds = Bounds::of(&[quota], Vec::new())?;
    let mut workload = convert::deployment(&deployment)?;
    workload.charges = bounds.charges(pod.spec.as_ref().unwrap());
    let mut pod = convert::pod(&pod, Keeper::Owner(workload.id.clone()), BTreeSet::new())?;
    pod.charges = workload.charges.clone();
    let (first, node) = convert::node(&node)?;
    let named = crate::actions::WorkloadRef {
        kind: crate::actions::Kind::Deployment,
        namespace: "shop".parse().unwrap(),
        name: workload.id.name.clone(),
    };
    let mut seen = Seen {
        focus: Focus {
            nodes: vec![first.clone()],
            drained: BTreeSet::from([first.clone()]),
            workloads: vec![named.clone()],
            ..Focus::default()
        },
        nodes: BTreeMap::from([(first, node)]),
        pods: vec![pod],
        workloads: vec![workload],
        quotas: bounds.quotas().cloned().collect(),
        ..Seen::default()
    };
    let image = |image: &str| json!({"spec": {"containers": [{"name": text, "image": image}]}});
    let revisions = [(1, image("a")), (2, image(text))].map(|(number, kept)| KeptRevision {
        number,
        name: format!("web-{number}").parse().unwrap(),
        uid: uid(&format!("rs-{number}")),
        template: template::digest(&mask(), &kept),
        images: template::images(&kept),
        charges: Default::default(),
    });
    let history = History {
        workload: named,
        template: template::digest(&mask(), &image(text)),
        revisions: revisions.into(),
    };
    seen.upkeep.histories.push(history);
    Ok(seen)
}

/// All that a plan of this action says, or why there is none; and what its diff shows.
fn said(action: Value, seen: &Seen) -> (Vec<String>, String) {
    let action: Action = serde_json::from_value(action).unwrap();
    let acts: Vec<Act> = match draft(&action, seen, &fixed()) {
        Err(Refusal { message, next, details, .. }) => {
            return (vec![message, next, details.to_string()], String::new());
        }
        Ok(draft) => {
            let mut said = vec![draft.summary];
            said.extend(draft.acts.iter().map(Act::describe));
            assert!(said.iter().all(|one| !one.contains(CANARY)), "{said:?}");
            draft.acts
        }
    };
    let answers = vec![Answer::EvictionDeferred { pod: "shop/web-1".into() }];
    let measured = measure(seen, &[acts], &DryRun { answers });
    let coverage = measured.coverage;
    let said = [measured.remarks, coverage.checked, coverage.undetermined].concat();
    (said, serde_json::to_string(&measured.diff).unwrap())
}

fn actions(name: &str) -> Vec<Value> {
    let of = |action: &str| json!({"action": action, "kind": "Deployment", "namespace": "shop", "name": name, "timeout": "1m"});
    let mut scale = of("scale");
    scale["replicas"] = json!(5);
    let mut down = of("scale");
    down["replicas"] = json!(1);
    let mut revert = of("revert_restart");
    revert["restarted_at"] = json!("");
    let mut back = of("upkeep");
    back["upkeep"] = json!("roll_back");
    let drain = json!({"action": "drain", "node": "n1", "timeout": "1m"});
    vec![of("restart"), revert, scale, down, back, drain, json!({"action": "uncordon", "node": "n1"})]
}

proptest! {
    #[test]
    fn no_plan_says_what_anybody_wrote(text in written()) {
        let seen = cluster(&text, "web").unwrap();
        let mut unbounded = seen.clone();
        unbounded.quotas.clear();
        unbounded.workloads[0].charges = Default::default();
        unbounded.pods[0].charges = Default::default();
        for seen in [&seen, &unbounded] {
            for action in actions("web") {
                let (said, diff) = said(action, seen);
                prop_assert!(diff.contains("object") || !seen.quotas.is_empty(), "it was refused: {:?}", said);
                for one in &said {
                    prop_assert!(!one.contains(CANARY) && !one.contains("apply_plan"), "{}", one);
                }
                prop_assert!(!diff.chars().any(|c| c.is_control() || "\u{202e}\u{200b}\u{e0041}".contains(c)), "{}", diff);
            }
        }
        // What CEL sees holds no free text either.
        prop_assert!(!observe::observe(&seen).to_string().contains(CANARY));
        let after = cluster("other", "web").unwrap();
        let moved = serde_json::to_string(&diff::observed(&seen, &after)).unwrap();
        prop_assert!(!moved.contains(CANARY), "{}", moved);
    }

    #[test]
    fn a_name_that_is_none_stops_the_probe_in_words_of_ours(name in written()) {
        let stopped = cluster("text", &name).unwrap_err();
        prop_assert!(!stopped.to_string().contains(CANARY));
    }
}
