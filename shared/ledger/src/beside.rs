//! What its writers keep beside plans and runs.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::LedgerError;
use crate::store::{from_json, to_json};

/// JSON that only its writer understands, and that may be large. The ledger keeps it as the text that it was written as: it
/// is parsed by whoever wants something of it, and only as far as that goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside(String);

impl Beside {
    /// The value as it will be kept.
    ///
    /// # Errors
    /// It is not JSON, such as a map whose keys are not text.
    pub fn of(value: &impl Serialize) -> Result<Self, LedgerError> {
        to_json("what is kept beside", value).map(Self)
    }

    /// What was kept; or a part of it, with the rest passed over.
    ///
    /// # Errors
    /// It is not of that form: another version may have written it.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, LedgerError> {
        from_json("what is kept beside", &self.0)
    }

    pub(crate) fn kept(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}
