//! The wire, tried with rmcp's own client over memory, in both eras.

mod fake;
mod fake_target;
mod mapping;
mod service;
mod wire;
