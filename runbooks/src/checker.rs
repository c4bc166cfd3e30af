//! What the runbooks of one server are checked against.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use jsonschema::Validator;
use runcord_model::{ActionSpec, Catalog};

/// A server's catalog, with the schemas of its actions' fields. Each is compiled when the first runbook needs it, and
/// kept for the others: compiling them is most of what checking a library costs.
pub struct Checker<'c> {
    pub(crate) catalog: &'c Catalog,
    fields: BTreeMap<&'static str, OnceCell<Option<Validator>>>,
}

impl<'c> Checker<'c> {
    /// Of the server that `catalog` describes.
    pub fn new(catalog: &'c Catalog) -> Self {
        let fields = catalog.actions.iter().map(|action| (action.name, OnceCell::new())).collect();
        Self { catalog, fields }
    }

    /// The name of the server.
    pub fn server(&self) -> &'static str {
        self.catalog.server
    }

    /// What the fields of an action of the catalog are held against; none when its schema is not one.
    pub(crate) fn fields_of(&self, action: &ActionSpec) -> Option<&Validator> {
        let compiled = self.fields.get(action.name)?;
        compiled.get_or_init(|| jsonschema::validator_for(&action.with).ok()).as_ref()
    }
}
