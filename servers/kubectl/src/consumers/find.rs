//! Looking for consumers in one namespace: pods use only what is in their own.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Pod as ApiPod, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ListParams;

use super::uses::uses;
use super::{Consumer, Source, Way};
use crate::convert::{self, Malformed};
use crate::names::Uid;
use crate::probe::{ProbeError, owners};
use crate::reader::Reader;
use crate::seen::{Keeper, OwnerRef};

/// All consumers of `source`, in the order of their kinds and names.
pub(crate) async fn find(reader: &Reader, source: &Source) -> Result<Vec<Consumer>, ProbeError> {
    let mut found = Found::default();
    let namespace = Some(&source.namespace);
    for api in reader.list::<Deployment>(namespace, ListParams::default()).await? {
        let spec = api.spec.as_ref().and_then(|s| s.template.spec.as_ref());
        found.by_template("Deployment", &api.metadata, spec, source)?;
    }
    for api in reader.list::<StatefulSet>(namespace, ListParams::default()).await? {
        let spec = api.spec.as_ref().and_then(|s| s.template.spec.as_ref());
        found.by_template("StatefulSet", &api.metadata, spec, source)?;
    }
    for api in reader.list::<DaemonSet>(namespace, ListParams::default()).await? {
        let spec = api.spec.as_ref().and_then(|s| s.template.spec.as_ref());
        found.by_template("DaemonSet", &api.metadata, spec, source)?;
    }
    for api in reader.list::<CronJob>(namespace, ListParams::default()).await? {
        let spec = api.spec.as_ref().and_then(|s| s.job_template.spec.as_ref()?.template.spec.as_ref());
        found.by_template("CronJob", &api.metadata, spec, source)?;
    }
    let mut makers = BTreeMap::new();
    for api in reader.list::<Job>(namespace, ListParams::default()).await? {
        makers.extend(cron_job_of(&api)?);
    }
    let pods = reader.list::<ApiPod>(namespace, ListParams::default()).await?;
    found.by_pods(reader, &pods, &makers, source).await?;
    Ok(found.sorted())
}

/// The CronJob that made a Job, by the Job's uid.
fn cron_job_of(job: &Job) -> Result<Option<(Uid, OwnerRef)>, Malformed> {
    let made_by = convert::controller(&job.metadata)?.filter(|by| by.kind.as_str() == "CronJob");
    let id = convert::identity("Job", &job.metadata)?;
    Ok(made_by.map(|by| {
        let owner = OwnerRef { kind: by.kind, namespace: by.namespace, name: by.name, uid: by.uid };
        (id.uid, owner)
    }))
}

#[derive(Default)]
struct Found(BTreeMap<Uid, Consumer>);

impl Found {
    fn by_template(
        &mut self,
        kind: &'static str,
        meta: &ObjectMeta,
        spec: Option<&PodSpec>,
        source: &Source,
    ) -> Result<(), ProbeError> {
        let ways = spec.map(|spec| uses(spec, None, source)).unwrap_or_default();
        if !ways.is_empty() {
            self.add(convert::identity(kind, meta)?, ways, 0);
        }
        Ok(())
    }

    /// The pods that are there, each under whoever keeps it: they may be of an earlier template, of another controller or
    /// of nobody.
    async fn by_pods(
        &mut self,
        reader: &Reader,
        pods: &[ApiPod],
        makers: &BTreeMap<Uid, OwnerRef>,
        source: &Source,
    ) -> Result<(), ProbeError> {
        let using: Vec<ApiPod> = pods
            .iter()
            .filter(|pod| convert::runs_on(pod) && !ways_of(pod, source).is_empty())
            .cloned()
            .collect();
        let keepers = owners::keepers(reader, &using, &mut Vec::new()).await?;
        for pod in &using {
            let who = match convert::controller(&pod.metadata)?.and_then(|by| keepers.get(&by.uid).cloned()) {
                Some(Keeper::Owner(owner) | Keeper::DaemonSet(owner)) => {
                    makers.get(&owner.uid).cloned().unwrap_or(owner)
                }
                Some(Keeper::Nobody | Keeper::Kubelet) | None => convert::identity("Pod", &pod.metadata)?,
            };
            self.add(who, ways_of(pod, source), 1);
        }
        Ok(())
    }

    fn add(&mut self, who: OwnerRef, ways: BTreeSet<Way>, pods: i64) {
        let entry = self.0.entry(who.uid.clone());
        let consumer = entry.or_insert_with(|| Consumer { who, ways: BTreeSet::new(), pods: 0 });
        consumer.ways.extend(ways);
        consumer.pods += pods;
    }

    fn sorted(self) -> Vec<Consumer> {
        let mut all: Vec<_> = self.0.into_values().collect();
        all.sort_by(|a, b| a.who.cmp(&b.who));
        all
    }
}

