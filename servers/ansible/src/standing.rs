//! What became of the batches of a look, read from what was written before and while they ran. Pure: the files come in as
//! bytes.

use std::collections::BTreeMap;

use runcord_runtime::mask::Mask;

use crate::act::RunBatch;
use crate::desk::Begun;
use crate::names::HostName;
use crate::normalise::Normalise;
use crate::ran::{Ran, Status};
use crate::seen::{Batch, Ended, HostStanding, How, Verified};

/// What became of a batch.
pub(crate) fn batch(begun: &Begun, mask: &Mask) -> Batch {
    let ran = Ran::read(&begun.events, "", &Normalise::default(), mask);
    of_run(&begun.record.act, &ran)
}

/// The same, of a run that was read.
pub(crate) fn of_run(act: &RunBatch, ran: &Ran) -> Batch {
    Batch {
        ended: if ran.ended { Ended::Whole } else { Ended::Not },
        hosts: act.hosts.iter().map(|host| (host.clone(), of_host(host, ran))).collect(),
    }
}

fn of_host(host: &HostName, ran: &Ran) -> HostStanding {
    let on_it: Vec<_> = ran.tasks.iter().filter_map(|task| Some((task, task.hosts.get(host)?))).collect();
    let changed = on_it.iter().filter(|(_, on)| on.status == Status::Changed).count();
    let with = |status: &[Status]| on_it.iter().find(|(_, on)| status.contains(&on.status));
    let name = |task: &crate::ran::RanTask| task.name.parse().ok();
    let how = if let Some((task, _)) = with(&[Status::Begun, Status::Unreachable]) {
        How::Unknown { task: name(task) }
    } else if let Some((task, _)) = with(&[Status::Failed]) {
        How::Failed { task: name(task) }
    } else if on_it.is_empty() {
        How::Untouched
    } else if ran.ended {
        How::Done
    } else {
        // Between two tasks: what was still to come has not happened, and nobody knows whether it had to.
        How::Unknown { task: None }
    };
    HostStanding { changed: u32::try_from(changed).unwrap_or(u32::MAX), how }
}

/// What a verification said of each of these hosts.
pub(crate) fn verified(hosts: &[HostName], ran: &Ran) -> BTreeMap<HostName, Verified> {
    let of_host = |host: &HostName| {
        let statuses: Vec<_> =
            ran.tasks.iter().filter_map(|task| task.hosts.get(host)).map(|on| on.status).collect();
        if statuses.contains(&Status::Failed) {
            Verified::Fails
        } else if !ran.ended
            || statuses.is_empty()
            || statuses.iter().any(|status| matches!(status, Status::Begun | Status::Unreachable))
        {
            Verified::Unknown
        } else {
            Verified::Holds
        }
    };
    hosts.iter().map(|host| (host.clone(), of_host(host))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act;

    fn events(lines: &[&str]) -> Ran {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        Ran::read(text.as_bytes(), "", &Normalise::default(), &Mask::new([0; 32]))
    }

    const TASK: &str =
        r#"{"event":"task","task":"t","name":"Restart","module":"m","place":"p:1","check":false}"#;

    fn begin(host: &str) -> String {
        format!(r#"{{"event":"begin","host":"{host}","task":"t"}}"#)
    }

    fn result(host: &str, status: &str) -> String {
        format!(r#"{{"event":"result","host":"{host}","task":"t","status":"{status}","hidden":false}}"#)
    }

    const END: &str = r#"{"event":"end"}"#;

    #[test]
    fn how_a_host_stands_is_told_by_its_last_word() {
        let act = act::sample(&["web1"], 1, 1);
        let task = || Some("Restart".parse().unwrap());
        for (lines, how) in [
            (vec![TASK.to_owned(), END.to_owned()], How::Untouched),
            (vec![TASK.to_owned(), begin("web1")], How::Unknown { task: task() }),
            (vec![TASK.to_owned(), begin("web1"), END.to_owned()], How::Unknown { task: task() }),
            (
                vec![TASK.to_owned(), begin("web1"), result("web1", "unreachable")],
                How::Unknown { task: task() },
            ),
            (vec![TASK.to_owned(), begin("web1"), result("web1", "failed")], How::Failed { task: task() }),
            (vec![TASK.to_owned(), begin("web1"), result("web1", "changed")], How::Unknown { task: None }),
            (vec![TASK.to_owned(), begin("web1"), result("web1", "changed"), END.to_owned()], How::Done),
        ] {
            let ran = events(&lines.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(of_run(&act, &ran).hosts[&act.hosts[0]].how, how, "{lines:?}");
        }
    }

    #[test]
    fn a_host_is_verified_only_where_all_was_asked_and_held() {
        let hosts = act::sample(&["web1"], 1, 1).hosts;
        for (lines, said) in [
            (vec![TASK.to_owned(), begin("web1"), result("web1", "ok"), END.to_owned()], Verified::Holds),
            (vec![TASK.to_owned(), begin("web1"), result("web1", "ok")], Verified::Unknown),
            (vec![TASK.to_owned(), END.to_owned()], Verified::Unknown),
            (vec![TASK.to_owned(), begin("web1"), END.to_owned()], Verified::Unknown),
            (
                vec![TASK.to_owned(), begin("web1"), result("web1", "unreachable"), END.to_owned()],
                Verified::Unknown,
            ),
            (vec![TASK.to_owned(), begin("web1"), result("web1", "failed"), END.to_owned()], Verified::Fails),
            (vec![TASK.to_owned(), begin("web1"), result("web1", "failed")], Verified::Fails),
        ] {
            let ran = events(&lines.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(verified(&hosts, &ran)[&hosts[0]], said, "{lines:?}");
        }
    }
}
