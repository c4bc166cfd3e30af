//! `find_consumers`: everybody who uses a Secret, a ConfigMap or a volume claim. The thing itself is not read, so that
//! looking for consumers of a Secret takes no right to read Secrets.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::Ingress;
use kube::api::ListParams;
use runcord_model::Refusal;
use schemars::JsonSchema;
use serde::Serialize;

use super::within;
use crate::actions::FindConsumers;
use crate::consumers::{Consumer, Source, SourceKind, Way, find};
use crate::names::{KindName, ObjectName};
use crate::probe::ProbeError;
use crate::reader::Reader;

/// The consumers shown, in bytes of JSON.
const BYTES: usize = 6_500;

/// What `find_consumers` returns.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Consumers {
    /// What was looked for: its kind, namespace and name.
    pub source: String,
    /// Consumers found. None also when there is no such thing: it was not looked at itself.
    pub found: usize,
    /// The consumers, by kind and name; not always all.
    pub consumers: Vec<OneConsumer>,
    /// Ingresses that take their certificate from it.
    pub ingresses: Vec<ObjectName>,
    /// What cannot be found by looking at pods.
    pub undetermined: Vec<&'static str>,
}

/// One consumer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct OneConsumer {
    /// The kind of the workload; Pod for one that no workload keeps.
    pub kind: KindName,
    /// Its name.
    pub name: ObjectName,
    /// In which ways.
    pub ways: BTreeSet<Way>,
    /// Pods of it that are not finished and use it now.
    pub pods: i64,
    /// Whether these pods keep what they read at their start, so that a change reaches them only by a restart.
    pub keeps_until_restart: bool,
}

pub(super) async fn read(reader: &Reader, it: &FindConsumers) -> Result<Consumers, Refusal> {
    let source = Source { kind: it.source, namespace: it.namespace.clone(), name: it.name.clone() };
    let found = find(reader, &source).await?;
    Ok(Consumers {
        source: source.to_string(),
        found: found.len(),
        consumers: within(found.iter().map(shown).collect(), BYTES),
        ingresses: ingresses(reader, &source).await?,
        undetermined: vec![
            "whoever reads it through the API server, by a custom resource, or has a copy of it elsewhere",
        ],
    })
}

fn shown(consumer: &Consumer) -> OneConsumer {
    OneConsumer {
        kind: consumer.who.kind.clone(),
        name: consumer.who.name.clone(),
        ways: consumer.ways.clone(),
        pods: consumer.pods,
        keeps_until_restart: consumer.ways.iter().any(|way| way.keeps_until_restart()),
    }
}

/// Only Secrets hold certificates.
async fn ingresses(reader: &Reader, source: &Source) -> Result<Vec<ObjectName>, ProbeError> {
    match source.kind {
        SourceKind::Secret => {}
        SourceKind::ConfigMap | SourceKind::PersistentVolumeClaim => return Ok(Vec::new()),
    }
    let all: Vec<Ingress> = reader.list(Some(&source.namespace), ListParams::default()).await?;
    let takes = |api: &&Ingress| {
        let tls = api.spec.as_ref().and_then(|spec| spec.tls.as_ref());
        tls.into_iter().flatten().any(|tls| tls.secret_name.as_deref() == Some(source.name.as_str()))
    };
    Ok(all.iter().filter(takes).filter_map(|api| api.metadata.name.clone()?.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::played::{holding, list};
    use serde_json::{Value, json};

    async fn found(kind: &str) -> Consumers {
        let ingress = |name: &str, secret: &str| {
            json!({
                "metadata": {"name": name, "namespace": "shop"}, "spec": {"tls": [{"secretName": secret}]},
            })
        };
        let pod = |name: &str, spec: Value| {
            json!({
                "metadata": {"name": name, "namespace": "shop", "uid": name}, "spec": spec, "status": {"phase": "Running"},
            })
        };
        let by_env = json!({"containers": [{"name": "main", "envFrom": [{"secretRef": {"name": "db"}}]}]});
        let by_volume = json!({"containers": [], "volumes": [{"name": "v", "secret": {"secretName": "db"}}]});
        let (reader, _) = holding(vec![
            ("/api/v1/namespaces/shop/pods", list(vec![pod("a", by_env), pod("b", by_volume)])),
            (
                "/apis/networking.k8s.io/v1/namespaces/shop/ingresses",
                list(vec![ingress("front", "db"), ingress("other", "tls")]),
            ),
        ])
        .await;
        let with = json!({"source": kind, "namespace": "shop", "name": "db"});
        read(&reader, &serde_json::from_value(with).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn who_keeps_what_it_read_and_which_ingresses_take_it_is_told() {
        let secret = found("Secret").await;
        let keeps: Vec<_> =
            secret.consumers.iter().map(|one| (one.name.as_str(), one.keeps_until_restart)).collect();
        assert_eq!((secret.found, keeps), (2, vec![("a", true), ("b", false)]));
        assert_eq!(secret.ingresses.iter().map(ObjectName::as_str).collect::<Vec<_>>(), ["front"]);
        let map = found("ConfigMap").await;
        assert_eq!((map.found, map.ingresses.len()), (0, 0), "only Secrets hold certificates");
    }
}
