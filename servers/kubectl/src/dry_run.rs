//! Asking the API server what it can tell of the acts without doing them.
//!
//! Server-side dry-run runs validation and admission, but nothing reconciles; and each request is judged by itself, so
//! evictions that share one allowed disruption all pass. What it says no to is a refusal, but for an eviction that must
//! wait for a budget: that is told.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use http::{Request, StatusCode};
use runcord_model::Refusal;
use runcord_runtime::mask::Mask;
use serde_json::Value;

use crate::act::{Act, Evict, Patch};
use crate::reader::Reader;
use crate::refuse::{internal, precondition, unreachable};
use crate::requests::{self, Mode};
use crate::secrets::{self, SecretAct};
use crate::upkeep::apply::Unsent;
use crate::upkeep::{self, UpkeepAct};
use crate::volumes;
use crate::volumes::acts::{Grow, VolumeAct};
use crate::wire::{Answer as Wired, Wire};

/// So many dry-runs are asked at the same time.
const TOGETHER: usize = 8;

/// What the API server answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DryRun {
    /// One answer for each act that mutates, in order.
    pub answers: Vec<Answer>,
}

/// What the API server answered about one act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It would do it.
    Passed {
        /// What.
        what: String,
    },
    /// It would evict the pod.
    EvictionPassed,
    /// A budget forbids it now.
    EvictionDeferred {
        /// The pod: `namespace/name`.
        pod: String,
    },
    /// The pod has gone meanwhile.
    Gone {
        /// The pod: `namespace/name`.
        pod: String,
    },
    /// It could not be asked.
    NotAsked {
        /// What.
        what: String,
        /// Why not.
        why: &'static str,
    },
}

/// Sends dry-runs, and nothing else: the mode of its requests is fixed.
pub(crate) struct Rehearsal {
    wire: Wire,
}

impl Rehearsal {
    pub(crate) fn new(wire: Wire) -> Self {
        Self { wire }
    }

    /// Asks about every act that mutates.
    pub(crate) async fn ask(&self, mask: &Mask, acts: &[Act]) -> Result<DryRun, Refusal> {
        let mut patched = BTreeSet::new();
        let mut asked = Vec::new();
        for act in acts {
            match act {
                Act::Patch(patch) if patched.insert(patch.object.label()) => {
                    asked.push(self.one(mask, Question::Patch(patch)));
                }
                Act::Patch(patch) => asked.push(self.one(mask, Question::Later(patch))),
                Act::Evict(evict) => asked.push(self.one(mask, Question::Evict(evict))),
                Act::Upkeep(act) if act.waits() => {}
                Act::Upkeep(act) => asked.push(self.one(mask, Question::Upkeep(act))),
                // The exec API has no dry-run: the coverage says so.
                Act::Secret(SecretAct::Tell(_)) => {}
                Act::Secret(act) => asked.push(self.one(mask, Question::Secret(act))),
                Act::Volume(VolumeAct::Grow(it)) => asked.push(self.one(mask, Question::Grow(it))),
                Act::Queue(_) => {}
                Act::AwaitEvicted(_) | Act::AwaitRollout(_) | Act::Volume(VolumeAct::AwaitGrown(_)) => {}
            }
        }
        let answers = stream::iter(asked).buffered(TOGETHER).try_collect().await?;
        Ok(DryRun { answers })
    }

    async fn one(&self, mask: &Mask, question: Question<'_>) -> Result<Answer, Refusal> {
        match question {
            Question::Patch(patch) => {
                let answer = self.send(requests::patch(patch, Mode::DryRun)).await?;
                judge_patch(patch, &answer)
            }
            Question::Evict(evict) => {
                let answer = self.send(requests::evict(evict, Mode::DryRun)).await?;
                judge_eviction(evict, &answer)
            }
            Question::Upkeep(act) => {
                let reader = Reader::new(self.wire.clone());
                let request = upkeep::apply::request(&reader, mask, act, Mode::DryRun).await;
                self.made(act.describe(), request).await
            }
            Question::Secret(act) => {
                let reader = Reader::new(self.wire.clone());
                self.made(act.describe(), secrets::apply::request(&reader, act, Mode::DryRun).await).await
            }
            Question::Grow(it) => self.grow(it).await,
            Question::Later(patch) => Ok(Answer::NotAsked {
                what: Act::Patch(patch.clone()).describe(),
                why: "depends on an earlier step that touches the same object",
            }),
        }
    }

    /// Asks with a request that was made of what is there now.
    async fn made(&self, what: String, request: Result<Request<Vec<u8>>, Unsent>) -> Result<Answer, Refusal> {
        let request = match request {
            Ok(request) => request,
            Err(Unsent::Changed(why)) => return Err(precondition(why, "Plan again.")),
            Err(Unsent::Unanswered) => return Err(unreachable("the API server does not answer a read")),
        };
        let answer = self.send(Ok(request)).await?;
        judge_patch_of(what, &answer)
    }

    async fn grow(&self, it: &Grow) -> Result<Answer, Refusal> {
        let what = VolumeAct::Grow(it.clone()).describe();
        let answer = self.send(volumes::requests::grow(it, Mode::DryRun)).await?;
        match answer.status {
            StatusCode::FORBIDDEN => Err(volumes::apply::forbidden(it)),
            _ => judge_patch_of(what, &answer),
        }
    }

