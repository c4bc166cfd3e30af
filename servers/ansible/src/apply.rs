//! Runs one batch: exactly its hosts, and then what verifies it on the same hosts. Remote tasks go on when this end dies, so
//! what is begun is written down before, and each host is told of by its own last word.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use runcord_exec::{Followed, Status, Timed};
use runcord_runtime::target::{Acted, Permit, Supervision, Told};

use crate::act::RunBatch;
use crate::actions::Action;
use crate::desk::{Outputs, Record};
use crate::names::HostName;
use crate::normalise::Normalise;
use crate::probe::{self, On, Prober};
use crate::ran::Ran;
use crate::seen::{Batch, Ended, How, Verified};
use crate::standing;
use crate::tool::{Mode, Run};

/// How often the events are read while a batch runs.
const READ_EVERY: Duration = Duration::from_millis(250);
/// How often what a batch runs in is kept from being swept away.
const KEEP_EVERY: Duration = Duration::from_secs(10 * 60);
/// How long an interrupted batch is waited for.
const GRACE: Duration = Duration::from_secs(60);
/// How long what runs may take to become what it should be, and how often that is looked at.
const SETTLING: Duration = Duration::from_secs(30);
const VERIFY_EVERY: Duration = Duration::from_secs(2);
/// Hosts that one sentence names.
const NAMED: usize = 5;

/// Runs a batch. `on` is exactly its hosts.
pub(crate) async fn apply(
    prober: &Prober,
    permit: Permit,
    supervision: &Supervision<'_>,
    it: &RunBatch,
    on: On<'_>,
) -> Acted {
    let Ok(files) = prober.files(on) else {
        return refused("there is no place for what Ansible is given; nothing was begun");
    };
    let Ok(began) = probe::now() else { return refused("the clock cannot be read; nothing was begun") };
    // What there was to look at before took a while.
    let _unstopped = match supervision.unstopped(permit) {
        Ok(unstopped) => unstopped,
        Err(acted) => return acted,
    };
    let outputs = match prober.desk.begin(&Record { began, act: it.clone() }) {
        Ok(outputs) => outputs,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return refused("this batch was begun before, and no batch is run twice");
        }
        Err(_) => return refused("what is begun cannot be written down; nothing was begun"),
    };
    let tags = match &it.action {
        Action::RunPlaybook(play) | Action::ReadPlaybook(play) => play.tags.clone(),
        Action::TakeBack(_) => std::collections::BTreeSet::new(),
    };
    let playbook = on.content.playbook(&it.source);
    let limit = Duration::from_secs(it.timeout.seconds());
    let run = Run {
        playbook: &playbook,
        inventory: files.inventory.path(),
        variables: files.variables.path(),
        tags: &tags,
        mode: Mode::Real,
        task: limit,
        events: &outputs.events,
    };
    let session = prober.tool.at(on.content, on.declared);
    let timed = Timed::start("run");
    let followed = match session.follow(&run, &outputs.stdout, &outputs.stderr) {
        Ok(followed) => followed,
        Err(error) => return refused(format!("nothing was begun: {error}")),
    };
    let status = follow(prober, followed, supervision, it, limit, &outputs).await;
    drop((files, timed));
    let Ok(mask) = prober.mask.open() else { return lost("what became of the hosts cannot be read") };
    let ran = std::fs::read(&outputs.events).unwrap_or_default();
    let batch = standing::of_run(it, &Ran::read(&ran, "", &Normalise::default(), mask));
    match told(it, &batch, status) {
        Acted::Done => verify(prober, it, On { since: began, ..on }).await,
        acted @ (Acted::Refused { .. }
        | Acted::Lost { .. }
        | Acted::Deferred { .. }
        | Acted::Stopped { .. }) => acted,
    }
}

/// Until it has ended. A batch that runs is let run: told to stop, no further one begins. Only when its time is over it is
/// interrupted, once.
async fn follow(
    prober: &Prober,
    mut followed: Followed,
    supervision: &Supervision<'_>,
    it: &RunBatch,
    limit: Duration,
    outputs: &Outputs,
) -> Option<Status> {
    let mut results = Results { path: outputs.events.clone(), read: 0, count: 0 };
    let began = Instant::now();
    let (mut interrupted, mut kept) = (None, Instant::now());
    loop {
        tokio::select! {
            ended = followed.ended() => {
                return ended.inspect_err(|error| {
                    tracing::error!(error = error as &dyn std::error::Error, "Ansible could not be followed");
                }).ok();
            }
            () = tokio::time::sleep(READ_EVERY) => supervision.tell(Told { done: results.count(), of: it.results }),
        }
        if kept.elapsed() >= KEEP_EVERY {
            kept = Instant::now();
            if let Err(error) = prober.contents.keep(&it.rests_on.content) {
                tracing::warn!(%error, "the copy that a batch runs in may be swept away");
            }
        }
        match interrupted {
            None if began.elapsed() >= limit => {
                tracing::warn!(
                    pid = followed.pid().get(),
                    "the time of a batch is over: interrupting Ansible, once"
                );
                interrupted = Some(Instant::now());
                followed.interrupt();
            }
            Some(at) if at.elapsed() >= GRACE => return None,
            None | Some(_) => {}
        }
    }
}

