//! What is said of a rotation, and what of it was not checked. What restarts cost is measured where all restarts are.

use runcord_model::Coverage;

use super::acts::{Promote, SecretAct, Tell, TellTo};
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

/// The backends that learn a value.
fn lessons<'a>(acts: &'a [&'a Act]) -> impl Iterator<Item = &'a Tell> {
    acts.iter().filter_map(|act| {
        let Act::Secret(SecretAct::Tell(it)) = act else { return None };
        (it.purpose == TellTo::Learn).then_some(it)
    })
}

/// What cannot be brought back: what a backend has been taught, it may have acted on.
pub(crate) fn irreversible(acts: &[&Act]) -> i64 {
    lessons(acts).map(|_| 1).sum()
}

/// Sentences for the person at 3 am.
pub(crate) fn remarks(seen: &Seen, acts: &[&Act]) -> Vec<String> {
    let mut said = Vec::new();
    for it in lessons(acts) {
        said.push(format!(
            "{} learns the value first, and takes it in a test, before anybody gets it. Going back does not take back: {}.",
            it.at, it.not_undone
        ));
    }
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
    for it in lessons(acts) {
        coverage.undetermined.push(format!(
            "what the commands in {} do: the exec API has no dry-run, and the runbook declares them",
            it.at
        ));
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::consumers::Consumer;
    use crate::secrets::tests::{acts, consumer, seen, tell, with};

    /// Keeping, staging, having a backend learn and testing that, and putting in.
    fn whole() -> Vec<Act> {
        let told = [TellTo::Learn, TellTo::Test].map(|purpose| SecretAct::Tell(tell(purpose)));
        acts(&seen()).into_iter().chain(told).map(Act::Secret).collect()
    }

    fn said(seen: &Seen) -> String {
        remarks(seen, &whole().iter().collect::<Vec<_>>()).join("\n")
    }

    #[test]
    fn what_a_rotation_cannot_know_is_said() {
        let said = said(&seen());
        for part in [
            "learns the value first, and takes it in a test, before anybody gets it",
            "Going back does not take back: what was done meanwhile.",
            "Whatever checks these values outside the workloads listed",
            "Copies db-v… stay until somebody deletes them.",
        ] {
            assert_eq!(said.matches(part).count(), 1, "{part}: {said}");
        }
        assert_eq!(irreversible(&whole().iter().collect::<Vec<_>>()), 1, "a test teaches nothing");
    }

    #[test]
    fn only_a_run_that_read_the_old_values_at_its_start_keeps_them() {
        const KEEPS: &str = "runs now and keeps the old values to its end";
        for (ways, pods, keeps) in
            [(Way::Env, 1, true), (Way::SubPath, 1, true), (Way::Volume, 1, false), (Way::Env, 0, false)]
        {
            for kind in ["Job", "CronJob"] {
                let runs =
                    Consumer { ways: BTreeSet::from([Way::Volume, ways]), ..consumer(kind, "nightly", pods) };
                let said = said(&with(|it| it.consumers = vec![runs]));
                assert_eq!(said.contains(KEEPS), keeps, "{kind} {ways:?} {pods}: {said}");
                assert_eq!(said.contains("at its next run"), kind == "CronJob", "{said}");
            }
        }
        assert!(!said(&seen()).contains(KEEPS), "a Deployment is restarted");
    }

    #[test]
    fn a_rotation_that_restarts_nobody_is_in_its_namespace_all_the_same() {
        let acts = acts(&with(|it| it.consumers.clear())).into_iter().map(Act::Secret).collect();
        let measured = crate::measure::measure(&seen(), &[acts], &crate::dry_run::DryRun::default());
        assert!(measured.scopes.namespaces.contains("shop"));
    }

    #[test]
    fn what_was_looked_at_and_what_nobody_could_look_at_is_told_apart() {
        let mut told = Coverage::default();
        coverage(&whole().iter().collect::<Vec<_>>(), &mut told);
        assert!(told.checked.iter().any(|one| one.starts_with("consumers of Secret shop/db: env, envFrom")));
        for part in ["what the commands in container rabbitmq", "who reads Secret shop/db in other ways"] {
            let parts = told.undetermined.iter().filter(|one| one.starts_with(part));
            assert_eq!(parts.count(), 1, "{part}: {:?}", told.undetermined);
        }
    }
}
