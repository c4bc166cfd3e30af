//! The Ansible server: its actions and their effects. It drives `ansible-playbook`.
//!
//! Pure: [`playbooks`] (what may be acted on, and how far), [`vet`] (what a playbook would do in check mode, and what check
//! mode could not be trusted with).

pub mod names;
pub mod playbooks;
pub mod vet;
