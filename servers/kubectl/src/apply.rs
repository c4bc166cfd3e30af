//! Carrying out mutations: the only place that sends one for real, and only against a permit.

use http::{Request, StatusCode};
use k8s_openapi::api::core::v1::Pod as ApiPod;
use runcord_runtime::mask::Mask;
use runcord_runtime::target::{Acted, Permit, Supervision};

use crate::act::{Act, Evict, Patch};
use crate::exec;
use crate::queues::{self, QueueAct};
use crate::reader::Reader;
use crate::requests::{self, Mode, Unwritable};
use crate::secrets::acts::Tell;
use crate::secrets::{self, SecretAct};
use crate::upkeep::apply::Unsent;
use crate::upkeep::{self, UpkeepAct};
use crate::volumes;
use crate::volumes::acts::{Grow, VolumeAct};
use crate::wire::{Answer, Unanswered, Wire};

/// Sends mutations.
pub(crate) struct Writer {
    wire: Wire,
}

impl Writer {
    pub(crate) fn new(wire: Wire) -> Self {
        Self { wire }
    }

    /// Carries out one act. The permit is spent, whatever comes of it.
    pub(crate) async fn apply(
        &self,
        permit: Permit,
        supervision: &Supervision<'_>,
        reader: &Reader,
        mask: &Mask,
        act: &Act,
    ) -> Acted {
        match act {
            Act::Patch(patch) => self.patch(permit, patch).await,
            Act::Evict(evict) => self.evict(permit, reader, evict).await,
            Act::Upkeep(act) => self.upkeep(permit, reader, mask, act).await,
            Act::Secret(SecretAct::Tell(it)) => self.tell(permit, supervision, reader, it).await,
            Act::Secret(act) => self.secret(permit, reader, act).await,
            Act::Volume(VolumeAct::Grow(it)) => self.grow(permit, it).await,
            Act::Queue(act) => self.queue(permit, supervision, reader, act).await,
            Act::AwaitEvicted(_) | Act::AwaitRollout(_) | Act::Volume(VolumeAct::AwaitGrown(_)) => {
                refused("a wait changes nothing and cannot be applied")
            }
        }
    }

    async fn patch(&self, permit: Permit, patch: &Patch) -> Acted {
        let attempt = permit.attempt();
        match self.send(permit, requests::patch(patch, Mode::Real)).await {
            Ok(answer) => judge_patch(patch, answer.status, attempt),
            Err(lost) => lost,
        }
    }

    async fn upkeep(&self, permit: Permit, reader: &Reader, mask: &Mask, act: &UpkeepAct) -> Acted {
        let request = match upkeep::apply::request(reader, mask, act, Mode::Real).await {
            Ok(request) => request,
            Err(why) => return unsent(why),
        };
        let attempt = permit.attempt();
        match (self.send(permit, Ok(request)).await, act) {
            (Err(lost), _) => lost,
            // Somebody else deleted it: it is gone all the same.
            (Ok(answer), UpkeepAct::Delete(_)) if answer.status == StatusCode::NOT_FOUND => Acted::Done,
            (Ok(answer), _) => judge(&act.describe(), answer.status, attempt),
        }
    }

    /// A backend that has learnt a value does not forget it, and reading that value may take a while: the cord is looked at once
    /// more after it.
    async fn tell(&self, permit: Permit, supervision: &Supervision<'_>, reader: &Reader, it: &Tell) -> Acted {
        let line = match secrets::apply::value(reader, it).await {
            Ok(line) => line,
            Err(why) => return unsent(why),
        };
        let unstopped = match supervision.unstopped(permit) {
            Ok(unstopped) => unstopped,
            Err(acted) => return acted,
        };
        let outcome = exec::run(&self.wire, &secrets::apply::command(&unstopped, it, &line)).await;
        drop(unstopped);
        secrets::apply::judge(it, &outcome)
    }

