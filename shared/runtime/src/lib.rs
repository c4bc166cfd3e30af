//! Configuration, clock, the call pipeline, the embedded driver and the run worker.
//!
//! Read it in the order of a call: [`service`] takes it in, [`pipeline`] carries it from *requested* to
//! *judged*, [`apply`] from an approved plan to a begun run, [`worker`] from there to its end.

pub mod apply;
pub mod approvals;
pub mod authority;
pub mod browse;
pub mod clock;
pub mod drift;
pub mod entry;
pub mod launch;
pub mod library;
pub mod mask;
pub mod material;
pub mod page;
pub mod pipeline;
pub mod problem;
pub mod progress;
pub mod service;
pub mod settings;
pub mod statement;
pub mod target;
pub mod telemetry;
pub mod tools;
pub mod undo;
pub mod view;
pub mod worker;

mod limits;
mod optional;
pub mod refusals;
mod refuse;
mod stamp;
mod status;
mod supervision;

pub use refuse::chain;
