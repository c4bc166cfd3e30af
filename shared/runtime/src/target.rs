//! The seam between what all servers share and what each knows.
//!
//! The runtime owns order, CEL, policy, drift and recovery. A server owns its pure functions ([`Actions`])
//! and its effects ([`Target`]).

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;
pub use runcord_flow::{ActKind, Permit, Settled, StopCause, Unstopped};
use runcord_model::action::BadStep;
use runcord_model::{BlastRadius, Catalog, Change, Coverage, PlanId, Refusal, Scopes, StepCall};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use crate::supervision::{Supervision, Told};

/// The values of a plan that would otherwise move between plan and apply: both drafts get the same.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Fixed {
    /// The time that patches carry, such as a restart's.
    pub at: Timestamp,
    /// The plan: each write leaves it where looking finds it.
    pub plan: PlanId,
}

/// What carrying out one step means, decided before anything is done.
#[derive(Debug, Clone)]
pub struct Draft<A: Actions> {
    /// The acts, in order; the executor makes no choices of its own.
    pub acts: Vec<A::Act>,
    /// What a probe would see once they are done: the next step is drafted on this.
    pub predicted: A::Seen,
    /// One line for a person.
    pub summary: String,
}

/// What the acts of a plan would do, measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Before and after, values cleaned.
    pub diff: Vec<Change>,
    /// What is lost.
    pub blast_radius: BlastRadius,
    /// What was truly checked.
    pub coverage: Coverage,
    /// What the acts touch, for policy: the namespaces and nodes of every act.
    pub scopes: Scopes,
    /// Sentences for the 3 am summary, the most important first.
    pub remarks: Vec<String>,
}

/// The pure half of a server. Nothing here waits, reads a clock or rolls dice.
pub trait Actions: Clone + Debug + Send + Sync + 'static {
    /// A typed step.
    type Action: Clone + Debug + Serialize + DeserializeOwned + Send + Sync;
    /// What a probe saw.
    type Seen: Clone + Debug + Serialize + DeserializeOwned + Send + Sync;
    /// One mutation, or one wait for the world to follow.
    type Act: Clone + Debug + Serialize + DeserializeOwned + Send + Sync;
    /// What the dry-run answered.
    type DryRun: Debug + Send + Sync;

    /// All that this server can do and see.
    fn catalog() -> &'static Catalog;
    /// Reads a filled-in step into a typed action.
    fn action(call: &StepCall) -> Result<Self::Action, BadStep>;
    /// What carrying out `action` means, given what was seen.
    fn draft(action: &Self::Action, seen: &Self::Seen, fixed: &Fixed) -> Result<Draft<Self>, Refusal>;
    /// Whether the act mutates or waits.
    fn kind(act: &Self::Act) -> ActKind;
    /// The act's step of the canonical effect: what must be *equal* at apply. Acts of one step are given together,
    /// so that what may vary (pod names) can be left out.
    fn canonical(acts: &[Self::Act], seen: &Self::Seen) -> Value;
    /// Diff, blast radius and coverage of all acts of a plan (one slice for each step).
    fn measure(seen: &Self::Seen, steps: &[Vec<Self::Act>], dry_run: &Self::DryRun) -> Measured;
    /// What CEL sees: an object with the variables that the actions observe.
    fn observe(seen: &Self::Seen) -> Value;
    /// Whether an act that was sent, and whose answer was lost, was done.
    fn settle(act: &Self::Act, before: &Self::Seen, now: &Self::Seen) -> Settled;
    /// Whether looking shows that an act which the target confirmed is in place. For an act that can be settled by
    /// looking that is the same; one that leaves nothing to settle by says what can be seen of it.
    fn in_place(act: &Self::Act, before: &Self::Seen, now: &Self::Seen) -> bool {
        Self::settle(act, before, now) == Settled::Done
    }
    /// What a run keeps of what was seen before it. It is kept as long as the run, so a server leaves out what neither
    /// settling, nor verifying, nor telling what changed, nor the way back asks for.
    fn before(seen: Self::Seen) -> Self::Seen {
        seen
    }
    /// Before against after, as observed.
    fn diff(before: &Self::Seen, after: &Self::Seen) -> Vec<Change>;
    /// One line for a person about one act: `evict pod shop/web-1`.
    fn describe(act: &Self::Act) -> String;
    /// How long the act's step may take up to its end, waiting included, before the run ends there.
    fn patience(act: &Self::Act) -> Duration;
}

