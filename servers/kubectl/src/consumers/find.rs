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
