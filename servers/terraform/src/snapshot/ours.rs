//! The two files of ours in a root module's folder: the backend that is forced upon it, and the values of its variables.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use runcord_content::{Runs, Tree};
use serde_json::{Map, Value, json};

use super::unfit::SnapshotError;
use crate::modules::{Backend, Module};
use crate::names::{VariableName, WorkspaceName};

/// Read after all other files, and in place of what they say.
const BACKEND: &str = "runcord_override.tf.json";
/// Read by every command that takes variables.
const VALUES: &str = "runcord.auto.tfvars.json";

/// Adds both files.
pub(super) fn add(
    tree: &mut Tree,
    root: &Path,
    module: &Module,
    set: &BTreeMap<VariableName, i64>,
) -> Result<(), SnapshotError> {
    let values = values(module, set)?;
    tree.put(&path(module, BACKEND), Runs::No, backend(root, &module.backend)?)?;
    Ok(tree.put(&path(module, VALUES), Runs::No, values)?)
}

/// Whether a configuration of before is one of this module with this backend, whose sizes are within today's bounds: what
/// is declared now is in force for it too.
pub(super) fn fits(tree: &Tree, root: &Path, module: &Module) -> Result<(), SnapshotError> {
    let backend = backend(root, &module.backend)?;
    let before = tree.get(&path(module, BACKEND)).ok_or(SnapshotError::OtherModule)?;
    let values = tree.get(&path(module, VALUES)).ok_or(SnapshotError::OtherModule)?;
    let values: Map<String, Value> =
        serde_json::from_slice(&values.content).map_err(|_| SnapshotError::OtherModule)?;
    if before.content != backend {
        return Err(SnapshotError::OtherModule);
    }
    for (name, value) in &values {
        let declared = module.variables.iter().find(|(declared, _)| declared.as_str() == name);
        let (name, variable) = declared.ok_or(SnapshotError::OtherModule)?;
        let holds = variable.pool.is_none_or(|bounds| value.as_i64().is_some_and(|size| bounds.hold(size)));
        if !holds {
            return Err(SnapshotError::Value(name.clone()));
        }
    }
    Ok(())
}

/// The file in which the backend that was forced upon a root module's `folder` keeps the state of a workspace; none where it
/// is no file (<https://developer.hashicorp.com/terraform/language/backend/local>).
pub(super) fn state_file(folder: &Path, workspace: &WorkspaceName) -> Option<PathBuf> {
    let forced: Value = serde_json::from_slice(&fs::read(folder.join(BACKEND)).ok()?).ok()?;
    let local = forced.pointer("/terraform/backend/local")?;
    let setting = |key| local.get(key).and_then(Value::as_str).map(PathBuf::from);
    match workspace.is_default() {
        true => setting("path"),
        false => Some(setting("workspace_dir")?.join(workspace.as_str()).join("terraform.tfstate")),
    }
}

fn path(module: &Module, name: &str) -> String {
    format!("{}/{name}", module.directory)
}

fn backend(root: &Path, backend: &Backend) -> Result<Vec<u8>, SnapshotError> {
    let mut config = backend.config.clone();
    if backend.kind == "local" {
        for key in ["path", "workspace_dir"] {
            if let Some(Value::String(path)) = config.get_mut(key) {
                *path = root.join(&path).to_str().ok_or(SnapshotError::RootName)?.to_owned();
            }
        }
    }
    let block = Map::from_iter([(backend.kind.clone(), Value::Object(config))]);
    Ok(text(&json!({"terraform": {"backend": block}})))
}

fn values(module: &Module, set: &BTreeMap<VariableName, i64>) -> Result<Vec<u8>, SnapshotError> {
    let mut values: BTreeMap<&str, Value> = BTreeMap::new();
    for (name, variable) in &module.variables {
        if let Some(value) = &variable.value {
            values.insert(name.as_str(), value.clone());
        }
    }
    for (name, size) in set {
        let bounds = module.variables.get(name).and_then(|variable| variable.pool);
        if !bounds.is_some_and(|bounds| bounds.hold(*size)) {
            return Err(SnapshotError::Value(name.clone()));
        }
        values.insert(name.as_str(), Value::from(*size));
    }
    Ok(text(&json!(values)))
}

fn text(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}