/// What became of one mutation. Reasons are ours: they hold no text from the infrastructure but validated names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acted {
    /// The target confirmed it.
    Done,
    /// The target said *not now* and nothing happened: it may be tried again.
    Deferred {
        /// Who stands in the way.
        reason: String,
    },
    /// The target said no and nothing happened.
    Refused {
        /// Why.
        reason: String,
    },
    /// It was sent and no answer came: only looking can tell.
    Lost {
        /// What is known.
        reason: String,
    },
    /// The run was told to stop before it was sent, and nothing happened. Its [`Supervision`] says so.
    Stopped {
        /// By what.
        cause: StopCause,
    },
}

/// What one look at a wait found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waited {
    /// The world has followed.
    Done,
    /// Not yet.
    NotYet {
        /// What is still missing.
        reason: String,
    },
    /// It never will, without a person.
    Broken {
        /// Why.
        reason: String,
    },
}

impl Waited {
    /// Not yet, and what is still missing.
    pub fn not_yet(reason: impl Into<String>) -> Self {
        Self::NotYet { reason: reason.into() }
    }

    /// Never, and why.
    pub fn broken(reason: impl Into<String>) -> Self {
        Self::Broken { reason: reason.into() }
    }
}

/// The effectful half of a server. All I/O is here.
pub trait Target: Debug + Send + Sync + 'static {
    /// The pure half.
    type A: Actions;

    /// What the target is: its identity, read when the server started and read again here.
    fn identity(&self) -> impl Future<Output = Result<String, Refusal>> + Send;
    /// Looks at what the actions are concerned with, and nothing more.
    fn probe(
        &self,
        actions: &[<Self::A as Actions>::Action],
    ) -> impl Future<Output = Result<<Self::A as Actions>::Seen, Refusal>> + Send;
    /// Keeps in view what was seen before a run: probes from now on look at that too, even where the acts have
    /// moved it away. Called once by a run's worker.
    fn recall(&self, before: &<Self::A as Actions>::Seen);
    /// Asks the target what it can tell of the acts without doing them.
    fn dry_run(
        &self,
        acts: &[<Self::A as Actions>::Act],
    ) -> impl Future<Output = Result<<Self::A as Actions>::DryRun, Refusal>> + Send;
    /// A plan of these acts is about to be kept, and can be applied until that moment: what lies at the target's side for it
    /// stays until then, and goes after that.
    fn keep(
        &self,
        acts: &[<Self::A as Actions>::Act],
        until: Timestamp,
    ) -> impl Future<Output = Result<(), Refusal>> + Send;
    /// Carries out one mutation, conditionally on the uid and fields in the act. Consumes the permit. What is slow to
    /// begin and cannot be taken back asks once more, right before it is sent, whether the run is to stop; what lasts asks
    /// it all the while.
    fn apply(
        &self,
        permit: Permit,
        act: &<Self::A as Actions>::Act,
        supervision: &Supervision<'_>,
    ) -> impl Future<Output = Acted> + Send;
    /// Looks once whether a wait is over.
    fn wait(&self, act: &<Self::A as Actions>::Act) -> impl Future<Output = Waited> + Send;
    /// Carries out a read-only action; text from inside workloads only under `untrusted`.
    fn read(
        &self,
        action: &<Self::A as Actions>::Action,
    ) -> impl Future<Output = Result<Value, Refusal>> + Send;
}
