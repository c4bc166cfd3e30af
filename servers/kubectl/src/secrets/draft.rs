//! `rotate_secret` and `restore_secret`: values kept under numbers, one of them put in, and the consumers restarted.

use std::collections::BTreeSet;

use runcord_model::Refusal;
use runcord_runtime::target::{Draft, Fixed};

use super::acts::{Keep, Live, Origin, Promote, SecretAct, Stage, Tell, TellTo, named};
use super::fields::SecretAction;
use super::seen::{Backend, Content, Copy, Secret, SecretKeeper};
use crate::KubectlActions;
use crate::act::Act;
use crate::actions::WorkloadRef;
use crate::consumers::Consumer;
use crate::draft::node::nothing;
use crate::draft::rollout::Found;
use crate::exec::Argv;
use crate::names::{DataKey, Namespace, ObjectName};
use crate::numbers::{Batch, Span, ValueLength, VersionNumber};
use crate::probe::kind_of;
use crate::refuse::{internal, precondition};
use crate::seen::Seen;

/// Drafts one action.
///
/// # Errors
/// `precondition_failed` when the Secret, or somebody who uses it, is not in a state in which the action makes sense.
pub(crate) fn draft(
    action: &SecretAction,
    seen: &Seen,
    fixed: &Fixed,
) -> Result<Draft<KubectlActions>, Refusal> {
    match action {
        SecretAction::Rotate(it) => rotate(
            action,
            it.keys.get().clone(),
            it.length,
            Restarts { batch: it.batch, timeout: it.timeout },
            seen,
            fixed,
        ),
        SecretAction::RotateTaught(it) => {
            let keys = BTreeSet::from([it.key.clone()]);
            rotate(action, keys, it.length, Restarts { batch: it.batch, timeout: it.timeout }, seen, fixed)
        }
        SecretAction::Restore(it) => {
            restore(action, it.version, Restarts { batch: it.batch, timeout: it.timeout }, seen, fixed)
        }
        SecretAction::RestoreTaught(it) => {
            restore(action, it.version, Restarts { batch: it.batch, timeout: it.timeout }, seen, fixed)
        }
    }
}

fn rotate(
    action: &SecretAction,
    keys: BTreeSet<DataKey>,
    length: ValueLength,
    restarts: Restarts,
    seen: &Seen,
    fixed: &Fixed,
) -> Result<Draft<KubectlActions>, Refusal> {
    let secret = changeable(action.namespace(), action.name(), seen)?;
    if let Some(missing) = keys.iter().find(|key| !secret.keys.contains(key)) {
        return Err(no_key(secret, missing));
    }
    let next = if secret.is_kept() { secret.free } else { secret.free.next() };
    let mut acts = Vec::new();
    acts.extend(keep(secret, fixed)?);
    let copy = copy_name(secret, next)?;
    acts.push(Act::Secret(SecretAct::Stage(Stage {
        live: live(secret),
        version: next,
        copy: copy.clone(),
        keys: keys.clone(),
        length,
        plan: fixed.plan.clone(),
    })));
    let what = format!("a new value for {}", named(&keys));
    acts.extend(tell(action, secret, &copy, &Origin::Staged, seen, fixed)?);
    let promote = promote(secret, next, copy, Origin::Staged, keys, fixed);
    acts.push(Act::Secret(SecretAct::Promote(promote)));
    put_in(secret, acts, &what, next, restarts, seen, fixed)
}

fn restore(
    action: &SecretAction,
    version: VersionNumber,
    restarts: Restarts,
    seen: &Seen,
    fixed: &Fixed,
) -> Result<Draft<KubectlActions>, Refusal> {
    let secret = changeable(action.namespace(), action.name(), seen)?;
    let copy_name = copy_name(secret, version)?;
    let Some(copy) = secret.copies.iter().find(|copy| copy.version == version && copy.ours) else {
        return Err(precondition(
            format!("{} has no kept values of version {}: there is no {copy_name} of it", secret.id, version),
            "What nobody has kept cannot be put back; rotate it instead.",
        ));
    };
    if copy.same {
        return Ok(nothing(
            seen,
            format!("{} holds the values of {copy_name} already: nothing to do", secret.id),
        ));
    }
    if copy.keys != secret.keys {
        return Err(precondition(
            format!("{copy_name} has other keys than {}: {}", secret.id, named(&copy.keys)),
            "Have somebody who knows both put the values back by hand.",
        ));
    }
    let origin = Origin::Kept { uid: copy.uid.clone() };
    let mut acts = Vec::new();
    acts.extend(keep(secret, fixed)?);
    acts.extend(tell(action, secret, &copy_name, &origin, seen, fixed)?);
    let promote = promote(secret, version, copy_name, origin, copy.keys.clone(), fixed);
    acts.push(Act::Secret(SecretAct::Promote(promote)));
    put_in(secret, acts, "the values of before", version, restarts, seen, fixed)
}

