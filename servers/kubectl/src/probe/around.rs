//! What is around pods and workloads: budgets, endpoints, Ingresses, autoscalers.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::autoscaling::v1::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod as ApiPod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ListParams;

use super::{Fetched, ProbeError, Quotas};
use crate::actions::WorkloadRef;
use crate::convert;
use crate::names::{Namespace, Uid};
use crate::reader::Reader;
use crate::seen::{Budget, Keeper, Seen};
use crate::selector;

/// What was found before.
pub(super) struct Found {
    /// The workloads named, and those that own pods in view.
    pub(super) fetched: Vec<Fetched>,
    /// The quotas of their namespaces.
    pub(super) quotas: Quotas,
}

/// Fills in everything around the pods and workloads found.
pub(super) async fn look(
    reader: &Reader,
    seen: &mut Seen,
    pods: &[ApiPod],
    keepers: BTreeMap<Uid, Keeper>,
    found: Found,
    scaled: Vec<WorkloadRef>,
) -> Result<(), ProbeError> {
    let Found { fetched, quotas } = found;
    let namespaces = namespaces(pods, &fetched);
    let mut budgets = Budgets::default();
    for namespace in &namespaces {
        let all = ListParams::default;
        let (found, slices, ingresses) = futures::try_join!(
            reader.list::<PodDisruptionBudget>(Some(namespace), all()),
            reader.list_as::<EndpointSlice, convert::Slice>(Some(namespace), all()),
            reader.list::<Ingress>(Some(namespace), all()),
        )?;
        budgets.take(found)?;
        seen.services.extend(convert::services(&slices)?);
        for ingress in ingresses {
            seen.ingresses.push(convert::ingress(&ingress)?);
        }
    }
    for pod in pods {
        let keeper = match convert::controller(&pod.metadata)? {
            None => Keeper::Nobody,
            Some(controller) => keepers.get(&controller.uid).cloned().unwrap_or(Keeper::Nobody),
        };
        let labels = pod.metadata.labels.clone().unwrap_or_default();
        let covering = budgets.covering(pod.metadata.namespace.as_deref(), &labels);
        let mut seen_pod = convert::pod(pod, keeper, covering)?;
        if let Some(spec) = &pod.spec {
            seen_pod.charges = quotas.charges(&seen_pod.namespace, spec);
        }
        seen.pods.push(seen_pod);
    }
    of_named(reader, seen, &fetched).await?;
    for Fetched { mut workload, labels, spec, .. } in fetched {
        workload.budgets = budgets.covering(Some(workload.id.namespace.as_str()), &labels);
        if let Some(spec) = spec.filter(|_| seen.focus.workloads.iter().any(|named| workload.is(named))) {
            workload.charges = quotas.charges(&workload.id.namespace, &spec);
        }
        seen.workloads.push(workload);
    }
    seen.quotas = quotas.all();
    keep_concerned(seen, budgets);
    autoscalers(reader, seen, &scaled).await
}

/// The namespaces of pods that a drain would evict, and of all workloads found.
pub(super) fn namespaces(pods: &[ApiPod], fetched: &[Fetched]) -> BTreeSet<Namespace> {
    let of_pods = pods.iter().filter_map(|pod| Namespace::try_from(pod.metadata.namespace.clone()?).ok());
    of_pods.chain(fetched.iter().map(|f| f.workload.id.namespace.clone())).collect()
}

#[derive(Default)]
struct Budgets {
    read: Vec<(PodDisruptionBudget, Budget)>,
}

impl Budgets {
    fn take(&mut self, found: Vec<PodDisruptionBudget>) -> Result<(), ProbeError> {
        for api in found {
            let budget = convert::budget(&api)?;
            self.read.push((api, budget));
        }
        Ok(())
    }

    /// The budgets that cover a pod with these labels.
    fn covering(&self, namespace: Option<&str>, labels: &BTreeMap<String, String>) -> BTreeSet<Uid> {
        let selector = |api: &PodDisruptionBudget| {
            selector::selects(api.spec.as_ref().and_then(|s| s.selector.as_ref()), labels)
        };
        self.read
            .iter()
            .filter(|(api, budget)| namespace == Some(budget.namespace.as_str()) && selector(api))
            .map(|(_, budget)| budget.uid.clone())
            .collect()
    }
}

/// Keeps the budgets that cover something in view.
fn keep_concerned(seen: &mut Seen, budgets: Budgets) {
    let concerned: BTreeSet<Uid> = seen
        .pods
        .iter()
        .filter(|pod| pod.evictable())
        .flat_map(|pod| pod.budgets.iter().cloned())
        .chain(seen.workloads.iter().flat_map(|w| w.budgets.iter().cloned()))
        .collect();
    seen.budgets.extend(budgets.read.into_iter().map(|(_, b)| b).filter(|b| concerned.contains(&b.uid)));
}

/// The ready pods of the workloads that are changed: these are what a Service may lose.
async fn of_named(reader: &Reader, seen: &mut Seen, fetched: &[Fetched]) -> Result<(), ProbeError> {
    for found in fetched {
        if seen.is_changed(&found.workload)
            && let Some(ready) = ready_pods(reader, found).await?
        {
            seen.ready_pods.push((found.workload.id.clone(), ready));
        }
    }
    Ok(())
}

/// The ready pods of a workload, by uid; nothing when it has no selector to find them by.
pub(crate) async fn ready_pods(
    reader: &Reader,
    found: &Fetched,
) -> Result<Option<BTreeSet<Uid>>, ProbeError> {
    let Some(query) = found.selector.as_ref().and_then(selector::as_query) else { return Ok(None) };
    let selected = ListParams { label_selector: Some(query), ..ListParams::default() };
    let pods: Vec<ApiPod> = reader.list(Some(&found.workload.id.namespace), selected).await?;
    let ready = pods.iter().filter(|pod| convert::is_ready(pod));
    Ok(Some(ready.filter_map(|pod| super::uid_of(&pod.metadata)).collect()))
}

async fn autoscalers(reader: &Reader, seen: &mut Seen, scaled: &[WorkloadRef]) -> Result<(), ProbeError> {
    let namespaces: BTreeSet<_> = scaled.iter().map(|w| &w.namespace).collect();
    for namespace in namespaces {
        for api in reader.list::<HorizontalPodAutoscaler>(Some(namespace), ListParams::default()).await? {
            seen.autoscalers.extend(convert::autoscaler(&api)?.filter(|a| scaled.contains(&a.target)));
        }
    }
    Ok(())
}
