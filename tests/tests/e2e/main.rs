//! The one end-to-end binary: all tests share a control plane, each has a namespace and nodes of its own.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

mod bad_input;
mod control_plane;
mod crashes;
mod drift;
mod gaps;
mod gates;
mod harness;
mod hostile;
mod masked;
mod permissions;
mod plain;
mod queues;
mod secrets;
mod sessions;
mod story;
mod upkeep;
mod volumes;
