//! The only place that starts a process.
//!
//! Arguments without a shell, an environment of what is allowed and nothing else, a process group of its own,
//! bounded time and output, SIGINT first, which is heeded even where we were started to ignore it. A time-out is an
//! error, never a status that a caller could overlook.

mod command;
mod detached;
mod error;
mod find;
mod follow;
mod output;
mod run;
mod signals;
mod timed;

pub use command::{AfterGrace, Command, Stdin};
pub use detached::own_session;
pub use error::ExecError;
pub use find::find_program;
pub use follow::Followed;
pub use output::{Finished, Pid, Status};
pub use timed::Timed;

#[cfg(test)]
mod tests;
