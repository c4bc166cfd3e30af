//! One folder of root modules in one workspace: the half with effects.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use runcord_content::disk;
use runcord_model::Refusal;
use runcord_runtime::mask::MaskFile;
use runcord_runtime::settings::Settings;
use runcord_runtime::target::{Acted, Actions as _, Permit, Supervision, Target, Waited};
use serde_json::Value;

use crate::act::{Act, ApplySaved};
use crate::actions::Action;
use crate::applied::Applied;
use crate::apply::{self, Outputs};
use crate::declared;
use crate::desk::Desk;
use crate::names::WorkspaceName;
use crate::probe::{Pinned, Prober};
use crate::providers::Installed;
use crate::pure::TerraformActions;
use crate::read;
use crate::saved::SavedPlans;
use crate::seen::{Found, Seen, StateMark};
use crate::snapshot::{Root, Store};
use crate::tool::Tool;
use runcord_runtime::refusals::surroundings;

/// Where the root modules are, and in which workspace they are acted on.
#[derive(Debug, Clone)]
pub struct Connect {
    /// The folder; where this program was started when not given.
    pub root: Option<PathBuf>,
    /// The workspace.
    pub workspace: WorkspaceName,
    /// Where providers come from; their registries when not given.
    pub provider_mirror: Option<PathBuf>,
}

/// How every identity of this server begins.
pub const IDENTITY: &str = "tf:";

/// How long what was seen last stands for what is there, for a worker that has just looked.
const FRESH: Duration = Duration::from_secs(2);

/// How often saved plans are looked through for those that have expired.
const SWEEP_EVERY: Duration = Duration::from_secs(20);

/// One folder of root modules in one workspace.
#[derive(Debug)]
pub struct Terraform {
    prober: Prober,
    desk: Desk,
    identity: String,
    /// What a run was planned with: its worker looks at that, whatever is declared or written meanwhile.
    recalled: Mutex<BTreeMap<Action, Pinned>>,
    /// What a worker saw last, until it acts again: verifying and telling look at the same moment.
    last: Mutex<Option<(Instant, Seen)>>,
}

impl Terraform {
    /// Finds the folder and the tool, and asks that for its version. Nothing is planned yet.
    ///
    /// # Errors
    /// As [`Self::rejoin`]; and `target_unreachable` when the tool is too old.
    pub async fn connect(connect: &Connect, settings: &Settings) -> Result<Self, Refusal> {
        let found = Self::rejoin(connect, settings)?;
        found.prober.tool.version().await?;
        found.prober.sweep().await;
        tokio::spawn(sweep(found.prober.saved.clone()));
        Ok(found)
    }

    /// The same for whoever carries out a plan: what was asked when it was made is not asked again, and what it was made with
    /// is what everything is held against.
    ///
    /// # Errors
    /// `target_unreachable` when there is no such folder, no tool, or no place to keep files.
    pub fn rejoin(connect: &Connect, settings: &Settings) -> Result<Self, Refusal> {
        let root = connect.root.clone().map_or_else(std::env::current_dir, Ok);
        let root = root.and_then(|path| Root::open(&path));
        let root = root.map_err(|_| surroundings("the folder of root modules (--root) does not exist"))?;
        let desk = Desk::make(&settings.state.join("terraform"), connect.provider_mirror.as_deref())
            .map_err(|_| surroundings("the state folder cannot be written"))?;
        let tool = Tool::find(desk.places())?;
        let identity = identity(root.path(), &connect.workspace)?;
        declared::modules(&settings.policy)?;
        let prober = Prober {
            tool,
            root,
            workspace: connect.workspace.clone(),
            policy: settings.policy.clone(),
            store: Store::new(&settings.state),
            saved: SavedPlans::new(&settings.state),
            applied: Applied::new(&settings.state),
            installed: Installed::of(&settings.state),
            mask: MaskFile::of(&settings.state),
            desk: desk.clone(),
            known: Mutex::default(),
        };
        Ok(Self { prober, desk, identity, recalled: Mutex::default(), last: Mutex::default() })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        self.prober.root.path()
    }

    fn pinned(&self, action: &Action) -> Option<Pinned> {
        self.recalled.lock().unwrap_or_else(PoisonError::into_inner).get(action).cloned()
    }

