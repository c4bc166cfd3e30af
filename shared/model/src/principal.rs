//! Who asks, and on whose behalf.

use serde::{Deserialize, Serialize};

use crate::name_type;

name_type!(
    /// An agent, as our own configuration names it; never what a client says of itself.
    AgentName, "agent name", "1 to 64 characters: letters, digits, `.`, `_`, `-`, `@`", is_name
);
name_type!(
    /// A person: a sponsor or an approver.
    PersonName, "person name", "1 to 64 characters: letters, digits, `.`, `_`, `-`, `@`", is_name
);

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@'))
}

/// The requester and its sponsor. Every plan, run and record is bound to both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Principal {
    /// The agent that asks.
    pub requester: AgentName,
    /// The person on whose behalf it does: over stdio, the operating-system user as the kernel says.
    pub sponsor: PersonName,
}

impl std::fmt::Display for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} for {}", self.requester, self.sponsor)
    }
}
