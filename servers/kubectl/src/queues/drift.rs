//! Whether the container that a file names is there. Nothing is run: what a container has in it, only running something
//! tells.

use k8s_openapi::api::core::v1::Pod as ApiPod;
use runcord_model::Refusal;
use runcord_model::action::Use;
use runcord_runtime::drift::{Aspect, Finding};

use crate::drift::there;
use crate::exec::Place;
use crate::reader::Reader;

/// What the file names literally of a place where commands run; nothing where a caller names the pod.
pub(crate) async fn referenced(reader: &Reader, used: &Use) -> Result<Vec<Finding>, Refusal> {
    let Some(at) = place(used) else { return Ok(Vec::new()) };
    let read = reader.get::<ApiPod>(Some(&at.namespace), at.pod.as_str()).await;
    let found = there(at.to_string(), read.map(|pod| has_container(pod.as_ref(), &at)))?;
    let commands = Finding::cannot_tell(
        Aspect::Referenced,
        format!("the commands in {at}"),
        format!(
            "whether {at} has the runbook's commands, and `timeout`, cannot be told without running them"
        ),
    );
    Ok(vec![found, commands])
}

fn place(used: &Use) -> Option<Place> {
    if used.action != "purge_queue" {
        return None;
    }
    Some(Place {
        namespace: used.fixed("namespace")?.parse().ok()?,
        pod: used.fixed("pod")?.parse().ok()?,
        container: used.fixed("container")?.parse().ok()?,
    })
}

fn has_container(pod: Option<&ApiPod>, at: &Place) -> bool {
    let spec = pod.and_then(|pod| pod.spec.as_ref());
    spec.is_some_and(|spec| spec.containers.iter().any(|one| one.name == at.container.as_str()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_is_looked_for_only_in_a_pod_that_the_file_names() {
        let named = |fields: serde_json::Value| Use {
            action: "purge_queue".to_owned(),
            fields: serde_json::from_value(fields).unwrap(),
        };
        let whole = named(json!({"namespace": ["shop"], "pod": ["redis-0"], "container": ["redis"]}));
        let at = place(&whole).unwrap();
        assert!(place(&named(json!({"namespace": ["shop"], "container": ["redis"]}))).is_none());
        let pod =
            |name: &str| serde_json::from_value(json!({"spec": {"containers": [{"name": name}]}})).unwrap();
        assert!(has_container(Some(&pod("redis")), &at));
        assert!(!has_container(Some(&pod("other")), &at) && !has_container(None, &at));
    }
}
