//! One project with its hosts: the half with effects.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use runcord_content::disk;
use runcord_model::Refusal;
use runcord_runtime::mask::MaskFile;
use runcord_runtime::settings::Settings;
use runcord_runtime::target::{Acted, Actions as _, Permit, Supervision, Target, Waited};
use serde_json::Value;

use crate::act::RunBatch;
use crate::actions::Action;
use crate::apply;
use crate::content::{Content, Contents};
use crate::declared;
use crate::desk::Desk;
use crate::inventory::Inventory;
use crate::names::LookId;
use crate::probe::{On, Prober};
use crate::pure::AnsibleActions;
use crate::read;
use crate::refuse::{internal, surroundings, unusable};
use crate::seen::{Look, Seen, Standing};
use crate::standing;
use crate::tool::Tool;

/// Which project, and which Ansible.
#[derive(Debug, Clone)]
pub struct Connect {
    /// The project's folder; where this program was started when not given.
    pub project: Option<PathBuf>,
    /// The virtual environment that Ansible is in; found on the PATH when not given.
    pub ansible: Option<PathBuf>,
}

/// How every identity of this server begins.
pub const IDENTITY: &str = "ansible:";

/// How long what was seen last stands for what is there, for a worker that has just looked.
const FRESH: Duration = Duration::from_secs(2);

/// One project with its hosts.
#[derive(Debug)]
pub struct Ansible {
    prober: Prober,
    identity: String,
    /// What a run was planned on: its worker looks at that, whatever is declared or written meanwhile.
    recalled: Mutex<Vec<Look>>,
    /// The hosts of those looks as they were found again, once, to be those that were planned for.
    frozen: Mutex<BTreeMap<LookId, Arc<Frozen>>>,
    /// What a worker saw last, until it acts again: verifying and telling look at the same moment.
    last: Mutex<Option<(Instant, Seen)>>,
}

/// A look's hosts with all that reaches them, and the folder that Ansible runs in.
#[derive(Debug)]
struct Frozen {
    inventory: Inventory,
    content: Content,
}

impl Ansible {
    /// Finds the project and Ansible, and asks that for its version. No host is asked yet.
    ///
    /// # Errors
    /// As [`Self::rejoin`]; and `target_unreachable` when Ansible is too old.
    pub async fn connect(connect: &Connect, settings: &Settings) -> Result<Self, Refusal> {
        let found = Self::rejoin(connect, settings)?;
        found.prober.tool.version().await?;
        Ok(found)
    }

    /// The same for whoever carries out a plan: what it was made with is what everything is held against.
    ///
    /// # Errors
    /// `target_unreachable` when there is no such folder, no Ansible, or no place to keep files.
    pub fn rejoin(connect: &Connect, settings: &Settings) -> Result<Self, Refusal> {
        let project = connect.project.clone().map_or_else(std::env::current_dir, Ok);
        let project = project.and_then(|path| path.canonicalize()).ok().filter(|path| path.is_dir());
        let project =
            project.ok_or_else(|| surroundings("the folder of the project (--project) does not exist"))?;
        let desk = Desk::make(&settings.state.join("ansible"))
            .map_err(|_| surroundings("the state folder cannot be written"))?;
        let tool = Tool::find(connect.ansible.as_deref(), desk.clone())?;
        let identity = identity(&project)?;
        declared::playbooks(&settings.policy)?;
        let prober = Prober {
            tool,
            project,
            policy: settings.policy.clone(),
            contents: Contents::new(desk.contents()),
            mask: MaskFile::of(&settings.state),
            desk,
        };
        Ok(Self {
            prober,
            identity,
            recalled: Mutex::default(),
            frozen: Mutex::default(),
            last: Mutex::default(),
        })
    }

    /// The project's folder.
    pub fn project(&self) -> &Path {
        &self.prober.project
    }

    pub(crate) fn prober(&self) -> &Prober {
        &self.prober
    }

    /// The virtual environment that was named.
    pub fn venv(&self) -> Option<&Path> {
        self.prober.tool.venv()
    }

