//! How often one principal may call, and how many calls look at once: within one process, so that a loop of a model's
//! stays a nuisance.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use runcord_model::{Code, Principal, Refusal};
use tokio::sync::{Semaphore, SemaphorePermit};

/// So many calls look at the target at once. More would only wait for it together, each with all that it has read so far
/// in memory; a call that waits its turn holds nothing but its arguments.
const TURNS: usize = 8;

/// The longest that a call waits for its turn.
const PATIENCE: Duration = Duration::from_secs(20);

/// The limits of one server process.
#[derive(Debug)]
pub(crate) struct Limits {
    reads: DefaultKeyedRateLimiter<Principal>,
    plans: DefaultKeyedRateLimiter<Principal>,
    turns: Semaphore,
}

impl Limits {
    /// Ten reads a second with bursts of 120, thirty plans a minute with bursts of ten, for each principal.
    pub(crate) fn new() -> Self {
        let number = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self {
            reads: RateLimiter::keyed(Quota::per_second(number(10)).allow_burst(number(120))),
            plans: RateLimiter::keyed(Quota::per_minute(number(30)).allow_burst(number(10))),
            turns: Semaphore::new(TURNS),
        }
    }

    /// Counts a read.
    pub(crate) fn read(&self, principal: &Principal) -> Result<(), Refusal> {
        self.reads.check_key(principal).map_err(|_| refusal("reads"))
    }

    /// Counts a plan.
    pub(crate) fn plan(&self, principal: &Principal) -> Result<(), Refusal> {
        self.plans.check_key(principal).map_err(|_| refusal("plans"))
    }

    /// Waits until it is a call's turn to look at the target: until the permit is dropped.
    pub(crate) async fn turn(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        let turn = tokio::time::timeout(PATIENCE, self.turns.acquire()).await;
        turn.ok().and_then(Result::ok).ok_or_else(|| refusal("calls"))
    }
}

fn refusal(what: &str) -> Refusal {
    Refusal::new(
        Code::RateLimited,
        format!("too many {what} in a short time"),
        "wait ten seconds, then call again; if you are in a loop, stop and tell the person you work for",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_principal_in_a_loop_does_not_shut_out_another() {
        let limits = Limits::new();
        let who = |agent: &str| Principal {
            requester: agent.to_owned().try_into().unwrap(),
            sponsor: "ana".to_owned().try_into().unwrap(),
        };
        let refused = (0..20).filter(|_| limits.plan(&who("a")).is_err()).count();
        assert!(refused >= 9, "{refused}");
        assert!(limits.plan(&who("b")).is_ok());
    }

    #[tokio::test]
    async fn only_so_many_calls_look_at_once_and_the_next_one_follows() {
        let limits = Limits::new();
        let mut looking = Vec::new();
        for _ in 0..TURNS {
            looking.push(limits.turn().await.unwrap());
        }
        let mut next = std::pin::pin!(limits.turn());
        let waited = tokio::time::timeout(Duration::from_millis(20), next.as_mut()).await;
        assert!(waited.is_err(), "it waits");
        drop(looking.pop());
        assert!(next.await.is_ok());
    }
}
