//! The revisions that a workload's controller keeps: ReplicaSets of a Deployment, ControllerRevisions of the others.

use k8s_openapi::api::core::v1::PodSpec;
use runcord_runtime::mask::Mask;
use serde::Deserialize as _;
use serde_json::Value;

use crate::actions::{Kind, WorkloadRef};
use crate::convert::Malformed;
use crate::names::Uid;
use crate::probe::{ProbeError, Quotas};
use crate::raw::{self, Extent};
use crate::reader::Reader;
use crate::seen::Charges;
use crate::upkeep::seen::{History, KeptRevision};
use crate::upkeep::template;

/// The annotation that numbers the ReplicaSets of a Deployment.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// The object that keeps one revision, as it is now.
pub(crate) struct Source {
    pub(crate) uid: String,
    pub(crate) template: Value,
}

/// The workload as the API server writes it; nothing when it is not there.
pub(crate) async fn live(reader: &Reader, workload: &WorkloadRef) -> Result<Option<Value>, ProbeError> {
    let plural = workload.kind.plural();
    let path = format!("/apis/apps/v1/namespaces/{}/{plural}/{}", workload.namespace, workload.name);
    Ok(raw::get(reader, &path, plural).await?)
}

/// The object of that name that keeps a revision of the workload.
pub(crate) async fn source(
    reader: &Reader,
    workload: &WorkloadRef,
    name: &str,
) -> Result<Option<Source>, ProbeError> {
    let plural = keepers_of(workload.kind);
    let path = format!("/apis/apps/v1/namespaces/{}/{plural}/{name}", workload.namespace);
    let Some(object) = raw::get(reader, &path, plural).await? else { return Ok(None) };
    let uid = text(&object, "/metadata/uid").ok_or(Malformed { what: "revision", field: "uid" })?;
    Ok(template_of(workload.kind, &object).map(|template| Source { uid, template }))
}

/// Its revisions; nothing when the workload is not there.
pub(super) async fn history(
    reader: &Reader,
    mask: &Mask,
    workload: &WorkloadRef,
    quotas: &Quotas,
) -> Result<Option<History>, ProbeError> {
    let Some(live) = live(reader, workload).await? else { return Ok(None) };
    let uid = text(&live, "/metadata/uid").ok_or(Malformed { what: "workload", field: "uid" })?;
    let plural = keepers_of(workload.kind);
    let path = format!("/apis/apps/v1/namespaces/{}/{plural}", workload.namespace);
    let kept = raw::list(reader, &path, Extent::Whole, plural).await?;
    let charges = |template: &Value| charges(workload, template, quotas);
    Ok(Some(read(mask, workload, &live, &uid, &kept, charges)?))
}

fn read(
    mask: &Mask,
    workload: &WorkloadRef,
    live: &Value,
    uid: &str,
    kept: &[Value],
    charges: impl Fn(&Value) -> Result<Charges, Malformed>,
) -> Result<History, Malformed> {
    let template = live.pointer("/spec/template").ok_or(Malformed { what: "workload", field: "template" })?;
    let mut revisions = Vec::new();
    for object in kept.iter().filter(|object| controlled_by(object, uid)) {
        revisions.extend(revision(mask, workload.kind, object, &charges)?);
    }
    revisions.sort_by_key(|kept: &KeptRevision| kept.number);
    Ok(History { workload: workload.clone(), template: template::digest(mask, template), revisions })
}

/// One kept revision; nothing for one that has no number yet.
fn revision(
    mask: &Mask,
    kind: Kind,
    object: &Value,
    charges: impl Fn(&Value) -> Result<Charges, Malformed>,
) -> Result<Option<KeptRevision>, Malformed> {
    let malformed = |field| Malformed { what: "revision", field };
    let Some(number) = number(kind, object) else { return Ok(None) };
    let template = template_of(kind, object).ok_or(malformed("template"))?;
    let name = text(object, "/metadata/name").and_then(|t| t.parse().ok()).ok_or(malformed("name"))?;
    let uid: Uid = text(object, "/metadata/uid").and_then(|t| t.parse().ok()).ok_or(malformed("uid"))?;
    let (images, charges) = (template::images(&template), charges(&template)?);
    Ok(Some(KeptRevision { number, name, uid, template: template::digest(mask, &template), images, charges }))
}

/// What a pod of that template counts as under quotas.
fn charges(workload: &WorkloadRef, template: &Value, quotas: &Quotas) -> Result<Charges, Malformed> {
    let spec = template.get("spec").ok_or(Malformed { what: "revision", field: "spec" })?;
    let spec = PodSpec::deserialize(spec).map_err(|_| Malformed { what: "revision", field: "spec" })?;
    Ok(quotas.charges(&workload.namespace, &spec))
}

fn keepers_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Deployment => "replicasets",
        Kind::StatefulSet | Kind::DaemonSet => "controllerrevisions",
    }
}

fn number(kind: Kind, object: &Value) -> Option<i64> {
    match kind {
        Kind::Deployment => object.pointer("/metadata/annotations")?.get(REVISION)?.as_str()?.parse().ok(),
        Kind::StatefulSet | Kind::DaemonSet => object.get("revision")?.as_i64(),
    }
}

fn template_of(kind: Kind, object: &Value) -> Option<Value> {
    match kind {
        Kind::Deployment => template::of_replica_set(object),
        Kind::StatefulSet | Kind::DaemonSet => template::of_controller_revision(object),
    }
}

fn controlled_by(object: &Value, uid: &str) -> bool {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.into_iter().flatten().any(|owner| {
        owner.get("controller").and_then(Value::as_bool) == Some(true)
            && owner.get("uid").and_then(Value::as_str) == Some(uid)
    })
}

fn text(object: &Value, pointer: &str) -> Option<String> {
    object.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::mask;
    use serde_json::json;

    fn template(image: &str) -> Value {
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "main", "image": image}]}})
    }

    fn set(number: i64, image: &str, owner: &str) -> Value {
        let mut template = template(image);
        template["metadata"]["labels"]["pod-template-hash"] = json!(format!("h{number}"));
        json!({
            "metadata": {
                "name": format!("web-{number}"), "uid": format!("rs-{number}"),
                "annotations": {REVISION: number.to_string()},
                "ownerReferences": [{"controller": true, "uid": owner}],
            },
            "spec": {"template": template},
        })
    }

    fn web() -> WorkloadRef {
        WorkloadRef {
            kind: Kind::Deployment,
            namespace: "shop".parse().unwrap(),
            name: "web".parse().unwrap(),
        }
    }

    #[test]
    fn the_current_and_the_previous_revision_are_found_by_their_templates() {
        let live = json!({"spec": {"template": template("x:2")}});
        let none = |_: &Value| Ok(Charges::default());
        let kept = [set(10, "x:2", "u"), set(9, "x:1", "u"), set(11, "x:3", "somebody-elses")];
        let history = read(&mask(), &web(), &live, "u", &kept, none).unwrap();
        assert_eq!(history.revisions.len(), 2, "only its own");
        assert_eq!(history.current().map(|r| r.number), Some(10));
        assert_eq!(history.previous().map(|r| r.number), Some(9));
        assert!(history.revision(11).is_none());
        let unrecorded =
            read(&mask(), &web(), &json!({"spec": {"template": template("x:4")}}), "u", &kept, none).unwrap();
        assert!(unrecorded.current().is_none() && unrecorded.previous().is_none());
    }
}
