//! The service that a client talks to, whatever the wire: one method for each tool.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use runcord_ledger::{CordScope, KeptPlan, KeptRun, Ledger, PlanStatus, Writing};
use runcord_model::{
    Code, Digest, EffectKind, Outcome, PlanId, Principal, RecordKind, Refusal, RunId, RunView,
    Target as TargetRef,
};
use runcord_policy::{Deed, Permission};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::apply::{self, Surroundings};
use crate::browse::{self, RunbookPage};
use crate::entry::Entry;
use crate::launch::Launcher;
use crate::library::{Library, Loaded};
use crate::limits::Limits;
use crate::pipeline::{Admitted, Requested};
use crate::progress::Progress;
use crate::settings::Settings;
use crate::status::{self, Shown, Standing};
use crate::target::{Fixed, Target};
use crate::tools::{ToolHint, ToolSpec};
use crate::{clock, refuse, undo, view};

/// A server for one target.
#[derive(Debug)]
pub struct Service<T: Target> {
    target: T,
    identity: String,
    library: Library,
    ledger: OnceLock<Ledger>,
    settings: Settings,
    launcher: Launcher,
    /// When this server last started a worker of a run: one that is still on its way to the lock is not doubled.
    launched: Mutex<BTreeMap<RunId, Instant>>,
    limits: Limits,
}

/// How long a worker may be on its way to its run's lock before another is started.
const LAUNCH_AGAIN: Duration = Duration::from_secs(5);
/// How often a waiting `run_status` asks whether another process wrote to the ledger.
const ASK_EVERY: Duration = Duration::from_millis(5);
/// How often it looks all the same: time alone ends plans, and how far an act is stands elsewhere.
const LOOK_EVERY: Duration = Duration::from_millis(250);

#[derive(Deserialize)]
struct ApplyArgs {
    plan_id: PlanId,
    expect: String,
}

#[derive(Deserialize)]
struct StatusArgs {
    id: String,
    #[serde(default)]
    wait_seconds: u64,
}

#[derive(Deserialize)]
struct UndoArgs {
    run_id: RunId,
}

#[derive(Deserialize)]
struct SearchArgs {
    query: String,
}

#[derive(Deserialize)]
struct CordArgs {
    reason: String,
}

enum Handle {
    Plan(Box<KeptPlan>),
    Run(Box<KeptRun>),
}

/// What was read for `run_status`. It stands until the ledger is written.
enum Looked {
    Plan(Box<KeptPlan>),
    /// A run as its reader sees it, and whether anybody has to hold it here.
    Run(Box<RunView>, Held),
}

/// Whether a run is to be held by a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// It is under way on this target.
    Here,
    /// It is over, or another target's.
    NotHere,
}

impl<T: Target> Service<T> {
    /// A service for `target`, whose identity is frozen here.
    ///
    /// # Errors
    /// When the target cannot be identified.
    pub async fn new(
        target: T,
        library: Library,
        settings: Settings,
        launcher: Launcher,
    ) -> Result<Self, Refusal> {
        let identity = target.identity().await?;
        let service = Self {
            target,
            identity,
            library,
            ledger: OnceLock::new(),
            settings,
            launcher,
            launched: Mutex::default(),
            limits: Limits::new(),
        };
        if let Err(refusal) = service.ledger() {
            tracing::warn!("{}; {}", refusal.message, refusal.next);
        }
        Ok(service)
    }

    /// The tools: static for the loaded runbook set.
    pub fn tools(&self) -> Vec<Arc<ToolSpec>> {
        self.library.current().tools.iter().map(|tool| Arc::clone(&tool.spec)).collect()
    }

    /// The tool of that name.
    pub fn tool(&self, name: &str) -> Option<Arc<ToolSpec>> {
        let find = |loaded: &Loaded| {
            loaded.tools.iter().find(|tool| tool.spec.name == name).map(|tool| Arc::clone(&tool.spec))
        };
        // The call that follows reads the files anew, and finds whether the tool is still there.
        find(&self.library.last_good()).or_else(|| find(&self.library.current()))
    }

    /// The runbooks, as resources and prompts.
    pub fn runbooks(&self) -> Vec<RunbookPage> {
        self.library.current().runbooks.values().map(|entry| browse::runbook_page(entry)).collect()
    }

