//! Resource quotas: which of them cover a pod, and what the pod counts as.
//!
//! As the API server's quota admission reckons (k8s.io/kubernetes, pkg/quota/v1/evaluator/core/pods.go), after the
//! defaults that the API and the namespace's LimitRanges give (plugin/pkg/admission/limitranger).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{
    Container, LimitRange, PodSpec, ResourceQuota, ResourceQuotaSpec, ScopedResourceSelectorRequirement,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::pod::together;
use super::{Malformed, name};
use crate::seen::{Amounts, Charge, Charges, Quota};

/// The quota of ReplicaSets: a Deployment makes one for each new template.
pub(crate) const REPLICA_SETS: &str = "count/replicasets.apps";

/// One of something, in thousandths.
const ONE: i64 = 1000;

/// What a quota makes every container say, where it bounds it.
const TO_BE_SAID: [&str; 6] =
    ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

/// The quotas of one namespace, and the defaults that its pods get.
#[derive(Default)]
pub(crate) struct Bounds {
    quotas: Vec<(ResourceQuotaSpec, Quota)>,
    defaults: Vec<LimitRange>,
}

impl Bounds {
    pub(crate) fn of(quotas: &[ResourceQuota], defaults: Vec<LimitRange>) -> Result<Self, Malformed> {
        let read = |api: &ResourceQuota| Ok((api.spec.clone().unwrap_or_default(), quota(api)?));
        Ok(Self { quotas: quotas.iter().map(read).collect::<Result<_, Malformed>>()?, defaults })
    }

    pub(crate) fn quotas(&self) -> impl Iterator<Item = &Quota> {
        self.quotas.iter().map(|(_, quota)| quota)
    }

    /// What a new pod of that specification counts as.
    pub(crate) fn charges(&self, spec: &PodSpec) -> Charges {
        let mut charges = Charges::default();
        if self.quotas.is_empty() {
            return charges;
        }
        let pod = Charged::of(spec, &self.defaults);
        for (api, quota) in &self.quotas {
            match covers(api, &pod) {
                Covers::Not => {}
                Covers::CannotTell => drop(charges.unclear.insert(quota.name.clone())),
                Covers::Yes => match pod.under(quota) {
                    Some(charge) => charges.each.push(charge),
                    None => drop(charges.unclear.insert(quota.name.clone())),
                },
            }
        }
        charges
    }
}

/// What we keep of a quota: its bounds on pods and ReplicaSets.
fn quota(api: &ResourceQuota) -> Result<Quota, Malformed> {
    const WHAT: &str = "ResourceQuota";
    let meta = &api.metadata;
    let concerned = |list: Option<&BTreeMap<String, Quantity>>| -> BTreeMap<String, Quantity> {
        list.into_iter()
            .flatten()
            .filter(|(name, _)| bounds_pods(name))
            .map(|(n, q)| (n.clone(), q.clone()))
            .collect()
    };
    let hard = concerned(api.spec.as_ref().and_then(|spec| spec.hard.as_ref()));
    let used = concerned(api.status.as_ref().and_then(|status| status.used.as_ref()));
    Ok(Quota {
        namespace: name(meta.namespace.as_ref(), WHAT, "namespace")?,
        name: name(meta.name.as_ref(), WHAT, "name")?,
        uid: name(meta.uid.as_ref(), WHAT, "uid")?,
        hard: Amounts::of_offer(Some(&hard)),
        used: Amounts::of_requests(Some(&used)),
    })
}

/// Whether it is something that a pod, or the ReplicaSet of pods, counts towards. Claims do not: they outlive pods.
fn bounds_pods(resource: &str) -> bool {
    let of_a_pod = ["requests.", "limits.", "hugepages-"].iter().any(|prefix| resource.starts_with(prefix));
    let of_a_claim = resource == "requests.storage" || resource.contains("storageclass.storage.k8s.io");
    matches!(resource, "pods" | "count/pods" | "cpu" | "memory" | "ephemeral-storage" | REPLICA_SETS)
        || (of_a_pod && !of_a_claim)
}

