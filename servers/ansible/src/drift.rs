//! Whether declared playbooks still are what the runbooks need: declared, there with all that they name, let through by the
//! vetting, on inventories with their groups, with their credentials by name.
//!
//! Changes nothing but our own files, as a plan does. No host is asked: what only a check run could tell is not looked at.

use std::collections::BTreeMap;

use runcord_model::action::Use;
use runcord_model::{Refusal, StepCall};
use runcord_runtime::drift::{Aspect, Finding, Inspector};
use runcord_runtime::settings::Settings;
use runcord_runtime::target::Target as _;
use serde_json::Value;

use crate::actions::Action;
use crate::ansible::{Ansible, Connect};
use crate::declared;
use crate::names::{PlaybookName, ProjectPath};
use crate::observe::observe;
use crate::playbooks::{Playbook, Source, Variable};
use crate::probe::Prober;
use crate::ready;
use crate::refuse::precondition;
use crate::vet::Purpose;

/// Looks at the declared playbooks of one project. What was looked at once is not looked at again.
pub struct PlaybooksInspector {
    target: Ansible,
    looked: BTreeMap<PlaybookName, Vec<Finding>>,
}

impl PlaybooksInspector {
    /// Finds the project and Ansible.
    ///
    /// # Errors
    /// As connecting to a target: no such folder, no Ansible that is new enough.
    pub async fn connect(connect: &Connect, settings: &Settings) -> Result<Self, Refusal> {
        Ok(Self { target: Ansible::connect(connect, settings).await?, looked: BTreeMap::new() })
    }
}

impl Inspector for PlaybooksInspector {
    async fn identity(&self) -> Result<String, Refusal> {
        self.target.identity().await
    }

    /// A runbook is concerned with the declared playbooks that it could run.
    async fn inspect(&mut self, uses: &[Use]) -> Result<Vec<Finding>, Refusal> {
        let prober = self.target.prober();
        let playbooks = declared::playbooks(&prober.policy)?.playbooks;
        let version = prober.tool.version().await?;
        let mut findings = vec![Finding::holds(Aspect::Served, version.clone())];
        // What takes a playbook back is looked at with it.
        for used in uses.iter().filter(|used| used.action != "take_back") {
            let concerned: Vec<_> =
                playbooks.iter().filter(|(name, one)| could_run(used, name, one)).collect();
            if concerned.is_empty() {
                findings.push(undeclared(used, &playbooks));
            }
            for (name, playbook) in concerned {
                let looked = match self.looked.get(name) {
                    Some(looked) => looked.clone(),
                    None => look(prober, name, playbook, &version).await?,
                };
                findings
                    .extend(looked.iter().filter(|one| !findings.contains(one)).cloned().collect::<Vec<_>>());
                self.looked.insert(name.clone(), looked);
            }
        }
        Ok(findings)
    }

    /// Runs playbooks in check mode, as a call would: nothing else tells what a check sees.
    async fn observe(&self, calls: &[StepCall]) -> Result<Value, Refusal> {
        let actions = calls.iter().map(Action::read).collect::<Result<Vec<_>, _>>();
        let actions = actions.map_err(|bad| {
            precondition(format!("a step cannot be read: {bad}"), "Correct the parameters that were given.")
        })?;
        Ok(observe(&self.target.probe(&actions).await?))
    }
}

/// Whether a step could run a declared playbook, as far as the runbook's file tells: by its name, by what it has to be, and
/// by whether it changes anything.
fn could_run(used: &Use, name: &PlaybookName, playbook: &Playbook) -> bool {
    let kind = playbook.reads == (used.action == "read_playbook");
    let named = used.fixed("playbook").is_none_or(|fixed| fixed == name.as_str());
    let runs = used.fixed("runs").is_none_or(|fixed| match &playbook.playbook {
        Source::Shipped(shipped) => shipped.as_str() == fixed,
        Source::Project(_) => false,
    });
    kind && named && runs
}

/// That a runbook of the library has nothing to run is what approvers have put in force, and no drift. A name that a runbook's
/// file gives is there for a reason.
fn undeclared(used: &Use, playbooks: &BTreeMap<PlaybookName, Playbook>) -> Finding {
    match used.fixed("playbook") {
        Some(name) => {
            let says = format!("the runbook names playbook {name}, which playbooks.yaml does not declare");
            Finding::drifted(Aspect::Referenced, format!("playbook {name}"), says)
        }
        None if playbooks.is_empty() => {
            Finding::drifted(Aspect::Referenced, "declared playbooks", "playbooks.yaml declares no playbook")
        }
        None => Finding::holds(Aspect::Referenced, "nothing is declared that it could run"),
    }
}

