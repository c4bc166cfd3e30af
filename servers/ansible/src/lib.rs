//! The Ansible server: its actions and their effects. It drives `ansible-playbook`.
//!
//! Pure: [`playbooks`] (what may be acted on, and how far), [`actions`] (what may be asked), [`vet`] (what a playbook would
//! do in check mode, and what check mode could not be trusted with), [`inventory`] (which hosts there are), [`ran`] (what a
//! run did), and [`seen`] (what a look found).

pub mod act;
pub mod actions;
pub mod inventory;
pub mod library;
pub mod names;
pub mod normalise;
pub mod observe;
pub mod playbooks;
pub mod ran;
pub mod read;
pub mod seen;
pub mod server;
pub mod vet;

mod ansible;
mod apply;
mod canonical;
mod catalog;
mod content;
mod declared;
mod desk;
mod diff;
mod draft;
mod measure;
mod probe;
mod pure;
mod refuse;
mod settle;
mod standing;
mod tool;
mod vars;

#[cfg(test)]
pub(crate) mod samples;

pub use ansible::{Ansible, Connect, IDENTITY};
pub use pure::{AnsibleActions, VERIFYING};