    async fn secret(&self, permit: Permit, reader: &Reader, act: &SecretAct) -> Acted {
        let request = match secrets::apply::request(reader, act, Mode::Real).await {
            Ok(request) => request,
            Err(why) => return unsent(why),
        };
        let attempt = permit.attempt();
        match self.send(permit, Ok(request)).await {
            Err(lost) => lost,
            Ok(answer) => judge(&act.describe(), answer.status, attempt),
        }
    }

    async fn grow(&self, permit: Permit, it: &Grow) -> Acted {
        let attempt = permit.attempt();
        match self.send(permit, volumes::requests::grow(it, Mode::Real)).await {
            Ok(answer) => volumes::apply::judge(it, answer.status, attempt),
            Err(lost) => lost,
        }
    }

    /// The preview may take a while: the cord is looked at once more after it, with nothing in between.
    async fn queue(
        &self,
        permit: Permit,
        supervision: &Supervision<'_>,
        reader: &Reader,
        act: &QueueAct,
    ) -> Acted {
        let QueueAct::Purge(it) = act;
        if let Err(acted) = queues::apply::unchanged(reader, it).await {
            return acted;
        }
        let unstopped = match supervision.unstopped(permit) {
            Ok(unstopped) => unstopped,
            Err(acted) => return acted,
        };
        let outcome = exec::run(&self.wire, &queues::apply::command(&unstopped, it)).await;
        tracing::info!(act = unstopped.permit().act(), ?outcome, "a purge command was run");
        drop(unstopped);
        queues::apply::judge(&outcome)
    }

    /// Looks at the pod once more: what is gone already needs no eviction, and another pod of its name gets none.
    async fn evict(&self, permit: Permit, reader: &Reader, evict: &Evict) -> Acted {
        match look(reader, evict).await {
            Look::Gone => return Acted::Done,
            Look::Elsewhere => return refused("the pod is not on the drained node any more"),
            Look::Unseen => return deferred("the API server does not answer a read of the pod"),
            Look::There => {}
        }
        let answer = match self.send(permit, requests::evict(evict, Mode::Real)).await {
            Ok(answer) => answer,
            Err(lost) => return lost,
        };
        match judge_eviction(evict, &answer) {
            Judged::Said(acted) => acted,
            // The uid did not match: the pod that was planned may be gone.
            Judged::Another => match look(reader, evict).await {
                Look::Gone => Acted::Done,
                Look::There | Look::Elsewhere | Look::Unseen => {
                    refused("the API server says that the pod is not the one that was planned")
                }
            },
        }
    }

    async fn send(
        &self,
        permit: Permit,
        request: Result<Request<Vec<u8>>, Unwritable>,
    ) -> Result<Answer, Acted> {
        let request = request.map_err(|_| refused("the request could not be built"))?;
        let (act, attempt) = (permit.act(), permit.attempt());
        let answer = self.wire.ask(request).await;
        drop(permit);
        answer.map_err(|error| {
            tracing::warn!(act, attempt, error = &error as &dyn std::error::Error, "no answer to a mutation");
            let reason = match error {
                Unanswered::TimedOut => "the API server did not answer in time",
                Unanswered::Failed(_) => "the connection to the API server failed",
            };
            lost(reason)
        })
    }
}

/// What it means that nothing was sent.
fn unsent(why: Unsent) -> Acted {
    match why {
        Unsent::Changed(reason) => refused(reason),
        Unsent::Unanswered => deferred("the API server does not answer a read"),
    }
}

/// What a last look at a pod found.
enum Look {
    There,
    Elsewhere,
    Gone,
    Unseen,
}

async fn look(reader: &Reader, evict: &Evict) -> Look {
    match reader.get::<ApiPod>(Some(&evict.namespace), evict.pod.as_str()).await {
        Err(_) => Look::Unseen,
        Ok(pod) => where_is(evict, pod.as_ref()),
    }
}

