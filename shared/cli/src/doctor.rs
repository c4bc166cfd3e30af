//! `runcord doctor`: everything that a server needs, whether it is there, and how to mend it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use runcord_ansible::ready::{self, Looked};
use runcord_ledger::{ChainError, CordState, Ledger};
use runcord_model::approval::APPROVAL_NAMESPACE;
use runcord_runtime::authority;
use runcord_runtime::chain;
use runcord_runtime::mask::{self, MaskError};
use runcord_runtime::settings::{Origin, Settings, login};
use serde::Serialize;
use serde_json::json;

use crate::activate::Set;
use crate::around::Around;
use crate::failure::{Exit, Failure};
use crate::output::{Answer, Mood, columns, when, word};
use crate::servers::{self, Reach};
use crate::sign;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    reach: Reach,
    /// Leave the target out: look at this machine only
    #[arg(long)]
    offline: bool,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    what: &'static str,
    state: State,
    says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    /// It does not hold, and a person mends it here.
    Problem,
    /// The surroundings fail: no store, no cluster, no program.
    Unreachable,
    /// It could not be looked at, because of what failed before.
    NotLookedAt,
}

fn ok(what: &'static str, says: impl Into<String>) -> Check {
    Check { what, state: State::Ok, says: says.into(), mend: None }
}

fn bad(what: &'static str, state: State, says: impl Into<String>, mend: impl Into<String>) -> Check {
    Check { what, state, says: says.into(), mend: Some(mend.into()) }
}

fn skipped(what: &'static str, why: &str) -> Check {
    Check { what, state: State::NotLookedAt, says: why.to_owned(), mend: None }
}

fn failed(what: &'static str, failure: &Failure) -> Check {
    let state = match failure.exit() {
        Exit::Surroundings => State::Unreachable,
        Exit::Done | Exit::Refused | Exit::Usage => State::Problem,
    };
    let mend = miette::Diagnostic::help(failure).map(|help| help.to_string());
    Check { what, state, says: chain(failure), mend }
}

pub(crate) async fn run(args: &Args, around: &Around) -> Result<Answer, Failure> {
    // A target that cannot be reached says why on standard error.
    runcord_runtime::telemetry::init();
    let settings = around.settings()?;
    let mut checks = vec![configuration(&settings), state_folder(&settings.state), mask_key(&settings.state)];
    let ledger = ledger(around, &mut checks);
    let set = files(around, &settings, &mut checks);
    checks.push(match (&ledger, &set) {
        (Some(ledger), Some(set)) => in_force(ledger, set),
        _ => skipped("authority", "needs the ledger, the policy and the runbooks"),
    });
    if let Some(set) = &set {
        checks.push(approvers(set, around));
        checks.push(principal(set, &settings));
    }
    checks.push(
        sign::ssh_keygen()
            .map_or_else(|e| failed("ssh-keygen", &e), |path| ok("ssh-keygen", path.display().to_string())),
    );
    if !args.offline {
        checks.push(target(&args.reach, &settings, set.as_ref()).await);
        checks.extend(servers::beside_target(&args.reach, &settings).await.into_iter().map(beside));
    }
    Ok(answer(&checks))
}

fn answer(checks: &[Check]) -> Answer {
    let exit = exit_of(checks);
    let rows: Vec<[String; 3]> = checks
        .iter()
        .map(|check| [state_word(check.state), check.what.to_owned(), check.says.clone()])
        .collect();
    let mut page = columns(&rows);
    let mends: Vec<String> = checks
        .iter()
        .filter_map(|check| Some(format!("  {}: {}", check.what, check.mend.as_ref()?)))
        .collect();
    if !mends.is_empty() {
        page.push_str(&format!("\n\nTo mend\n{}", mends.join("\n")));
    }
    Answer::done(page, json!({"ok": exit == Exit::Done, "checks": checks})).ending(exit)
}

/// 3 when the surroundings fail, else 1 when something does not hold.
fn exit_of(checks: &[Check]) -> Exit {
    let any = |state| checks.iter().any(|check| check.state == state);
    match (any(State::Unreachable), any(State::Problem) || any(State::NotLookedAt)) {
        (true, _) => Exit::Surroundings,
        (false, true) => Exit::Refused,
        (false, false) => Exit::Done,
    }
}

fn state_word(state: State) -> String {
    match state {
        State::Ok => word(Mood::Good, "ok"),
        State::Problem => word(Mood::Bad, "PROBLEM"),
        State::Unreachable => word(Mood::Bad, "FAILED"),
        State::NotLookedAt => word(Mood::Quiet, "not looked at"),
    }
}

