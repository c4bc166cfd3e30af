//! JSON Schemas that stand where a type is used, instead of under a name of their own.

/// Gives each type the schema beside it.
macro_rules! inline_schema {
    ($($name:ident: $schema:tt;)*) => {$(
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    )*};
}

pub(crate) use inline_schema;
