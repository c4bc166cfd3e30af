//! CronJobs, Jobs and what Jobs own.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{CronJob as ApiCronJob, Job as ApiJob};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ListParams;
use serde_json::Value;

use crate::convert::{Malformed, PLAN_MARK, identity};
use crate::names::{Namespace, ObjectName, Uid};
use crate::probe::ProbeError;
use crate::raw::{self, Extent};
use crate::reader::Reader;
use crate::upkeep::seen::{CronJob, Job, Maker};

/// The kinds of objects that a Job, or a pod of it, may own and that are looked for.
const OWNED: [(&str, &str, &str); 4] = [
    ("Pod", "/api/v1", "pods"),
    ("PersistentVolumeClaim", "/api/v1", "persistentvolumeclaims"),
    ("ConfigMap", "/api/v1", "configmaps"),
    ("Service", "/api/v1", "services"),
];

/// Finalizers that the cluster's own controllers take away by themselves.
const HARMLESS: [&str; 5] = [
    "batch.kubernetes.io/job-tracking",
    "kubernetes.io/pvc-protection",
    "foregroundDeletion",
    "orphan",
    "service.kubernetes.io/load-balancer-cleanup",
];

/// A finalizer whose name is none: it holds all the same.
const UNNAMEABLE: &str = "of an unreadable name";

pub(super) async fn cron_job(
    reader: &Reader,
    namespace: &Namespace,
    name: &ObjectName,
) -> Result<Option<CronJob>, ProbeError> {
    let Some(api) = reader.get::<ApiCronJob>(Some(namespace), name.as_str()).await? else { return Ok(None) };
    let spec = api.spec.as_ref().ok_or(Malformed { what: "CronJob", field: "spec" })?;
    let active = api.status.as_ref().and_then(|s| s.active.as_ref()).map_or(0, Vec::len);
    Ok(Some(CronJob {
        id: identity("CronJob", &api.metadata)?,
        suspended: spec.suspend.unwrap_or(false),
        active: i64::try_from(active).unwrap_or(i64::MAX),
        deadline: spec.starting_deadline_seconds,
        mark: api.metadata.annotations.as_ref().and_then(|all| all.get(PLAN_MARK)).cloned(),
        annotated: api.metadata.annotations.is_some(),
    }))
}

/// All Jobs of a namespace, each with what it owns.
pub(super) async fn jobs(reader: &Reader, namespace: &Namespace) -> Result<Vec<Job>, ProbeError> {
    let listed: Vec<ApiJob> = reader.list(Some(namespace), ListParams::default()).await?;
    let mut jobs = listed.iter().map(job).collect::<Result<Vec<_>, _>>()?;
    let mut objects = Vec::new();
    for (kind, group, plural) in OWNED {
        let path = format!("{group}/namespaces/{namespace}/{plural}");
        let metas = raw::list(reader, &path, Extent::Metadata, plural).await?;
        objects.extend(metas.iter().map(|meta| Dependent::read(kind, meta)));
    }
    for job in &mut jobs {
        own(job, &objects);
    }
    Ok(jobs)
}

fn job(api: &ApiJob) -> Result<Job, Malformed> {
    let conditions = api.status.as_ref().and_then(|s| s.conditions.as_ref()).into_iter().flatten();
    let finished = conditions
        .filter(|c| c.status == "True" && (c.type_ == "Complete" || c.type_ == "Failed"))
        .filter_map(|c| c.last_transition_time.as_ref())
        .map(|time| Timestamp::from_second(time.0.as_second()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| Malformed { what: "Job", field: "time" })?;
    Ok(Job {
        id: identity("Job", &api.metadata)?,
        maker: maker(&api.metadata)?,
        finished: finished.into_iter().max(),
        deleting: api.metadata.deletion_timestamp.is_some(),
        held_by: holding(api.metadata.finalizers.iter().flatten().map(String::as_str)),
        owned: BTreeMap::new(),
    })
}

fn maker(meta: &ObjectMeta) -> Result<Maker, Malformed> {
    let Some(owner) = meta.owner_references.iter().flatten().next() else { return Ok(Maker::Nobody) };
    let bad = |field| Malformed { what: "owner reference", field };
    let alone = meta.owner_references.iter().flatten().count() == 1;
    if alone && owner.kind == "CronJob" && owner.api_version == "batch/v1" {
        let name = owner.name.parse().map_err(|_| bad("name"))?;
        return Ok(Maker::CronJob { name, uid: owner.uid.parse().map_err(|_| bad("uid"))? });
    }
    Ok(Maker::Other)
}

/// An object that something owns.
struct Dependent {
    kind: &'static str,
    uid: Option<String>,
    owners: BTreeSet<String>,
    held_by: Vec<String>,
}

impl Dependent {
    fn read(kind: &'static str, object: &Value) -> Self {
        let list = |pointer: &str| object.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
        let owners = list("/metadata/ownerReferences").filter_map(|o| o.get("uid").and_then(Value::as_str));
        Self {
            kind,
            uid: object.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned),
            owners: owners.map(str::to_owned).collect(),
            held_by: holding(list("/metadata/finalizers").filter_map(Value::as_str)),
        }
    }
}