fn configuration(settings: &Settings) -> Check {
    let folder = |origin: &Origin| match origin {
        Origin::Shipped => "shipped".to_owned(),
        Origin::Folder(path) => path.display().to_string(),
    };
    let says = format!(
        "{}; agent {}; policy {}; runbooks {}",
        if settings.config.exists() { settings.config.display().to_string() } else { "none".to_owned() },
        settings.agent,
        folder(&settings.policy),
        folder(&settings.runbooks)
    );
    ok("configuration", says)
}

fn state_folder(state: &Path) -> Check {
    let what = "state folder";
    match std::fs::metadata(state) {
        Err(_) => {
            bad(what, State::Unreachable, format!("{} is not there", state.display()), "run `runcord init`")
        }
        Ok(meta) if meta.permissions().mode() & 0o077 != 0 => bad(
            what,
            State::Problem,
            format!("{} is open to others (mode {:o})", state.display(), meta.permissions().mode() & 0o777),
            format!("chmod 700 {}", state.display()),
        ),
        Ok(_) => ok(what, format!("{}, closed to others", state.display())),
    }
}

fn mask_key(state: &Path) -> Check {
    let what = "mask key";
    match mask::find(state) {
        Ok(Some(_)) => ok(what, format!("{}, closed to others", mask::FILE)),
        Ok(None) => ok(what, "none yet: the first plan makes it"),
        Err(error @ MaskError::File(_)) => {
            bad(what, State::Unreachable, chain(&error), "check the path and its permissions")
        }
        Err(error @ (MaskError::Exposed | MaskError::Size)) => bad(
            what,
            State::Problem,
            chain(&error),
            format!(
                "put your copy of {0} back, or delete {0}: what open plans compare under it then counts as changed",
                state.join(mask::FILE).display()
            ),
        ),
    }
}

fn ledger(around: &Around, checks: &mut Vec<Check>) -> Option<Ledger> {
    match around.ledger() {
        Ok(ledger) => {
            checks.push(ok("ledger", format!("installation {}", ledger.installation())));
            checks.push(records(&ledger));
            checks.push(cord(&ledger));
            Some(ledger)
        }
        Err(failure) => {
            checks.push(failed("ledger", &failure));
            None
        }
    }
}

fn records(ledger: &Ledger) -> Check {
    match ledger.check_chain() {
        Ok(count) => ok("records", format!("{count}, chained; not signed yet")),
        Err(ChainError::Broken { index, why }) => bad(
            "records",
            State::Problem,
            format!("the chain is broken at record {index}: {why}"),
            "apply nothing more; keep a copy of the state folder and compare it with an export",
        ),
        Err(ChainError::Ledger(error)) => failed("records", &error.into()),
    }
}

fn cord(ledger: &Ledger) -> Check {
    match (ledger.cord(), ledger.pulled()) {
        (Ok(CordState::Pulled { by, at, .. }), _) => bad(
            "cord",
            State::Problem,
            format!("pulled by {by} at {}: nothing may run", when(at.utc)),
            "find out why (`runcord cord status`); an approver arms it with `runcord cord reset --reason …`",
        ),
        (Ok(CordState::Armed), Ok(some)) if !some.is_empty() => bad(
            "cord",
            State::Problem,
            format!("pulled for {} principals", some.len()),
            "see `runcord cord status`; an approver arms it with `runcord cord reset --reason …`",
        ),
        (Ok(CordState::Armed), Ok(_)) => ok("cord", "armed"),
        (Err(error), _) | (_, Err(error)) => failed("cord", &error.into()),
    }
}

fn files(around: &Around, settings: &Settings, checks: &mut Vec<Check>) -> Option<Set> {
    let alone = |settings: Settings| servers::library(&settings).map(|_| ());
    let one = |what, result: Result<(), runcord_runtime::library::LoadError>, mend: &str| match result {
        Ok(()) => ok(what, "loads"),
        Err(error) => bad(what, State::Problem, format!("{error}: {} problems", error.problems.len()), mend),
    };
    checks.push(one(
        "policy",
        alone(settings.clone().with_shipped_runbooks()),
        "`runcord policy check` shows each with its place",
    ));
    checks.push(one(
        "runbooks",
        alone(Settings { policy: Origin::Shipped, ..settings.clone() }),
        "`runcord runbook check` shows each with its place",
    ));
    around.library().and_then(|library| Set::of(&library)).ok()
}

fn in_force(ledger: &Ledger, set: &Set) -> Check {
    match authority::in_force(ledger, &set.loaded) {
        Ok(_) => ok("authority", "in force is what is loaded"),
        Err(refusal) => bad("authority", State::Problem, refusal.message, refusal.next),
    }
}

