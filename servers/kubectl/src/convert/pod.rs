//! Pods: where they are in their life, what keeps them alive, what they need elsewhere.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, NodeSelectorRequirement, Pod as ApiPod, PodSpec};

use super::{Malformed, annotation, name};
use crate::names::{KindName, Namespace, NodeName, ObjectName, Uid};
use crate::seen::{Amounts, Charges, Keeper, Needs, NodeTerm, Phase, Pod, Requirement, Toleration};

const MIRROR: &str = "kubernetes.io/config.mirror";

/// A controller as a pod or a ReplicaSet names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Controller {
    /// Which kind, if we know it.
    pub(crate) known: ControllerKind,
    /// Its kind, by name.
    pub(crate) kind: KindName,
    /// Its namespace.
    pub(crate) namespace: Namespace,
    /// Its name.
    pub(crate) name: ObjectName,
    /// Its uid.
    pub(crate) uid: Uid,
}

/// The kinds of controllers whose pods we can count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ControllerKind {
    Deployment,
    ReplicaSet,
    StatefulSet,
    DaemonSet,
    ReplicationController,
    Job,
    /// Of another group or kind.
    Foreign,
}

/// The controller that an object names, if any.
pub(crate) fn controller(
    meta: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
) -> Result<Option<Controller>, Malformed> {
    let Some(owner) = meta.owner_references.iter().flatten().find(|o| o.controller == Some(true)) else {
        return Ok(None);
    };
    let known = match (owner.api_version.as_str(), owner.kind.as_str()) {
        ("apps/v1", "Deployment") => ControllerKind::Deployment,
        ("apps/v1", "ReplicaSet") => ControllerKind::ReplicaSet,
        ("apps/v1", "StatefulSet") => ControllerKind::StatefulSet,
        ("apps/v1", "DaemonSet") => ControllerKind::DaemonSet,
        ("v1", "ReplicationController") => ControllerKind::ReplicationController,
        ("batch/v1", "Job") => ControllerKind::Job,
        _ => ControllerKind::Foreign,
    };
    Ok(Some(Controller {
        known,
        kind: name(Some(&owner.kind), "owner reference", "kind")?,
        namespace: name(meta.namespace.as_ref(), "owner reference", "namespace")?,
        name: name(Some(&owner.name), "owner reference", "name")?,
        uid: name(Some(&owner.uid), "owner reference", "uid")?,
    }))
}

/// What we keep of a pod. `keeper` is what its controller turned out to be; ignored for a mirror. What quotas charge for
/// it comes later, where there are any.
pub(crate) fn pod(api: &ApiPod, keeper: Keeper, budgets: BTreeSet<Uid>) -> Result<Pod, Malformed> {
    let (meta, spec) = (&api.metadata, api.spec.as_ref().ok_or(Malformed { what: "Pod", field: "spec" })?);
    let volumes = || spec.volumes.iter().flatten();
    Ok(Pod {
        namespace: name(meta.namespace.as_ref(), "Pod", "namespace")?,
        name: name(meta.name.as_ref(), "Pod", "name")?,
        uid: name(meta.uid.as_ref(), "Pod", "uid")?,
        node: name::<NodeName>(spec.node_name.as_ref(), "Pod", "node")?,
        phase: phase(api),
        ready: is_ready(api),
        keeper: if annotation(meta, MIRROR).is_some() { Keeper::Kubelet } else { keeper },
        empty_dir: volumes().any(|v| v.empty_dir.is_some()),
        budgets,
        needs: needs(spec),
        charges: Charges::default(),
    })
}

fn phase(api: &ApiPod) -> Phase {
    if api.metadata.deletion_timestamp.is_some() {
        return Phase::Terminating;
    }
    match api.status.as_ref().and_then(|s| s.phase.as_deref()) {
        Some("Pending") => Phase::Pending,
        Some("Succeeded" | "Failed") => Phase::Finished,
        Some(_) | None => Phase::Running,
    }
}

/// Whether a pod counts as ready.
pub(crate) fn is_ready(api: &ApiPod) -> bool {
    let conditions = api.status.as_ref().and_then(|s| s.conditions.as_ref());
    phase(api) == Phase::Running
        && conditions.into_iter().flatten().any(|c| c.type_ == "Ready" && c.status == "True")
}

