//! Sentences for the person at 3 am, the most important first.

use runcord_model::Measure;

use super::{Carried, count};
use crate::actions::Action;
use crate::names;
use crate::seen::Look;

/// So many groups stand in one sentence.
const NAMED: usize = 5;

pub(super) fn remarks(carried: &[Carried<'_>]) -> Vec<String> {
    let mut said = Vec::new();
    for carried in carried {
        match carried.look {
            Some(look) => of_look(look, carried, &mut said),
            None => said.push("What would be run was not looked at.".to_owned()),
        }
    }
    said
}

fn of_look(look: &Look, carried: &Carried<'_>, said: &mut Vec<String>) {
    said.extend(bytes(look));
    said.extend(counted(count::reboots(look), "1 host is rebooted.", "hosts are rebooted."));
    said.extend(counted(count::restarts(look), "1 service is restarted.", "services are restarted."));
    said.push(batches(look, carried));
    said.extend(groups(look));
    said.extend(way_back(look));
    said.extend(unchecked(look));
    if look.verify.is_none() {
        said.push(
            "Nothing asserts afterwards that it did what it should: what Ansible says has to do.".to_owned(),
        );
    }
}

fn bytes(look: &Look) -> Option<String> {
    match count::bytes_deleted(look) {
        Measure::Known(0) => None,
        Measure::Known(bytes) => Some(format!("{bytes} bytes are deleted.")),
        Measure::Unknown => Some("How many bytes are deleted is not known.".to_owned()),
    }
}

fn counted(count: usize, one: &str, many: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(one.to_owned()),
        more => Some(format!("{more} {many}")),
    }
}

/// `web1 first, then 3 more, at most 3 at once; …`
fn batches(look: &Look, carried: &Carried<'_>) -> String {
    let (first, rest) = match carried.acts {
        [first, rest @ ..] => (names::listed(&first.hosts), rest),
        [] => return "No host is touched.".to_owned(),
    };
    if rest.is_empty() {
        return if look.hosts.len() == 1 {
            format!("One host: {first}.")
        } else {
            format!("All at once: {first}.")
        };
    }
    let more: usize = rest.iter().map(|act| act.hosts.len()).sum();
    let at_once = rest.iter().map(|act| act.hosts.len()).max().unwrap_or(0);
    let (batches, them) = if rest.len() == 1 {
        ("1 batch".to_owned(), "")
    } else {
        (format!("{} batches", rest.len()), " at most")
    };
    format!(
        "{first} first, then {more} more in {batches} of{them} {at_once}; a batch begins only where the one before is \
         {}.",
        if look.verify.is_some() { "verified" } else { "done" }
    )
}

/// `4 of 4 hosts of web, 4 of 10 of all.`
fn groups(look: &Look) -> Option<String> {
    let own = look.action.group();
    let mut shares: Vec<_> = look.shares.iter().filter(|(_, share)| share.touched > 0).collect();
    shares.sort_by_key(|(group, _)| *group != own);
    let part = |(group, share): &(&names::GroupName, &crate::inventory::Share)| {
        format!("{} of {} hosts of {group}", share.touched, share.of)
    };
    let first: Vec<_> = shares.iter().take(NAMED).map(part).collect();
    match (first.is_empty(), shares.len().saturating_sub(NAMED)) {
        (true, _) => None,
        (false, 0) => Some(format!("{}.", first.join(", "))),
        (false, more) => Some(format!("{}, and hosts of {more} more groups.", first.join(", "))),
    }
}

fn way_back(look: &Look) -> Option<String> {
    match look.action {
        Action::RunPlaybook(_) if look.declared.way_back().is_none() => {
            Some("There is no way back.".to_owned())
        }
        Action::RunPlaybook(_) => {
            let lasting = count::irreversible(look);
            counted(
                lasting,
                "1 task cannot be taken back.",
                "tasks cannot be taken back, summed over the hosts.",
            )
        }
        Action::TakeBack(_) | Action::ReadPlaybook(_) => None,
    }
}

fn unchecked(look: &Look) -> Option<String> {
    let of = look.vetted.tasks.len();
    match of.saturating_sub(look.vetted.wholly_checked()) {
        0 => None,
        some => Some(format!("Not wholly checked by check mode: {some} of {of} tasks.")),
    }
}