    fn is_worker(&self) -> bool {
        !self.recalled.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn seen_just_now(&self) -> Option<Seen> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| at.elapsed() < FRESH).map(|(_, seen)| seen.clone())
    }

    fn remember(&self, seen: Option<&Seen>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = seen.map(|seen| (Instant::now(), seen.clone()));
    }

    async fn apply_saved(&self, permit: Permit, it: &ApplySaved, supervision: &Supervision<'_>) -> Acted {
        let ready = match self.ready(it).await {
            Ok(ready) => ready,
            Err(acted) => return acted,
        };
        let session = self.prober.tool.at(&ready.configuration, &it.declared, &it.workspace);
        if let Err(acted) = apply::unmoved(session, &it.rests_on.state).await {
            return acted;
        }
        let outputs = match self.desk.outputs(&it.saved) {
            Ok(outputs) => outputs,
            Err(_) => return refused("there is no place for what the tool says; nothing was applied"),
        };
        let unstopped = match supervision.unstopped(permit) {
            Ok(unstopped) => unstopped,
            Err(acted) => return acted,
        };
        let files = Outputs { events: &outputs.events, errors: &outputs.errors };
        let leaving = match ready.configuration.let_leave_state() {
            Ok(leaving) => leaving,
            Err(_) => return refused("a state that could not be written would be lost; nothing was applied"),
        };
        let acted = apply::apply(session, supervision, unstopped, it, &ready.saved, files).await;
        let acted = self.desk.rescue(&ready.configuration.directory, acted);
        drop(leaving);
        if acted == Acted::Done {
            self.note_applied(it, session.state_mark().await).await;
        }
        acted
    }

    /// Everything that the plan rests on, looked at once more. Nothing is sent here.
    async fn ready(&self, it: &ApplySaved) -> Result<Ready, Acted> {
        let changed = |refusal: Refusal| refused(format!("nothing was applied: {}", refusal.message));
        let prober = &self.prober;
        let configuration =
            prober.store.open(&it.rests_on.configuration, &it.declared).await.map_err(changed)?;
        let saved = prober.saved.find(&it.saved).await.map_err(changed)?;
        let found = prober.installed.providers(&configuration.data).await.map_err(changed)?;
        let tool = prober.installed.tool(prober.tool.program()).await.map_err(changed)?;
        if found != it.rests_on.providers || tool != it.rests_on.tool {
            return Err(refused("the tool or its providers are not those that planned; nothing was applied"));
        }
        // The very same binary needs not be asked once more.
        prober.tool.is_of(&it.rests_on.version);
        Ok(Ready { configuration, saved })
    }

    /// What was applied is the way back from what comes next. If it cannot be kept, only that is lost.
    async fn note_applied(&self, it: &ApplySaved, state: Result<Option<StateMark>, Refusal>) {
        let applied = &self.prober.applied;
        let kept = match state.ok().flatten() {
            Some(mark) => {
                applied.remember(&it.module, &it.workspace, &it.rests_on.configuration, &mark).await.is_ok()
            }
            None => false,
        };
        if !kept {
            tracing::warn!(module = %it.module, "what was applied could not be kept: the next change has no way back");
        }
    }
}

/// Removes saved plans when they expire, for as long as this process runs.
async fn sweep(saved: SavedPlans) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        if let Err(error) = saved.sweep().await {
            tracing::warn!(%error, "plans that have expired stay behind");
        }
    }
}

struct Ready {
    configuration: crate::snapshot::Configuration,
    saved: PathBuf,
}

/// The same folder in the same workspace, whatever it is called.
fn identity(root: &Path, workspace: &WorkspaceName) -> Result<String, Refusal> {
    let text =
        root.to_str().ok_or_else(|| surroundings("the path of the folder of root modules is not UTF-8"))?;
    let digest = disk::digest_of(text.as_bytes());
    let short = disk::hex(&digest).get(..16).unwrap_or_default().to_owned();
    Ok(format!("{IDENTITY}{short}:{workspace}"))
}

impl Target for Terraform {
    type A = TerraformActions;

    async fn identity(&self) -> Result<String, Refusal> {
        match self.root().canonicalize() {
            Ok(found) if found == self.root() => Ok(self.identity.clone()),
            Ok(_) | Err(_) => Err(surroundings("the folder of root modules is not there any more")),
        }
    }

    async fn probe(&self, actions: &[Action]) -> Result<Seen, Refusal> {
        if let Some(seen) = self.seen_just_now() {
            return Ok(seen);
        }
        self.prober.sweep().await;
        let mut looks = Vec::new();
        for action in actions {
            looks.push(self.prober.look(action, self.pinned(action)).await?);
        }
        let seen = Seen { looks };
        if self.is_worker() {
            self.remember(Some(&seen));
        }
        Ok(seen)
    }

    fn recall(&self, before: &Seen) {
        let mut recalled = self.recalled.lock().unwrap_or_else(PoisonError::into_inner);
        for look in &before.looks {
            let (configuration, saved) = match &look.found {
                Found::Planned(planned) => {
                    (planned.rests_on.configuration.clone(), Some(planned.saved.clone()))
                }
                Found::Lock { configuration, .. } => (configuration.clone(), None),
            };
            let pinned = Pinned { declared: look.declared.clone(), configuration, saved };
            recalled.insert(look.action.clone(), pinned);
        }
    }

    /// Planning was the dry-run: there is nothing else that the tool could tell.
    async fn dry_run(&self, _acts: &[Act]) -> Result<(), Refusal> {
        Ok(())
    }

    async fn keep(&self, acts: &[Act], until: Timestamp) -> Result<(), Refusal> {
        for act in acts {
            match act {
                Act::Apply(it) => self.prober.saved.keep_until(&it.saved, until.into()).await?,
                Act::Unlock(_) => {}
            }
        }
        Ok(())
    }

    async fn apply(&self, permit: Permit, act: &Act, supervision: &Supervision<'_>) -> Acted {
        self.remember(None);
        match act {
            Act::Apply(it) => self.apply_saved(permit, it, supervision).await,
            Act::Unlock(it) => match self.prober.store.open(&it.configuration, &it.declared).await {
                Ok(configuration) => {
                    let session = self.prober.tool.at(&configuration, &it.declared, &it.workspace);
                    apply::unlock(session, &self.desk, permit, supervision, it).await
                }
                Err(refusal) => refused(format!("the lock was not broken: {}", refusal.message)),
            },
        }
    }

    async fn wait(&self, act: &Act) -> Waited {
        Waited::broken(format!("there is nothing to wait for: {}", TerraformActions::describe(act)))
    }

    async fn read(&self, action: &Action) -> Result<Value, Refusal> {
        read::read(&self.prober, action).await
    }
}

fn refused(reason: impl Into<String>) -> Acted {
    Acted::Refused { reason: reason.into() }
}
