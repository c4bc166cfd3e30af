//! The nouns of Runcord: plain data, no I/O, no clock, no randomness.
//!
//! One word for one thing: the words are those of the design and of the README. Everything here can be
//! written down, read back and compared; nothing here proves anything, but for the two proofs in [`proof`].

pub mod action;
pub mod approval;
pub mod blast;
pub mod bounds;
pub mod decision;
pub mod effect;
pub mod id;
pub mod moment;
pub mod plan;
pub mod principal;
pub mod proof;
pub mod record;
pub mod refusal;
pub mod run;
pub mod target;
pub mod text;

pub use action::{ActionSpec, Catalog, EffectKind, Scopes, StepCall};
pub use approval::Approval;
pub use blast::{BlastRadius, Measure};
pub use decision::{Decision, Needed, Outcome, Reason};
pub use effect::{Change, ChangeKind, Coverage, Effect};
pub use id::{Digest, PlanId, RunId, RunbookName};
pub use moment::{Deadline, Moment};
pub use plan::{Plan, PlanBody, PlanStep, RunbookRef, Signed};
pub use principal::{AgentName, PersonName, Principal};
pub use record::{Record, RecordKind};
pub use refusal::{Code, Refusal};
pub use run::{RunState, RunView};
pub use target::{Environment, Target};
pub use text::Untrusted;