fn where_is(evict: &Evict, pod: Option<&ApiPod>) -> Look {
    match pod {
        None => Look::Gone,
        Some(pod) if pod.metadata.uid.as_deref() != Some(evict.uid.as_str()) => Look::Gone,
        Some(pod) if pod.metadata.deletion_timestamp.is_some() => Look::Gone,
        Some(pod) => match pod.spec.as_ref().and_then(|s| s.node_name.as_deref()) {
            Some(node) if node == evict.node.as_str() => Look::There,
            Some(_) | None => Look::Elsewhere,
        },
    }
}

/// What the API server's answer to an act of upkeep, or of rotating a Secret, means.
fn judge(what: &str, status: StatusCode, attempt: u32) -> Acted {
    match status {
        // As for a patch: an earlier attempt may have arrived after all.
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT | StatusCode::NOT_FOUND if attempt > 1 => {
            lost(format!("the cluster was not as planned at a further attempt: {what}"))
        }
        s if s.is_success() => Acted::Done,
        StatusCode::TOO_MANY_REQUESTS => deferred("the API server is overloaded"),
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT | StatusCode::NOT_FOUND => refused(format!(
            "the cluster is not as it was planned any more, or its admission says no: {what}"
        )),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            refused(format!("the API server does not let these credentials do this: {what}"))
        }
        s if s.is_client_error() => refused(format!("the API server refused with status {}", s.as_u16())),
        s => lost(format!("the API server answered with status {}", s.as_u16())),
    }
}

enum Judged {
    Said(Acted),
    Another,
}

fn judge_patch(patch: &Patch, status: StatusCode, attempt: u32) -> Acted {
    let object = patch.object.label();
    match status {
        // An earlier attempt whose answer never came may have arrived after all, and then this is its own doing:
        // only looking for its mark can tell.
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT | StatusCode::NOT_FOUND if attempt > 1 => {
            lost(format!("{object} was not as planned at a further attempt"))
        }
        s if s.is_success() => Acted::Done,
        StatusCode::TOO_MANY_REQUESTS => deferred("the API server is overloaded"),
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT => {
            refused(format!("{object} is not as it was planned any more, or the cluster's admission says no"))
        }
        StatusCode::NOT_FOUND => refused(format!("{object} is gone")),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            refused(format!("the API server does not let these credentials change {object}"))
        }
        s if s.is_client_error() => refused(format!("the API server refused with status {}", s.as_u16())),
        s => lost(format!("the API server answered with status {}", s.as_u16())),
    }
}

fn judge_eviction(evict: &Evict, answer: &Answer) -> Judged {
    let status = answer.status;
    Judged::Said(match status {
        s if s.is_success() => Acted::Done,
        StatusCode::NOT_FOUND => Acted::Done,
        StatusCode::CONFLICT => return Judged::Another,
        StatusCode::TOO_MANY_REQUESTS => deferred(who_stands_in_the_way(evict)),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            refused("the API server does not let these credentials evict the pod")
        }
        StatusCode::INTERNAL_SERVER_ERROR if two_budgets(answer) => {
            refused("the pod is covered by more than one disruption budget")
        }
        s if s.is_client_error() => refused(format!("the API server refused with status {}", s.as_u16())),
        s => lost(format!("the API server answered with status {}", s.as_u16())),
    })
}

/// The one internal error of evictions that is a plain no.
fn two_budgets(answer: &Answer) -> bool {
    String::from_utf8_lossy(&answer.body).contains("more than one PodDisruptionBudget")
}

fn who_stands_in_the_way(evict: &Evict) -> String {
    let names: Vec<_> = evict.budgets.iter().map(|b| format!("{}/{}", b.namespace, b.name)).collect();
    if names.is_empty() {
        "the API server puts the eviction off".to_owned()
    } else {
        format!("PodDisruptionBudget {} allows no disruption now", names.join(", "))
    }
}

fn refused(reason: impl Into<String>) -> Acted {
    Acted::Refused { reason: reason.into() }
}

