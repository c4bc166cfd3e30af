//! The requests of these acts, as data.

use http::Request;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, Preconditions};
use serde_json::Value;

use super::acts::{DeleteJob, PutBack, Service, Suspend};
use crate::requests::{MANAGER, Mode, Unwritable, patch_at};

/// The request of a rollback, with the operations that were made of what was just read.
pub(crate) fn roll_back(
    it: &PutBack,
    operations: &Value,
    mode: Mode,
) -> Result<Request<Vec<u8>>, Unwritable> {
    let workload = &it.workload;
    let path = format!(
        "/apis/apps/v1/namespaces/{}/{}/{}",
        workload.namespace,
        workload.kind.plural(),
        workload.name
    );
    patch_at(&path, operations, mode)
}

/// The request of a suspension.
pub(crate) fn suspend(it: &Suspend, mode: Mode) -> Result<Request<Vec<u8>>, Unwritable> {
    let path = format!("/apis/batch/v1/namespaces/{}/cronjobs/{}", it.cron_job.namespace, it.cron_job.name);
    patch_at(&path, &it.operations(), mode)
}

/// The request of a change of the out-of-service taint.
pub(crate) fn service(it: &Service, mode: Mode) -> Result<Request<Vec<u8>>, Unwritable> {
    patch_at(&format!("/api/v1/nodes/{}", it.node), &it.operations(), mode)
}

/// The request of a deletion. A DELETE that has a body is judged by the body alone: a dry-run must say so there. It says
/// so in the query as well, where the audit log shows it.
pub(crate) fn delete(it: &DeleteJob, mode: Mode) -> Result<Request<Vec<u8>>, Unwritable> {
    let body = DeleteOptions {
        preconditions: Some(Preconditions { uid: Some(it.job.uid.to_string()), resource_version: None }),
        propagation_policy: Some("Foreground".to_owned()),
        dry_run: match mode {
            Mode::Real => None,
            Mode::DryRun => Some(vec!["All".to_owned()]),
        },
        ..DeleteOptions::default()
    };
    let path = format!("/apis/batch/v1/namespaces/{}/jobs/{}", it.job.namespace, it.job.name);
    let request = Request::delete(format!("{path}?fieldManager={MANAGER}{}", mode.query()))
        .header(http::header::ACCEPT, "application/json")
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(serde_json::to_vec(&body)?)?;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::owner;
    use serde_json::json;

    #[test]
    fn a_deletion_carries_the_uid_and_a_dry_run_says_so_in_the_body_too() {
        let it = DeleteJob { job: owner("Job", "nightly"), owned: 1 };
        for (mode, dry) in [(Mode::Real, Value::Null), (Mode::DryRun, json!(["All"]))] {
            let request = delete(&it, mode).unwrap();
            let body: Value = serde_json::from_slice(request.body()).unwrap();
            assert_eq!(body["preconditions"], json!({"uid": it.job.uid}));
            assert_eq!(body["propagationPolicy"], "Foreground");
            assert_eq!(body["dryRun"], dry);
            assert_eq!(request.uri().query().unwrap().contains("dryRun=All"), mode == Mode::DryRun);
            assert!(body.get("gracePeriodSeconds").is_none(), "never grace 0");
        }
    }
}
