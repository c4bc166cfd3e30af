//! Looks at root modules. Each look plans: nothing else tells what would change. Planning writes nothing but our own files,
//! and takes the state's lock for as long as it lasts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use runcord_content::disk;
use runcord_model::{Digest, Refusal};
use runcord_runtime::mask::MaskFile;
use runcord_runtime::settings::Origin;

use crate::actions::Action;
use crate::applied::Applied;
use crate::declared;
use crate::desk::Desk;
use crate::draft::permitted;
use crate::hidden;
use crate::lock;
use crate::modules::Module;
use crate::names::{Lineage, WorkspaceName};
use crate::planfile::{self, Reading};
use crate::providers::Installed;
use crate::saved::SavedPlans;
use crate::seen::{Begun, Found, Look, Planned, RestsOn, Saved, StateMark};
use crate::snapshot::{Configuration, Root, Source, Store};
use crate::tool::{Asked, Outcome, Session, Tool};
use runcord_runtime::refusals::{internal, precondition, unusable};

/// Providers that run a program or ask a server while a plan is made: by the time that the plan tells, it has happened.
const GOES_OUT: [&str; 2] = ["external", "http"];

/// What looks.
#[derive(Debug)]
pub(crate) struct Prober {
    pub(crate) tool: Tool,
    pub(crate) root: Root,
    pub(crate) workspace: WorkspaceName,
    pub(crate) policy: Origin,
    pub(crate) store: Store,
    pub(crate) saved: SavedPlans,
    pub(crate) applied: Applied,
    pub(crate) installed: Installed,
    pub(crate) mask: MaskFile,
    pub(crate) desk: Desk,
    /// The saved plans that this process has read.
    pub(crate) known: Mutex<BTreeSet<Digest>>,
}

/// What a run was planned with.
#[derive(Debug, Clone)]
pub(crate) struct Pinned {
    /// The module as it was declared.
    pub(crate) declared: Module,
    /// The configuration.
    pub(crate) configuration: Digest,
    /// The saved plan; none for a step that only concerns a lock.
    pub(crate) saved: Option<Saved>,
}

/// A module's configuration with all that is needed to start the tool in it.
pub(crate) struct Ready {
    pub(crate) declared: Module,
    pub(crate) configuration: Configuration,
}

impl Prober {
    /// Looks at what one step is concerned with: as things are now, or, for the worker of a run, with what that was planned
    /// with.
    pub(crate) async fn look(&self, action: &Action, pinned: Option<Pinned>) -> Result<Look, Refusal> {
        let asked = asked(action, pinned.as_ref());
        let saved = pinned.as_ref().and_then(|pinned| pinned.saved.clone());
        let ready = self.ready(action, pinned).await?;
        let found = match asked {
            Some(asked) => {
                let planned = self.plan(action, &ready, &asked).await?;
                let begun = saved.map_or(Begun::NotAtAll, |saved| self.desk.begun(&saved));
                Found::Planned(Box::new(Planned { begun, ..planned }))
            }
            None => Found::Lock {
                lock: lock::look(self.session(&ready), &self.desk).await?,
                configuration: ready.configuration.digest.clone(),
                lineage: self.lineage(&ready).await?,
            },
        };
        Ok(Look {
            action: action.clone(),
            module: action.module().clone(),
            declared: ready.declared,
            workspace: self.workspace.clone(),
            found,
        })
    }

    /// The configuration that a step is about, ready for the tool.
    pub(crate) async fn ready(&self, action: &Action, pinned: Option<Pinned>) -> Result<Ready, Refusal> {
        let (declared, source) = match pinned {
            Some(Pinned { declared, configuration, .. }) => (declared, Source::Earlier(configuration)),
            None => {
                let modules = declared::modules(&self.policy)?;
                let declared = declared::module(&modules, action.module(), &self.workspace)?;
                permitted(action, &declared)?;
                (declared, source(action))
            }
        };
        let set = match (&source, action) {
            (Source::Earlier(_), _) => BTreeMap::new(),
            (_, Action::SetPool(it)) => BTreeMap::from([(it.variable.clone(), it.size)]),
            (Source::WorkingTree | Source::Commit(_), _) => BTreeMap::new(),
        };
        let configuration = self.store.assemble(&self.root, &declared, &source, &set).await?;
        let ready = Ready { declared, configuration };
        Self::hides_nothing(&ready)?;
        self.initialise(&ready).await?;
        // Each time, and not only where the data was made: what was reviewed then may not be any more.
        self.stays_in(&ready).await?;
        Ok(ready)
    }