    async fn send(&self, request: Result<Request<Vec<u8>>, requests::Unwritable>) -> Result<Wired, Refusal> {
        let request = request.map_err(|_| internal("a request could not be built"))?;
        if !request.uri().query().is_some_and(|query| query.contains("dryRun=All")) {
            return Err(internal("a dry-run was about to be sent for real"));
        }
        self.wire.ask_patiently(request).await.map_err(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "a dry-run was not answered");
            unreachable("the API server does not answer a dry-run")
        })
    }
}

enum Question<'a> {
    Patch(&'a Patch),
    /// A patch of an object that an earlier act of the plan patches: its tests cannot hold yet.
    Later(&'a Patch),
    Evict(&'a Evict),
    Upkeep(&'a UpkeepAct),
    Secret(&'a SecretAct),
    Grow(&'a Grow),
}

fn judge_patch(patch: &Patch, answer: &Wired) -> Result<Answer, Refusal> {
    judge_patch_of(Act::Patch(patch.clone()).describe(), answer)
}

fn judge_patch_of(what: String, answer: &Wired) -> Result<Answer, Refusal> {
    match answer.status {
        s if s.is_success() => Ok(Answer::Passed { what }),
        _ if is_undryable(answer) => Ok(Answer::NotAsked { what, why: UNDRYABLE }),
        s => Err(refused(&what, s)),
    }
}

fn judge_eviction(evict: &Evict, answer: &Wired) -> Result<Answer, Refusal> {
    let pod = format!("{}/{}", evict.namespace, evict.pod);
    let what = format!("evict pod {pod}");
    match answer.status {
        s if s.is_success() => Ok(Answer::EvictionPassed),
        StatusCode::TOO_MANY_REQUESTS => Ok(Answer::EvictionDeferred { pod }),
        StatusCode::NOT_FOUND | StatusCode::CONFLICT => Ok(Answer::Gone { pod }),
        _ if is_undryable(answer) => Ok(Answer::NotAsked { what, why: UNDRYABLE }),
        s => Err(refused(&what, s)),
    }
}

const UNDRYABLE: &str = "an admission webhook of the cluster does not support dry-run";

/// Whether a webhook that does not declare that it can be dry-run stands in the way: it turns every dry-run into 400
/// (k8s.io/apiserver, pkg/admission/plugin/webhook/errors). Any other 400 is a no: a webhook may refuse with one, and
/// then its own words come after `denied the request:`.
fn is_undryable(answer: &Wired) -> bool {
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let of_webhook = |message: &str| {
        let (name, rest) = message.strip_prefix("admission webhook \"")?.split_once('"')?;
        Some(!name.is_empty() && rest == " does not support dry run")
    };
    answer.status == StatusCode::BAD_REQUEST
        && said.get("message").and_then(Value::as_str).and_then(of_webhook).unwrap_or(false)
}

fn refused(what: &str, status: StatusCode) -> Refusal {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => precondition(
            format!("the API server does not let these credentials do this: {what}"),
            "Give the credentials of this server the right to do it, or use a target where they have it.",
        ),
        StatusCode::BAD_REQUEST
        | StatusCode::UNPROCESSABLE_ENTITY
        | StatusCode::CONFLICT
        | StatusCode::NOT_FOUND => precondition(
            format!("the cluster changed while the plan was made, or its admission says no to this: {what}"),
            "Plan again.",
        ),
        s => unreachable(format!("the API server answers status {} to a dry-run: {what}", s.as_u16())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{eviction, pod};
    use serde_json::json;

    fn answered(status: u16, message: &str) -> Wired {
        let body = json!({"kind": "Status", "message": message}).to_string().into_bytes();
        Wired { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body }
    }

    #[test]
    fn a_budget_is_told_and_everything_else_refused() {
        let evict = eviction(&pod("n1", "web", 0));
        let judge = |status: u16| judge_eviction(&evict, &answered(status, ""));
        assert_eq!(judge(201), Ok(Answer::EvictionPassed));
        assert_eq!(judge(429), Ok(Answer::EvictionDeferred { pod: "shop/web-0".into() }));
        for status in [400, 401, 403, 422, 500, 503] {
            assert!(judge(status).is_err(), "{status}");
        }
    }

    #[test]
    fn only_a_webhook_that_cannot_be_dry_run_leaves_an_act_undetermined() {
        let evict = eviction(&pod("n1", "web", 0));
        let undryable = "admission webhook \"audit.example.com\" does not support dry run";
        for (status, message, undetermined) in [
            (400, undryable, true),
            (403, undryable, false),
            (400, "admission webhook \"x\" denied the request: it does not support dry run", false),
            (400, "admission webhook \"x\" denied the request: \" does not support dry run", false),
            (400, "admission webhook \"\" does not support dry run", false),
            (400, "the patch does not apply", false),
        ] {
            let answer = answered(status, message);
            let told = |judged: Result<Answer, Refusal>| matches!(judged, Ok(Answer::NotAsked { .. }));
            assert_eq!(told(judge_eviction(&evict, &answer)), undetermined, "{status} {message}");
            assert_eq!(told(judge_patch_of("scale".to_owned(), &answer)), undetermined, "{status} {message}");
        }
    }
}