fn approvers(set: &Set, around: &Around) -> Check {
    let Ok(now) = around.now() else { return skipped("approvers", "the clock cannot be read") };
    let people = set.loaded.policies.people();
    let able = set.loaded.approvers.people_for(APPROVAL_NAMESPACE, now.utc);
    let usable: Vec<_> =
        people.approvers().filter(|name| able.contains(*name)).map(ToString::to_string).collect();
    let unlisted: Vec<_> = people.unlisted_approvers().map(ToString::to_string).collect();
    if !unlisted.is_empty() {
        let says = format!("in approvers, but not in people.yaml: {}", unlisted.join(", "));
        return bad(
            "approvers",
            State::Problem,
            says,
            "list them in people.yaml with their groups, then `runcord activate`",
        );
    }
    if usable.is_empty() {
        return bad(
            "approvers",
            State::Problem,
            "nobody may approve",
            "run `runcord init --approver NAME`, or add a line to `approvers` and a person to people.yaml",
        );
    }
    let me = people.person(&login()).map(|name| name.to_string()).unwrap_or_default();
    if usable == [me] {
        return bad(
            "approvers",
            State::Problem,
            "you are the only approver: an ordinary key of yours cannot approve what your own agent asks",
            "add somebody else, or use a security key (ssh-keygen -t ed25519-sk)",
        );
    }
    ok("approvers", usable.join(", "))
}

fn principal(set: &Set, settings: &Settings) -> Check {
    match set.loaded.policies.principal(&login(), settings.agent.as_str()) {
        Ok(principal) => ok("principal", principal.to_string()),
        Err(error) => bad(
            "principal",
            State::Problem,
            chain(&error),
            "list the agent in people.yaml, or name a listed one in the configuration file (agent: …)",
        ),
    }
}

/// A server's own advice is for agents; this is for the person at the terminal.
const UNREACHABLE: &str = "check --kubeconfig and --context with kubectl, or --root, or --project and --ansible; leave the target out with --offline";

/// What a server needs beside its target.
fn beside(looked: Looked) -> Check {
    let (what, says) = (looked.what, looked.says);
    match looked.state {
        ready::State::Well => ok(what, says),
        ready::State::Amiss(mend) => bad(what, State::Problem, says, mend),
        ready::State::Missing(mend) => bad(what, State::Unreachable, says, mend),
        ready::State::NotLookedAt => skipped(what, &says),
    }
}

async fn target(reach: &Reach, settings: &Settings, set: Option<&Set>) -> Check {
    let identity = match servers::identity(reach, settings).await {
        Ok(identity) => identity,
        Err(refusal) => return bad("target", State::Unreachable, refusal.message, UNREACHABLE),
    };
    let Some(set) = set else { return ok("target", identity) };
    let target = set.loaded.policies.target(&identity);
    let says = format!("{} ({}), {identity}", target.name, target.environment.as_str());
    if set.loaded.policies.targets().all().any(|mapped| mapped.identity == identity) {
        return ok("target", says);
    }
    // Not a problem: an unmapped target is judged as production, which is the careful answer.
    Check {
        mend: Some(format!(
            "to name it, add to targets.yaml: - {{identity: \"{identity}\", name: …, environment: …}}; then `runcord activate`"
        )),
        ..ok("target", format!("{says}; not mapped, so it counts as production"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_decides_the_exit_code() {
        let problem = || bad("a", State::Problem, "", "");
        let unreachable = || bad("b", State::Unreachable, "", "");
        assert_eq!(exit_of(&[ok("x", "")]), Exit::Done);
        assert_eq!(exit_of(&[ok("x", ""), problem()]), Exit::Refused);
        assert_eq!(exit_of(&[problem(), unreachable()]), Exit::Surroundings);
        assert_eq!(exit_of(&[skipped("x", "")]), Exit::Refused, "what was not looked at is not well");
    }

    #[test]
    fn every_problem_says_how_to_mend_it() {
        let answer = answer(&[ok("fine", "yes"), bad("state folder", State::Problem, "open", "chmod 700 x")]);
        assert!(answer.page.contains("To mend\n  state folder: chmod 700 x"), "{}", answer.page);
        assert_eq!(answer.json["checks"][1]["mend"], "chmod 700 x");
    }

    #[test]
    fn a_mask_key_that_others_may_read_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(mask_key(folder.path()).state, State::Ok, "none is needed yet");
        let file = folder.path().join(mask::FILE);
        std::fs::write(&file, [7; 32]).unwrap();
        for (mode, state) in [(0o644, State::Problem), (0o600, State::Ok)] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(mask_key(folder.path()).state, state, "{mode:o}");
        }
    }

    #[test]
    fn an_open_state_folder_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(state_folder(folder.path()).state, State::Problem);
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(state_folder(folder.path()).state, State::Ok);
    }
}