/// Walks from a Job to all that it owns, and to what that owns in turn.
fn own(job: &mut Job, objects: &[Dependent]) {
    let mut uids: BTreeSet<String> = BTreeSet::from([job.id.uid.to_string()]);
    let mut counted = vec![false; objects.len()];
    loop {
        let before = uids.len();
        for (object, counted) in objects.iter().zip(&mut counted) {
            if *counted || object.owners.is_disjoint(&uids) {
                continue;
            }
            *counted = true;
            uids.extend(object.uid.clone());
            *job.owned.entry(object.kind.to_owned()).or_default() += 1;
            job.held_by.extend(object.held_by.iter().cloned());
        }
        if uids.len() == before {
            break;
        }
    }
    job.held_by.sort();
    job.held_by.dedup();
}

/// The finalizers that nobody of the cluster's own takes away.
fn holding<'a>(finalizers: impl Iterator<Item = &'a str>) -> Vec<String> {
    finalizers.filter(|name| !HARMLESS.contains(name)).map(shown).collect()
}

/// A qualified name may be shown; anything else is only counted.
pub(crate) fn shown(finalizer: &str) -> String {
    let valid = (1..=316).contains(&finalizer.len())
        && finalizer.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b));
    if valid { finalizer.to_owned() } else { UNNAMEABLE.to_owned() }
}

/// What still holds an object that is being deleted, of its own finalizers.
pub(crate) fn holders(meta: &ObjectMeta) -> Vec<String> {
    holding(meta.finalizers.iter().flatten().map(String::as_str))
}

/// Whether the object is this one.
pub(crate) fn is(meta: &ObjectMeta, uid: &Uid) -> bool {
    meta.uid.as_deref() == Some(uid.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::owner;
    use serde_json::json;

    fn nightly() -> Job {
        Job {
            id: owner("Job", "nightly"),
            maker: Maker::Nobody,
            finished: None,
            deleting: false,
            held_by: vec![],
            owned: BTreeMap::new(),
        }
    }

    fn object(uid: &str, owner: &str, finalizers: &[&str]) -> Value {
        json!({"metadata": {"uid": uid, "ownerReferences": [{"uid": owner}], "finalizers": finalizers}})
    }

    #[test]
    fn children_and_their_children_are_counted_and_nobody_elses() {
        let objects = [
            Dependent::read("PersistentVolumeClaim", &object("c", "p", &["kubernetes.io/pvc-protection"])),
            Dependent::read("Pod", &object("p", "Job-nightly", &["batch.kubernetes.io/job-tracking"])),
            Dependent::read("Pod", &object("q", "Job-other", &["example.com/hold"])),
        ];
        let mut job = nightly();
        own(&mut job, &objects);
        assert_eq!(job.owned, BTreeMap::from([("Pod".into(), 1), ("PersistentVolumeClaim".into(), 1)]));
        assert!(job.held_by.is_empty());
    }

    #[test]
    fn a_finalizer_of_a_child_holds_the_parent() {
        let mut job = nightly();
        own(&mut job, &[Dependent::read("Pod", &object("p", "Job-nightly", &["example.com/hold", "a\nb"]))]);
        assert_eq!(job.held_by, ["example.com/hold", UNNAMEABLE], "and its name is no way in");
    }
}