/// A pod as quotas see it: with all defaults given.
struct Charged<'a> {
    spec: &'a PodSpec,
    /// By the names of quotas.
    amounts: BTreeMap<String, i64>,
    /// What every container says, by the same names.
    said: BTreeSet<String>,
    best_effort: bool,
}

impl<'a> Charged<'a> {
    fn of(spec: &'a PodSpec, defaults: &[LimitRange]) -> Self {
        let of = |container: &Container| Said::of(container, defaults);
        let whole = Said::whole(spec);
        let mut requests = together(spec, |c| of(c).requests, whole.requests.clone());
        let mut limits = together(spec, |c| of(c).limits, whole.limits.clone());
        let asks = |resource: &str| requests.0.contains_key(resource) || limits.0.contains_key(resource);
        let best_effort = !asks("cpu") && !asks("memory");
        let overhead = Amounts::of_requests(spec.overhead.as_ref());
        requests.add(&overhead);
        // A limit that is not there stays so.
        limits
            .add(&Amounts(overhead.0.into_iter().filter(|(name, _)| limits.0.contains_key(name)).collect()));
        let mut amounts = requests.0.clone();
        amounts.extend(requests.0.into_iter().map(|(resource, n)| (format!("requests.{resource}"), n)));
        amounts.extend(limits.0.into_iter().map(|(resource, n)| (format!("limits.{resource}"), n)));
        amounts.extend(["pods", "count/pods"].map(|name| (name.to_owned(), ONE)));

        let containers = || spec.containers.iter().chain(spec.init_containers.iter().flatten());
        let said = |resource: &str| {
            whole.says(resource) || containers().all(|container| of(container).says(resource))
        };
        let said = TO_BE_SAID.into_iter().filter(|one| said(one)).map(str::to_owned).collect();
        Self { spec, amounts, said, best_effort }
    }

    /// What it counts as under one quota; nothing while the quota's controller has not counted what is used.
    fn under(&self, quota: &Quota) -> Option<Charge> {
        let bounded = self.amounts.iter().filter(|(name, n)| **n > 0 && quota.hard.0.contains_key(*name));
        let amounts: BTreeMap<String, i64> = bounded.map(|(name, n)| (name.clone(), *n)).collect();
        if !amounts.keys().all(|name| quota.used.0.contains_key(name)) {
            return None;
        }
        let unsaid = |name: &&str| quota.hard.0.contains_key(*name) && !self.said.contains(*name);
        Some(Charge {
            quota: quota.uid.clone(),
            amounts: Amounts(amounts),
            unsaid: TO_BE_SAID.into_iter().filter(unsaid).map(str::to_owned).collect(),
        })
    }
}

/// What one container asks for.
struct Said {
    requests: Amounts,
    limits: Amounts,
}

type List = BTreeMap<String, Quantity>;

impl Said {
    fn of(container: &Container, defaults: &[LimitRange]) -> Self {
        let resources = container.resources.clone().unwrap_or_default();
        let (mut requests, mut limits) =
            (resources.requests.unwrap_or_default(), resources.limits.unwrap_or_default());
        // The API's own default comes before the namespace's.
        fill(&mut requests, Some(&limits));
        let items = defaults.iter().filter_map(|range| range.spec.as_ref()).flat_map(|spec| &spec.limits);
        for item in items.filter(|item| item.type_ == "Container") {
            fill(&mut limits, item.default.as_ref());
            fill(&mut requests, item.default_request.as_ref());
        }
        Self::read(&requests, &limits)
    }

    /// What the pod asks for as a whole.
    fn whole(spec: &PodSpec) -> Self {
        let resources = spec.resources.clone().unwrap_or_default();
        let limits = resources.limits.unwrap_or_default();
        let mut requests = resources.requests.unwrap_or_default();
        fill(&mut requests, Some(&limits));
        Self::read(&requests, &limits)
    }

