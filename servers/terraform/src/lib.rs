//! The Terraform server: its actions and their effects. It drives `terraform` or `tofu`.
//!
//! Pure: [`modules`] (what may be acted on), [`actions`] (what may be asked), [`seen`] (what a look found), `draft` (what it
//! means, as acts), `measure` (what is lost), `settle` (whether it was done). With effects: `snapshot`, `tool`, `probe`,
//! `apply`, `read`.

pub mod act;
pub mod actions;
pub mod applied;
mod disk;
pub mod modules;
pub mod names;
pub mod planfile;
pub mod problem;
pub mod providers;
pub mod saved;
pub mod seen;
pub mod snapshot;

#[cfg(test)]
pub(crate) mod samples;
