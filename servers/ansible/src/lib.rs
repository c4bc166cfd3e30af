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
pub mod playbooks;
pub mod ran;
pub mod read;
pub mod seen;
pub mod vet;

mod apply;
mod content;
mod declared;
mod desk;
mod probe;
mod refuse;
mod standing;
mod tool;
mod vars;