/// Where a backend checks the value: it learns it, and is asked whether it takes it, before anybody depends on that.
fn tell(
    action: &SecretAction,
    secret: &Secret,
    copy: &ObjectName,
    origin: &Origin,
    seen: &Seen,
    fixed: &Fixed,
) -> Result<Vec<Act>, Refusal> {
    let Some(backend) = action.backend() else { return Ok(Vec::new()) };
    if !secret.keys.contains(backend.key) {
        return Err(no_key(secret, backend.key));
    }
    let uid = match seen.secrets.backend(&backend.at) {
        Some(Backend::There { uid }) => uid,
        Some(Backend::Nowhere(why)) => {
            return Err(precondition(
                format!("no command can be run in {}: {why}", backend.at),
                "Look up the backend's pod, have it ready, and plan again.",
            ));
        }
        None => return Err(internal("a backend was not looked at")),
    };
    let act = |purpose, command: &Argv| {
        Act::Secret(SecretAct::Tell(Tell {
            live: live(secret),
            copy: copy.clone(),
            origin: origin.clone(),
            key: backend.key.clone(),
            purpose,
            at: backend.at.clone(),
            uid: uid.clone(),
            command: command.clone(),
            limit: backend.limit,
            not_undone: backend.not_undone.clone(),
            plan: fixed.plan.clone(),
        }))
    };
    Ok(vec![act(TellTo::Learn, backend.teach), act(TellTo::Test, backend.test)])
}

fn no_key(secret: &Secret, key: &DataKey) -> Refusal {
    precondition(
        format!("{} has no key {key}; it has {}", secret.id, named(&secret.keys)),
        "Name keys that it has, and plan again.",
    )
}

/// How consumers are restarted.
#[derive(Clone, Copy)]
struct Restarts {
    batch: Batch,
    timeout: Span,
}

/// The acts that put values in, then the restarts; and what is there afterwards.
fn put_in(
    secret: &Secret,
    mut acts: Vec<Act>,
    what: &str,
    version: VersionNumber,
    restarts: Restarts,
    seen: &Seen,
    fixed: &Fixed,
) -> Result<Draft<KubectlActions>, Refusal> {
    let mut predicted = seen.clone();
    if let Some(it) = predicted.secrets.secrets.iter_mut().find(|s| s.id.uid == secret.id.uid) {
        it.version = version;
        it.mark = Some(fixed.plan.to_string());
        it.annotated = true;
    }
    let mut restarted = Vec::new();
    for consumer in &secret.consumers {
        restarted.extend(restartable(consumer, secret, seen)?);
    }
    let names: Vec<String> = restarted.iter().map(ToString::to_string).collect();
    // One at least: a batch has no other numbers.
    let batch = restarts.batch.get() as usize;
    for together in restarted.chunks(batch) {
        let mut waits = Vec::new();
        for workload in together {
            let found = Found::find(workload, seen)?;
            let restart = found.restart(restarts.timeout, fixed, &mut predicted);
            acts.push(restart.patch);
            waits.push(restart.wait);
        }
        acts.extend(waits);
    }
    let restarts = match names.as_slice() {
        [] => "nothing is there to be restarted".to_owned(),
        [only] => format!("then restart {only}"),
        all => format!("then restart {} workloads, {batch} at a time: {}", all.len(), all.join(", ")),
    };
    let summary = format!("put {what} into {} as version {version}; {restarts}", secret.id);
    Ok(Draft { acts, predicted, summary })
}

/// The Secret, if its values are ours to choose.
fn changeable<'a>(namespace: &Namespace, name: &ObjectName, seen: &'a Seen) -> Result<&'a Secret, Refusal> {
    let secret = seen.secrets.secret(namespace, name).ok_or_else(|| {
        precondition(
            format!("there is no Secret {namespace}/{name}"),
            "Look up its namespace and name and plan again.",
        )
    })?;
    let id = &secret.id;
    if secret.deleting {
        return Err(precondition(
            format!("{id} is being deleted"),
            "Wait until it is made anew, then plan again.",
        ));
    }
    if secret.immutable {
        return Err(precondition(
            format!("{id} is immutable: its values can never change"),
            "Make a new Secret with another name and have its consumers name that one.",
        ));
    }
    match &secret.content {
        Content::Free => {}
        Content::Given { of } => {
            let of = of.as_deref().unwrap_or("another type");
            return Err(precondition(
                format!("{id} is of type {of}: its values cannot be made up"),
                "Rotate it where its values come from.",
            ));
        }
    }
    match secret.keepers.iter().next() {
        None => Ok(secret),
        Some(SecretKeeper::Owner { kind, name }) => Err(precondition(
            format!("{id} belongs to {kind} {name}, which would put its own values back"),
            "Rotate it through its owner.",
        )),
        Some(SecretKeeper::Tool { name }) => Err(precondition(
            format!("{id} is kept by {name}, which would put its own values back"),
            "Rotate it where that tool takes the values from.",
        )),
    }
}

