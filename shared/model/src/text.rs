//! Text that came out of the infrastructure, made harmless before anybody reads it.

use serde::Serialize;

/// Text from the infrastructure after cleaning: the only form in which it may leave the process, and only
/// under a field named `untrusted`. There is no way back to the raw text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Untrusted(String);
