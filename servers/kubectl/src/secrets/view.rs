//! What CEL in a runbook sees.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::seen::Secret;
use crate::names::{KindName, Namespace, ObjectName};
use crate::seen::Seen;

/// The Secret that the runbook names: what it is, and none of what it holds.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct SecretView {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// Whether it is immutable.
    pub immutable: bool,
    /// The number that its values have.
    pub version: i64,
    /// The number under which what it holds now is kept, or would be kept before it is changed.
    pub kept_as: i64,
    /// How many keys it has.
    pub keys: i64,
}

/// A workload that uses the Secret, with a rollout.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct ConsumerView {
    /// Deployment, StatefulSet or DaemonSet.
    pub kind: KindName,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: ObjectName,
    /// Pods wanted.
    pub replicas: i64,
    /// Pods of the newest revision.
    pub updated: i64,
    /// Pods ready.
    pub ready: i64,
}

/// Puts the variables that were looked at.
pub(crate) fn observe(seen: &Seen, variables: &mut Map<String, Value>) {
    let named = seen.focus.secrets.secrets.first();
    let Some(secret) = named.and_then(|(namespace, name)| seen.secrets.secret(namespace, name)) else {
        return;
    };
    let view = SecretView {
        namespace: secret.id.namespace.clone(),
        name: secret.id.name.clone(),
        immutable: secret.immutable,
        version: secret.version.into(),
        kept_as: secret.kept_as().into(),
        keys: i64::try_from(secret.keys.len()).unwrap_or(i64::MAX),
    };
    variables.insert("secret".to_owned(), json!(view));
    variables.insert("consumers".to_owned(), json!(consumers(secret, seen)));
}

fn consumers(secret: &Secret, seen: &Seen) -> Vec<ConsumerView> {
    let view = |uid| {
        let workload = seen.workload_by_uid(uid)?;
        let counts = workload.counts.filter(|_| workload.rollout.is_some())?;
        Some(ConsumerView {
            kind: workload.id.kind.clone(),
            namespace: workload.id.namespace.clone(),
            name: workload.id.name.clone(),
            replicas: counts.replicas,
            updated: counts.updated,
            ready: counts.ready,
        })
    };
    secret.consumers.iter().filter_map(|consumer| view(&consumer.who.uid)).collect()
}

/// One of each, for the catalog.
pub(crate) fn samples() -> [(&'static str, Value); 2] {
    let secret = json!({
        "namespace": "shop", "name": "db", "immutable": false, "version": 1, "kept_as": 1, "keys": 2,
    });
    let consumer = json!({
        "kind": "Deployment", "namespace": "shop", "name": "web", "replicas": 4, "updated": 4, "ready": 4,
    });
    [("secret", secret), ("consumers", json!([consumer]))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::Kind;
    use crate::samples::workload;
    use crate::secrets::tests::{consumer, seen};

    #[test]
    fn a_runbook_sees_numbers_and_those_who_are_restarted() {
        let mut seen = seen();
        let mut job = workload(Kind::Deployment, "once", 1, 1);
        (job.id, job.rollout) = (consumer("Job", "once", 1).who, None);
        seen.secrets.secrets[0].consumers.push(consumer("Job", "once", 1));
        seen.workloads.push(job);
        let mut variables = Map::new();
        observe(&seen, &mut variables);
        let [(secret, of_secret), (consumers, of_consumers)] = samples();
        assert_eq!((&variables[secret], &variables[consumers]), (&of_secret, &of_consumers));
    }
}
