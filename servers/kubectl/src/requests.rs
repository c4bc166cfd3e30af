//! The two kinds of mutating requests, as data. Sending them is somebody else's business: for real only under a
//! permit, otherwise as a dry-run.

use http::Request;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::policy::v1::Eviction;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, ObjectMeta, Preconditions};
use serde_json::Value;

use crate::act::{Evict, Object, Patch};
use crate::names::Namespace;
use crate::permissions::Permission;

/// Who the API server writes down as the manager of the fields we touch.
pub(crate) const MANAGER: &str = "runcord";

/// Whether the API server carries the request out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It does.
    Real,
    /// It only says whether it would. Told in the query, so that the audit log shows it.
    DryRun,
}

impl Mode {
    pub(crate) fn query(self) -> &'static str {
        match self {
            Self::Real => "",
            Self::DryRun => "&dryRun=All",
        }
    }
}

/// A request that cannot be written down; it is not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unwritable {
    #[error("the request cannot be built")]
    Request(#[from] http::Error),
    #[error("the body cannot be written")]
    Body(#[from] serde_json::Error),
}

/// The request of a patch.
pub(crate) fn patch(patch: &Patch, mode: Mode) -> Result<Request<Vec<u8>>, Unwritable> {
    let path = match &patch.object {
        Object::Node(name) => format!("/api/v1/nodes/{name}"),
        Object::Workload(w) => {
            format!("/apis/apps/v1/namespaces/{}/{}/{}", w.namespace, w.kind.plural(), w.name)
        }
    };
    patch_at(&path, &patch.operations(), mode)
}

/// The request of a JSON Patch of the object at `path`.
pub(crate) fn patch_at(path: &str, operations: &Value, mode: Mode) -> Result<Request<Vec<u8>>, Unwritable> {
    let request = Request::patch(format!("{path}?fieldManager={MANAGER}{}", mode.query()))
        .header(http::header::ACCEPT, "application/json")
        .header(http::header::CONTENT_TYPE, "application/json-patch+json")
        .body(serde_json::to_vec(operations)?)?;
    Ok(request)
}

/// The request of an eviction. Built here and not by the client library, which drops the preconditions.
pub(crate) fn evict(evict: &Evict, mode: Mode) -> Result<Request<Vec<u8>>, Unwritable> {
    let body = Eviction {
        metadata: ObjectMeta {
            name: Some(evict.pod.to_string()),
            namespace: Some(evict.namespace.to_string()),
            ..ObjectMeta::default()
        },
        delete_options: Some(DeleteOptions {
            preconditions: Some(Preconditions { uid: Some(evict.uid.to_string()), resource_version: None }),
            ..DeleteOptions::default()
        }),
    };
    let path = format!("/api/v1/namespaces/{}/pods/{}/eviction", evict.namespace, evict.pod);
    let request = Request::post(format!("{path}?fieldManager={MANAGER}{}", mode.query()))
        .header(http::header::ACCEPT, "application/json")
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(serde_json::to_vec(&body)?)?;
    Ok(request)
}

/// The request of a SelfSubjectAccessReview: a question about these credentials, which is answered and not stored.
pub(crate) fn review(
    permission: &Permission,
    namespace: Option<&Namespace>,
) -> Result<Request<Vec<u8>>, Unwritable> {
    let (resource, subresource) = permission.parts();
    let body = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(permission.group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource: subresource.map(str::to_owned),
                verb: Some(permission.verb.to_owned()),
                name: permission.name.clone(),
                namespace: namespace.map(ToString::to_string),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    Ok(Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
        .header(http::header::ACCEPT, "application/json")
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(serde_json::to_vec(&body)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{eviction, pod};
    use serde_json::json;

    #[test]
    fn an_eviction_carries_the_uid_in_the_bytes() {
        let pod = pod("n1", "web", 0);
        let request = evict(&eviction(&pod), Mode::Real).unwrap();
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(body["deleteOptions"]["preconditions"], json!({"uid": pod.uid}));
        assert_eq!(body["kind"], "Eviction");
        assert_eq!(body["apiVersion"], "policy/v1");
        assert_eq!(body["metadata"]["name"], "web-0");
        assert!(body["deleteOptions"].get("gracePeriodSeconds").is_none(), "never grace 0, never force");
        assert_eq!(request.uri(), "/api/v1/namespaces/shop/pods/web-0/eviction?fieldManager=runcord");
    }

    #[test]
    fn a_dry_run_says_so_in_the_query() {
        let request = evict(&eviction(&pod("n1", "web", 0)), Mode::DryRun).unwrap();
        assert!(request.uri().query().unwrap().contains("dryRun=All"));
        let cordon = Patch {
            object: Object::Node("n1".parse().unwrap()),
            uid: "u".parse().unwrap(),
            touch: crate::act::Touch::Unschedulable { before: false, after: true },
            plan: crate::samples::fixed().plan,
            annotated: crate::act::Annotated { object: true, template: false },
        };
        assert_eq!(
            patch(&cordon, Mode::DryRun).unwrap().uri(),
            "/api/v1/nodes/n1?fieldManager=runcord&dryRun=All"
        );
        assert_eq!(patch(&cordon, Mode::Real).unwrap().uri(), "/api/v1/nodes/n1?fieldManager=runcord");
    }
}
