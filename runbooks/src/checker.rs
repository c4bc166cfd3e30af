//! What the runbooks of one server are checked against.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use jsonschema::Validator;
use runcord_model::{ActionSpec, Catalog, StepCall};
use serde_json::Value;

/// A server's catalog and, where files are checked thoroughly, the schemas of its actions' fields. Each is compiled when
/// the first runbook needs it, and kept for the others: that is most of what checking a library costs.
pub struct Checker<'c> {
    pub(crate) catalog: &'c Catalog,
    /// The schema of what the server observes.
    pub(crate) observation: Value,
    schemas: BTreeMap<&'static str, OnceCell<Option<Validator>>>,
    pub(crate) tries: Tries,
}

/// What steps and checks are tried on when a file is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tries {
    /// Samples of the parameters and of what the server observes.
    Samples,
    /// Nothing.
    Nothing,
}

impl<'c> Checker<'c> {
    /// Checks all that can be told of a file: what people who write and activate runbooks want.
    pub fn thorough(catalog: &'c Catalog) -> Self {
        let schemas = catalog.actions.iter().map(|action| (action.name, OnceCell::new())).collect();
        Self { catalog, observation: catalog.observation.to_value(), schemas, tries: Tries::Samples }
    }

    /// Leaves the schemas of fields out. They are published for whoever writes runbooks; what counts when a call comes
    /// is whether the server can read the step, and that is tried all the same. For a server's start.
    pub fn quick(catalog: &'c Catalog) -> Self {
        Self { schemas: BTreeMap::new(), ..Self::thorough(catalog) }
    }

    /// The same for what ships, which was checked thoroughly when this program was built (a test of each server does): nothing
    /// is tried out once more.
    pub fn shipped(catalog: &'c Catalog) -> Self {
        Self { tries: Tries::Nothing, ..Self::quick(catalog) }
    }

    /// The name of the server.
    pub fn server(&self) -> &'static str {
        self.catalog.server
    }

    /// The field and rule for which a filled-in step is refused; none when it is taken.
    pub(crate) fn refused(&self, action: &ActionSpec, call: &StepCall) -> Option<(String, String)> {
        self.against_schema(action, call)
            .or_else(|| (self.catalog.check)(call).err().map(|bad| (bad.field, bad.rule)))
    }

    fn against_schema(&self, action: &ActionSpec, call: &StepCall) -> Option<(String, String)> {
        let compiled = self.schemas.get(action.name)?;
        let Some(schema) = compiled.get_or_init(|| jsonschema::validator_for(&action.with.to_value()).ok())
        else {
            return Some((action.name.to_owned(), "the action's schema is not one".to_owned()));
        };
        let error = schema.validate(&Value::Object(call.with.clone())).err()?.to_owned();
        let path = error.instance_path().to_string();
        let field = path.trim_start_matches('/').split('/').next().unwrap_or("").to_owned();
        Some((field, error.to_string()))
    }
}
