//! What the API server's own dry-run says to the test's administrator, where ours says otherwise.

use anyhow::Result;
use http::Request;
use k8s_openapi::api::core::v1::Pod;
use runcord_tests::bed::Bed;
use serde_json::{Value, json};

/// The answer of a dry-run: an object, or why not.
pub(crate) type Answer = Result<Value, kube::Error>;

/// The path of the Deployment `web`.
pub(crate) fn path_of_web(bed: &Bed) -> String {
    format!("/apis/apps/v1/namespaces/{}/deployments/web", bed.name)
}

/// A merge patch of one object.
pub(crate) async fn patch(bed: &Bed, path: &str, patch: Value) -> Answer {
    let request =
        Request::patch(format!("{path}?dryRun=All")).header("content-type", "application/merge-patch+json");
    ask(bed, request, patch).await
}

/// `kubectl scale` of `web`.
pub(crate) async fn scale(bed: &Bed, replicas: u32) -> Answer {
    patch(bed, &path_of_web(bed), json!({"spec": {"replicas": replicas}})).await
}

/// What `kubectl rollout restart` of `web` would send, were there a dry-run of it.
pub(crate) async fn restart(bed: &Bed) -> Answer {
    let notes = json!({"kubectl.kubernetes.io/restartedAt": "2026-11-01T12:00:00Z"});
    patch(bed, &path_of_web(bed), json!({"spec": {"template": {"metadata": {"annotations": notes}}}})).await
}

/// One eviction of `kubectl drain --dry-run=server`.
pub(crate) async fn evict(bed: &Bed, pod: &Pod) -> Answer {
    let (namespace, name) = (bed.name.as_str(), pod.metadata.name.as_deref().unwrap_or_default());
    let body = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}});
    ask(bed, Request::post(format!("/api/v1/namespaces/{namespace}/pods/{name}/eviction?dryRun=All")), body)
        .await
}

/// A deletion, of one object or of all that a query selects.
pub(crate) async fn delete(bed: &Bed, path: &str, query: &str) -> Answer {
    ask(bed, Request::delete(format!("{path}?dryRun=All{query}")), json!({"dryRun": ["All"]})).await
}

async fn ask(bed: &Bed, request: http::request::Builder, body: Value) -> Answer {
    let request = request.body(body.to_string().into_bytes()).map_err(kube::Error::HttpError)?;
    bed.cluster.client().request(request).await
}

/// The status of an answer that is a no.
pub(crate) fn code(answer: &Answer) -> Option<u16> {
    match answer {
        Err(kube::Error::Api(status)) => Some(status.code),
        Ok(_) | Err(_) => None,
    }
}