/// What has become of a batch, host by host.
fn told(it: &RunBatch, batch: &Batch, status: Option<Status>) -> Acted {
    let such = |is: &dyn Fn(&How) -> bool| -> Vec<&HostName> {
        batch.hosts.iter().filter(|(_, standing)| is(&standing.how)).map(|(host, _)| host).collect()
    };
    let unknown = such(&|how| matches!(how, How::Unknown { .. }));
    let failed = such(&|how| matches!(how, How::Failed { .. }));
    let done = such(&|how| matches!(how, How::Done));
    let rest = if it.number < it.of { "; no further batch was begun" } else { "" };
    if !unknown.is_empty() {
        return lost(format!(
            "{} did not tell the end of a task, which may go on there{}{rest}",
            named(&unknown),
            task(batch, &unknown)
        ));
    }
    if !failed.is_empty() {
        return refused(format!("{} failed{}{rest}", named(&failed), task(batch, &failed)));
    }
    match (status, batch.ended) {
        (Some(Status::Exited(0)), Ended::Whole) if done.len() == it.hosts.len() => Acted::Done,
        // Ended well and nothing told: then what it did was not told.
        (Some(Status::Exited(1..)), _) if done.is_empty() => {
            refused(format!("Ansible did not begin any task, and nothing was done{rest}"))
        }
        (Some(_), _) => lost(format!("Ansible did not come to its end on all hosts{rest}")),
        (None, _) => lost(format!("what became of Ansible is not known{rest}")),
    }
}

/// `, in the task "Restart the service"`, where it is one and the same.
fn task(batch: &Batch, hosts: &[&HostName]) -> String {
    let task = |host: &&&HostName| match &batch.hosts.get(**host)?.how {
        How::Failed { task } | How::Unknown { task } => task.clone(),
        How::Untouched | How::Done => None,
    };
    let mut tasks: Vec<_> = hosts.iter().filter_map(|host| task(&host)).collect();
    tasks.dedup();
    match tasks.as_slice() {
        [task] => format!(", in the task \"{task}\""),
        [] | [_, ..] => String::new(),
    }
}

/// `web1, web2 and 3 more`.
fn named(hosts: &[&HostName]) -> String {
    let first: Vec<_> = hosts.iter().take(NAMED).map(ToString::to_string).collect();
    match hosts.len() - first.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// Asserts the running state on the hosts of the batch. Not by check mode: a handler that was lost looks clean there.
async fn verify(prober: &Prober, it: &RunBatch, on: On<'_>) -> Acted {
    let Some(verify) = &it.verify else { return Acted::Done };
    let until = Instant::now() + SETTLING;
    loop {
        let said = match prober.read(on, verify, &std::collections::BTreeSet::new()).await {
            Ok(ran) => standing::verified(&it.hosts, &ran),
            Err(refusal) => return lost(format!("the batch ran, and was not verified: {}", refusal.message)),
        };
        let acted = asserted(it, &said);
        if acted == Acted::Done || Instant::now() >= until {
            return acted;
        }
        tokio::time::sleep(VERIFY_EVERY).await;
    }
}

/// What verifying says of a batch. A host that does not answer is not known to be wrong.
fn asserted(it: &RunBatch, said: &BTreeMap<HostName, Verified>) -> Acted {
    let such = |wanted| said.iter().filter(|(_, said)| **said == wanted).map(|(host, _)| host).collect();
    let (wrong, silent): (Vec<_>, Vec<_>) = (such(Verified::Fails), such(Verified::Unknown));
    let rest = if it.number < it.of { "; no further batch was begun" } else { "" };
    if !silent.is_empty() {
        lost(format!(
            "the batch ran, and {} could not be asked whether it is as it should be{rest}",
            named(&silent)
        ))
    } else if !wrong.is_empty() {
        refused(format!("the batch ran, and {} is not as it should be{rest}", named(&wrong)))
    } else {
        Acted::Done
    }
}

/// Counts results, read on from where it was left.
struct Results {
    path: PathBuf,
    read: u64,
    count: u32,
}

impl Results {
    fn count(&mut self) -> u32 {
        if let Err(error) = self.read_on() {
            tracing::debug!(%error, "the events cannot be read yet");
        }
        self.count
    }

    fn read_on(&mut self) -> std::io::Result<()> {
        let mut file = BufReader::new(File::open(&self.path)?);
        file.seek(SeekFrom::Start(self.read))?;
        let mut line = Vec::new();
        while file.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            self.read += line.len() as u64;
            self.count += u32::from(line.starts_with(RESULT));
            line.clear();
        }
        Ok(())
    }
}

