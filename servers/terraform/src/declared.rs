//! What is declared of root modules, read where it is needed: an edit counts from the next look on.

use runcord_model::Refusal;
use runcord_runtime::settings::Origin;

use crate::modules::{FILE, Module, Modules};
use crate::names::{ModuleName, WorkspaceName};
use runcord_runtime::refusals::{precondition, surroundings};

/// The declared modules, as they are in the policy folder now.
pub(crate) fn modules(policy: &Origin) -> Result<Modules, Refusal> {
    Modules::parse(FILE, &policy.text(FILE)?).map_err(|problems| {
        for problem in &problems {
            tracing::error!("{problem}");
        }
        surroundings("modules.yaml in the policy folder is not valid; `runcord policy check` shows where")
    })
}

/// A declared module, if it may be acted on in this workspace.
pub(crate) fn module(
    modules: &Modules,
    name: &ModuleName,
    workspace: &WorkspaceName,
) -> Result<Module, Refusal> {
    let module = modules.modules.get(name).ok_or_else(|| {
        precondition(
            format!("no root module {name} is declared"),
            "Look which modules modules.yaml in the policy folder declares, or have the security team declare it.",
        )
    })?;
    if !module.workspaces.contains(workspace) {
        return Err(precondition(
            format!("root module {name} may not be acted on in the workspace {workspace}"),
            "Use the server of another workspace, or have the security team allow this one in modules.yaml.",
        ));
    }
    Ok(module.clone())
}
