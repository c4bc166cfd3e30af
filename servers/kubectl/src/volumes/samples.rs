//! Hand-made observations for tests: claim `shop/data` of 10Gi, of a class that grows, used by a pod of a StatefulSet.

use super::acts::Grow;
use super::seen::{Claim, ClaimPhase, Class, Mode, Provisioner, Resize, User};
use super::size::Storage;
use crate::samples::{fixed, owner};
use crate::seen::Seen;

pub(crate) fn storage(text: &str) -> Storage {
    text.to_owned().try_into().unwrap()
}

pub(crate) fn claim() -> Claim {
    Claim {
        id: owner("PersistentVolumeClaim", "data"),
        phase: ClaimPhase::Bound,
        deleting: false,
        mode: Mode::Filesystem,
        class: Some("fast".parse().unwrap()),
        requested: storage("10Gi"),
        capacity: Some(storage("10Gi")),
        resize: Resize::Idle,
        mark: None,
        annotated: true,
    }
}

pub(crate) fn user(pod: &str) -> User {
    User {
        namespace: "shop".parse().unwrap(),
        claim: "data".parse().unwrap(),
        pod: pod.parse().unwrap(),
        running: true,
        stateful_set: None,
    }
}

pub(crate) fn seen() -> Seen {
    let mut seen = Seen::default();
    seen.focus.volumes.claims = vec![("shop".parse().unwrap(), "data".parse().unwrap())];
    seen.volumes.claims = vec![claim()];
    seen.volumes.classes =
        vec![Class { name: "fast".parse().unwrap(), expands: true, provisioner: Provisioner::Driver }];
    seen.volumes.users = vec![User { stateful_set: Some("db".parse().unwrap()), ..user("db-0") }];
    seen
}

/// The same with another claim.
pub(crate) fn with(change: impl FnOnce(&mut Claim)) -> Seen {
    let mut seen = seen();
    change(&mut seen.volumes.claims[0]);
    seen
}

/// Grows the claim to 20Gi.
pub(crate) fn grow() -> Grow {
    Grow {
        claim: claim().id,
        before: storage("10Gi"),
        after: "20Gi".to_owned().try_into().unwrap(),
        plan: fixed().plan,
        annotated: true,
    }
}
