//! Ansible, end to end: real hosts over real SSH.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

mod fleet;
mod playbooks;
