//! Rotating a Secret: new random values under chosen keys, the values before kept beside it, and everybody who uses it
//! restarted.
//!
//! Each set of values has a number, and is kept under it in an immutable Secret of its own (`db-v1`, `db-v2`, …) before
//! it is put into the Secret itself. So a new value is made exactly once, lies nowhere but in the cluster, can be taught
//! to a backend before anybody depends on it, and going back is putting an earlier number in.
//!
//! No value ever reaches a plan, a record, a log line or an error: what is compared are uids, resource versions, numbers
//! and names of keys. (The values themselves are compared once, in `probe`, and only the answer is kept.)
//!
//! Pure: `fields` (what may be asked), `seen` (what a probe saw), `acts`, `draft`, `settle`, `measure`, `diff`, `view`.
//! With effects: `probe`, `apply`, `random`.

pub mod acts;
pub mod fields;
pub mod seen;
pub mod view;

pub(crate) mod apply;
pub(crate) mod diff;
pub(crate) mod draft;
pub(crate) mod measure;
pub(crate) mod probe;
pub(crate) mod settle;

#[cfg(test)]
mod looked;
mod random;
#[cfg(test)]
mod sent;
#[cfg(test)]
mod tests;
mod values;

pub use acts::SecretAct;
pub use fields::SecretAction;
pub use seen::{SecretsFocus, SecretsSeen};
