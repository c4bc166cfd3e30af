//! JSON Schemas that stand where a type is used, instead of under a name of their own.

/// Gives each type the schema beside it, or that of the type which it is written as.
macro_rules! inline_schema {
    ($($name:ident: $schema:tt;)*) => {$(
        crate::inline::inline_schema!(@frame $name, _generator => schemars::json_schema!($schema));
    )*};
    ($($name:ident as $other:ident;)*) => {$(
        crate::inline::inline_schema!(@frame $name, generator => <$other as schemars::JsonSchema>::json_schema(generator));
    )*};
    (@frame $name:ident, $generator:ident => $schema:expr) => {
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema($generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $schema
            }
        }
    };
}

pub(crate) use inline_schema;
