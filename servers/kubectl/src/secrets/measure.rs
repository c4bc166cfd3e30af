//! What is said of a rotation, and what of it was not checked. What restarts cost is measured where all restarts are.

use runcord_model::Coverage;

use super::acts::{Promote, SecretAct};
use super::seen::Secret;
use crate::act::Act;
use crate::consumers::Way;
use crate::seen::Seen;

/// The values that are put in.
fn promotions<'a>(acts: &'a [&'a Act]) -> impl Iterator<Item = &'a Promote> {
    acts.iter().filter_map(|act| {
        let Act::Secret(SecretAct::Promote(it)) = act else { return None };
        Some(it)
    })
}

/// Sentences for the person at 3 am.
pub(crate) fn remarks(seen: &Seen, acts: &[&Act]) -> Vec<String> {
    let mut said = Vec::new();
    for it in promotions(acts) {
        let id = &it.live.id;
        said.push(format!(
            "Whatever checks these values outside the workloads listed, or has a copy of them, does not learn of the change from {id}."
        ));
        if let Some(secret) = seen.secrets.secret(&id.namespace, &id.name) {
            said.extend(bystanders(secret));
        }
        said.push(format!("Copies {}-v… stay until somebody deletes them.", id.name));
    }
    said
}

/// Consumers that are not restarted, and what becomes of them.
fn bystanders(secret: &Secret) -> Vec<String> {
    let mut said = Vec::new();
    for consumer in &secret.consumers {
        let who = &consumer.who;
        match who.kind.as_str() {
            "CronJob" => said.push(format!("{who} reads the new values at its next run.")),
            "Job" => {}
            _ => continue,
        }
        if consumer.pods > 0 && consumer.ways.iter().any(|way| Way::keeps_until_restart(*way)) {
            said.push(format!("{who} runs now and keeps the old values to its end."));
        }
    }
    said
}

/// What was truly checked, and what was not.
pub(crate) fn coverage(acts: &[&Act], coverage: &mut Coverage) {
    for it in promotions(acts) {
        let id = &it.live.id;
        coverage.checked.push(format!(
            "consumers of {id}: env, envFrom, volumes, projected volumes and subPaths of all pods and templates of the namespace"
        ));
        coverage.undetermined.push(format!(
            "who reads {id} in other ways: through the API server, by a custom resource, or from outside the cluster"
        ));
    }
}
