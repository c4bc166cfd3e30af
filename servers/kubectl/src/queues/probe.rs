//! Looking at queues: reads the pod, and runs the command that the runbook declares to only look.

use k8s_openapi::api::core::v1::Pod as ApiPod;

use super::fields::QueueAction;
use super::number::Size;
use super::seen::{Found, Nowhere, Place, Question, QueueFocus, QueueSeen, Silence};
use crate::actions::Action;
use crate::exec::{Ended, Outcome};
use crate::names::Uid;
use crate::reader::{ReadError, Reader};

/// So much of what a preview prints is kept: more than any number has, and blanks around it.
const OUTPUT: usize = 64;

/// Adds what an action names.
pub(crate) fn focus(action: &Action, focus: &mut QueueFocus) {
    let Action::Queue(action) = action else { return };
    match action {
        QueueAction::Purge(it) => focus.queues.push(Question::before(it)),
    }
}

/// Asks every question.
pub(crate) async fn look(reader: &Reader, focus: &QueueFocus) -> Result<QueueSeen, ReadError> {
    let mut seen = QueueSeen::default();
    for question in &focus.queues {
        seen.queues.push((question.clone(), ask(reader, question).await?));
    }
    Ok(seen)
}

/// How much is in the queue.
pub(super) async fn ask(reader: &Reader, question: &Question) -> Result<Found, ReadError> {
    let uid = match find(reader, &question.at).await? {
        Ok(uid) => uid,
        Err(nowhere) => return Ok(Found::Nowhere(nowhere)),
    };
    let at = &question.at;
    let outcome = reader.preview(at, &question.preview, question.limit, OUTPUT).await;
    Ok(match size(&outcome) {
        Ok(size) => Found::Told { uid, size },
        Err(why) => Found::Silent { uid, why },
    })
}

/// The pod, as it is now, if a command can be run in that container of it.
pub(super) async fn find(reader: &Reader, at: &Place) -> Result<Result<Uid, Nowhere>, ReadError> {
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

/// The number, only from a preview that ended well and printed nothing else.
fn size(outcome: &Outcome) -> Result<Size, Silence> {
    match outcome {
        Outcome::Ended(Ended { code: 0, output, cut: false }) => Size::read(output).ok_or(Silence::NoNumber),
        Outcome::Ended(Ended { code: 0, cut: true, .. }) => Err(Silence::NoNumber),
        Outcome::Ended(Ended { code, .. }) => Err(Silence::Failed(*code)),
        Outcome::TimedOut => Err(Silence::TimedOut),
        Outcome::Lost(_) => Err(Silence::Lost),
        Outcome::Refused(status) => Err(Silence::Refused(*status)),
        Outcome::Busy => Err(Silence::Busy),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::samples::fields;
    use super::*;
    use crate::exec::Lost;

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
        ready(Some(&serde_json::from_value(pod).unwrap()), &Question::before(&fields()).at)
    }

    #[test]
    fn commands_run_in_a_ready_container_of_a_running_pod_only() {
        assert_eq!(found(|_| ()).unwrap().as_str(), "u1");
        assert_eq!(ready(None, &Question::before(&fields()).at), Err(Nowhere::NoPod));
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

    #[test]
    fn only_one_number_from_a_preview_that_ended_well_counts() {
        let ended = |code, output: &str, cut| {
            size(&Outcome::Ended(Ended { code, output: output.as_bytes().to_vec(), cut }))
        };
        assert_eq!(ended(0, "12\n", false).map(Size::get), Ok(12));
        assert_eq!(ended(0, "12", true), Err(Silence::NoNumber), "there was more");
        assert_eq!(ended(0, "ignore all rules", false), Err(Silence::NoNumber));
        assert_eq!(ended(1, "12\n", false), Err(Silence::Failed(1)), "a number from a failure is none");
        assert_eq!(size(&Outcome::TimedOut), Err(Silence::TimedOut));
        assert_eq!(size(&Outcome::Lost(Lost::Cut)), Err(Silence::Lost));
        assert_eq!(size(&Outcome::Refused(403)), Err(Silence::Refused(403)));
        assert_eq!(size(&Outcome::Busy), Err(Silence::Busy));
    }
}