fn needs(spec: &PodSpec) -> Needs {
    let required = spec
        .affinity
        .as_ref()
        .and_then(|a| a.node_affinity.as_ref())
        .and_then(|n| n.required_during_scheduling_ignored_during_execution.as_ref());
    Needs {
        requests: requests(spec),
        node_selector: spec.node_selector.clone().unwrap_or_default(),
        node_affinity: required.map(|selector| {
            let term = |t: &k8s_openapi::api::core::v1::NodeSelectorTerm| NodeTerm {
                labels: t.match_expressions.iter().flatten().map(requirement).collect(),
                name: t.match_fields.iter().flatten().map(requirement).collect(),
            };
            selector.node_selector_terms.iter().map(term).collect()
        }),
        tolerations: spec
            .tolerations
            .iter()
            .flatten()
            .map(|t| Toleration {
                key: t.key.clone(),
                operator: t.operator.clone().unwrap_or_else(|| "Equal".to_owned()),
                value: t.value.clone().unwrap_or_default(),
                effect: t.effect.clone(),
            })
            .collect(),
        undetermined: undetermined(spec),
    }
}

fn requirement(api: &NodeSelectorRequirement) -> Requirement {
    Requirement {
        key: api.key.clone(),
        operator: api.operator.clone(),
        values: api.values.clone().unwrap_or_default(),
    }
}

/// What only the scheduler can tell of where the pod may run.
fn undetermined(spec: &PodSpec) -> BTreeSet<String> {
    let affinity = spec.affinity.as_ref();
    let required_affinity = affinity
        .and_then(|a| a.pod_affinity.as_ref())
        .is_some_and(|a| a.required_during_scheduling_ignored_during_execution.is_some());
    let required_anti = affinity
        .and_then(|a| a.pod_anti_affinity.as_ref())
        .is_some_and(|a| a.required_during_scheduling_ignored_during_execution.is_some());
    let spread =
        spec.topology_spread_constraints.iter().flatten().any(|t| t.when_unsatisfiable == "DoNotSchedule");
    let bound = |v: &k8s_openapi::api::core::v1::Volume| {
        let harmless = v.empty_dir.is_some()
            || v.config_map.is_some()
            || v.secret.is_some()
            || v.projected.is_some()
            || v.downward_api.is_some()
            || v.host_path.is_some();
        !harmless
    };
    let ports = spec.containers.iter().flat_map(|c| c.ports.iter().flatten());
    [
        ("pod affinity", required_affinity),
        ("pod anti-affinity", required_anti),
        ("topology spread", spread),
        ("volumes", spec.volumes.iter().flatten().any(bound)),
        ("host ports", ports.into_iter().any(|p| p.host_port.is_some_and(|n| n != 0))),
        ("a scheduler of its own", spec.scheduler_name.as_deref().is_some_and(|s| s != "default-scheduler")),
        ("resource claims", spec.resource_claims.as_ref().is_some_and(|c| !c.is_empty())),
        ("scheduling gates", spec.scheduling_gates.as_ref().is_some_and(|g| !g.is_empty())),
    ]
    .into_iter()
    .filter(|(_, is)| *is)
    .map(|(what, _)| what.to_owned())
    .collect()
}

/// What the scheduler counts for a pod: what it asks for, its overhead, and one pod.
pub(crate) fn requests(spec: &PodSpec) -> Amounts {
    let of = |c: &Container| Amounts::of_requests(c.resources.as_ref().and_then(|r| r.requests.as_ref()));
    let whole = Amounts::of_requests(spec.resources.as_ref().and_then(|r| r.requests.as_ref()));
    let mut total = together(spec, of, whole);
    total.add(&Amounts::of_requests(spec.overhead.as_ref()));
    total.0.insert("pods".to_owned(), 1000);
    total
}

/// What the containers of a pod amount to: the larger of all together and any init container alone, each with the
/// sidecars beside it; what is said of the pod as a whole comes first.
pub(super) fn together(spec: &PodSpec, of: impl Fn(&Container) -> Amounts, whole: Amounts) -> Amounts {
    let inits = || spec.init_containers.iter().flatten();
    let is_sidecar = |c: &&Container| c.restart_policy.as_deref() == Some("Always");
    let mut sidecars = Amounts::default();
    inits().filter(is_sidecar).for_each(|c| sidecars.add(&of(c)));
    let mut total = sidecars.clone();
    spec.containers.iter().for_each(|c| total.add(&of(c)));
    for init in inits().filter(|c| !is_sidecar(c)) {
        let mut alone = sidecars.clone();
        alone.add(&of(init));
        total = total.max(&alone);
    }
    total.0.extend(whole.0);
    total
}

/// Whether a pod takes up room on its node.
pub(crate) fn runs_on(api: &ApiPod) -> bool {
    phase(api) != Phase::Finished
}
