//! Canonical JSON, digests and signatures; keys are passed in.
//!
//! Pure: no file, clock, randomness or process. What two people must agree on byte for byte goes through
//! [`canonical`]; what a person signed goes through [`Approvers::verify`].

mod approval;
mod canonical;
mod digest;
mod mask;
mod plan;
mod signers;
mod statement;

pub use approval::{ApprovalError, SignatureError};
pub use canonical::{NotCanonical, canonical};
pub use digest::{digest, digest_of, digest_tree};
pub use mask::Mask;
pub use plan::digests_hold;
pub use signers::{Approvers, BadSigners, Fault};
pub use statement::{PREDICATE_TYPE, Subject, statement};

/// The `ssh-keygen -Y` namespace of authority statements.
pub const AUTHORITY_NAMESPACE: &str = "runcord-authority";
