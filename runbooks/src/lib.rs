//! Runbook files: text in, types out. Pure: the files that ship are embedded, all others come in as text.
//!
//! [`Runbook::parse`] reads the shape, [`Parsed::check`] types it against what a server can do and see, and gives a
//! [`Runbook`]; [`Runbook::fill`] is the one way from a caller's arguments to [`Filled`], and
//! [`Runbook::steps`] from there to the steps. Whatever a file has wrong is found when it is loaded, with its
//! place: unknown keys, actions, parameters and fields, CEL that names what is not there or gives no boolean,
//! values that a step's field cannot take.
//!
//! CEL in a runbook sees the observation variables of its actions and `params`. It may use comparison, arithmetic
//! and logic, `in`, `has`, `all`, `exists`, `exists_one`, `map`, `filter`, `size`, `contains`, `startsWith`,
//! `endsWith`, `string`, `int` and `double`.

mod about;
mod cel;
mod check;
mod checker;
mod checks;
mod declare;
pub mod duration;
mod faults;
mod file;
mod format;
mod holes;
mod hygiene;
mod kind;
mod params;
mod parse;
mod quantity;
mod report;
mod runbook;
mod shipped;
mod steps;
mod template;

#[cfg(test)]
mod tests;

pub use cel::{Check, Scene, Verdict};
pub use check::Parsed;
pub use checker::Checker;
pub use hygiene::is_plain;
pub use params::{BadParam, Filled};
pub use report::Report;
pub use runbook::{Concurrency, Limits, Reviewed, Runbook};
pub use shipped::{optional, shipped};

/// The JSON Schema of runbook files, for editors.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(file::File).to_value()
}