    /// Which state it is. Reading takes no lock.
    async fn lineage(&self, ready: &Ready) -> Result<Lineage, Refusal> {
        let mark = self.session(ready).state_mark().await?;
        let unclear = || unusable("the state is not understood", "Look at it by hand.");
        Ok(mark.ok_or_else(unclear)?.lineage)
    }

    pub(crate) fn session<'t>(&'t self, ready: &'t Ready) -> Session<'t> {
        self.tool.at(&ready.configuration, &ready.declared, &self.workspace)
    }

    /// Makes the tool's data once for each configuration and workspace; the mark that it is whole is written last.
    async fn initialise(&self, ready: &Ready) -> Result<(), Refusal> {
        let mark = format!("ready-{}", self.workspace);
        if ready.configuration.data.join(&mark).exists() {
            return Ok(());
        }
        // One at a time: the tool's cache of providers is not made for two.
        let _alone = self.desk.alone().await.map_err(|_| internal("a lock file cannot be made"))?;
        self.session(ready).init().await?;
        disk::replace(&ready.configuration.data, &mark, b"")
            .map_err(|_| internal("the tool's data folder cannot be written"))
    }

    /// Refuses, before the tool is started, a provisioner for what is removed: no plan would show it.
    fn hides_nothing(ready: &Ready) -> Result<(), Refusal> {
        let hidden = hidden::provisions_what_is_removed(ready.configuration.whole(&ready.declared));
        match hidden.map_err(|_| internal("the configuration cannot be read"))? {
            false => Ok(()),
            true => Err(precondition(
                "the module may run a provisioner for what is removed, which no plan shows",
                "Take the provisioner out of the `removed` block, and run by hand what it would do.",
            )),
        }
    }

    /// Refuses, before anything is planned, a provider whose data sources go out while planning, where none was reviewed.
    async fn stays_in(&self, ready: &Ready) -> Result<(), Refusal> {
        let reviewed = |provider: &str| {
            let source = format!("data.{provider}.");
            ready.declared.runs_code.iter().any(|address| address.contains(&source))
        };
        let installed = self.installed.names(&ready.configuration.data).await?;
        match GOES_OUT.into_iter().find(|provider| installed.contains(*provider) && !reviewed(provider)) {
            None => Ok(()),
            Some(provider) => Err(precondition(
                format!(
                    "the module has data sources of the provider {provider}, which run while a plan is made"
                ),
                "Take them out, or have the security team review them and list them under runs_code in modules.yaml.",
            )),
        }
    }

    /// Plans and reads what that says, and keeps nothing.
    pub(crate) async fn compare(&self, ready: &Ready, asked: &Asked) -> Result<Reading, Refusal> {
        let file = self.desk.scrap();
        self.plan_into(ready, asked, file.path()).await?;
        Ok(self.read(ready, file.path()).await?.reading)
    }

    /// Plans, keeps the plan, and reads what it says.
    async fn plan(&self, action: &Action, ready: &Ready, asked: &Asked) -> Result<Planned, Refusal> {
        let file = self.desk.scrap();
        let plan_and_read = async {
            let outcome = self.plan_into(ready, asked, file.path()).await?;
            Ok((outcome, self.read(ready, file.path()).await?))
        };
        // Large files are read meanwhile.
        let ((outcome, said), providers, tool, version) = tokio::try_join!(
            plan_and_read,
            self.installed.providers(&ready.configuration.data),
            self.installed.tool(self.tool.program()),
            self.tool.version(),
        )?;
        let rests_on = RestsOn {
            configuration: ready.configuration.digest.clone(),
            providers,
            tool,
            version: version.to_owned(),
            state: said.state.clone(),
        };
        let key = key(&rests_on, asked, outcome, &said.reading)?;
        let saved = self.saved.keep(&key, file.path()).await?;
        if saved != self.digest(file.path())? && !self.is_known(&saved) {
            // Planned before, by another process: that file counts, so it has to say the same.
            let kept = self.read(ready, &self.saved.open(&key, &saved).await?).await?;
            if self::key(&rests_on, asked, outcome, &kept.reading)? != key || kept.state != said.state {
                return Err(unusable(
                    "a saved plan does not say what it was saved for",
                    "Find out who changed the state folder, then plan again.",
                ));
            }
        }
        self.know(&saved);
        let applied_before = self.applied.before(action.module(), &self.workspace, &rests_on.state).await;
        Ok(said.reading.planned(action, rests_on, saved, applied_before))
    }

