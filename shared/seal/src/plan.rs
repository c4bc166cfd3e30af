//! A plan's digests: over all that is applied, and over all that a person is told of it.

use runcord_model::Plan;

use crate::digest_of;

/// Whether the plan's digests are of its parts: nothing that is applied, shown or signed changed since.
pub fn digests_hold(plan: &Plan) -> bool {
    let effect = digest_of(&plan.body.effect.equal);
    let whole = digest_of(&plan.signed());
    effect.is_ok_and(|digest| digest == plan.effect_digest) && whole.is_ok_and(|digest| digest == plan.digest)
}