/// All of one playbook, in the order in which a plan would need it.
async fn look(
    prober: &Prober,
    name: &PlaybookName,
    playbook: &Playbook,
    version: &str,
) -> Result<Vec<Finding>, Refusal> {
    let mut findings: Vec<Finding> =
        playbook.environment.iter().map(|variable| is_set(name, variable)).collect();
    let content = match prober.contents.assemble(&prober.project).await {
        Ok(content) => content,
        Err(refusal) => {
            findings.push(as_finding(name, "the files of the project", Err(refusal)));
            return Ok(findings);
        }
    };
    findings.extend(files(playbook).into_iter().map(|path| {
        let subject = format!("file {path} of the project");
        match content.file(path) {
            Some(_) => Finding::holds(Aspect::Referenced, subject),
            None => {
                let says = format!("playbook {name}: the project has no file {path}");
                Finding::drifted(Aspect::Referenced, subject, says)
            }
        }
    }));
    let session = prober.tool.at(&content, playbook);
    let inventory = prober.inventory(session, playbook, &content).await.and_then(|inventory| {
        ready::groups(playbook, &inventory)
            .map_err(|why| precondition(why, "Mend it, or mend playbooks.yaml."))
    });
    findings.push(as_finding(name, &format!("inventory {} with its groups", playbook.inventory), inventory));
    for (source, purpose) in sources(playbook) {
        let vetted = prober.vetted(session, &content, playbook, version, &source, purpose).await;
        findings.push(as_finding(name, &in_words(&source), vetted.map(|_| ())));
    }
    Ok(findings)
}

fn as_finding(name: &PlaybookName, subject: &str, found: Result<(), Refusal>) -> Finding {
    match found {
        Ok(()) => Finding::holds(Aspect::Referenced, format!("{subject}, for playbook {name}")),
        Err(refusal) => {
            let says = format!("playbook {name}: {}", refusal.message);
            Finding::drifted(Aspect::Referenced, format!("{subject}, for playbook {name}"), says)
        }
    }
}

/// The files of the project that its variables name.
fn files(playbook: &Playbook) -> Vec<&ProjectPath> {
    let file = |variable| match variable {
        &Variable::File(ref path) | &Variable::DigestOf(ref path) => Some(path),
        Variable::Value(_)
        | Variable::Enum(_)
        | Variable::String(_)
        | Variable::Integer(_)
        | Variable::Boolean
        | Variable::Pinned(_) => None,
    };
    let mut files: Vec<_> = playbook.variables.values().filter_map(file).collect();
    files.sort();
    files.dedup();
    files
}

/// Everything of it that runs, and what for.
fn sources(playbook: &Playbook) -> Vec<(Source, Purpose)> {
    let own = if playbook.reads { Purpose::Reads } else { Purpose::Changes };
    let mut all = vec![(playbook.playbook.clone(), own)];
    all.extend(playbook.verification().map(|verify| (verify, Purpose::Reads)));
    all.extend(playbook.way_back().map(|back| (back, Purpose::Changes)));
    for variable in playbook.variables.values() {
        if let Variable::Pinned(pinned) = variable {
            all.push((pinned.by.clone(), Purpose::Reads));
        }
    }
    all
}

fn in_words(source: &Source) -> String {
    match source {
        Source::Project(path) => format!("{path} of the project"),
        Source::Shipped(name) => format!("{name} of the library"),
    }
}

