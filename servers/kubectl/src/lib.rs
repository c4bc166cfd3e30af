//! The Kubernetes server: its actions and their effects.
//!
//! Pure: [`actions`] (what may be asked), [`seen`] (what a probe saw), `draft` (what it means, as acts), `measure` (what
//! is lost), `settle` (whether it was done), `canonical`, `diff`, `observe`, [`permissions`] (what it needs), [`rbac`] (the
//! same as objects). With effects: `connect`, `probe`, `dry_run`,
//! `apply`, `wait`, `read`, [`drift`]. Reading and writing are different types, and only `apply` holds the one that writes.

pub mod act;
pub mod actions;
pub mod catalog;
pub mod connect;
pub mod consumers;
pub mod drift;
pub mod dry_run;
pub mod exec;
pub mod names;
pub mod numbers;
pub mod observe;
pub mod permissions;
pub mod queues;
pub mod rbac;
pub mod read;
pub mod secrets;
pub mod seen;
pub mod server;
pub mod upkeep;
pub mod volumes;

mod apply;
mod canonical;
mod convert;
mod diff;
mod draft;
mod fit;
mod inline;
mod kubernetes;
mod lean;
mod measure;
mod probe;
mod quantity;
mod quota;
mod raw;
mod reader;
mod refuse;
mod requests;
mod selector;
mod settle;
mod wait;
mod wire;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod played;
#[cfg(test)]
mod samples;

pub use connect::Connect;
pub use kubernetes::{KubectlActions, Kubernetes};
