//! The durable store of plans, approvals, runs and records.
//!
//! One SQLite file in a directory of its own, shared by the servers, the workers of runs and the operator's
//! command. Everything that must happen together happens in one transaction here: [`Ledger::begin`] spends a
//! warrant, [`Ledger::permit`] lets one mutation through, [`Ledger::finish`] records how a run ended. All
//! calls block for the time of a disk write; times are passed in.

mod authority;
mod begin;
mod beside;
mod cord;
mod drive;
mod error;
mod lock;
mod open;
mod plans;
mod records;
mod runs;
mod store;
mod told;

pub use authority::KeptAuthority;
pub use begin::{BeginError, Begun, Start};
pub use beside::Beside;
pub use cord::{CordScope, CordState};
pub use drive::{DriveError, PermitRefused};
pub use error::{ClockBehind, LedgerError};
pub use lock::RunLock;
pub use plans::{KeepApprovalError, KeptApproval, KeptPlan, PlanFilter, PlanStatus};
pub use records::ChainError;
pub use runs::{Journalled, KeptRun, RunFilter};
pub use store::{Ledger, Writing};
pub use told::Told;