fn ways_of(pod: &ApiPod, source: &Source) -> BTreeSet<Way> {
    let spec = pod.spec.as_ref();
    spec.map(|spec| uses(spec, pod.metadata.name.as_deref(), source)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::consumers::SourceKind;
    use crate::played::{holding, list};

    /// A pod's specification that has the Secret `shop/db` in its environment.
    fn by_env() -> Value {
        json!({"containers": [{"name": "main", "envFrom": [{"secretRef": {"name": "db"}}]}]})
    }

    /// One that mounts it.
    fn by_volume() -> Value {
        json!({"containers": [{"name": "main"}], "volumes": [{"name": "v", "secret": {"secretName": "db"}}]})
    }

    fn none() -> Value {
        json!({"containers": [{"name": "main"}]})
    }

    /// A workload of that template; its uid is its name.
    fn workload(name: &str, spec: &Value) -> Value {
        json!({
            "metadata": {"name": name, "namespace": "shop", "uid": name},
            "spec": {"selector": {}, "serviceName": "", "template": {"spec": spec}},
        })
    }

    fn cron_job(name: &str, spec: &Value) -> Value {
        let job = json!({"spec": {"template": {"spec": spec}}});
        json!({
            "metadata": {"name": name, "namespace": "shop", "uid": name},
            "spec": {"schedule": "* * * * *", "jobTemplate": job},
        })
    }

    /// The object under a controller of that kind and name; its uid is its name.
    fn under(mut object: Value, (api, kind, name): (&str, &str, &str)) -> Value {
        object["metadata"]["ownerReferences"] =
            json!([{"apiVersion": api, "kind": kind, "name": name, "uid": name, "controller": true}]);
        object
    }

    fn pod(name: &str, phase: &str, spec: &Value) -> Value {
        json!({
            "metadata": {"name": name, "namespace": "shop", "uid": name},
            "spec": spec, "status": {"phase": phase},
        })
    }

    /// Consumers of the Secret `shop/db`: kind, name, ways, pods.
    async fn found(objects: Vec<(&'static str, Value)>) -> Vec<(String, String, Vec<Way>, i64)> {
        let (reader, _) = holding(objects).await;
        let source = Source {
            kind: SourceKind::Secret,
            namespace: "shop".parse().unwrap(),
            name: "db".parse().unwrap(),
        };
        let told = |one: Consumer| {
            (one.who.kind.to_string(), one.who.name.to_string(), one.ways.into_iter().collect(), one.pods)
        };
        find(&reader, &source).await.unwrap().into_iter().map(told).collect()
    }

    fn one(kind: &str, name: &str, ways: &[Way], pods: i64) -> (String, String, Vec<Way>, i64) {
        (kind.to_owned(), name.to_owned(), ways.to_vec(), pods)
    }

    #[tokio::test]
    async fn templates_of_all_four_kinds_are_looked_at() {
        let both = |make: fn(&str, &Value) -> Value, name: &str| {
            list(vec![make(name, &by_env()), make("other", &none())])
        };
        let objects = vec![
            ("/apis/apps/v1/namespaces/shop/deployments", both(workload, "web")),
            ("/apis/apps/v1/namespaces/shop/statefulsets", both(workload, "store")),
            ("/apis/apps/v1/namespaces/shop/daemonsets", both(workload, "agent")),
            ("/apis/batch/v1/namespaces/shop/cronjobs", both(cron_job, "nightly")),
        ];
        let ways = [Way::EnvFrom];
        assert_eq!(
            found(objects).await,
            [
                one("CronJob", "nightly", &ways, 0),
                one("DaemonSet", "agent", &ways, 0),
                one("Deployment", "web", &ways, 0),
                one("StatefulSet", "store", &ways, 0),
            ]
        );
    }

    #[tokio::test]
    async fn pods_count_under_whoever_keeps_them_and_finished_ones_do_not() {
        let store = ("apps/v1", "StatefulSet", "store");
        let pods = vec![
            pod("lone", "Pending", &by_env()),
            pod("done", "Succeeded", &by_env()),
            pod("failed", "Failed", &by_env()),
            pod("other", "Running", &none()),
            under(pod("store-0", "Running", &by_env()), store),
            under(pod("store-1", "Running", &by_env()), store),
            under(pod("nightly-1-x", "Running", &by_env()), ("batch/v1", "Job", "nightly-1")),
            under(pod("step-x", "Running", &by_env()), ("batch/v1", "Job", "step")),
        ];
        let nightly = under(workload("nightly-1", &by_env()), ("batch/v1", "CronJob", "nightly"));
        let step = under(workload("step", &by_env()), ("argoproj.io/v1", "Workflow", "flow"));
        // Its template is newer than its pods, and mounts what they have in their environment.
        let store = workload("store", &by_volume());
        let objects = vec![
            ("/api/v1/namespaces/shop/pods", list(pods)),
            ("/apis/batch/v1/namespaces/shop/jobs", list(vec![nightly.clone(), step.clone()])),
            ("/apis/batch/v1/namespaces/shop/jobs/nightly-1", nightly),
            ("/apis/batch/v1/namespaces/shop/jobs/step", step),
            ("/apis/apps/v1/namespaces/shop/statefulsets", list(vec![store.clone()])),
            ("/apis/apps/v1/namespaces/shop/statefulsets/store", store),
        ];
        assert_eq!(
            found(objects).await,
            [
                one("CronJob", "nightly", &[Way::EnvFrom], 1),
                one("Job", "step", &[Way::EnvFrom], 1),
                one("Pod", "lone", &[Way::EnvFrom], 1),
                one("StatefulSet", "store", &[Way::EnvFrom, Way::Volume], 2),
            ]
        );
    }
}
