//! What is wrong with a file of the policy folder, and where: a server that reads one of its own says it in the same form.

pub use runcord_policy::{Problem, Text};