/// The workload that must be restarted so that this consumer has the new value; none where nothing runs on the old one.
///
/// A consumer that would keep the old value, and that nothing restarts, stands in the way of the whole plan.
fn restartable(consumer: &Consumer, secret: &Secret, seen: &Seen) -> Result<Option<WorkloadRef>, Refusal> {
    let who = &consumer.who;
    if let Some(kind) = kind_of(who) {
        let named = WorkloadRef { kind, namespace: who.namespace.clone(), name: who.name.clone() };
        let found = Found::find(&named, seen)?;
        if consumer.pods == 0 && found.counts.replicas == 0 {
            return Ok(None);
        }
        found.can_restart()?;
        return Ok(Some(named));
    }
    // Jobs run to their end and their next run reads the new value; everything else would run on with the old one.
    let ends = matches!(who.kind.as_str(), "Job" | "CronJob");
    if ends || consumer.pods == 0 {
        return Ok(None);
    }
    Err(precondition(
        format!("{who} uses {} and would keep the old value: there is no workload to restart", secret.id),
        "Have its owner take it out of use or restart it by hand right after, or put it under a Deployment; then plan again.",
    ))
}

/// Keeps what the Secret holds now, where nobody has yet: nothing is overwritten that could not be put back.
fn keep(secret: &Secret, fixed: &Fixed) -> Result<Option<Act>, Refusal> {
    if secret.is_kept() {
        return Ok(None);
    }
    let version = secret.kept_as();
    let copy = copy_name(secret, version)?;
    let keep = Keep { live: live(secret), version, copy, plan: fixed.plan.clone() };
    Ok(Some(Act::Secret(SecretAct::Keep(keep))))
}

fn live(secret: &Secret) -> Live {
    Live { id: secret.id.clone(), resource_version: secret.resource_version.clone() }
}

fn promote(
    secret: &Secret,
    to: VersionNumber,
    copy: ObjectName,
    origin: Origin,
    keys: BTreeSet<DataKey>,
    fixed: &Fixed,
) -> Promote {
    Promote {
        live: live(secret),
        from: secret.kept_as(),
        to,
        copy,
        origin,
        keys,
        plan: fixed.plan.clone(),
        annotated: secret.annotated,
    }
}