fn deferred(reason: impl Into<String>) -> Acted {
    Acted::Deferred { reason: reason.into() }
}

fn lost(reason: impl Into<String>) -> Acted {
    Acted::Lost { reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{cordon, eviction, pod};

    fn judge(status: u16, body: &str) -> Judged {
        let answer =
            Answer { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.into() };
        judge_eviction(&eviction(&pod("n1", "web", 0)), &answer)
    }

    #[test]
    fn a_server_error_after_sending_is_lost_and_never_refused() {
        for status in [500, 502, 503, 504] {
            assert!(matches!(judge(status, ""), Judged::Said(Acted::Lost { .. })), "{status}");
        }
        let two = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
        assert!(matches!(judge(500, two), Judged::Said(Acted::Refused { .. })));
    }

    #[test]
    fn a_further_attempt_that_meets_its_own_doing_is_looked_at_and_never_failed() {
        let patch = cordon();
        for status in [StatusCode::UNPROCESSABLE_ENTITY, StatusCode::CONFLICT, StatusCode::NOT_FOUND] {
            assert!(matches!(judge_patch(&patch, status, 1), Acted::Refused { .. }), "{status}");
            assert!(matches!(judge_patch(&patch, status, 2), Acted::Lost { .. }), "{status}");
        }
    }

    #[test]
    fn the_answer_to_an_act_of_upkeep_or_of_a_rotation_is_done_only_when_it_says_so() {
        let judge =
            |status: u16, attempt| super::judge("keep", StatusCode::from_u16(status).unwrap(), attempt);
        for status in [200, 201] {
            assert_eq!(judge(status, 1), Acted::Done);
        }
        for status in [400, 401, 403, 404, 409, 413, 422] {
            assert!(matches!(judge(status, 1), Acted::Refused { .. }), "{status}");
        }
        for status in [404, 409, 422] {
            assert!(matches!(judge(status, 2), Acted::Lost { .. }), "{status}: it may be its own doing");
        }
        for status in [401, 403] {
            let Acted::Refused { reason } = judge(status, 1) else { panic!("{status}") };
            assert!(reason.contains("does not let these credentials"), "{reason}");
        }
        assert!(matches!(judge(429, 1), Acted::Deferred { .. }));
        for status in [302, 500, 503] {
            assert!(matches!(judge(status, 1), Acted::Lost { .. }), "{status}: never failed");
        }
    }

    #[test]
    fn what_has_changed_is_refused_and_what_was_not_answered_is_put_off() {
        assert_eq!(unsent(Unsent::Changed("moved".into())), Acted::Refused { reason: "moved".into() });
        assert!(matches!(unsent(Unsent::Unanswered), Acted::Deferred { .. }));
    }

    #[test]
    fn too_many_requests_names_the_budget() {
        match judge(429, "free text of the server") {
            Judged::Said(Acted::Deferred { reason }) => {
                assert_eq!(reason, "PodDisruptionBudget shop/web allows no disruption now");
            }
            Judged::Said(_) | Judged::Another => panic!("not deferred"),
        }
    }

    #[test]
    fn a_pod_of_the_same_name_is_not_the_one_that_was_planned() {
        let evict = eviction(&pod("n1", "web", 0));
        let api = |uid: &str, node: &str| -> ApiPod {
            serde_json::from_value(serde_json::json!({
                "metadata": {"name": "web-0", "namespace": "shop", "uid": uid},
                "spec": {"nodeName": node, "containers": []}
            }))
            .unwrap()
        };
        assert!(matches!(where_is(&evict, Some(&api(evict.uid.as_str(), "n1"))), Look::There));
        assert!(matches!(where_is(&evict, Some(&api(evict.uid.as_str(), "n2"))), Look::Elsewhere));
        assert!(matches!(where_is(&evict, Some(&api("another", "n1"))), Look::Gone));
        assert!(matches!(where_is(&evict, None), Look::Gone));
    }
}
