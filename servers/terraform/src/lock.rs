//! Who holds the lock of a state. The tool only tells when it asks for the lock itself and does not get it.

use jiff::Timestamp;
use runcord_model::Refusal;
use serde::Deserialize;

use crate::desk::Desk;
use crate::names::LockId;
use crate::seen::Lock;
use crate::tool::Session;
use runcord_runtime::refusals::unusable;

/// The summary of the diagnostic, of both tools.
const LOCKED: &str = "Error acquiring the state lock";

#[derive(Deserialize)]
struct Event {
    diagnostic: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct Diagnostic {
    summary: String,
    #[serde(default)]
    detail: String,
}

/// Looks at the lock; none when the state is free.
pub(crate) async fn look(session: Session<'_>, desk: &Desk) -> Result<Option<Lock>, Refusal> {
    let plan = desk.scrap();
    let (status, text) = session.try_lock(plan.path()).await?;
    if status.success() {
        return Ok(None);
    }
    let lines = text.split(|byte| *byte == b'\n');
    let said = lines.filter_map(|line| serde_json::from_slice::<Event>(line).ok()?.diagnostic);
    let locked = said.into_iter().find(|diagnostic| diagnostic.summary == LOCKED);
    let unknown = || {
        unusable(
            "whether the state is locked cannot be told",
            "Run the tool's own `plan` in the module's folder to see what it says.",
        )
    };
    locked.and_then(|diagnostic| read(&diagnostic.detail)).map(Some).ok_or_else(unknown)
}

/// Reads what a diagnostic says of a lock. Over HTTP, Terraform's `Lock Info` is of whoever asks, and only the first line
/// names the lock that is held.
fn read(detail: &str) -> Option<Lock> {
    let field = |name: &str| {
        let line = detail.lines().find_map(|line| line.trim_start().strip_prefix(name));
        line.map(str::trim).unwrap_or_default().to_owned()
    };
    let held = detail.split_once("already locked: ID=").and_then(|(_, rest)| rest.split_whitespace().next());
    let (id, told) = match held {
        Some(id) if id != field("ID:") => (id.to_owned(), false),
        Some(_) | None => (field("ID:"), true),
    };
    let of_holder = |name| if told { field(name) } else { String::new() };
    Some(Lock {
        id: LockId::try_from(id).ok()?,
        who: of_holder("Who:"),
        operation: of_holder("Operation:"),
        created: time(&of_holder("Created:")),
    })
}

/// A time as Go writes it: `2026-11-25 16:48:30.732227592 +0000 UTC`.
fn time(text: &str) -> Option<Timestamp> {
    let (at, _) = text.split_once(" +0000")?;
    format!("{}Z", at.replacen(' ', "T", 1)).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_told_from_whoever_asks() {
        let local = "Error message: resource temporarily unavailable\nLock Info:\n  ID:        e72e4642-6051\n  Path:      terraform.tfstate\n  Operation: OperationTypeApply\n  Who:       root@vm\n  Version:   1.11.4\n  Created:   2026-11-25 16:48:30.732227592 +0000 UTC\n  Info:      \n";
        let lock = read(local).unwrap();
        assert_eq!((lock.id.as_str(), lock.who.as_str()), ("e72e4642-6051", "root@vm"));
        assert_eq!(lock.created.unwrap().to_string(), "2026-11-25T16:48:30.732227592Z");
        let http = "Error message: HTTP remote state already locked: ID=dcfc3b17-2118\nLock Info:\n  ID:        7d845e06-beaa\n  Operation: OperationTypePlan\n  Who:       root@vm\n";
        let lock = read(http).unwrap();
        assert_eq!((lock.id.as_str(), lock.who.as_str(), lock.created), ("dcfc3b17-2118", "", None));
        assert_eq!(read("Error message: nothing of the kind"), None);
        assert_eq!(read("Lock Info:\n  ID: -force\n"), None, "an id is never an option");
    }
}
