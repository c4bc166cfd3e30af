//! Whether root modules still are what the runbooks need: declared, whole, with a lock file, a workspace, their credentials
//! by name, and the resources that their declaration names.
//!
//! Changes nothing but our own files, as a plan does. What only a plan could tell is not looked at: whether a resource is
//! in the very module that its address names, and whether a variable of the module is not declared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use runcord_model::action::Use;
use runcord_model::{Refusal, StepCall};
use runcord_runtime::drift::{Aspect, Finding, Inspector};
use runcord_runtime::settings::{Origin, Settings};
use runcord_runtime::target::Target as _;
use serde_json::Value;

use crate::actions::Action;
use crate::declared;
use crate::desk::Desk;
use crate::modules::Module;
use crate::names::{ModuleName, WorkspaceName};
use crate::observe::observe;
use crate::snapshot::{Configuration, Root, Source, Store};
use crate::terraform::{Connect, Terraform};
use crate::tool::Tool;
use runcord_runtime::refusals::{internal, precondition, surroundings};

/// Looks at the root modules of one folder. What was looked at once is not looked at again.
pub struct ModulesInspector {
    target: Terraform,
    tool: Tool,
    root: Root,
    workspace: WorkspaceName,
    policy: Origin,
    store: Store,
    desk: Desk,
    looked: BTreeMap<ModuleName, Vec<Finding>>,
}

impl ModulesInspector {
    /// Finds the folder and the tool.
    ///
    /// # Errors
    /// As connecting to a target: no such folder, no tool that is new enough.
    pub async fn connect(connect: &Connect, settings: &Settings) -> Result<Self, Refusal> {
        let target = Terraform::connect(connect, settings).await?;
        let root = Root::open(target.root())
            .map_err(|_| surroundings("the folder of root modules (--root) does not exist"))?;
        let desk = Desk::make(&settings.state.join("terraform"), connect.provider_mirror.as_deref())
            .map_err(|_| surroundings("the state folder cannot be written"))?;
        Ok(Self {
            tool: Tool::find(desk.places())?,
            root,
            workspace: connect.workspace.clone(),
            policy: settings.policy.clone(),
            store: Store::new(&settings.state),
            desk,
            target,
            looked: BTreeMap::new(),
        })
    }

    /// All of one module, in the order in which a plan would need it.
    async fn look(&self, name: &ModuleName, module: &Module) -> Result<Vec<Finding>, Refusal> {
        let mut findings: Vec<Finding> =
            module.environment.iter().map(|variable| is_set(name, variable)).collect();
        let assembled = self.store.assemble(&self.root, module, &Source::WorkingTree, &BTreeMap::new()).await;
        let whole = format!("the files of root module {name}");
        let configuration = match assembled {
            Ok(configuration) => configuration,
            Err(refusal) => {
                let says = format!("root module {name} cannot be used: {}", refusal.message);
                findings.push(Finding::drifted(Aspect::Referenced, whole, says));
                return Ok(findings);
            }
        };
        findings.push(Finding::holds(Aspect::Referenced, whole));
        findings.extend(named(name, module, &configuration)?);
        findings.push(self.initialised(name, module, &configuration).await?);
        Ok(findings)
    }

    /// Whether lock file, providers, backend and workspace are as the tool needs them. Asked anew each time: a workspace
    /// may have gone since.
    async fn initialised(
        &self,
        name: &ModuleName,
        module: &Module,
        configuration: &Configuration,
    ) -> Result<Finding, Refusal> {
        let subject = format!("providers, backend and workspace {} of root module {name}", self.workspace);
        let _alone = self.desk.alone().await.map_err(|_| internal("a lock file cannot be made"))?;
        Ok(match self.tool.at(configuration, module, &self.workspace).init().await {
            Ok(()) => Finding::holds(Aspect::Served, subject),
            Err(refusal) => {
                let says = format!("root module {name}: {}", refusal.message);
                Finding::drifted(Aspect::Served, subject, says)
            }
        })
    }
}

impl Inspector for ModulesInspector {
    async fn identity(&self) -> Result<String, Refusal> {
        self.target.identity().await
    }

    /// A runbook whose file names a module is concerned with that one, any other with all that are declared for this
    /// workspace: those of other workspaces are other servers' affair.
    async fn inspect(&mut self, uses: &[Use]) -> Result<Vec<Finding>, Refusal> {
        let modules = declared::modules(&self.policy)?.modules;
        let fixed: BTreeSet<&str> = uses.iter().filter_map(|used| used.fixed("module")).collect();
        let mut findings = vec![Finding::holds(Aspect::Served, self.tool.version().await?)];
        for name in fixed.iter().filter(|name| !modules.keys().any(|one| one.as_str() == **name)) {
            let says = format!("the runbook names root module {name}, which modules.yaml does not declare");
            findings.push(Finding::drifted(Aspect::Referenced, format!("root module {name}"), says));
        }
        let concerned =
            |name: &ModuleName, module: &Module| match (fixed.is_empty(), fixed.contains(name.as_str())) {
                (true, _) => module.workspaces.contains(&self.workspace),
                (false, named) => named,
            };
        let concerned: Vec<_> = modules.iter().filter(|(name, module)| concerned(name, module)).collect();
        if fixed.is_empty() && concerned.is_empty() {
            let says = format!("modules.yaml declares no root module for the workspace {}", self.workspace);
            findings.push(Finding::drifted(Aspect::Referenced, "declared root modules", says));
        }
        for (name, module) in concerned {
            findings.push(allowed(name, module, &self.workspace));
            let looked = match self.looked.get(name) {
                Some(looked) => looked.clone(),
                None => self.look(name, module).await?,
            };
            findings.extend(looked.iter().cloned());
            self.looked.insert(name.clone(), looked);
        }
        Ok(findings)
    }

