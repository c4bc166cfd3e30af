//! What the API server's answer to a growth means. Pure; nothing is sent here.

use http::StatusCode;
use runcord_model::Refusal;
use runcord_runtime::target::Acted;

use super::acts::Grow;
use crate::refuse::precondition;

/// What the answer to the request itself means.
pub(crate) fn judge(it: &Grow, status: StatusCode, attempt: u32) -> Acted {
    let refused = |reason: String| Acted::Refused { reason };
    let lost = |reason: String| Acted::Lost { reason };
    match status {
        // An earlier attempt whose answer never came may have arrived after all, and then this is its own doing:
        // only looking for its mark can tell.
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT | StatusCode::NOT_FOUND if attempt > 1 => {
            lost(format!("{} was not as planned at a further attempt", it.claim))
        }
        s if s.is_success() => Acted::Done,
        StatusCode::TOO_MANY_REQUESTS => {
            Acted::Deferred { reason: "the API server is overloaded".to_owned() }
        }
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT => refused(format!(
            "{} is not as it was planned any more, or the cluster's admission says no",
            it.claim
        )),
        StatusCode::NOT_FOUND => refused(format!("{} is gone", it.claim)),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => refused(forbids(it)),
        s if s.is_client_error() => refused(format!("the API server refused with status {}", s.as_u16())),
        s => lost(format!("the API server answered with status {}", s.as_u16())),
    }
}

/// What a dry-run means that was forbidden: the API server says that for credentials, quota and storage class alike.
pub(crate) fn forbidden(it: &Grow) -> Refusal {
    precondition(
        forbids(it),
        "See whether these credentials may patch persistentvolumeclaims, what quotas the namespace has, and what admission policies the cluster has; then plan again.",
    )
}

fn forbids(it: &Grow) -> String {
    format!(
        "the API server forbids to grow {}: these credentials may not, or a quota or an admission rule of the cluster is against it",
        it.claim
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volumes::samples::grow;

    fn judged(status: u16, attempt: u32) -> Acted {
        judge(&grow(), StatusCode::from_u16(status).unwrap(), attempt)
    }

    #[test]
    fn a_server_error_after_sending_is_lost_and_never_refused() {
        assert_eq!(judged(200, 1), Acted::Done);
        assert!(matches!(judged(429, 1), Acted::Deferred { .. }));
        for status in [400, 401, 403, 404, 409, 422] {
            assert!(matches!(judged(status, 1), Acted::Refused { .. }), "{status}");
        }
        for status in [500, 502, 503, 504] {
            assert!(matches!(judged(status, 1), Acted::Lost { .. }), "{status}");
        }
    }

    #[test]
    fn a_further_attempt_that_meets_its_own_doing_is_looked_at_and_never_failed() {
        for status in [404, 409, 422] {
            assert!(matches!(judged(status, 2), Acted::Lost { .. }), "{status}");
        }
    }

    #[test]
    fn forbidden_does_not_blame_the_credentials_alone() {
        assert!(forbidden(&grow()).message.contains("a quota or an admission rule"));
    }
}
