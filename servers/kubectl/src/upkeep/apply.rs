//! Making the request of an act: what must be read again right before it is sent is read here. Nothing is sent here.

use http::Request;
use runcord_runtime::mask::Mask;
use serde_json::Value;

use super::acts::{Annotations, PutBack, Service, ServiceChange, UpkeepAct};
use super::draft;
use super::probe::{live, source, vitals};
use super::requests;
use super::template;
use crate::probe::ProbeError;
use crate::reader::{ReadError, Reader};
use crate::requests::{Mode, Unwritable};

/// Why there is no request to send. The reasons are ours.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// The world is not as it was planned: it is not to be done.
    Changed(String),
    /// The API server did not answer a read: it may be tried again.
    Unanswered,
}

/// The request of an act that mutates, made of what is there now.
pub(crate) async fn request(
    reader: &Reader,
    mask: &Mask,
    act: &UpkeepAct,
    mode: Mode,
) -> Result<Request<Vec<u8>>, Unsent> {
    match act {
        UpkeepAct::RollBack(it) => roll_back(reader, mask, it, mode).await,
        UpkeepAct::Suspend(it) => built(requests::suspend(it, mode)),
        UpkeepAct::Delete(it) => built(requests::delete(it, mode)),
        UpkeepAct::Service(it) => service(reader, it, mode).await,
        UpkeepAct::AwaitDeleted(_) | UpkeepAct::AwaitLetGo(_) => {
            Err(changed("a wait changes nothing and cannot be applied"))
        }
    }
}

/// Reads workload and revision once more: the templates must be those that were planned, by digest.
async fn roll_back(
    reader: &Reader,
    mask: &Mask,
    it: &PutBack,
    mode: Mode,
) -> Result<Request<Vec<u8>>, Unsent> {
    let workload = &it.workload;
    let Some(live) = live(reader, workload).await? else {
        return Err(changed(format!("{workload} is gone")));
    };
    let generation = unchanged(mask, it, &live)?;
    let kept = source(reader, workload, it.kept.as_str()).await?;
    let kept = kept.filter(|kept| kept.uid == it.kept_uid.as_str());
    let kept = kept.filter(|kept| template::digest(mask, &kept.template) == it.after);
    let Some(kept) = kept else {
        return Err(changed(format!("revision {} of {workload} is not as it was planned any more", it.to)));
    };
    let annotated = match live.pointer("/metadata/annotations") {
        Some(Value::Object(_)) => Annotations::There,
        Some(_) | None => Annotations::Missing,
    };
    let operations = it.operations(generation, &kept.template, annotated);
    built(requests::roll_back(it, &operations, mode))
}

/// The generation of a workload that is still as it was planned.
fn unchanged(mask: &Mask, it: &PutBack, live: &Value) -> Result<i64, Unsent> {
    let same = live.pointer("/metadata/uid").and_then(Value::as_str) == Some(it.uid.as_str())
        && live.pointer("/spec/template").is_some_and(|now| template::digest(mask, now) == it.before);
    match live.pointer("/metadata/generation").and_then(Value::as_i64) {
        Some(generation) if same => Ok(generation),
        Some(_) | None => Err(changed(format!("{} is not as it was planned any more", it.workload))),
    }
}

/// Looks for signs of life once more.
async fn service(reader: &Reader, it: &Service, mode: Mode) -> Result<Request<Vec<u8>>, Unsent> {
    if let ServiceChange::Release { .. } = it.change {
        let node = &it.node;
        let Some(now) = vitals(reader, node).await?.filter(|now| now.uid == it.uid) else {
            return Err(changed(format!("node {node} is not the one that was planned any more")));
        };
        draft::proved_gone(&now).map_err(|refusal| Unsent::Changed(refusal.message))?;
    }
    built(requests::service(it, mode))
}

fn built(request: Result<Request<Vec<u8>>, Unwritable>) -> Result<Request<Vec<u8>>, Unsent> {
    request.map_err(|_| changed("the request could not be built"))
}

fn changed(why: impl Into<String>) -> Unsent {
    Unsent::Changed(why.into())
}

impl From<ProbeError> for Unsent {
    fn from(error: ProbeError) -> Self {
        match error {
            ProbeError::Read(ReadError::Unanswered { .. }) => Self::Unanswered,
            ProbeError::Read(error) => Self::Changed(error.to_string()),
            ProbeError::Malformed(error) => Self::Changed(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::{Kind, WorkloadRef};
    use crate::samples::{fixed, mask, uid};
    use serde_json::json;

    #[test]
    fn a_workload_that_changed_since_is_not_rolled_back() {
        let mask = mask();
        let template = json!({"spec": {"containers": [{"name": "main", "image": "x:2"}]}});
        let it = PutBack {
            workload: WorkloadRef {
                kind: Kind::Deployment,
                namespace: "shop".parse().unwrap(),
                name: "web".parse().unwrap(),
            },
            uid: uid("u1"),
            before: template::digest(&mask, &template),
            from: 2,
            to: 1,
            kept: "web-1".parse().unwrap(),
            kept_uid: uid("rs-1"),
            after: "another".into(),
            images: vec![],
            plan: fixed().plan,
        };
        let live = |uid: &str, image: &str| {
            let mut template = template.clone();
            template["spec"]["containers"][0]["image"] = json!(image);
            json!({"metadata": {"uid": uid, "generation": 7}, "spec": {"template": template}})
        };
        assert!(matches!(unchanged(&mask, &it, &live("u1", "x:2")), Ok(7)));
        assert!(unchanged(&mask, &it, &live("u1", "x:3")).is_err(), "another template");
        assert!(unchanged(&mask, &it, &live("u2", "x:2")).is_err(), "another object of the same name");
        let other = Mask::new([8; 32]);
        assert!(unchanged(&other, &it, &live("u1", "x:2")).is_err(), "planned under a key that was lost");
        let operations = it.operations(7, &template, Annotations::Missing);
        assert_eq!(operations[1], json!({"op": "test", "path": "/metadata/generation", "value": 7}));
    }
}
