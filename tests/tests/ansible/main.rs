//! Ansible, end to end: real hosts over real SSH.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

mod batches;
mod crashes;
mod drift;
mod example;
mod fleet;
mod hosts;
mod playbooks;
mod runbooks;
mod secrets;
mod sessions;
mod story;
mod surroundings;
mod templates;
mod vetting;
