//! The two halves of this server, as the runtime takes them.

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use runcord_model::action::{BadStep, StepCall};
use runcord_model::{Catalog, Change, Refusal};
use runcord_runtime::mask::MaskFile;
use runcord_runtime::target::{
    ActKind, Acted, Actions, Draft, Fixed, Measured, Permit, Settled, Supervision, Target, Waited,
};
use serde_json::Value;

use crate::act::Act;
use crate::actions::Action;
use crate::apply::Writer;
use crate::connect::{self, Connect, Connected};
use crate::dry_run::{DryRun, Rehearsal};
use crate::reader::Reader;
use crate::seen::{OwnerRef, Seen};
use crate::volumes::VolumeAct;
use crate::{canonical, catalog, diff, draft, measure, observe, probe, read, settle, wait};

/// The pure half.
#[derive(Debug, Clone, Copy)]
pub struct KubectlActions;

/// One cluster: the half with effects.
pub struct Kubernetes {
    reader: Reader,
    rehearsal: Rehearsal,
    writer: Writer,
    authority: String,
    context: Option<String>,
    mask: MaskFile,
    /// Workloads that were seen before the run: they stay in view when none of their pods is on the node any more.
    recalled: Mutex<BTreeSet<OwnerRef>>,
}

/// Shows which cluster it is, and no credentials.
impl std::fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubernetes").field("authority", &self.authority).finish_non_exhaustive()
    }
}

impl Kubernetes {
    /// Connects to one cluster, and makes sure that it answers and can be told apart. The mask is opened
    /// only when a plan is made or carried out.
    ///
    /// # Errors
    /// `target_unreachable` when there is no usable kubeconfig or no answer, `precondition_failed` when the cluster's
    /// certificate is not checked or the credentials may not even read the namespace `kube-system`.
    pub async fn connect(connect: &Connect, mask: MaskFile) -> Result<Self, Refusal> {
        let Connected { wire, authority, context } = connect::connect(connect).await?;
        let kubernetes = Self {
            reader: Reader::new(wire.clone()),
            rehearsal: Rehearsal::new(wire.clone()),
            writer: Writer::new(wire),
            authority,
            context,
            mask,
            recalled: Mutex::new(BTreeSet::new()),
        };
        kubernetes.identity().await?;
        Ok(kubernetes)
    }

    /// The context of the kubeconfig that was used; none inside a cluster.
    pub fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    fn recalled(&self) -> BTreeSet<OwnerRef> {
        self.recalled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Actions for KubectlActions {
    type Action = Action;
    type Seen = Seen;
    type Act = Act;
    type DryRun = DryRun;

    fn catalog() -> &'static Catalog {
        static CATALOG: LazyLock<Catalog> = LazyLock::new(catalog::catalog);
        &CATALOG
    }

    fn action(call: &StepCall) -> Result<Action, BadStep> {
        Action::read(call)
    }

    fn draft(action: &Action, seen: &Seen, fixed: &Fixed) -> Result<Draft<Self>, Refusal> {
        draft::draft(action, seen, fixed)
    }

    fn kind(act: &Act) -> ActKind {
        match act {
            Act::Patch(_) | Act::Evict(_) => ActKind::Mutate,
            Act::AwaitEvicted(_) | Act::AwaitRollout(_) => ActKind::Await,
            Act::Upkeep(act) if act.waits() => ActKind::Await,
            Act::Upkeep(_) | Act::Secret(_) | Act::Queue(_) => ActKind::Mutate,
            Act::Volume(VolumeAct::Grow(_)) => ActKind::Mutate,
            Act::Volume(VolumeAct::AwaitGrown(_)) => ActKind::Await,
        }
    }

    fn patience(act: &Act) -> Duration {
        Duration::from_secs(act.patience_seconds())
    }

    fn canonical(acts: &[Act], _seen: &Seen) -> Value {
        canonical::canonical(acts)
    }

    fn measure(seen: &Seen, steps: &[Vec<Act>], dry_run: &DryRun) -> Measured {
        measure::measure(seen, steps, dry_run)
    }

    fn observe(seen: &Seen) -> Value {
        observe::observe(seen)
    }

    fn settle(act: &Act, before: &Seen, now: &Seen) -> Settled {
        settle::settle(act, before, now)
    }

    fn in_place(act: &Act, before: &Seen, now: &Seen) -> bool {
        settle::in_place(act, before, now)
    }

    fn diff(before: &Seen, after: &Seen) -> Vec<Change> {
        diff::observed(before, after)
    }

    fn describe(act: &Act) -> String {
        act.describe()
    }
}

impl Target for Kubernetes {
    type A = KubectlActions;

    async fn identity(&self) -> Result<String, Refusal> {
        connect::identity(&self.reader, &self.authority).await
    }

    async fn probe(&self, actions: &[Action]) -> Result<Seen, Refusal> {
        Ok(probe::probe(&self.reader, self.mask.open()?, actions, &self.recalled()).await?)
    }

    fn recall(&self, before: &Seen) {
        let owners = before.workloads.iter().map(|workload| workload.id.clone());
        self.recalled.lock().unwrap_or_else(PoisonError::into_inner).extend(owners);
    }

    async fn dry_run(&self, acts: &[Act]) -> Result<DryRun, Refusal> {
        self.rehearsal.ask(self.mask.open()?, acts).await
    }

    /// Nothing lies there for it.
    async fn keep(&self, _acts: &[Act], _until: Timestamp) -> Result<(), Refusal> {
        Ok(())
    }

    async fn apply(&self, permit: Permit, act: &Act, supervision: &Supervision<'_>) -> Acted {
        match self.mask.open() {
            Ok(mask) => self.writer.apply(permit, supervision, &self.reader, mask, act).await,
            Err(refusal) => Acted::Refused { reason: refusal.message },
        }
    }

    async fn wait(&self, act: &Act) -> Waited {
        wait::wait(&self.reader, act).await
    }

    async fn read(&self, action: &Action) -> Result<Value, Refusal> {
        read::read(&self.reader, action).await
    }
}
