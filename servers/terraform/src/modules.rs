//! `modules.yaml`: the root modules that this server may act on, and how far. Part of the policy folder, so that it is
//! reviewed by those who edit policy, put in force by an approver's signature, and in the digest of every plan.
//!
//! What is declared here is what runs: the backend is forced upon the module, and the variables are given as they stand
//! here, whatever the module's own files say.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::names::{Directory, ModuleName, ResourceType, VariableName, WorkspaceName};
use runcord_runtime::problem::{Problem, Text};

mod check;
#[cfg(test)]
mod tests;

/// The name of the file in the policy folder.
pub const FILE: &str = "modules.yaml";

/// All declared root modules.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Modules {
    /// By name.
    #[serde(default)]
    pub modules: BTreeMap<ModuleName, Module>,
}

impl Modules {
    /// Reads the text of the file called `file`. An empty one, as a missing one, declares nothing.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with file, line and column.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            return Ok(Self::default());
        }
        let declared: Self = serde_saphyr::from_str(text)
            .map_err(|said| vec![Problem::from_yaml(&Text { name: file, text }, &said)])?;
        let problems = check::check(file, text, &declared);
        if problems.is_empty() { Ok(declared) } else { Err(problems) }
    }
}

/// One declared root module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// Its folder, below the folder of all root modules.
    pub directory: Directory,
    /// Further folders that its module calls name (`../NAME`), below the same folder.
    #[serde(default)]
    pub with: Vec<Directory>,
    /// The workspaces that may be acted on.
    pub workspaces: BTreeSet<WorkspaceName>,
    /// Where its state is.
    pub backend: Backend,
    /// Every input variable of the root module, by name.
    #[serde(default)]
    pub variables: BTreeMap<VariableName, Variable>,
    /// The resources whose instances a runbook may name, as `TYPE.NAME` or `module.M.TYPE.NAME`, without keys.
    #[serde(default)]
    pub may_name: BTreeSet<String>,
    /// Resource types that hold data: destroying or replacing one cannot be taken back.
    #[serde(default)]
    pub data_bearing: BTreeSet<ResourceType>,
    /// What runs code of its own, by address without keys, and has been reviewed: resources with provisioners, and data
    /// sources that start programs or ask servers (`data.external.x`, `data.http.x`).
    #[serde(default)]
    pub runs_code: BTreeSet<String>,
    /// Names of environment variables that reach the tool and its providers: credentials.
    #[serde(default)]
    pub environment: BTreeSet<String>,
}

/// Where a state is kept: the type of the backend and its settings, forced upon the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    /// Its type, such as `local` or `s3`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its settings. A relative `path` of `local` is below the folder of all root modules.
    #[serde(default)]
    pub config: Map<String, Value>,
}

/// One input variable of a root module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// The value that is given; the module's own default where this is left out.
    #[serde(default)]
    pub value: Option<Value>,
    /// Where a runbook may set it: the bounds it is kept to.
    #[serde(default)]
    pub pool: Option<Bounds>,
}

/// The bounds of a variable that says how large something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// The smallest size.
    pub minimum: i64,
    /// The largest.
    pub maximum: i64,
}

impl Bounds {
    /// Whether a size is within them.
    pub fn hold(self, size: i64) -> bool {
        (self.minimum..=self.maximum).contains(&size)
    }
}
