//! The upkeep of an on-call week: rolling back, evicting one pod, suspending a CronJob, cleaning up finished Jobs,
//! letting go of a dead node.
//!
//! Pure: `fields` (what may be asked), `seen` (what a probe saw), `acts`, `draft`, `settle`, `measure`, `view`. With
//! effects: `probe`, `apply`, `wait`.

pub mod acts;
pub mod fields;
pub mod numbers;
pub mod seen;
pub mod view;

pub(crate) mod apply;
pub(crate) mod diff;
pub(crate) mod draft;
pub(crate) mod measure;
pub(crate) mod probe;
pub(crate) mod requests;
pub(crate) mod settle;
pub(crate) mod template;
pub(crate) mod wait;

pub use acts::UpkeepAct;
pub use fields::UpkeepAction;
pub use seen::{UpkeepFocus, UpkeepSeen};
