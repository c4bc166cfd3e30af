//! Root modules, end to end: the built server, a real tool, real providers.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

mod crashes;
mod drift;
mod example;
mod locks;
mod reads;
mod runbooks;
mod sessions;
mod story;
mod traps;
