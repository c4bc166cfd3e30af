//! The Terraform server: its actions and their effects. It drives `terraform` or `tofu`.
//!
//! Pure: [`modules`] (what may be acted on), [`actions`] (what may be asked), [`planfile`] (what a saved plan says),
//! [`seen`] (what a look found), `draft` (what it means, as acts), `measure` (what is lost), `settle` (whether it was
//! done), and [`TerraformActions`], which is all of these as the runtime takes them. With effects: `snapshot`, `tool`,
//! `probe`, `apply`, `read`.

pub mod act;
pub mod actions;
mod canonical;
mod catalog;
mod diff;
mod draft;
mod measure;
pub mod modules;
pub mod names;
pub mod observe;
pub mod planfile;
mod pure;
pub mod read;
mod refuse;
pub mod seen;
mod settle;

pub use draft::permitted;
pub use pure::TerraformActions;

#[cfg(test)]
pub(crate) mod samples;
