//! One look at whether a wait of these acts is over.

use k8s_openapi::api::batch::v1::Job as ApiJob;
use k8s_openapi::api::core::v1::Pod as ApiPod;
use runcord_runtime::target::Waited;

use super::acts::{AwaitDeleted, AwaitLetGo, UpkeepAct};
use super::probe::{holders, is};
use crate::probe::ProbeError;
use crate::reader::Reader;

/// Looks once.
pub(crate) async fn wait(reader: &Reader, act: &UpkeepAct) -> Result<Waited, ProbeError> {
    match act {
        UpkeepAct::AwaitDeleted(it) => deleted(reader, it).await,
        UpkeepAct::AwaitLetGo(it) => let_go(reader, it).await,
        UpkeepAct::RollBack(_) | UpkeepAct::Suspend(_) | UpkeepAct::Delete(_) | UpkeepAct::Service(_) => {
            Ok(Waited::broken("a mutation is nothing to wait for"))
        }
    }
}

async fn deleted(reader: &Reader, it: &AwaitDeleted) -> Result<Waited, ProbeError> {
    for job in &it.jobs {
        let found: Option<ApiJob> = reader.get(Some(&job.namespace), job.name.as_str()).await?;
        let Some(found) = found.filter(|found| is(&found.metadata, &job.uid)) else { continue };
        let held = holders(&found.metadata);
        let why = if held.is_empty() {
            "what it owns is still going".to_owned()
        } else {
            format!("finalizer {} holds it", held.join(", "))
        };
        return Ok(Waited::not_yet(format!("{job} is not gone: {why}")));
    }
    Ok(Waited::Done)
}

async fn let_go(reader: &Reader, it: &AwaitLetGo) -> Result<Waited, ProbeError> {
    for pod in &it.pods {
        let found: Option<ApiPod> = reader.get(Some(&pod.namespace), pod.name.as_str()).await?;
        if found.is_some_and(|found| is(&found.metadata, &pod.uid)) {
            return Ok(Waited::not_yet(format!("pod {}/{} is still going", pod.namespace, pod.name)));
        }
    }
    Ok(Waited::Done)
}
