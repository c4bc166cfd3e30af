//! What policy says of a plan.

use serde::{Deserialize, Serialize};

/// The three things policy can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It may be applied as it stands.
    Allow,
    /// It may be applied once enough people have signed.
    NeedsApproval,
    /// It may not be applied, whoever signs.
    Deny,
}

/// So many people of one group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Needed {
    /// How many different people.
    pub count: u32,
    /// Of which group.
    pub group: String,
}

/// One rule that decided, and the values it saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule's `@id`.
    pub policy: String,
    /// The file it stands in.
    pub file: String,
    /// The line it begins on, from 1.
    pub line: u32,
    /// Its `@reason`, with limit and actual value: `more than … (pods_lost is 12, the limit 10)`.
    pub text: String,
}

/// What policy says of a plan, always with the rules that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Allow, needs approval, or deny.
    pub outcome: Outcome,
    /// Alternatives, each a list of what is needed together, *still* needed on top of what was given;
    /// over people who exist and may approve. Empty unless the outcome is [`Outcome::NeedsApproval`].
    pub approvals_needed: Vec<Vec<Needed>>,
    /// The rules that decided.
    pub reasons: Vec<Reason>,
}

impl Decision {
    /// `1 approval from approvers`, or `2 approvals from sre, or 1 approval from sre and 1 approval from security`.
    pub fn needed_in_words(&self) -> String {
        let one = |n: &Needed| match n.count {
            1 => format!("1 approval from {}", n.group),
            count => format!("{count} approvals from {}", n.group),
        };
        let all = |alternative: &Vec<Needed>| alternative.iter().map(one).collect::<Vec<_>>().join(" and ");
        self.approvals_needed.iter().map(all).collect::<Vec<_>>().join(", or ")
    }
}