    fn read(requests: &List, limits: &List) -> Self {
        Self { requests: Amounts::of_requests(Some(requests)), limits: Amounts::of_requests(Some(limits)) }
    }

    fn says(&self, resource: &str) -> bool {
        let (list, name) = match resource.split_once('.') {
            Some(("limits", name)) => (&self.limits, name),
            Some((_, name)) => (&self.requests, name),
            None => (&self.requests, resource),
        };
        list.0.contains_key(name)
    }
}

/// Gives what is not there yet.
fn fill(list: &mut List, from: Option<&List>) {
    for (name, quantity) in from.into_iter().flatten() {
        list.entry(name.clone()).or_insert_with(|| quantity.clone());
    }
}

/// Whether a quota covers a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Covers {
    Not,
    CannotTell,
    Yes,
}

/// All scopes of a quota must match; one that certainly does not is enough.
fn covers(quota: &ResourceQuotaSpec, pod: &Charged<'_>) -> Covers {
    let named = quota.scopes.iter().flatten().map(|scope| matches(scope, "Exists", &[], pod));
    let selected = quota.scope_selector.iter().flat_map(|s| s.match_expressions.iter().flatten());
    let selected = selected.map(|one: &ScopedResourceSelectorRequirement| {
        matches(&one.scope_name, &one.operator, one.values.as_deref().unwrap_or_default(), pod)
    });
    named.chain(selected).min().unwrap_or(Covers::Yes)
}