fn copy_name(secret: &Secret, version: VersionNumber) -> Result<ObjectName, Refusal> {
    Copy::name(&secret.id.name, version).ok_or_else(|| {
        precondition(
            format!("the name of {} leaves no room for a number behind it", secret.id),
            "Its values cannot be kept beside it; rotate it by hand.",
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::exec::Limit;
    use crate::samples::{fixed, owner, uid};
    use crate::secrets::tests::{consumer, copy, drafted, number, rotated, said, tell, with};

    /// `shop/db`, rotated twice, with what it held before in `db-v2`; and a backend that is there.
    fn rotated_twice() -> Seen {
        let mut seen = with(|it| {
            (it.version, it.free) = (number(3), number(4));
            it.copies = vec![copy(1, false), copy(2, false), copy(3, true)];
        });
        let at = tell(TellTo::Learn).at;
        seen.secrets.backends.push((at, Backend::There { uid: uid("pod-rabbit-0") }));
        seen
    }

    fn restored_taught(key: &str, seen: &Seen) -> Result<Draft<KubectlActions>, Refusal> {
        let with = json!({
            "version": 2, "key": key, "pod": "rabbit-0", "container": "rabbitmq", "limit": "5m",
            "teach": ["rabbitmqctl", "change_password"], "test": ["rabbitmqctl", "authenticate_user"],
            "not_undone": "what was done meanwhile",
        });
        drafted("restore_taught_secret", with, seen)
    }

    fn secrets(draft: Draft<KubectlActions>) -> Vec<SecretAct> {
        let only = |act| if let Act::Secret(act) = act { Some(act) } else { None };
        draft.acts.into_iter().filter_map(only).collect()
    }

    #[test]
    fn a_backend_learns_the_very_copy_that_is_put_back() {
        let acts = secrets(restored_taught("password", &rotated_twice()).unwrap());
        let [SecretAct::Tell(learn), SecretAct::Tell(test), SecretAct::Promote(put_in)] = &acts[..] else {
            panic!("{acts:?}")
        };
        assert_eq!((learn.purpose, test.purpose), (TellTo::Learn, TellTo::Test));
        let command = |words: Value| serde_json::from_value::<Argv>(words).unwrap();
        assert_eq!(learn.command, command(json!(["rabbitmqctl", "change_password"])));
        assert_eq!(test.command, command(json!(["rabbitmqctl", "authenticate_user"])));
        let earlier = Origin::Kept { uid: uid("copy-2") };
        for it in [learn, test] {
            assert_eq!((it.copy.as_str(), &it.origin), ("db-v2", &earlier));
            assert_eq!((it.key.as_str(), it.limit), ("password", Limit::try_from("5m".to_owned()).unwrap()));
        }
        assert_eq!((put_in.to, put_in.copy.as_str(), &put_in.origin), (number(2), "db-v2", &earlier));
    }

    #[test]
    fn a_backend_is_told_nothing_of_a_key_that_is_not_there() {
        let refused = restored_taught("pin", &rotated_twice()).unwrap_err().message;
        assert!(refused.contains("has no key pin; it has password and salt"), "{refused}");
    }

    #[test]
    fn another_backend_that_was_looked_at_is_not_the_one() {
        let mut seen = rotated_twice();
        seen.secrets.backends[0].0.pod = "rabbit-1".parse().unwrap();
        assert!(restored_taught("password", &seen).is_err(), "its own was not looked at");
    }

    #[test]
    fn what_is_predicted_is_the_number_and_the_mark_of_this_secret_alone() {
        let mut seen = with(|_| ());
        let mut other = seen.secrets.secrets[0].clone();
        other.id = owner("Secret", "other");
        seen.secrets.secrets.insert(0, other.clone());
        let predicted = rotated(&seen).unwrap().predicted.secrets.secrets;
        assert_eq!(predicted[0], other);
        let is = &predicted[1];
        assert_eq!((is.version, is.annotated), (number(2), true));
        assert_eq!(is.mark.as_deref(), Some(fixed().plan.as_str()));
    }

    #[test]
    fn a_secret_of_another_namespace_is_another_secret() {
        let elsewhere = with(|it| it.id.namespace = "till".parse().unwrap());
        assert!(rotated(&elsewhere).unwrap_err().message.contains("there is no Secret shop/db"));
    }

    #[test]
    fn values_that_somebody_wrote_by_hand_are_what_is_replaced() {
        let edited = with(|it| {
            (it.version, it.free) = (number(2), number(3));
            it.copies = vec![copy(2, false)];
        });
        for annotated in [true, false] {
            let mut edited = edited.clone();
            edited.secrets.secrets[0].annotated = annotated;
            let Some(SecretAct::Promote(it)) = secrets(rotated(&edited).unwrap()).pop() else {
                panic!("the last act puts values in")
            };
            assert_eq!((it.from, it.to, it.annotated), (number(3), number(4), annotated));
        }
    }

    #[test]
    fn a_copy_that_is_not_ours_keeps_nothing() {
        let forged = with(|it| {
            it.copies = vec![Copy { ours: false, ..copy(1, true) }];
            it.free = number(2);
        });
        assert_eq!(said(&rotated(&forged).unwrap())[0], "keep what Secret shop/db holds as db-v2");
    }

    #[test]
    fn only_a_workload_without_pods_and_without_replicas_is_not_restarted() {
        for (pods, replicas, restarted) in [(0, 0, false), (1, 0, true), (0, 4, true), (4, 4, true)] {
            let mut seen = with(|it| it.consumers[0].pods = pods);
            let counts = seen.workloads[0].counts.as_mut().unwrap();
            (counts.replicas, counts.total, counts.updated) = (replicas, replicas, replicas);
            let restarts = said(&rotated(&seen).unwrap()).iter().any(|said| said.starts_with("restart"));
            assert_eq!(restarts, restarted, "{pods} pods of {replicas}");
        }
    }

    #[test]
    fn a_job_that_runs_stands_in_nobodys_way() {
        let seen =
            with(|it| it.consumers = vec![consumer("Job", "once", 1), consumer("CronJob", "often", 1)]);
        assert_eq!(rotated(&seen).unwrap().acts.len(), 3);
    }
}
