//! The state machine of a run and the proofs it mints, no I/O.
//!
//! [`next`] is a pure function over plain data: clock, ids and verdicts come in as [`Event`]s, what is to be
//! done goes out as [`Command`]s. A driver carries commands out and feeds the answers back; the ledger
//! journals each event before its commands are carried out. [`Warrant`] and [`Permit`] are the opposite of
//! plain data: they cannot be copied or written down, so that no replay can bring one back.

mod event;
mod machine;
mod proof;
mod state;

pub use event::{ActKind, Command, End, Event, Settled, StopCause};
pub use machine::next;
pub use proof::{Fresh, Permit, Unstopped, Unwarranted, Warrant};
pub use state::{ActOutcome, ActProgress, State};

/// The version of the state machine. It stands in the first event of a run: a run of another version is
/// looked at and handed to a person, never replayed as ours.
pub const MACHINE: u32 = 2;

/// Why a run whose acts are all done ends unverified when it is stopped.
pub const STOPPED_BEFORE_VERIFIED: &str = "stopped before verification ended";