/// How our plugin begins the line of a result.
const RESULT: &[u8] = b"{\"event\": \"result\"";

fn refused(reason: impl Into<String>) -> Acted {
    Acted::Refused { reason: reason.into() }
}

fn lost(reason: impl Into<String>) -> Acted {
    Acted::Lost { reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act;
    use crate::seen::HostStanding;

    fn batch(ended: Ended, hosts: &[(&str, How)]) -> Batch {
        let standing = |how: &How| HostStanding { changed: 1, how: how.clone() };
        let hosts: BTreeMap<_, _> =
            hosts.iter().map(|(host, how)| (host.parse().unwrap(), standing(how))).collect();
        Batch { ended, hosts }
    }

    fn reason(acted: Acted) -> String {
        match acted {
            Acted::Refused { reason } => format!("refused: {reason}"),
            Acted::Lost { reason } => format!("lost: {reason}"),
            Acted::Done | Acted::Deferred { .. } | Acted::Stopped { .. } => format!("{acted:?}"),
        }
    }

    #[test]
    fn each_host_is_told_of_and_none_is_taken_for_done() {
        let it = act::sample(&["web1", "web2"], 1, 2);
        let task = || Some("Restart".parse().unwrap());
        let failed = || How::Failed { task: task() };
        let unknown = || How::Unknown { task: task() };
        let of = |ended, one, other, status| {
            reason(told(&it, &batch(ended, &[("web1", one), ("web2", other)]), status))
        };
        let ok = Some(Status::Exited(0));
        assert_eq!(of(Ended::Whole, How::Done, How::Done, ok), "Done");
        assert_eq!(
            of(Ended::Whole, failed(), How::Done, Some(Status::Exited(2))),
            "refused: web1 failed, in the task \"Restart\"; no further batch was begun"
        );
        assert_eq!(
            of(Ended::Whole, failed(), unknown(), Some(Status::Exited(4))),
            "lost: web2 did not tell the end of a task, which may go on there, in the task \"Restart\"; no further batch was begun"
        );
        for (ended, one, other, status) in [
            (Ended::Not, How::Done, How::Done, ok),
            (Ended::Whole, How::Done, How::Untouched, ok),
            (Ended::Whole, How::Done, How::Done, Some(Status::Exited(2))),
            (Ended::Whole, How::Done, How::Done, Some(Status::Signalled(9))),
            (Ended::Whole, How::Done, How::Done, None),
            (Ended::Not, How::Untouched, How::Untouched, ok),
            (Ended::Whole, How::Untouched, How::Untouched, ok),
        ] {
            assert!(of(ended, one, other, status).starts_with("lost: "), "{ended:?} {status:?}");
        }
        let nothing = of(Ended::Whole, How::Untouched, How::Untouched, Some(Status::Exited(4)));
        assert_eq!(
            nothing,
            "refused: Ansible did not begin any task, and nothing was done; no further batch was begun"
        );
    }

    #[test]
    fn a_host_that_is_silent_afterwards_is_not_taken_for_wrong_nor_for_right() {
        let it = act::sample(&["web1", "web2"], 1, 2);
        let of = |one, other| {
            let said = [("web1", one), ("web2", other)].map(|(host, said)| (host.parse().unwrap(), said));
            reason(asserted(&it, &said.into()))
        };
        assert_eq!(of(Verified::Holds, Verified::Holds), "Done");
        assert_eq!(
            of(Verified::Fails, Verified::Holds),
            "refused: the batch ran, and web1 is not as it should be; no further batch was begun"
        );
        for one in [Verified::Holds, Verified::Fails] {
            assert_eq!(
                of(one, Verified::Unknown),
                "lost: the batch ran, and web2 could not be asked whether it is as it should be; no further batch was begun"
            );
        }
    }

    #[test]
    fn results_are_counted_on_from_a_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let mut results = Results { path: path.clone(), read: 0, count: 0 };
        assert_eq!(results.count(), 0);
        std::fs::write(&path, "{\"event\": \"play\"}\n{\"event\": \"result\", \"x\": 1}\n{\"event\": \"res")
            .unwrap();
        assert_eq!(results.count(), 1);
        std::fs::write(
            &path,
            "{\"event\": \"play\"}\n{\"event\": \"result\", \"x\": 1}\n{\"event\": \"result\"}\n",
        )
        .unwrap();
        assert_eq!(results.count(), 2);
    }
}