    fn recalled(&self) -> Vec<Look> {
        self.recalled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn seen_just_now(&self) -> Option<Seen> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| at.elapsed() < FRESH).map(|(_, seen)| seen.clone())
    }

    fn remember(&self, seen: Option<&Seen>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = seen.map(|seen| (Instant::now(), seen.clone()));
    }

    /// The hosts of a look, asked for once more and found to be the very same; from then on it is these.
    async fn frozen(&self, look: &Look) -> Result<Arc<Frozen>, Refusal> {
        let known = |frozen: &Mutex<BTreeMap<LookId, Arc<Frozen>>>| {
            frozen.lock().unwrap_or_else(PoisonError::into_inner).get(&look.id).cloned()
        };
        if let Some(frozen) = known(&self.frozen) {
            return Ok(frozen);
        }
        let prober = &self.prober;
        let content = prober.contents.open(&look.rests_on.content).await?;
        let session = prober.tool.at(&content, &look.declared);
        let (inventory, version) =
            tokio::try_join!(prober.inventory(session, &look.declared, &content), prober.tool.version())?;
        let mark = prober.mask.open()?.digest(&inventory.of_hosts(&look.hosts));
        if mark != look.rests_on.inventory || version != look.rests_on.version {
            return Err(unusable("the hosts or Ansible are not those that were planned with", "Plan again."));
        }
        let frozen = Arc::new(Frozen { inventory, content });
        let mut all = self.frozen.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(look.id.clone(), Arc::clone(&frozen));
        Ok(frozen)
    }

    /// A look that a run was planned on, with what has become of it: batches begun, and what verifying says of their hosts.
    async fn stands(&self, look: Look) -> Result<Look, Refusal> {
        let begun =
            self.prober.desk.begun(&look.id).map_err(|_| internal("what was begun cannot be read"))?;
        let mask = self.prober.mask.open()?;
        let batches: BTreeMap<_, _> =
            begun.iter().map(|(number, one)| (*number, standing::batch(one, mask))).collect();
        let since = begun.values().map(|one| one.record.began).min();
        let hosts: Vec<_> = begun.values().flat_map(|one| one.record.act.hosts.clone()).collect();
        let verified = match (&look.verify, since) {
            (Some(verify), Some(since)) => {
                let frozen = self.frozen(&look).await?;
                let on = On {
                    content: &frozen.content,
                    declared: &look.declared,
                    inventory: &frozen.inventory,
                    hosts: &hosts,
                    given: &look.given,
                    pinned: &look.pinned,
                    planned: look.at,
                    since,
                };
                let ran = self.prober.read(on, verify, &std::collections::BTreeSet::new()).await?;
                standing::verified(&hosts, &ran)
            }
            (None, _) | (_, None) => BTreeMap::new(),
        };
        Ok(Look { standing: Standing { batches, verified }, ..look })
    }

    async fn run_batch(&self, permit: Permit, it: &RunBatch, supervision: &Supervision<'_>) -> Acted {
        let refused = |reason: String| Acted::Refused { reason };
        let Some(look) = self.recalled().into_iter().find(|look| look.id == it.look) else {
            return refused("what this batch was planned on is not known; nothing was begun".to_owned());
        };
        let frozen = match self.frozen(&look).await {
            Ok(frozen) => frozen,
            Err(refusal) => return refused(format!("nothing was begun: {}", refusal.message)),
        };
        // Each time: batches may follow each other for hours, and what they run in has to be what it was.
        if let Err(refusal) = self.prober.contents.open(&it.rests_on.content).await {
            return refused(format!("nothing was begun: {}", refusal.message));
        }
        let on = On {
            content: &frozen.content,
            declared: &it.declared,
            inventory: &frozen.inventory,
            hosts: &it.hosts,
            given: &it.given,
            pinned: &it.pinned,
            planned: it.at,
            since: it.at,
        };
        apply::apply(&self.prober, permit, supervision, it, on).await
    }
}

/// The same project, whatever its folder is called on the way.
fn identity(project: &Path) -> Result<String, Refusal> {
    let text = project.to_str().ok_or_else(|| surroundings("the path of the project is not UTF-8"))?;
    let digest = disk::digest_of(text.as_bytes());
    Ok(format!("{IDENTITY}{}", disk::hex(&digest).get(..16).unwrap_or_default()))
}

impl Target for Ansible {
    type A = AnsibleActions;

    async fn identity(&self) -> Result<String, Refusal> {
        match self.project().canonicalize() {
            Ok(found) if found == self.project() => Ok(self.identity.clone()),
            Ok(_) | Err(_) => Err(surroundings("the folder of the project is not there any more")),
        }
    }

    async fn probe(&self, actions: &[Action]) -> Result<Seen, Refusal> {
        let recalled = self.recalled();
        if let Some(seen) = self.seen_just_now().filter(|_| !recalled.is_empty()) {
            return Ok(seen);
        }
        if let Err(error) = self.prober.contents.sweep() {
            tracing::warn!(%error, "old copies of the project stay behind");
        }
        let mut looks = Vec::new();
        for action in actions {
            looks.push(match recalled.iter().find(|look| look.action == *action) {
                Some(look) => self.stands(look.clone()).await?,
                None => self.prober.look(action).await?,
            });
        }
        let seen = Seen { looks };
        if !recalled.is_empty() {
            self.remember(Some(&seen));
        }
        Ok(seen)
    }

    fn recall(&self, before: &Seen) {
        *self.recalled.lock().unwrap_or_else(PoisonError::into_inner) = before.looks.clone();
    }

    /// Checking was the dry-run: there is nothing else that Ansible could tell.
    async fn dry_run(&self, _acts: &[RunBatch]) -> Result<(), Refusal> {
        Ok(())
    }

    /// Nothing is kept for a plan: what it rests on is found again, or the plan has drifted.
    async fn keep(&self, _acts: &[RunBatch], _until: Timestamp) -> Result<(), Refusal> {
        Ok(())
    }

    async fn apply(&self, permit: Permit, act: &RunBatch, supervision: &Supervision<'_>) -> Acted {
        self.remember(None);
        self.run_batch(permit, act, supervision).await
    }

    async fn wait(&self, act: &RunBatch) -> Waited {
        Waited::broken(format!("there is nothing to wait for: {}", AnsibleActions::describe(act)))
    }

    async fn read(&self, action: &Action) -> Result<Value, Refusal> {
        read::read(&self.prober, action).await
    }
}
