//! A runbook file as it is written: every value with its place, nothing checked but shape and keys.
//!
//! The same types give the JSON Schema that editors use.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::format::Format;
use crate::report::Span;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = serde_saphyr::Spanned::<T>::deserialize(deserializer)?;
        Ok(Self { span: Span::of(spanned.referenced), value: spanned.value })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// The entries of a mapping, in the order of the file, keys with their place.
#[derive(Debug, Clone)]
pub(crate) struct Entries<T>(pub(crate) Vec<(At<String>, T)>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for InOrder<T> {
            type Value = Entries<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(InOrder(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Entries<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Entries_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        std::collections::BTreeMap::<String, T>::json_schema(generator)
    }
}

/// A runbook: typed parameters and the steps that a tool may take.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Runcord runbook")]
pub(crate) struct File {
    /// Always `runcord.dev/v1`.
    #[serde(rename = "apiVersion")]
    pub(crate) api_version: At<String>,
    /// Always `Runbook`.
    pub(crate) kind: At<String>,
    pub(crate) metadata: Metadata,
    pub(crate) spec: Spec,
}

/// What the runbook is called, and who answers for it.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metadata {
    /// Its name, and with `plan_` before it its tool's: 1 to 34 of a-z, 0-9 and _.
    pub(crate) name: At<String>,
    /// Three numbers, such as 1.0.0.
    pub(crate) version: At<String>,
    /// A few words for a person.
    pub(crate) title: At<String>,
    /// The team that answers for it.
    pub(crate) owner: At<String>,
    /// Informs only; what counts is the authority.
    pub(crate) reviewed: Option<ReviewedRaw>,
    /// https links to what explains it.
    #[serde(default)]
    pub(crate) links: Vec<At<String>>,
}

/// Who has read the runbook, and until when that counts as recent.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Reviewed")]
pub(crate) struct ReviewedRaw {
    /// People.
    pub(crate) by: Vec<At<String>>,
    /// A date, such as 2027-05-01.
    pub(crate) until: At<String>,
}

/// What the runbook does.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The server that carries it out, such as `kubectl`.
    pub(crate) server: At<String>,
    /// What the agent reads when it chooses; under 2 KB.
    pub(crate) description: At<String>,
    /// What the caller gives.
    #[serde(default)]
    pub(crate) params: Entries<At<ParamRaw>>,
    /// Looked at before anything is done; all must hold.
    #[serde(default)]
    pub(crate) preconditions: Vec<At<CheckRaw>>,
    /// One line that names the effect, with `${params.x}`.
    pub(crate) headline: At<String>,
    /// What is done, in order.
    pub(crate) steps: Vec<StepRaw>,
    /// Looked at again between steps and batches; false stops the run.
    #[serde(default)]
    pub(crate) guard: Vec<At<CheckRaw>>,
    /// What must hold afterwards.
    #[serde(default)]
    pub(crate) verify: Vec<At<CheckRaw>>,
    /// The way back, with `${params.x}` and `${before.x}`.
    #[serde(default)]
    pub(crate) undo: Vec<UndoRaw>,
    #[serde(default)]
    pub(crate) limits: LimitsRaw,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TypeRaw {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// true or false.
    Boolean,
    /// Such as 90s, 15m or 1h30m.
    Duration,
    /// Such as 250m or 2Gi.
    Quantity,
    /// A list of `items`.
    Array,
    /// A reference to a secret, never its value.
    SecretRef,
}

/// One parameter.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Param")]
pub(crate) struct ParamRaw {
    /// Its type.
    pub(crate) r#type: At<TypeRaw>,
    /// What it is for.
    pub(crate) description: Option<At<String>>,
    /// Whether the caller must give it; true unless it has a default.
    pub(crate) required: Option<At<bool>>,
    /// What it is when it is not given.
    pub(crate) default: Option<At<Value>>,
    /// A value for people and for the check at load; needed where a `pattern` stands without a default.
    pub(crate) example: Option<At<Value>>,
    /// The only texts there are. Strings only.
    pub(crate) r#enum: Option<At<Vec<String>>>,
    /// A regular expression that the whole text matches. Strings only.
    pub(crate) pattern: Option<At<String>>,
    /// A named grammar. Strings only.
    pub(crate) format: Option<At<Format>>,
    /// The fewest characters. Strings only.
    pub(crate) min_length: Option<At<u32>>,
    /// The most characters. Strings only.
    pub(crate) max_length: Option<At<u32>>,
    /// The least value, of the parameter's own type.
    pub(crate) minimum: Option<At<Value>>,
    /// The greatest value, of the parameter's own type.
    pub(crate) maximum: Option<At<Value>>,
    /// The type of each item. Arrays only.
    pub(crate) items: Option<Box<At<ParamRaw>>>,
    /// The fewest items. Arrays only.
    pub(crate) min_items: Option<At<u32>>,
    /// The most items, at most 100. Arrays only.
    pub(crate) max_items: Option<At<u32>>,
}

/// A CEL expression over what the probe saw (and `params`), and what it means when it does not hold.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Check")]
pub(crate) struct CheckRaw {
    /// The expression; must give a boolean.
    pub(crate) check: At<String>,
    /// Said when it does not hold.
    pub(crate) message: At<String>,
    /// How long it may take to come true. In `verify` only.
    pub(crate) within: Option<At<String>>,
}

/// One step.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Step")]
pub(crate) struct StepRaw {
    /// Its name within the runbook.
    pub(crate) id: At<String>,
    /// One of the server's actions.
    pub(crate) action: At<String>,
    /// The action's fields.
    #[serde(default)]
    pub(crate) with: Entries<At<Value>>,
}

/// One step of the way back.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UndoStep")]
pub(crate) struct UndoRaw {
    /// Its name; `undo_1` and so on unless given.
    pub(crate) id: Option<At<String>>,
    /// One of the server's actions.
    pub(crate) action: At<String>,
    /// The action's fields.
    #[serde(default)]
    pub(crate) with: Entries<At<Value>>,
}

/// How long, how many at a time, and how much that cannot be brought back.
#[derive(Debug, Clone, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Limits")]
pub(crate) struct LimitsRaw {
    /// How long a plan lives unapproved; at most 60m.
    pub(crate) plan_ttl: Option<At<String>>,
    /// How long a run may take; 1h unless given, at most 24h.
    pub(crate) timeout: Option<At<String>>,
    /// How many runs of one key at a time.
    pub(crate) concurrency: Option<ConcurrencyRaw>,
    /// How many irreversible items one approval may cover; 0 unless given.
    #[serde(default)]
    pub(crate) irreversible: u32,
}

/// How many runs of one key may be under way at a time.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Concurrency")]
pub(crate) struct ConcurrencyRaw {
    /// Runs with the same key count together; may hold `${params.x}`.
    pub(crate) key: At<String>,
    /// How many, at least 1.
    pub(crate) max: At<u32>,
}
