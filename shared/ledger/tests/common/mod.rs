//! A ledger in a temporary folder, and plans, warrants and times to try it with.

#![allow(dead_code, unreachable_pub, reason = "not every test uses all of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's help")]

use jiff::Timestamp;
use runcord_flow::{ActKind, Fresh, Warrant};
use runcord_ledger::{BeginError, Begun, Beside, Ledger, RunLock, Start};
use runcord_model::approval::Verdict;
use runcord_model::proof::{Allowed, KeyKind, VerifiedApproval};
use runcord_model::{
    Approval, BlastRadius, Coverage, Deadline, Decision, Digest, Effect, Environment, Moment, Outcome, Plan,
    PlanBody, PlanId, Principal, RunId, RunbookRef, Target,
};
use runcord_seal::{canonical, digest, digest_of};
use serde_json::{Map, Value, json};

pub struct Bed {
    pub dir: tempfile::TempDir,
    pub ledger: Ledger,
}

pub fn at(second: i64) -> Moment {
    let utc = Timestamp::from_second(10_000 + second).unwrap();
    Moment { utc, boot_id: "boot".into(), boot_ms: u64::try_from(second).unwrap() * 1000 }
}

pub fn principal(agent: &str) -> Principal {
    Principal { requester: agent.parse().unwrap(), sponsor: "sam".parse().unwrap() }
}

pub fn run_id(n: u8) -> RunId {
    RunId::from_entropy([n; 16])
}

pub fn plan_id(n: u8) -> PlanId {
    PlanId::from_entropy([n; 16])
}

pub fn authority() -> Digest {
    digest(b"authority")
}

impl Bed {
    /// A ledger with an authority in force.
    pub fn new() -> Self {
        let bed = Self::bare();
        bed.ledger.put_authority(&authority(), "statement", &["signature".into()], "ana", &at(0)).unwrap();
        bed
    }

    pub fn bare() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&dir.path().join("state"), [7; 16]).unwrap();
        Self { dir, ledger }
    }

    /// A second handle on the same ledger, as another process has it.
    pub fn again(&self) -> Ledger {
        Ledger::open(&self.dir.path().join("state"), [8; 16]).unwrap()
    }

    /// Forgets the connection and opens the ledger again, as after a crash.
    pub fn reopen(&mut self) {
        self.ledger = self.again();
    }

    /// The database behind the ledger's back.
    pub fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.dir.path().join("state/ledger.db")).unwrap()
    }

    pub fn plan_of(&self, n: u8, agent: &str) -> Plan {
        let body = PlanBody {
            installation: self.ledger.installation().into(),
            plan_id: plan_id(n),
            principal: principal(agent),
            target: Target { name: "t".into(), environment: Environment::Prod, identity: "cluster".into() },
            runbook: RunbookRef {
                name: "drain_node".parse().unwrap(),
                version: "1.0.0".into(),
                digest: digest(b"r"),
            },
            params: Map::new(),
            reason: "because".into(),
            incident: None,
            deadline: Deadline::after(at(0), 3_600_000),
            policy: digest(b"policy"),
            effect: Effect { equal: json!([{"uid": "u", "share": 0.1}]) },
            blast_radius: BlastRadius::nothing(),
        };
        let mut plan = Plan {
            digest: digest(b"not yet"),
            effect_digest: digest(b"not yet"),
            body,
            headline: "drain node n7 on t".into(),
            steps: vec![],
            diff: vec![],
            coverage: Coverage::default(),
            decision: Decision { outcome: Outcome::Allow, approvals_needed: vec![], reasons: vec![] },
            summary: String::new(),
            next: String::new(),
        };
        plan.effect_digest = digest_of(&plan.body.effect.equal).unwrap();
        plan.digest = digest_of(&plan.signed()).unwrap();
        plan
    }

    /// A kept plan.
    pub fn plan(&self, n: u8) -> Plan {
        let plan = self.plan_of(n, "claude");
        self.ledger.keep_plan(&plan, &beside(json!({"seen": n})), &at(1)).unwrap();
        plan
    }

    /// A kept plan, begun as the run of the same number.
    pub fn begun(&self, n: u8, acts: &[ActKind]) -> RunId {
        let plan = self.plan(n);
        begin(&self.ledger, &plan, start(n, acts)).unwrap();
        run_id(n)
    }

    /// A run whose lock is held and claimed.
    pub fn claimed(&self, n: u8, acts: &[ActKind]) -> RunLock {
        let run = self.begun(n, acts);
        let lock = self.ledger.lock_run(&run).unwrap().unwrap();
        self.ledger.claim(&lock, &at(3)).unwrap();
        lock
    }
}

pub fn beside(value: Value) -> Beside {
    Beside::of(&value).unwrap()
}

pub fn start(n: u8, acts: &[ActKind]) -> Start {
    Start {
        run: run_id(n),
        acts: acts.to_vec(),
        extras: beside(json!({"plan": n})),
        deadline: Deadline::after(at(2), 60_000),
        intent: json!({"intent": n}),
        concurrency: None,
        authority: authority(),
    }
}

pub fn warrant(plan: &Plan, approvals: &[VerifiedApproval]) -> Warrant {
    let decision = Decision { outcome: Outcome::Allow, approvals_needed: vec![], reasons: vec![] };
    let allowed = Allowed::pronounced(&plan.digest, &plan.body.policy, &decision).unwrap();
    let now = at(2);
    let (effect, blast_radius) = (&plan.body.effect, &plan.body.blast_radius);
    let fresh = Fresh { effect, blast_radius, until: &plan.body.deadline, now: &now };
    Warrant::mint(allowed, approvals, plan, fresh).unwrap()
}

pub fn begin(ledger: &Ledger, plan: &Plan, start: Start) -> Result<Begun, BeginError> {
    ledger.begin(warrant(plan, &[]), start, &at(2))
}

pub fn approval(plan: &Plan, person: &str, verdict: Verdict) -> (VerifiedApproval, String) {
    let approval = Approval {
        plan_id: plan.body.plan_id.clone(),
        plan_digest: plan.digest.clone(),
        verdict,
        approver: person.parse().unwrap(),
        shown: digest(b"page"),
        at: at(1).utc,
        expires: at(600).utc,
    };
    let statement = String::from_utf8(canonical(&approval).unwrap()).unwrap();
    (VerifiedApproval::attested(approval, KeyKind::Ordinary), statement)
}
