//! Purging a queue by commands that a reviewed runbook writes out: one that only looks and prints how much is in the
//! queue, one that empties it. Both run in a container, by the exec API (see [`crate::exec`]).
//!
//! The exec API has neither a dry-run nor a precondition, and what a command does nobody but its author knows. So the
//! number that the first one prints is the blast radius; it is read when planning, when applying, and once more right
//! before the second one is sent; and when the end of the second one is not told, the outcome is unknown.
//!
//! Pure: [`commands`] (what may be started), [`fields`], [`seen`], `number` (what the preview says), `acts`, `draft`, `settle`,
//! `measure`, `diff`, [`view`]. With effects: `probe`, `apply`, `drift`. Only `probe` runs previews, and its type of command
//! is the preview's; only `apply` runs a purge, against a permit.

pub mod acts;
pub mod commands;
pub mod fields;
pub mod seen;
pub mod view;

pub(crate) mod apply;
pub(crate) mod diff;
pub(crate) mod draft;
pub(crate) mod drift;
pub(crate) mod measure;
pub(crate) mod probe;
pub(crate) mod settle;

mod number;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use acts::QueueAct;
pub use fields::QueueAction;
pub use seen::{QueueFocus, QueueSeen};