/// Of this process: the servers are to be started with the same environment.
fn is_set(name: &PlaybookName, variable: &str) -> Finding {
    let subject = format!("environment variable {variable}");
    if std::env::var_os(variable).is_some_and(|value| !value.is_empty()) {
        return Finding::holds(Aspect::Permitted, subject);
    }
    let says = format!("playbook {name} needs the environment variable {variable}, which is not set here");
    Finding::drifted(Aspect::Permitted, subject, says)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::playbooks::Playbooks;

    const DECLARED: &str = "
playbooks:
  restart_web: {playbook: {shipped: restart_service}, inventory: h.yml, groups: [web], batches: [1]}
  push_web:
    playbook: {shipped: push_config}
    inventory: h.yml
    groups: [web]
    batches: [1]
    variables: {a: {file: f/b.conf}, b: {digest_of: f/b.conf}, c: {file: a.conf}, d: {value: x}}
  deploy: {playbook: {project: live/d.yml}, verify: {project: live/v.yml}, inventory: h.yml, groups: [web], batches: [1]}
  disk: {playbook: {shipped: disk_usage}, reads: true, inventory: h.yml, groups: [web]}
  patch:
    playbook: {shipped: patch_hosts}
    inventory: h.yml
    groups: [web]
    batches: [1]
    variables: {packages: {pinned: {by: {shipped: patch_hosts.look}, fields: [newer]}}}
";

    fn declared() -> BTreeMap<PlaybookName, Playbook> {
        Playbooks::parse("playbooks.yaml", DECLARED).unwrap().playbooks
    }

    fn used(action: &str, fields: &Value) -> Use {
        let fields = fields.as_object().unwrap();
        let fields = fields.iter().map(|(name, value)| (name.clone(), vec![value.clone()])).collect();
        Use { action: action.to_owned(), fields }
    }

    fn concerned(action: &str, fields: &Value) -> Vec<String> {
        let used = used(action, fields);
        let could = declared().into_iter().filter(|(name, one)| could_run(&used, name, one));
        could.map(|(name, _)| name.to_string()).collect()
    }

    #[test]
    fn a_runbook_is_concerned_with_what_it_could_run() {
        assert_eq!(concerned("run_playbook", &json!({})), ["deploy", "patch", "push_web", "restart_web"]);
        assert_eq!(concerned("run_playbook", &json!({"runs": "restart_service"})), ["restart_web"]);
        assert_eq!(concerned("run_playbook", &json!({"playbook": "deploy"})), ["deploy"]);
        assert_eq!(concerned("read_playbook", &json!({})), ["disk"]);
        assert!(
            concerned("read_playbook", &json!({"runs": "restart_service"})).is_empty(),
            "it does not only read"
        );
    }

    #[test]
    fn what_a_file_names_has_to_be_declared_and_something_at_all() {
        let says = |fields: &Value, playbooks: &BTreeMap<PlaybookName, Playbook>| {
            undeclared(&used("run_playbook", fields), playbooks).says
        };
        let (some, none) = (declared(), BTreeMap::new());
        let named = "the runbook names playbook a, which playbooks.yaml does not declare";
        assert_eq!(says(&json!({"playbook": "a"}), &some), named);
        assert_eq!(says(&json!({"runs": "reboot_hosts"}), &some), "", "nobody has put it in force");
        assert_eq!(says(&json!({"runs": "reboot_hosts"}), &none), "playbooks.yaml declares no playbook");
    }

    #[test]
    fn all_that_runs_and_all_that_is_named_is_looked_at() {
        let declared = declared();
        let of = |name: &str| &declared[&name.parse::<PlaybookName>().unwrap()];
        let files: Vec<_> = files(of("push_web")).into_iter().map(ToString::to_string).collect();
        assert_eq!(files, ["a.conf", "f/b.conf"]);
        let run = |name: &str| -> Vec<String> {
            let purpose = |purpose| match purpose {
                Purpose::Reads => "reads",
                Purpose::Changes => "changes",
            };
            sources(of(name))
                .iter()
                .map(|(source, why)| format!("{} {}", in_words(source), purpose(*why)))
                .collect()
        };
        assert_eq!(run("deploy"), ["live/d.yml of the project changes", "live/v.yml of the project reads"]);
        assert_eq!(run("disk"), ["disk_usage of the library reads"]);
        assert_eq!(
            run("patch"),
            [
                "patch_hosts of the library changes",
                "patch_hosts.verify of the library reads",
                "patch_hosts.undo of the library changes",
                "patch_hosts.look of the library reads",
            ]
        );
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let name: PlaybookName = "web".parse().unwrap();
        let found = is_set(&name, "RUNCORD_TEST_THAT_NOBODY_SETS");
        assert!(found.says.contains("RUNCORD_TEST_THAT_NOBODY_SETS, which is not set"), "{}", found.says);
        assert_eq!(is_set(&name, "PATH"), Finding::holds(Aspect::Permitted, "environment variable PATH"));
    }
}