    /// Carries out one call.
    ///
    /// # Errors
    /// A refusal of the closed set.
    pub async fn call(
        &self,
        principal: &Principal,
        tool: &str,
        args: &Map<String, Value>,
        progress: &Progress,
    ) -> Result<Value, Refusal> {
        let loaded = self.library.current();
        let Some(known) = loaded.tools.iter().find(|known| known.spec.name == tool) else {
            return Err(unknown_runbook());
        };
        if !known.is_declared() {
            known.check_input(args)?;
        }
        let result = self.dispatch(principal, &loaded, tool, args, progress).await?;
        // What was done is done: only a result that nothing hangs on may be held back. Of others it is told where it is looked
        // for, in the tests.
        let reads = known.spec.hint == ToolHint::Reads;
        if (reads || cfg!(debug_assertions))
            && let Some(broken) = known.broken_output(&result)
        {
            tracing::error!(tool, broken, "a result does not follow its output schema");
            if reads {
                return Err(refuse::internal("a result does not follow its output schema"));
            }
        }
        Ok(result)
    }

    async fn dispatch(
        &self,
        principal: &Principal,
        loaded: &Arc<Loaded>,
        tool: &str,
        args: &Map<String, Value>,
        progress: &Progress,
    ) -> Result<Value, Refusal> {
        match tool {
            "apply_plan" => self.apply_plan(principal, loaded, read(args)?, progress).await,
            "run_status" => self.run_status(principal, loaded, read(args)?, progress).await,
            "run_cancel" => self.run_cancel(principal, loaded, read(args)?),
            "undo_plan" => self.undo_plan(principal, loaded, read(args)?).await,
            "runbook_search" => Ok(browse::search(loaded, &read::<SearchArgs>(args)?.query)),
            "pull_cord" => self.pull_cord(principal, loaded, read(args)?),
            name => self.runbook(principal, loaded, name, args, progress).await,
        }
    }

    /// Starts a worker for every run of this target that is neither over nor held by anybody.
    ///
    /// # Errors
    /// `ledger_unavailable`.
    pub fn take_up(&self) -> Result<(), Refusal> {
        let ledger = self.ledger()?;
        for run in ledger.unended(&self.identity).map_err(|e| refuse::ledger(&e))? {
            if let Err(refusal) = self.take_up_one(ledger, &run) {
                // One that cannot be taken up now does not keep the others waiting.
                tracing::error!(%run, "{}", refusal.message);
            }
        }
        Ok(())
    }

    fn take_up_one(&self, ledger: &Ledger, run: &RunId) -> Result<(), Refusal> {
        // Only looked at: the worker takes the lock itself, and a second one that comes too late finds it taken.
        let free = ledger.lock_run(run).map_err(|e| refuse::ledger(&e))?.is_some();
        if free && self.is_time_to_launch(run) {
            tracing::warn!(%run, "nobody holds this run: starting a worker that reconciles it by looking");
            self.launcher.launch(run)?;
        }
        Ok(())
    }

    /// Whether this server has started no worker of the run within [`LAUNCH_AGAIN`]; from now on it has.
    fn is_time_to_launch(&self, run: &RunId) -> bool {
        let mut launched = self.launched.lock().unwrap_or_else(PoisonError::into_inner);
        launched.retain(|_, at| at.elapsed() < LAUNCH_AGAIN);
        let due = !launched.contains_key(run);
        if due {
            launched.insert(run.clone(), Instant::now());
        }
        due
    }

    fn ledger(&self) -> Result<&Ledger, Refusal> {
        if let Some(ledger) = self.ledger.get() {
            return Ok(ledger);
        }
        let opened = Ledger::open(&self.settings.state, clock::entropy()?).map_err(|e| refuse::ledger(&e))?;
        Ok(self.ledger.get_or_init(|| opened))
    }

    fn target_now(&self, loaded: &Loaded) -> TargetRef {
        loaded.policies.target(&self.identity)
    }

    async fn runbook(
        &self,
        principal: &Principal,
        loaded: &Arc<Loaded>,
        tool: &str,
        args: &Map<String, Value>,
        progress: &Progress,
    ) -> Result<Value, Refusal> {
        let named =
            |name: &str| loaded.runbooks.iter().find(|(known, _)| known.as_str() == name).map(|(_, e)| e);
        let entry = match tool.strip_prefix("plan_").and_then(named) {
            Some(entry) if entry.runbook.effect() != EffectKind::ReadOnly => Some(entry),
            Some(_) | None => named(tool).filter(|entry| entry.runbook.effect() == EffectKind::ReadOnly),
        };
        let entry = entry.ok_or_else(unknown_runbook)?;
        match entry.runbook.effect() {
            EffectKind::ReadOnly => self.read_runbook(principal, loaded, entry, args).await,
            EffectKind::Mutating | EffectKind::Undetermined => {
                let requested = Requested::new(principal, entry, args, &self.target_now(loaded).name)?;
                self.plan(principal, loaded, requested, progress).await
            }
        }
    }

