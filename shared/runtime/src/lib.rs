//! Configuration, clock, the call pipeline, the embedded driver and the run worker.

pub mod target;
