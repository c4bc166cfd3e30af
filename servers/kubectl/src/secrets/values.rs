//! The values of a Secret, between reading and sending them. There is no way to print, log or store one.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::random;
use crate::names::DataKey;
use crate::numbers::ValueLength;

/// What stands for a value in a dry-run, which needs none.
const PLACEHOLDER: &[u8] = b"dry-run";

/// The data of one Secret. Neither `Debug` nor `Serialize`.
pub(super) struct Values {
    type_name: String,
    data: BTreeMap<DataKey, ByteString>,
}

impl Values {
    /// The data of a Secret as the API server writes it; none when it is not what the API says.
    pub(super) fn of(object: &Value) -> Option<Self> {
        let type_name = object.get("type").and_then(Value::as_str).unwrap_or("Opaque").to_owned();
        let mut data = BTreeMap::new();
        for (key, value) in object.get("data").and_then(Value::as_object).into_iter().flatten() {
            data.insert(key.parse().ok()?, serde_json::from_value(value.clone()).ok()?);
        }
        Some(Self { type_name, data })
    }

    /// The same keys, with something else in each: what a dry-run is sent.
    pub(super) fn placeholders(type_name: &str, keys: &BTreeSet<DataKey>) -> Self {
        let data = keys.iter().map(|key| (key.clone(), ByteString(PLACEHOLDER.to_vec()))).collect();
        Self { type_name: type_name.to_owned(), data }
    }

    /// The same with a new random value under each of these keys.
    ///
    /// # Errors
    /// The operating system gives no random bytes.
    pub(super) fn renewed(
        mut self,
        keys: &BTreeSet<DataKey>,
        length: ValueLength,
    ) -> Result<Self, random::NoRandomness> {
        for key in keys {
            self.data.insert(key.clone(), random::value(length)?);
        }
        Ok(self)
    }

    pub(super) fn type_name(&self) -> &str {
        &self.type_name
    }

    pub(super) fn keys(&self) -> BTreeSet<DataKey> {
        self.data.keys().cloned().collect()
    }

    pub(super) fn get(&self, key: &DataKey) -> Option<&ByteString> {
        self.data.get(key)
    }

    /// The bodies of requests take it from here.
    pub(super) fn json(&self) -> Value {
        json!(self.data)
    }

    /// Whether both hold the same. Both come from the cluster, so the time that it takes tells nobody anything.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.data == other.data
    }
}
