//! The policy engine: Cedar, people, approvers and targets. Pure: text comes in, decisions go out.
//!
//! Deny unless permitted. A rule that errs refuses everything, since Cedar alone would skip it, a `forbid` too.
//! Approvals needed are *derived*: the engine asks again with more of them until the answer is allow, over people
//! who exist and may approve. See `rules/` for the set that ships and `tests/` for what it is held to.

mod clauses;
mod engine;
mod explain;
mod lint;
mod panel;
mod people;
mod problem;
mod reasons;
mod rules;
mod source;
mod suite;
mod targets;
mod world;

pub use engine::{Permission, Policies};
pub use explain::{Applies, Explained, Looked};
pub use people::{People, UnknownPrincipal};
pub use problem::{Problem, Text};
pub use rules::{Rule, RuleKind};
pub use source::{Source, shipped, shipped_files};
pub use suite::{CaseOutcome, CaseResult, run_suite};
pub use targets::Targets;
pub use world::{Ask, Deed, Evidence};