    /// Plans; where that fails since somebody holds the state, the refusal says by which lock.
    async fn plan_into(&self, ready: &Ready, asked: &Asked, file: &Path) -> Result<Outcome, Refusal> {
        let failed = match self.session(ready).plan(asked, file).await {
            Ok(outcome) => return Ok(outcome),
            Err(refusal) => refusal,
        };
        match lock::look(self.session(ready), &self.desk).await {
            Ok(Some(lock)) => Err(unusable(
                format!("the state is locked: lock {}", lock.id),
                "Wait and plan again. If whoever took the lock is not at work any more, plan_unlock_state plans to break it.",
            )),
            Ok(None) | Err(_) => Err(failed),
        }
    }

    /// Reads what a plan file says, and of which state it is.
    async fn read(&self, ready: &Ready, file: &Path) -> Result<Said, Refusal> {
        let json = self.desk.scrap();
        self.session(ready).show(file, json.path()).await?;
        let mask = self.mask.open()?;
        let open = |path| File::open(path).map_err(|_| internal("a plan cannot be opened"));
        let not_understood = |error: planfile::Unreadable| {
            tracing::error!(error = &error as &dyn std::error::Error, "a plan cannot be read");
            unusable("the tool's plan is not understood", "Report this as a fault of Runcord.")
        };
        let reading = planfile::read(open(json.path())?, &ready.declared, mask).map_err(not_understood)?;
        let state = planfile::state_mark(open(file)?).map_err(not_understood)?;
        Ok(Said { reading, state })
    }

    fn digest(&self, file: &Path) -> Result<Saved, Refusal> {
        let digest = disk::open_path(file).and_then(disk::digest);
        digest.map(|digest| Saved { digest }).map_err(|_| internal("a plan cannot be read"))
    }

    /// Whether this process has read the file of that digest.
    fn is_known(&self, saved: &Saved) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(&saved.digest)
    }

    fn know(&self, saved: &Saved) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(saved.digest.clone());
    }

    /// Removes what nobody has asked for in a while, and is no way back.
    pub(crate) async fn sweep(&self) {
        let kept = self.applied.configurations().await;
        let swept = async {
            self.saved.sweep().await?;
            self.store.sweep(kept).await
        };
        if let Err(error) = swept.await {
            tracing::warn!(%error, "old plans or configurations stay behind");
        }
    }
}

/// What a plan file says.
struct Said {
    reading: Reading,
    state: StateMark,
}

/// The digest of what a plan rests on and says: the same question about the same world has the same.
fn key(rests_on: &RestsOn, asked: &Asked, outcome: Outcome, reading: &Reading) -> Result<Digest, Refusal> {
    let says =
        (rests_on, format!("{asked:?} {outcome:?}"), &reading.changes, &reading.drift, &reading.outputs);
    let says = serde_json::to_vec(&says).map_err(|_| internal("a plan could not be written"))?;
    Ok(disk::digest_of(&says))
}

/// What the tool is asked to plan for a step; nothing for one that only concerns a lock. Once the step was applied, an
/// instance is not to be made anew again: what is left of the configuration tells.
fn asked(action: &Action, pinned: Option<&Pinned>) -> Option<Asked> {
    Some(match action {
        Action::ApplyConfiguration(_)
        | Action::SetPool(_)
        | Action::ApplyCommit(_)
        | Action::ApplyEarlier(_)
        | Action::ListResources(_)
        | Action::ShowOutputs(_) => Asked::Changes,
        Action::ReplaceInstance(it) => match pinned {
            None => Asked::Replace(it.address.clone()),
            Some(_) => Asked::Changes,
        },
        Action::AcceptDrift(_) | Action::DetectDrift(_) => Asked::RefreshOnly,
        Action::UnlockState(_) => return None,
    })
}

fn source(action: &Action) -> Source {
    match action {
        Action::ApplyCommit(it) => Source::Commit(it.commit.clone()),
        Action::ApplyEarlier(it) => Source::Earlier(it.configuration.clone()),
        Action::ApplyConfiguration(_)
        | Action::ReplaceInstance(_)
        | Action::SetPool(_)
        | Action::AcceptDrift(_)
        | Action::UnlockState(_)
        | Action::DetectDrift(_)
        | Action::ListResources(_)
        | Action::ShowOutputs(_) => Source::WorkingTree,
    }
}