    /// Plans, as a call would: nothing else tells what a check sees.
    async fn observe(&self, calls: &[StepCall]) -> Result<Value, Refusal> {
        let actions = calls.iter().map(Action::read).collect::<Result<Vec<_>, _>>();
        let actions = actions.map_err(|bad| {
            precondition(format!("a step cannot be read: {bad}"), "Correct the parameters that were given.")
        })?;
        Ok(observe(&self.target.probe(&actions).await?))
    }
}

fn allowed(name: &ModuleName, module: &Module, workspace: &WorkspaceName) -> Finding {
    let subject = format!("workspace {workspace} of root module {name}");
    if module.workspaces.contains(workspace) {
        return Finding::holds(Aspect::Permitted, subject);
    }
    let says = format!("root module {name} may not be acted on in the workspace {workspace}");
    Finding::drifted(Aspect::Permitted, subject, says)
}

/// Of this process: the servers are to be started with the same environment.
fn is_set(name: &ModuleName, variable: &str) -> Finding {
    let subject = format!("environment variable {variable}");
    if std::env::var_os(variable).is_some_and(|value| !value.is_empty()) {
        return Finding::holds(Aspect::Permitted, subject);
    }
    let says = format!("root module {name} needs the environment variable {variable}, which is not set here");
    Finding::drifted(Aspect::Permitted, subject, says)
}

/// Whether what the declaration names still is in the configuration's files.
fn named(name: &ModuleName, module: &Module, stored: &Configuration) -> Result<Vec<Finding>, Refusal> {
    let unreadable = |_| internal("a stored configuration cannot be read");
    let depth = Path::new(module.directory.as_str()).components().count();
    let top = stored.directory.ancestors().nth(depth).unwrap_or(&stored.directory);
    let mut files = Vec::new();
    configuration_files(top, &mut files).map_err(unreadable)?;
    let mut texts = Vec::new();
    for file in &files {
        texts.push(fs::read_to_string(file).map_err(unreadable)?);
    }
    let in_json = files.iter().any(|file| is_json(file) && !is_ours(file));
    let one = |list: &str, address: &String| {
        let subject = format!("{address} of root module {name}");
        if texts.iter().any(|text| declares(text, address)) {
            Finding::holds(Aspect::Referenced, subject)
        } else if in_json {
            let says = format!("{address} ({list}) of root module {name} may be in JSON, which is not read");
            Finding::cannot_tell(Aspect::Referenced, subject, says)
        } else {
            let says = format!("{list} names {address}, which root module {name} does not have any more");
            Finding::drifted(Aspect::Referenced, subject, says)
        }
    };
    let may_name = module.may_name.iter().map(|address| one("may_name", address));
    Ok(may_name.chain(module.runs_code.iter().map(|address| one("runs_code", address))).collect())
}

fn configuration_files(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        let ends = |ending: &str| path.to_string_lossy().ends_with(ending);
        if kind.is_dir() {
            configuration_files(&path, found)?;
        } else if [".tf", ".tofu", ".tf.json", ".tofu.json"].into_iter().any(ends) {
            found.push(path);
        }
    }
    Ok(())
}

fn is_json(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending == "json")
}

/// The file that forces the backend.
fn is_ours(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name == "runcord_override.tf.json")
}

/// Whether a text has a block of that type and name, whatever module it is in: `resource "TYPE" "NAME"`, with or without
/// quotes. One in a comment is taken for one too.
fn declares(text: &str, address: &str) -> bool {
    let mut parts = address.rsplit('.');
    let (Some(name), Some(kind)) = (parts.next(), parts.next()) else { return false };
    let block = if parts.next() == Some("data") { "data" } else { "resource" };
    let words: Vec<&str> = text
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
        .filter(|word| !word.is_empty())
        .collect();
    words.windows(3).any(|three| three == [block, kind, name])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_told_by_its_type_and_name() {
        let text = "resource \"aws_instance\" \"node\" {\n  count = 2\n}\ndata external release {}\n";
        for there in ["aws_instance.node", "module.pool.aws_instance.node", "data.external.release"] {
            assert!(declares(text, there), "{there}");
        }
        for gone in ["aws_instance.nodes", "data.aws_instance.node", "external.release", "aws_instance"] {
            assert!(!declares(text, gone), "{gone}");
        }
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let name: ModuleName = "net".parse().unwrap();
        let found = is_set(&name, "RUNCORD_TEST_THAT_NOBODY_SETS");
        assert!(found.says.contains("RUNCORD_TEST_THAT_NOBODY_SETS, which is not set"), "{}", found.says);
        assert_eq!(is_set(&name, "PATH"), Finding::holds(Aspect::Permitted, "environment variable PATH"));
    }

    #[test]
    fn a_workspace_must_be_declared() {
        let module = crate::samples::declared();
        let name: ModuleName = "net".parse().unwrap();
        let state = |workspace: &str| allowed(&name, &module, &workspace.parse().unwrap()).says;
        assert_eq!(state("default"), "");
        assert!(state("elsewhere").contains("may not be acted on in the workspace elsewhere"));
    }
}
