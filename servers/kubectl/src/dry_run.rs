//! Asking the API server what it can tell of the acts without doing them.
//!
//! Server-side dry-run runs validation and admission, but nothing reconciles; and each request is judged by itself, so
//! evictions that share one allowed disruption all pass. What it says no to is a refusal, but for an eviction that must
//! wait for a budget: that is told.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use http::{Request, StatusCode};
use runcord_model::Refusal;

use crate::act::{Act, Evict, Patch};
use crate::reader::Reader;
use crate::refuse::{internal, precondition, unreachable};
use crate::requests::{self, Mode};
use crate::upkeep::apply::Unsent;
use crate::upkeep::{self, UpkeepAct};
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
    pub(crate) async fn ask(&self, acts: &[Act]) -> Result<DryRun, Refusal> {
        let mut patched = BTreeSet::new();
        let mut asked = Vec::new();
        for act in acts {
            match act {
                Act::Patch(patch) if patched.insert(patch.object.label()) => {
                    asked.push(self.one(Question::Patch(patch)));
                }
                Act::Patch(patch) => asked.push(self.one(Question::Later(patch))),
                Act::Evict(evict) => asked.push(self.one(Question::Evict(evict))),
                Act::Upkeep(act) if act.waits() => {}
                Act::Upkeep(act) => asked.push(self.one(Question::Upkeep(act))),
                Act::AwaitEvicted(_) | Act::AwaitRollout(_) => {}
            }
        }
        let answers = stream::iter(asked).buffered(TOGETHER).try_collect().await?;
        Ok(DryRun { answers })
    }

    async fn one(&self, question: Question<'_>) -> Result<Answer, Refusal> {
        match question {
            Question::Patch(patch) => {
                let answer = self.send(requests::patch(patch, Mode::DryRun)).await?;
                judge_patch(patch, answer.status)
            }
            Question::Evict(evict) => {
                let answer = self.send(requests::evict(evict, Mode::DryRun)).await?;
                judge_eviction(evict, answer.status)
            }
            Question::Upkeep(act) => self.upkeep(act).await,
            Question::Later(patch) => Ok(Answer::NotAsked {
                what: Act::Patch(patch.clone()).describe(),
                why: "depends on an earlier step that touches the same object",
            }),
        }
    }

    async fn upkeep(&self, act: &UpkeepAct) -> Result<Answer, Refusal> {
        let what = act.describe();
        let reader = Reader::new(self.wire.clone());
        let request = match upkeep::apply::request(&reader, act, Mode::DryRun).await {
            Ok(request) => request,
            Err(Unsent::Changed(why)) => return Err(precondition(why, "Plan again.")),
            Err(Unsent::Unanswered) => return Err(unreachable("the API server does not answer a read")),
        };
        let answer = self.send(Ok(request)).await?;
        judge_patch_of(what, answer.status)
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
}

fn judge_patch(patch: &Patch, status: StatusCode) -> Result<Answer, Refusal> {
    judge_patch_of(Act::Patch(patch.clone()).describe(), status)
}

fn judge_patch_of(what: String, status: StatusCode) -> Result<Answer, Refusal> {
    match status {
        s if s.is_success() => Ok(Answer::Passed { what }),
        // A webhook that does not declare that it can be dry-run turns every dry-run into 400.
        StatusCode::BAD_REQUEST => {
            Ok(Answer::NotAsked { what, why: "an admission webhook of the cluster does not support dry-run" })
        }
        s => Err(refused(&what, s)),
    }
}

fn judge_eviction(evict: &Evict, status: StatusCode) -> Result<Answer, Refusal> {
    let pod = format!("{}/{}", evict.namespace, evict.pod);
    let what = || format!("evict pod {pod}");
    match status {
        s if s.is_success() => Ok(Answer::EvictionPassed),
        StatusCode::TOO_MANY_REQUESTS => Ok(Answer::EvictionDeferred { pod }),
        StatusCode::NOT_FOUND | StatusCode::CONFLICT => Ok(Answer::Gone { pod }),
        StatusCode::BAD_REQUEST => Ok(Answer::NotAsked {
            what: what(),
            why: "an admission webhook of the cluster does not support dry-run",
        }),
        s => Err(refused(&what(), s)),
    }
}

fn refused(what: &str, status: StatusCode) -> Refusal {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => precondition(
            format!("the API server does not let these credentials do this: {what}"),
            "Give the credentials of this server the right to do it, or use a target where they have it.",
        ),
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT | StatusCode::NOT_FOUND => precondition(
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

    #[test]
    fn a_budget_is_told_and_everything_else_refused() {
        let evict = eviction(&pod("n1", "web", 0));
        let judge = |status: u16| judge_eviction(&evict, StatusCode::from_u16(status).unwrap());
        assert_eq!(judge(201), Ok(Answer::EvictionPassed));
        assert_eq!(judge(429), Ok(Answer::EvictionDeferred { pod: "shop/web-0".into() }));
        assert!(matches!(judge(400), Ok(Answer::NotAsked { .. })));
        for status in [401, 403, 422, 500, 503] {
            assert!(judge(status).is_err(), "{status}");
        }
    }
}
