//! `cordon` and `uncordon`.

use runcord_model::Refusal;
use runcord_runtime::target::{Draft, Fixed};

use crate::KubectlActions;
use crate::act::{Act, Annotated, Object, Patch, Touch};
use crate::names::NodeName;
use crate::refuse::precondition;
use crate::seen::{Node, Seen};

pub(super) fn cordon(name: &NodeName, seen: &Seen, fixed: &Fixed) -> Result<Draft<KubectlActions>, Refusal> {
    let node = find(name, seen)?;
    if node.unschedulable {
        return Ok(nothing(seen, format!("node {name} is already cordoned: nothing to do")));
    }
    let touch = Touch::Unschedulable { before: false, after: true };
    Ok(patched(
        name,
        node,
        touch,
        seen,
        fixed,
        format!("cordon node {name}: no new pods are scheduled on it"),
    ))
}

pub(super) fn uncordon(
    name: &NodeName,
    seen: &Seen,
    fixed: &Fixed,
) -> Result<Draft<KubectlActions>, Refusal> {
    let node = find(name, seen)?;
    if !node.unschedulable {
        return Ok(nothing(seen, format!("node {name} is schedulable already: nothing to do")));
    }
    let touch = Touch::Unschedulable { before: true, after: false };
    Ok(patched(
        name,
        node,
        touch,
        seen,
        fixed,
        format!("uncordon node {name}: pods may be scheduled on it again"),
    ))
}

pub(super) fn find<'a>(name: &NodeName, seen: &'a Seen) -> Result<&'a Node, Refusal> {
    seen.nodes.get(name).ok_or_else(|| {
        precondition(format!("there is no node {name}"), "Look up the node's name and plan again.")
    })
}

fn patched(
    name: &NodeName,
    node: &Node,
    touch: Touch,
    seen: &Seen,
    fixed: &Fixed,
    summary: String,
) -> Draft<KubectlActions> {
    let patch = Patch {
        object: Object::Node(name.clone()),
        uid: node.uid.clone(),
        touch,
        plan: fixed.plan.clone(),
        annotated: Annotated { object: node.annotated, template: false },
    };
    let mut predicted = seen.clone();
    if let Some(node) = predicted.nodes.get_mut(name) {
        node.unschedulable = !node.unschedulable;
        node.annotated = true;
        node.mark = Some(fixed.plan.to_string());
    }
    Draft { acts: vec![Act::Patch(patch)], predicted, summary }
}

pub(crate) fn nothing(seen: &Seen, summary: String) -> Draft<KubectlActions> {
    Draft { acts: Vec::new(), predicted: seen.clone(), summary }
}
