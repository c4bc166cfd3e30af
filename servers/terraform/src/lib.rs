//! The Terraform server: its actions and their effects. It drives `terraform` or `tofu`.
//!
//! Pure: [`modules`] (what may be acted on), [`actions`] (what may be asked), [`planfile`] (what a saved plan says),
//! [`seen`] (what a look found), `draft` (what it means, as acts), `measure` (what is lost), `settle` (whether it was
//! done), and [`TerraformActions`], which is all of these as the runtime takes them. With effects: [`snapshot`] (all that
//! the tool runs in), `tool` (how it is started), `probe`, `apply`, [`read`], and [`Terraform`], which is these.

pub mod act;
pub mod actions;
pub mod applied;
pub mod drift;
pub mod modules;
pub mod names;
pub mod observe;
pub mod planfile;
pub mod providers;
pub mod read;
pub mod saved;
pub mod seen;
pub mod server;
pub mod snapshot;

mod apply;
mod canonical;
mod catalog;
mod declared;
mod desk;
mod diff;
mod draft;
mod events;
mod hidden;
mod lock;
mod measure;
mod probe;
mod pure;
mod settle;
mod state;
mod terraform;
mod tool;

#[cfg(test)]
pub(crate) mod samples;

pub use pure::TerraformActions;
pub use terraform::{Connect, IDENTITY, Terraform};