    async fn read_runbook(
        &self,
        principal: &Principal,
        loaded: &Arc<Loaded>,
        entry: &Arc<Entry>,
        args: &Map<String, Value>,
    ) -> Result<Value, Refusal> {
        let target = self.target_now(loaded);
        let requested = Requested::new(principal, entry, args, &target.name)?;
        self.limits.read(principal)?;
        let ledger = self.ledger()?;
        let admitted = self.admit(principal, loaded, requested, &target)?;
        let params = runcord_seal::digest_of(args)
            .map_err(|_| refuse::internal("the parameters could not be written"))?;
        ledger
            .note_read(principal, entry.runbook.name(), &params, &clock::now()?)
            .map_err(|e| refuse::ledger(&e))?;
        let _turn = self.limits.turn().await?;
        let mut results = Map::new();
        for ((id, _), action) in entry.runbook.step_actions().zip(admitted.actions()) {
            results.insert(id.to_owned(), self.target.read(action).await?);
        }
        Ok(Value::Object(results))
    }

    async fn plan(
        &self,
        principal: &Principal,
        loaded: &Arc<Loaded>,
        requested: Requested,
        progress: &Progress,
    ) -> Result<Value, Refusal> {
        self.limits.plan(principal)?;
        let ledger = self.ledger()?;
        let now = clock::now()?;
        refuse::clock(ledger, &now)?;
        let target = self.target_now(loaded);
        let entry = Arc::clone(requested.entry());
        progress.note(0.0, Some(4.0), "asking policy");
        let admitted = self.admit(principal, loaded, requested, &target)?;
        let turn = self.limits.turn().await?;
        progress.note(1.0, Some(4.0), "looking at the target");
        let probed = admitted.probe(&self.target).await?;
        progress.note(2.0, Some(4.0), "asking the target for a dry-run");
        let fixed = Fixed { at: now.utc, plan: clock::plan_id()? };
        let planned = probed.plan(&self.target, fixed).await?;
        drop(turn);
        progress.note(3.0, Some(4.0), "measuring and judging");
        let judged = planned.measure().judge(&now);
        let plan = apply::keep(&self.target, ledger, judged, &now).await?;
        if plan.decision.outcome == Outcome::Deny {
            self.denial(principal, &entry, &refuse::denied(&plan.decision));
        }
        progress.note(4.0, Some(4.0), plan.headline.clone());
        Ok(plan.to_contract())
    }

    async fn apply_plan(
        &self,
        principal: &Principal,
        loaded: &Arc<Loaded>,
        args: ApplyArgs,
        progress: &Progress,
    ) -> Result<Value, Refusal> {
        // Each apply looks as long as a plan does.
        self.limits.plan(principal)?;
        let ledger = self.ledger()?;
        let kept = self.own_plan(ledger, principal, &args.plan_id)?;
        progress.note(0.0, Some(2.0), "looking again, to see that the plan still holds");
        let around = Surroundings { target: &self.target, identity: &self.identity, loaded, ledger };
        let run = apply::begin(&around, principal, &kept, &args.expect)
            .await
            .inspect_err(|r| self.refused_apply(principal, &kept, r))?;
        progress.note(1.0, Some(2.0), "the intent is recorded; starting the run");
        self.is_time_to_launch(&run);
        self.launcher.launch(&run)?;
        let kept = self.kept_run(ledger, &run)?;
        progress.note(2.0, Some(2.0), "started");
        Ok(view::of::<T::A>(&kept).to_contract())
    }

    async fn run_status(
        &self,
        principal: &Principal,
        loaded: &Loaded,
        args: StatusArgs,
        progress: &Progress,
    ) -> Result<Value, Refusal> {
        let ledger = self.ledger()?;
        let until = Instant::now() + Duration::from_secs(args.wait_seconds.min(60));
        let mut last: Option<Value> = None;
        let mut read: Option<(Writing, Looked)> = None;
        loop {
            // Before what it shows is read: what is written meanwhile is then seen at once.
            let now = ledger.writing().map_err(|e| refuse::ledger(&e))?;
            let looked = match read {
                Some((then, looked)) if then == now => looked,
                Some(_) | None => self.look(ledger, principal, loaded, &args.id)?,
            };
            let shown = self.shown(ledger, &looked)?;
            if last.as_ref() != Some(&shown.contract) {
                progress.note(shown.done, Some(shown.of), shown.summary);
            }
            if shown.standing == Standing::Over || Instant::now() >= until {
                return Ok(shown.contract);
            }
            last = Some(shown.contract);
            read = Some((now, looked));
            until_written(ledger, now).await?;
        }
    }

