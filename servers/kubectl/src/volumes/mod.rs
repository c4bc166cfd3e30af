//! Volumes: letting a claim grow. A claim is never made smaller.
//!
//! Pure: `size`, `fields` (what may be asked), `seen` (what a probe saw), `convert`, `acts`, `draft`, `settle`, `measure`,
//! `diff`, `view`, `requests`, `apply` (what an answer means). With effects: `probe`, `wait`.

pub mod acts;
pub mod fields;
pub mod seen;
pub mod size;
pub mod view;

pub(crate) mod apply;
pub(crate) mod convert;
pub(crate) mod diff;
pub(crate) mod draft;
pub(crate) mod measure;
pub(crate) mod probe;
pub(crate) mod requests;
pub(crate) mod settle;
pub(crate) mod wait;

pub use acts::VolumeAct;
pub use fields::VolumeAction;
pub use seen::{VolumeFocus, VolumeSeen};

#[cfg(test)]
mod samples;