fn matches(scope: &str, operator: &str, values: &[String], pod: &Charged<'_>) -> Covers {
    let tell = |matches: bool| if matches { Covers::Yes } else { Covers::Not };
    match (scope, operator) {
        ("Terminating", "Exists") => tell(pod.spec.active_deadline_seconds.is_some()),
        ("NotTerminating", "Exists") => tell(pod.spec.active_deadline_seconds.is_none()),
        ("BestEffort", "Exists") => tell(pod.best_effort),
        ("NotBestEffort", "Exists") => tell(!pod.best_effort),
        ("PriorityClass", operator) => match (&pod.spec.priority_class_name, operator) {
            // A class may be the default of the cluster.
            (None, _) => Covers::CannotTell,
            (Some(class), "In") => tell(values.contains(class)),
            (Some(class), "NotIn") => tell(!values.contains(class)),
            (Some(_), "Exists") => Covers::Yes,
            (Some(_), "DoesNotExist") => Covers::Not,
            (Some(_), _) => Covers::CannotTell,
        },
        _ => Covers::CannotTell,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn bounds(quota: Value, ranges: Value) -> Bounds {
        let mut quota = quota;
        quota["metadata"] = json!({"name": "compute", "namespace": "shop", "uid": "q1"});
        let ranges: Vec<LimitRange> = serde_json::from_value(ranges).unwrap();
        Bounds::of(&[serde_json::from_value(quota).unwrap()], ranges).unwrap()
    }

    fn hard(hard: Value) -> Value {
        let used: BTreeMap<_, _> = hard.as_object().unwrap().keys().map(|name| (name, "0")).collect();
        json!({"spec": {"hard": hard}, "status": {"hard": hard, "used": used}})
    }

    fn spec(containers: Value) -> PodSpec {
        serde_json::from_value(json!({"containers": containers})).unwrap()
    }

    fn charge(bounds: &Bounds, pod: &PodSpec) -> Charge {
        bounds.charges(pod).each.remove(0)
    }

    fn ask(cpu: &str) -> PodSpec {
        spec(json!([{"name": "a", "resources": {"requests": {"cpu": cpu}, "limits": {"memory": "1Ki"}}}]))
    }

    #[test]
    fn a_pod_counts_by_the_names_of_quotas() {
        let all = json!({"pods": "9", "count/pods": "9", "cpu": "9", "requests.cpu": "9", "requests.memory": "9Gi",
            "limits.memory": "9Gi", "services": "9", "requests.storage": "9Gi"});
        let charge = charge(&bounds(hard(all), json!([])), &ask("100m"));
        let expected = [
            ("count/pods", 1000),
            ("cpu", 100),
            ("limits.memory", 1_024_000),
            ("pods", 1000),
            ("requests.cpu", 100),
            ("requests.memory", 1_024_000),
        ];
        let counted: Vec<_> = charge.amounts.0.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        assert_eq!(
            counted, expected,
            "a limit is a request where none is written; claims and Services are none"
        );
        assert!(charge.unsaid.is_empty(), "{charge:?}");
    }

    #[test]
    fn what_the_quota_wants_said_is_said_by_each_container_the_pod_or_a_default() {
        let quota = || hard(json!({"limits.cpu": "9"}));
        let unsaid = |bounds: &Bounds, pod: &PodSpec| charge(bounds, pod).unsaid.len();
        assert_eq!(unsaid(&bounds(quota(), json!([])), &ask("1")), 1);
        let one_of_two = spec(json!([{"name": "a", "resources": {"limits": {"cpu": "1"}}}, {"name": "b"}]));
        assert_eq!(unsaid(&bounds(quota(), json!([])), &one_of_two), 1);
        let ranges = json!([{"spec": {"limits": [{"type": "Container", "default": {"cpu": "2"}}]}}]);
        let defaulted = bounds(quota(), ranges);
        assert_eq!(unsaid(&defaulted, &ask("1")), 0);
        assert_eq!(charge(&defaulted, &one_of_two).amounts.0["limits.cpu"], 3000);
        let mut whole = ask("1");
        whole.resources = serde_json::from_value(json!({"limits": {"cpu": "4"}})).unwrap();
        assert_eq!(unsaid(&bounds(quota(), json!([])), &whole), 0);
    }

    #[test]
    fn scopes_tell_which_pods_are_covered() {
        let scoped = |spec: Value| {
            let mut quota = hard(json!({"pods": "1"}));
            merge(&mut quota["spec"], spec);
            bounds(quota, json!([]))
        };
        let found = |bounds: &Bounds, pod: &PodSpec| {
            let charges = bounds.charges(pod);
            (charges.each.len(), charges.unclear.len())
        };
        let with = |change: fn(&mut PodSpec)| {
            let mut pod = ask("1");
            change(&mut pod);
            pod
        };
        let not_terminating = scoped(json!({"scopes": ["NotTerminating"]}));
        assert_eq!(found(&not_terminating, &ask("1")), (1, 0));
        assert_eq!(found(&not_terminating, &with(|pod| pod.active_deadline_seconds = Some(1))), (0, 0));
        let best_effort = scoped(json!({"scopes": ["BestEffort"]}));
        assert_eq!(found(&best_effort, &ask("1")), (0, 0));
        assert_eq!(found(&best_effort, &spec(json!([{"name": "a"}]))), (1, 0));
        let high = scoped(json!({"scopeSelector": {"matchExpressions": [
            {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}}));
        assert_eq!(found(&high, &ask("1")), (0, 1), "the cluster may have a default class");
        assert_eq!(found(&high, &with(|pod| pod.priority_class_name = Some("high".into()))), (1, 0));
        assert_eq!(found(&high, &with(|pod| pod.priority_class_name = Some("low".into()))), (0, 0));
        assert_eq!(found(&scoped(json!({"scopes": ["Unheard"]})), &ask("1")), (0, 1));
    }

    fn merge(into: &mut Value, from: Value) {
        for (key, value) in from.as_object().unwrap() {
            into[key] = value.clone();
        }
    }

    #[test]
    fn a_use_that_is_not_counted_yet_is_not_taken_for_none() {
        let fresh = json!({"spec": {"hard": {"pods": "1"}}});
        let charges = bounds(fresh, json!([])).charges(&ask("1"));
        assert_eq!((charges.each.len(), charges.unclear.len()), (0, 1));
    }
}