    fn look(
        &self,
        ledger: &Ledger,
        principal: &Principal,
        loaded: &Loaded,
        id: &str,
    ) -> Result<Looked, Refusal> {
        Ok(match self.handle(ledger, principal, loaded, id, Deed::View)? {
            Handle::Run(run) => {
                let here = run.outcome.is_none() && run.target == self.identity;
                Looked::Run(Box::new(view::of::<T::A>(&run)), if here { Held::Here } else { Held::NotHere })
            }
            Handle::Plan(plan) => Looked::Plan(plan),
        })
    }

    fn shown(&self, ledger: &Ledger, looked: &Looked) -> Result<Shown, Refusal> {
        match looked {
            Looked::Run(view, held) => {
                if *held == Held::Here {
                    // Whoever looks at a run that nobody holds has it taken up.
                    self.take_up_one(ledger, &view.run_id)?;
                }
                Ok(Shown::of_run(view, ledger.told(&view.run_id)))
            }
            Looked::Plan(plan) => status::of_plan(ledger, plan, &clock::now()?),
        }
    }

    fn run_cancel(&self, principal: &Principal, loaded: &Loaded, args: StatusArgs) -> Result<Value, Refusal> {
        let ledger = self.ledger()?;
        let now = clock::now()?;
        match self.handle(ledger, principal, loaded, &args.id, Deed::Cancel)? {
            Handle::Run(run) => {
                ledger.ask_cancel(&run.id, &principal.to_string(), &now).map_err(|e| refuse::ledger(&e))?;
            }
            Handle::Plan(plan) => {
                let id = &plan.plan.body.plan_id;
                ledger
                    .void_plan(id, &format!("cancelled by {principal}"), &now)
                    .map_err(|e| refuse::ledger(&e))?;
            }
        }
        let looked = self.look(ledger, principal, loaded, &args.id)?;
        Ok(self.shown(ledger, &looked)?.contract)
    }

    async fn undo_plan(
        &self,
        principal: &Principal,
        loaded: &Arc<Loaded>,
        args: UndoArgs,
    ) -> Result<Value, Refusal> {
        let ledger = self.ledger()?;
        let run = match self.handle(ledger, principal, loaded, args.run_id.as_str(), Deed::View)? {
            Handle::Run(run) if run.target == self.identity => run,
            // Another target's run is undone by that target's server: what was observed there is not true here.
            Handle::Run(_) | Handle::Plan(_) => return Err(refuse::run_not_found(&args.run_id)),
        };
        let name = undo::runbook_of::<T::A>(&run)?;
        let entry = loaded.runbooks.get(&name).ok_or_else(|| {
            Refusal::new(
                Code::UndoUnavailable,
                "the runbook of this run is not loaded any more",
                "ask a person to bring it back",
            )
        })?;
        let requested = undo::request::<T::A>(principal, &run, entry)?;
        self.plan(principal, loaded, requested, &Progress::none()).await
    }

    fn pull_cord(&self, principal: &Principal, loaded: &Loaded, args: CordArgs) -> Result<Value, Refusal> {
        let scope = match loaded.policies.permits(principal, Deed::PullEverything, principal) {
            Permission::Permitted => CordScope::Everything,
            Permission::NotPermitted => CordScope::Principal(principal.clone()),
        };
        let ledger = self.ledger()?;
        ledger
            .pull(&scope, &principal.to_string(), &args.reason, &clock::now()?)
            .map_err(|e| refuse::ledger(&e))?;
        let what = match &scope {
            CordScope::Everything => "everything".to_owned(),
            CordScope::Principal(principal) => format!("all of {principal}"),
        };
        Ok(json!({
            "scope": what,
            "summary": format!("The cord is pulled for {what}: runs stop before their next act, and nothing starts."),
            "next": "tell a person why; only `runcord cord reset` arms it again",
        }))
    }

    /// A plan or run that the principal may see: its own, or another's where policy permits. Otherwise it does not exist.
    fn handle(
        &self,
        ledger: &Ledger,
        principal: &Principal,
        loaded: &Loaded,
        id: &str,
        deed: Deed,
    ) -> Result<Handle, Refusal> {
        let may = |owner: &Principal| {
            owner == principal || loaded.policies.permits(principal, deed, owner) == Permission::Permitted
        };
        if let Ok(id) = id.parse::<RunId>() {
            let run = ledger.run(&id).map_err(|e| refuse::ledger(&e))?;
            let run = run.filter(|run| may(&run.principal)).ok_or_else(|| refuse::run_not_found(&id))?;
            return Ok(Handle::Run(Box::new(run)));
        }
        let id: PlanId = id.parse().map_err(|_| invalid("id", "a run_id or a plan_id"))?;
        let plan = ledger.plan(&id).map_err(|e| refuse::ledger(&e))?;
        let plan =
            plan.filter(|kept| may(&kept.plan.body.principal)).ok_or_else(|| refuse::plan_not_found(&id))?;
        match &plan.status {
            PlanStatus::Spent(run) => Ok(Handle::Run(Box::new(self.kept_run(ledger, run)?))),
            PlanStatus::Open | PlanStatus::Rejected { .. } | PlanStatus::Void { .. } => {
                Ok(Handle::Plan(Box::new(plan)))
            }
        }
    }

