//! Budgets, Services, Ingresses and autoscalers.

use std::collections::BTreeMap;

use k8s_openapi::api::autoscaling::v1::HorizontalPodAutoscaler;
use k8s_openapi::api::networking::v1::{Ingress as ApiIngress, IngressBackend};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::Deserialize;

use super::{Malformed, name, share};
use crate::actions::{Kind, WorkloadRef};
use crate::names::{Namespace, ObjectName, Uid};
use crate::seen::{Autoscaler, Budget, BudgetRule, Ingress, Service, Share};

const SERVICE: &str = "kubernetes.io/service-name";

/// What we keep of a disruption budget.
pub(crate) fn budget(api: &PodDisruptionBudget) -> Result<Budget, Malformed> {
    const WHAT: &str = "PodDisruptionBudget";
    let (meta, spec) = (&api.metadata, api.spec.clone().unwrap_or_default());
    let status = api.status.clone().unwrap_or_default();
    let observed = status.observed_generation.unwrap_or(0) >= meta.generation.unwrap_or(0);
    let bad = Malformed { what: WHAT, field: "spec" };
    let rule = match (&spec.min_available, &spec.max_unavailable) {
        (Some(min), _) => BudgetRule::MinAvailable(share(min).ok_or(bad)?),
        (None, Some(max)) => BudgetRule::MaxUnavailable(share(max).ok_or(bad)?),
        (None, None) => BudgetRule::MinAvailable(Share::Count(1)),
    };
    Ok(Budget {
        namespace: name(meta.namespace.as_ref(), WHAT, "namespace")?,
        name: name(meta.name.as_ref(), WHAT, "name")?,
        uid: name(meta.uid.as_ref(), WHAT, "uid")?,
        // The API server refuses evictions while the controller has not caught up.
        allowed: if observed { i64::from(status.disruptions_allowed) } else { 0 },
        healthy: i64::from(status.current_healthy),
        desired: i64::from(status.desired_healthy),
        expected: i64::from(status.expected_pods),
        rule,
        unhealthy_always: spec.unhealthy_pod_eviction_policy.as_deref() == Some("AlwaysAllow"),
    })
}

/// What is read of an EndpointSlice, and nothing else: all those of a namespace are read, with all their endpoints.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Slice {
    metadata: SliceMeta,
    endpoints: Option<Vec<Endpoint>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct SliceMeta {
    namespace: Option<String>,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Endpoint {
    conditions: Option<EndpointConditions>,
    target_ref: Option<EndpointTarget>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct EndpointConditions {
    ready: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct EndpointTarget {
    kind: Option<String>,
    uid: Option<String>,
}

/// The Services behind which there are these slices.
pub(crate) fn services(slices: &[Slice]) -> Result<Vec<Service>, Malformed> {
    const WHAT: &str = "EndpointSlice";
    let mut found: BTreeMap<(Namespace, ObjectName), Service> = BTreeMap::new();
    for slice in slices {
        let Some(service) = slice.metadata.labels.as_ref().and_then(|l| l.get(SERVICE)) else { continue };
        let namespace: Namespace = name(slice.metadata.namespace.as_ref(), WHAT, "namespace")?;
        let service: ObjectName = name(Some(service), WHAT, "service")?;
        let entry = found.entry((namespace.clone(), service.clone())).or_insert_with(|| Service {
            namespace,
            name: service,
            ready: Default::default(),
            elsewhere: 0,
        });
        for endpoint in slice.endpoints.iter().flatten() {
            // An endpoint that says nothing counts as ready (discovery/v1).
            if endpoint.conditions.as_ref().and_then(|c| c.ready) == Some(false) {
                continue;
            }
            let pod = endpoint.target_ref.as_ref().filter(|t| t.kind.as_deref() == Some("Pod"));
            match pod {
                Some(pod) => {
                    entry.ready.insert(name::<Uid>(pod.uid.as_ref(), WHAT, "target")?);
                }
                None => entry.elsewhere += 1,
            }
        }
    }
    Ok(found.into_values().collect())
}

/// What we keep of an Ingress. A Service name that is none can belong to no Service, and is left out.
pub(crate) fn ingress(api: &ApiIngress) -> Result<Ingress, Malformed> {
    let spec = api.spec.clone().unwrap_or_default();
    let paths = spec.rules.iter().flatten().filter_map(|r| r.http.as_ref()).flat_map(|h| &h.paths);
    let backends = paths.map(|p| &p.backend).chain(spec.default_backend.as_ref());
    let service = |b: &IngressBackend| ObjectName::try_from(b.service.as_ref()?.name.clone()).ok();
    Ok(Ingress {
        namespace: name(api.metadata.namespace.as_ref(), "Ingress", "namespace")?,
        name: name(api.metadata.name.as_ref(), "Ingress", "name")?,
        services: backends.filter_map(service).collect(),
    })
}

/// What we keep of an autoscaler; nothing when it scales something that we do not.
pub(crate) fn autoscaler(api: &HorizontalPodAutoscaler) -> Result<Option<Autoscaler>, Malformed> {
    const WHAT: &str = "HorizontalPodAutoscaler";
    let Some(spec) = &api.spec else { return Ok(None) };
    let kind = match spec.scale_target_ref.kind.as_str() {
        "Deployment" => Kind::Deployment,
        "StatefulSet" => Kind::StatefulSet,
        _ => return Ok(None),
    };
    let target = WorkloadRef {
        kind,
        namespace: name(api.metadata.namespace.as_ref(), WHAT, "namespace")?,
        name: name(Some(&spec.scale_target_ref.name), WHAT, "target")?,
    };
    Ok(Some(Autoscaler { name: name(api.metadata.name.as_ref(), WHAT, "name")?, target }))
}
