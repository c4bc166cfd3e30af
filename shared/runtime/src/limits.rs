//! How often one principal may call: rates within one process, so that a loop of a model's stays a nuisance.

use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use runcord_model::{Code, Principal, Refusal};

/// The limits of one server process.
#[derive(Debug)]
pub(crate) struct Limits {
    reads: DefaultKeyedRateLimiter<Principal>,
    plans: DefaultKeyedRateLimiter<Principal>,
}

impl Limits {
    /// Ten reads a second with bursts of 120, thirty plans a minute with bursts of ten, for each principal.
    pub(crate) fn new() -> Self {
        let number = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self {
            reads: RateLimiter::keyed(Quota::per_second(number(10)).allow_burst(number(120))),
            plans: RateLimiter::keyed(Quota::per_minute(number(30)).allow_burst(number(10))),
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
}