    fn own_plan(&self, ledger: &Ledger, principal: &Principal, id: &PlanId) -> Result<KeptPlan, Refusal> {
        ledger
            .plan(id)
            .map_err(|e| refuse::ledger(&e))?
            .filter(|kept| {
                &kept.plan.body.principal == principal && kept.plan.body.target.identity == self.identity
            })
            .ok_or_else(|| refuse::plan_not_found(id))
    }

    fn kept_run(&self, ledger: &Ledger, id: &RunId) -> Result<KeptRun, Refusal> {
        ledger.run(id).map_err(|e| refuse::ledger(&e))?.ok_or_else(|| refuse::run_not_found(id))
    }

    /// Asks policy whether this may be asked for at all; a denial is recorded.
    fn admit(
        &self,
        principal: &Principal,
        loaded: &Arc<Loaded>,
        requested: Requested,
        target: &TargetRef,
    ) -> Result<Admitted<T::A>, Refusal> {
        let entry = Arc::clone(requested.entry());
        requested.admit(loaded, target).inspect_err(|refusal| self.denial(principal, &entry, refusal))
    }

    /// Records what policy denied. A denial that cannot be recorded stays a denial.
    fn denial(&self, principal: &Principal, entry: &Entry, refusal: &Refusal) {
        if refusal.code == Code::PolicyDenied {
            self.record_denial(entry.runbook.name().as_str(), &entry.reference().digest, json!({
                "requester": principal.requester, "sponsor": principal.sponsor, "runbook": entry.reference(),
                "message": refusal.message, "details": refusal.details,
            }));
        }
    }

    fn refused_apply(&self, principal: &Principal, kept: &KeptPlan, refusal: &Refusal) {
        if matches!(
            refusal.code,
            Code::PolicyDenied | Code::ApprovalRequired | Code::ApprovalInvalid | Code::NotInAuthority
        ) {
            self.record_denial(
                kept.plan.body.plan_id.as_str(),
                &kept.plan.digest,
                json!({
                    "requester": principal.requester, "sponsor": principal.sponsor,
                    "plan_id": kept.plan.body.plan_id, "code": refusal.code, "message": refusal.message,
                }),
            );
        }
    }

    fn record_denial(&self, name: &str, subject: &Digest, facts: Value) {
        let written = self.ledger().and_then(|ledger| {
            let statement = crate::statement::of(RecordKind::Denial, name, subject, facts);
            ledger.record(RecordKind::Denial, statement, &clock::now()?).map_err(|e| refuse::ledger(&e))
        });
        if let Err(refusal) = written {
            tracing::error!(message = %refusal.message, "a denial could not be recorded");
        }
    }
}

fn read<D: serde::de::DeserializeOwned>(args: &Map<String, Value>) -> Result<D, Refusal> {
    // The input schema was held by now: what is left are the grammars of ids.
    serde_json::from_value(Value::Object(args.clone()))
        .map_err(|_| invalid("arguments", "must follow the tool's input schema"))
}

/// Waits until somebody has written to the ledger since that [`Ledger::writing`], but not for long.
async fn until_written(ledger: &Ledger, seen: Writing) -> Result<(), Refusal> {
    let since = Instant::now();
    while since.elapsed() < LOOK_EVERY && ledger.writing().map_err(|e| refuse::ledger(&e))? == seen {
        tokio::time::sleep(ASK_EVERY).await;
    }
    Ok(())
}

fn unknown_runbook() -> Refusal {
    Refusal::new(
        Code::UnknownRunbook,
        "there is no runbook of that name",
        "call runbook_search to see the runbooks that there are; nothing else can be done",
    )
}

fn invalid(param: &str, rule: &str) -> Refusal {
    Refusal::new(
        Code::InvalidParams,
        format!("{param}: {rule}"),
        "correct it as the tool's input schema says, then call again",
    )
    .with_details(json!({"param": param, "rule": rule}))
}
