//! JSON Schemas that stand where a type is used, instead of under a name of their own.

pub(crate) use runcord_model::inline_schema;
