//! Where commands run, and whether one can be run there now.

use k8s_openapi::api::core::v1::Pod as ApiPod;
use schemars::{JsonSchema as _, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::names::{ContainerName, Namespace, PodName, Uid};
use crate::reader::{ReadError, Reader};

/// A container in which commands run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The pod's namespace.
    pub namespace: Namespace,
    /// The pod.
    pub pod: PodName,
    /// The container.
    pub container: ContainerName,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "container {} of pod {}/{}", self.container, self.namespace, self.pod)
    }
}

/// Why no command can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nowhere {
    /// There is no such pod.
    NoPod,
    /// The pod has no such container.
    NoContainer,
    /// The pod does not run, or is going.
    NotRunning,
    /// The container is not ready.
    NotReady,
}

impl std::fmt::Display for Nowhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoPod => "there is no such pod",
            Self::NoContainer => "the pod has no such container",
            Self::NotRunning => "the pod does not run",
            Self::NotReady => "the container is not ready",
        })
    }
}

/// The schema of a container's name that no parameter fills: what runs in it is reviewed with it.
pub(crate) fn written_out_container(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = ContainerName::json_schema(generator);
    schema.insert("x-filled".to_owned(), "never".into());
    schema
}

/// The pod, as it is now, if a command can be run in that container of it.
pub(crate) async fn find(reader: &Reader, at: &Place) -> Result<Result<Uid, Nowhere>, ReadError> {
    let pod: Option<ApiPod> = reader.get(Some(&at.namespace), at.pod.as_str()).await?;
    Ok(ready(pod.as_ref(), at))
}

fn ready(pod: Option<&ApiPod>, at: &Place) -> Result<Uid, Nowhere> {
    let pod = pod.ok_or(Nowhere::NoPod)?;
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    if !containers.iter().any(|one| one.name == at.container.as_str()) {
        return Err(Nowhere::NoContainer);
    }
    let status = pod.status.as_ref();
    let running = status.and_then(|status| status.phase.as_deref()) == Some("Running");
    if !running || pod.metadata.deletion_timestamp.is_some() {
        return Err(Nowhere::NotRunning);
    }
    let mut statuses = status.and_then(|status| status.container_statuses.as_ref()).into_iter().flatten();
    if !statuses.any(|one| one.name == at.container.as_str() && one.ready) {
        return Err(Nowhere::NotReady);
    }
    // A pod without a uid is none that could be told from the next one of its name.
    pod.metadata.uid.clone().and_then(|uid| Uid::try_from(uid).ok()).ok_or(Nowhere::NoPod)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn place() -> Place {
        Place {
            namespace: "shop".parse().unwrap(),
            pod: "redis-0".parse().unwrap(),
            container: "redis".parse().unwrap(),
        }
    }

    fn found(change: impl Fn(&mut Value)) -> Result<Uid, Nowhere> {
        let mut pod = json!({
            "metadata": {"name": "redis-0", "namespace": "shop", "uid": "u1"},
            "spec": {"containers": [{"name": "redis"}, {"name": "metrics"}]},
            "status": {"phase": "Running", "containerStatuses": [
                {"name": "metrics", "ready": true, "image": "", "imageID": "", "restartCount": 0},
                {"name": "redis", "ready": true, "image": "", "imageID": "", "restartCount": 0},
            ]},
        });
        change(&mut pod);
        ready(Some(&serde_json::from_value(pod).unwrap()), &place())
    }

    #[test]
    fn commands_run_in_a_ready_container_of_a_running_pod_only() {
        assert_eq!(found(|_| ()).unwrap().as_str(), "u1");
        assert_eq!(ready(None, &place()), Err(Nowhere::NoPod));
        type Change = fn(&mut Value);
        let refused: [(Nowhere, Change); 6] = [
            (Nowhere::NoContainer, |pod| pod["spec"]["containers"][0]["name"] = json!("other")),
            (Nowhere::NotRunning, |pod| pod["status"]["phase"] = json!("Succeeded")),
            (Nowhere::NotRunning, |pod| pod["metadata"]["deletionTimestamp"] = json!("2026-11-22T10:00:00Z")),
            (Nowhere::NotReady, |pod| pod["status"]["containerStatuses"][1]["ready"] = json!(false)),
            (Nowhere::NotReady, |pod| pod["status"]["containerStatuses"] = Value::Null),
            (Nowhere::NoPod, |pod| pod["metadata"]["uid"] = Value::Null),
        ];
        for (why, change) in refused {
            assert_eq!(found(change), Err(why));
        }
    }
}
